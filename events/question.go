package events

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// DecideSubject is where the gate answers questions of a controller over NATS
// request and reply: decide.<controller> (design.md 8). The request is a
// Question, the reply a Receipt, or a Refusal when the question cannot be read.
func DecideSubject(controller string) string { return "decide." + SubjectToken(controller) }

// Question asks the gate whether one call may be placed now. The contact is
// given by number or by key; a number is read and forgotten. Absent fields
// have the defaults of call.concluded (events.md 4.4): purpose marketing,
// channel operator_call, the controller as processor, a withheld cli, IT as
// both countries.
type Question struct {
	Number  string `json:"number,omitempty"`  // E.164, or national format with Country
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Contact string `json:"contact,omitempty"` // contact key, instead of a number

	Controller string `json:"controller"`
	Campaign   string `json:"campaign"`
	Attempt    string `json:"attempt,omitempty"` // id that the call will bear
	At         string `json:"at,omitempty"`      // RFC 3339; absent = now, by the gate's clock; anything else is answered from history

	Purpose       string `json:"purpose,omitempty"`
	Channel       string `json:"channel,omitempty"`
	Processor     string `json:"processor,omitempty"`
	CLI           string `json:"cli,omitempty"`
	OriginCountry string `json:"origin_country,omitempty"`
	AgentCountry  string `json:"agent_country,omitempty"`
	Roaming       bool   `json:"roaming,omitempty"`
	Mode          string `json:"mode,omitempty"`
	Agent         string `json:"agent,omitempty"`
	AgentReserved bool   `json:"agent_reserved,omitempty"`
	Basis         string `json:"basis,omitempty"`
	Grant         string `json:"grant,omitempty"`
	Request       string `json:"request,omitempty"`
	Batch         string `json:"batch,omitempty"`
	Product       string `json:"product,omitempty"`
}

// Faults lists what the ledger would refuse in the decision.issued that records
// the answer: it bears controller, campaign and attempt as given, and no
// personal data (events.md 1, 4.4). An attempt is the id that a call.concluded
// will bear. No fault quotes a value.
func (q *Question) Faults() []Fault {
	info, _ := TypeDecisionIssued.Info()
	v := &validation{s: &Submission{}, info: info, env: map[string]any{"controller": q.Controller, "campaign": q.Campaign, "attempt": q.Attempt}}
	v.controller()
	v.campaign()
	v.personalEnvelope()
	if q.Attempt != "" && personal(v.text("attempt", "id_missing", "id_invalid", maxID)) {
		v.faultPersonal("attempt")
	}
	for i := range v.faults {
		if f := &v.faults[i]; f.Code == "personal_data_in_log" {
			f.Hint = "it is recorded with the answer: send an id that is no phone number, e-mail or IP address"
		}
	}
	return v.faults
}

// Refusal answers a question that cannot be read. The caller must read it as
// "block".
type Refusal struct {
	Errors []Fault `json:"errors"`
}

// Error implements error; it quotes no value.
func (r *Refusal) Error() string {
	parts := make([]string, len(r.Errors))
	for i, f := range r.Errors {
		parts[i] = f.Field + ": " + f.Code
	}
	return "read question: " + strings.Join(parts, "; ")
}

// GateSource is the source of decision.issued and decision.batch_issued.
const GateSource = "gate"

// ReceiptReason is one rule that warns or blocks.
type ReceiptReason struct {
	Rule     string  `json:"rule"`
	Effect   Verdict `json:"effect"` // warn or block
	Clause   string  `json:"clause"`
	Sentence string  `json:"sentence"` // English
}

// Receipt is the gate's signed answer to one question. Whoever has the ledger
// can recompute it: View(At, At, Positions) under Pack gives Verdict and
// Reasons. Reasons whose rule begins with "SYS-" are the gate's own doubt: in
// doubt, no call.
type Receipt struct {
	// Decision is the id of the decision.issued that records this receipt;
	// call.concluded cites it as its decision.
	Decision string `json:"decision,omitempty"`
	// Asked is the question as it was judged, without the number; its Contact
	// is the contact key, its defaults are filled in.
	Asked Question `json:"asked"`
	// At is the instant that was judged, by the gate's clock, UTC.
	At      Instant         `json:"at"`
	Verdict Verdict         `json:"verdict"`
	Reasons []ReceiptReason `json:"reasons"` // sorted by rule
	// Passed are the rules that were evaluated and raise nothing, sorted.
	Passed []string `json:"passed"`
	Basis  Basis    `json:"basis,omitempty"` // the first proven basis
	// ValidUntil is the first instant at which the answer may change by time
	// alone. ExpiresAt is when the receipt may no longer be relied upon: the
	// earlier of ValidUntil and 60 s after At (LED-05).
	ValidUntil Instant           `json:"valid_until"`
	ExpiresAt  Instant           `json:"expires_at"`
	Pack       string            `json:"pack"`
	Positions  map[string]uint64 `json:"positions"` // stream → sequence applied
	// Key names the signing key: the first 16 hex digits of the SHA-256 of the
	// public key. Signature is Ed25519 over SignedBytes, in base64 (RFC 4648 4).
	// Both are absent, and no event is recorded, where the question named an
	// instant of its own: such an answer permits no call.
	Key       string `json:"key,omitempty"`
	Signature string `json:"signature,omitempty"`
}

// Errors of Verify.
var (
	// ErrReceiptKey: the receipt names another key than the one given.
	ErrReceiptKey = errors.New("receipt is signed with another key")
	// ErrReceiptSignature: the signature does not fit the content. The receipt
	// was changed, or never came from this gate.
	ErrReceiptSignature = errors.New("receipt signature does not fit its content")
)

// ReceiptKey is the name of a public key in receipts.
func ReceiptKey(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// SignedBytes is what the signature covers: the RFC 8785 form of the receipt
// without its signature.
func (r *Receipt) SignedBytes() []byte {
	unsigned := *r
	unsigned.Signature = ""
	return unsigned.AppendCanonical(make([]byte, 0, 2048))
}

// Sign names the key and signs the receipt with it.
func (r *Receipt) Sign(key ed25519.PrivateKey) {
	r.Key = ReceiptKey(key.Public().(ed25519.PublicKey))
	r.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, r.SignedBytes()))
}

// Verify checks the signature under a public key. The error wraps
// ErrReceiptKey or ErrReceiptSignature.
func (r *Receipt) Verify(public ed25519.PublicKey) error {
	if r.Key != ReceiptKey(public) {
		return fmt.Errorf("verify receipt %s: %w: it names %s", r.Decision, ErrReceiptKey, r.Key)
	}
	signature, err := base64.StdEncoding.DecodeString(r.Signature)
	if err != nil {
		return fmt.Errorf("verify receipt %s: %w", r.Decision, ErrReceiptSignature)
	}
	if !ed25519.Verify(public, r.SignedBytes(), signature) {
		return fmt.Errorf("verify receipt %s: %w", r.Decision, ErrReceiptSignature)
	}
	return nil
}
