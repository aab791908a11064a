package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
)

// decisionRoutes registers questions and receipts.
func (g *Gateway) decisionRoutes() {
	tags := []string{"decisions"}
	register(g, huma.Operation{OperationID: "decide", Method: http.MethodPost, Path: "/v1/decisions", Tags: tags, Summary: "May this call be placed?",
		Description: "A receipt: verdict, every reason with rule, clause and sentence, what passed, until when the answer holds, and the ledger positions it rests on, signed, and recorded as decision.issued within a second. In doubt (stale ledger, unsettled contact, unknown campaign, missing pack) it blocks, with a reason SYS-…. With at, the answer comes from history; it is neither signed nor recorded and permits no call."},
		func(ctx context.Context, in *struct{ Body DecisionRequest }) (Answer, error) {
			r, err := g.cfg.Gate.Ask(ctx, events.Question(in.Body))
			return answerOf(&r), err
		})
	register(g, huma.Operation{OperationID: "listKeys", Method: http.MethodGet, Path: "/v1/keys", Tags: tags, Summary: "Public keys with which receipts verify"},
		func(context.Context, *struct{}) (Keys, error) { return g.keys() })
	register(g, huma.Operation{OperationID: "handInReceipt", Method: http.MethodPost, Path: "/v1/receipts", Tags: tags, Summary: "Hand in a receipt whose recording was lost",
		Description: "The receipt as the gate gave it. A genuine one is recorded as decision.issued, or found recorded already (duplicate)."},
		func(ctx context.Context, in *struct{ Body json.RawMessage }) (*Item, error) {
			return g.handIn(ctx, in.Body)
		})
	register(g, huma.Operation{OperationID: "verifyReceipt", Method: http.MethodPost, Path: "/v1/receipts:verify", Tags: tags, Summary: "Verify a receipt: signature, and the answer recomputed as of its positions"},
		func(ctx context.Context, in *struct{ Body json.RawMessage }) (ReceiptCheck, error) {
			return g.verify(ctx, in.Body)
		})
}

// Answer is a receipt as HTTP describes it; see events.Receipt.
type Answer struct {
	Decision   string                 `json:"decision,omitempty" doc:"id of the decision.issued; cite it in call.concluded"`
	Asked      DecisionRequest        `json:"asked" doc:"the question as it was judged, with the contact key instead of the number"`
	At         events.Instant         `json:"at" doc:"the instant that was judged, UTC"`
	Verdict    string                 `json:"verdict" enum:"allow,warn,block"`
	Reasons    []events.ReceiptReason `json:"reasons" doc:"rules that warn or block; SYS-… are doubts of the ledger itself"`
	Passed     []string               `json:"passed" doc:"rules that were evaluated and raise nothing"`
	Basis      string                 `json:"basis,omitempty" doc:"the proven basis"`
	ValidUntil events.Instant         `json:"valid_until" doc:"the answer may change by time alone from here on"`
	ExpiresAt  events.Instant         `json:"expires_at" doc:"do not rely on the receipt from here on"`
	Pack       string                 `json:"pack"`
	Positions  map[string]uint64      `json:"positions"`
	Key        string                 `json:"key,omitempty"`
	Signature  string                 `json:"signature,omitempty" doc:"Ed25519 over the RFC 8785 form without this member, base64"`

	receipt *events.Receipt
}

func answerOf(r *events.Receipt) Answer {
	return Answer{
		Decision: r.Decision, Asked: DecisionRequest(r.Asked), At: r.At, Verdict: string(r.Verdict), Reasons: r.Reasons, Passed: r.Passed, Basis: string(r.Basis),
		ValidUntil: r.ValidUntil, ExpiresAt: r.ExpiresAt, Pack: r.Pack, Positions: r.Positions, Key: r.Key, Signature: r.Signature, receipt: r,
	}
}

// MarshalJSON writes the bytes that were signed, with the signature.
func (a Answer) MarshalJSON() ([]byte, error) { return a.receipt.AppendCanonical(nil), nil }

// Keys are the public keys of the gate.
type Keys struct {
	Keys []PublicKey `json:"keys"`
}

// PublicKey is one of them.
type PublicKey struct {
	Key string `json:"key" doc:"its name in receipts: the first 16 hex digits of its SHA-256"`
	PEM string `json:"pem" doc:"SubjectPublicKeyInfo"`
}

func (g *Gateway) keys() (Keys, error) {
	out := Keys{Keys: []PublicKey{}}
	for _, k := range g.cfg.Gate.PublicKeys() {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return out, fmt.Errorf("gateway encode key: %w", err)
		}
		out.Keys = append(out.Keys, PublicKey{events.ReceiptKey(k), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	}
	return out, nil
}

// genuine reads a receipt and checks its signature.
func (g *Gateway) genuine(body []byte) (events.Receipt, error) {
	var r events.Receipt
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("%w: it cannot be read: send it as the gate gave it", ErrReceipt)
	}
	keys := g.cfg.Gate.PublicKeys()
	if len(keys) == 0 {
		return r, fmt.Errorf("%w: this process has no gate and no key: ask the one that has", ErrNoGate)
	}
	i := slices.IndexFunc(keys, func(k ed25519.PublicKey) bool { return events.ReceiptKey(k) == r.Key })
	if i < 0 {
		return r, fmt.Errorf("%w: it is signed with a key that this gate does not have", ErrReceipt)
	}
	if err := r.Verify(keys[i]); err != nil {
		return r, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	return r, nil
}

// handIn records a receipt, once.
func (g *Gateway) handIn(ctx context.Context, body []byte) (*Item, error) {
	r, err := g.genuine(body)
	if err != nil {
		return nil, err
	}
	p := g.door.send(ctx, 0, [][]byte{r.DecisionEvent()}, "")
	g.door.finish(ctx, p, g.cfg.ReceiptWait)
	g.count(p.items)
	return p.items[0], p.fault
}

// ReceiptCheck is what came of a verification.
type ReceiptCheck struct {
	Decision   string   `json:"decision"`
	Genuine    bool     `json:"genuine" doc:"the signature is the gate's"`
	Recomputed bool     `json:"recomputed" doc:"the ledger as of the receipt's positions gives its verdict and reasons"`
	Verdict    string   `json:"verdict" doc:"what the ledger gives"`
	Reasons    []string `json:"reasons" doc:"rules that the ledger gives"`
	Fault      string   `json:"fault,omitempty" doc:"what does not fit"`
}

// verify checks the signature and recomputes the answer. Doubts of the gate
// (SYS-…) cannot be recomputed: they must go with block.
func (g *Gateway) verify(ctx context.Context, body []byte) (ReceiptCheck, error) {
	r, err := g.genuine(body)
	if errors.Is(err, ErrReceipt) {
		return ReceiptCheck{Decision: r.Decision, Fault: err.Error(), Reasons: []string{}}, nil
	}
	if err != nil {
		return ReceiptCheck{}, err
	}
	law, err := g.cfg.Gate.Recompute(ctx, r)
	if err != nil {
		return ReceiptCheck{}, err
	}
	c := ReceiptCheck{Decision: r.Decision, Genuine: true, Verdict: string(law.Verdict), Reasons: []string{}}
	for _, why := range law.Reasons {
		c.Reasons = append(c.Reasons, why.Rule)
	}
	said, doubted := []string{}, false
	for _, why := range r.Reasons {
		if strings.HasPrefix(why.Rule, "SYS-") {
			doubted = true
			continue
		}
		said = append(said, why.Rule)
	}
	switch {
	case doubted && r.Verdict != events.VerdictBlock:
		c.Fault = "the gate was in doubt and did not block"
	case !doubted && r.Verdict != law.Verdict:
		c.Fault = fmt.Sprintf("the receipt says %s, the ledger gives %s", r.Verdict, law.Verdict)
	case !slices.Equal(said, c.Reasons):
		c.Fault = fmt.Sprintf("the receipt names %s, the ledger gives %s", strings.Join(said, " "), strings.Join(c.Reasons, " "))
	default:
		c.Recomputed = true
	}
	return c, nil
}
