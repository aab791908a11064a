package gate

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/rules"
)

// IssuerConfig says what an Issuer works with; all of it is required.
type IssuerConfig struct {
	Gate      *Gate
	Key       ed25519.PrivateKey
	Normalise events.Normaliser                                      // numbers into E.164
	Contact   func(events.Phone) events.ContactKey                   // under the ledger's pepper
	Past      func(context.Context, rules.Attempt) (Decision, error) // answers about another instant, from history
	Intake    intake.Submitter
	Log       *zap.Logger
}

// Issuer reads questions, has the gate decide, signs the answers and records
// them: first the answer, then, within a second, the decision.issued (design.md
// 8: a durable write costs more than the whole budget). A receipt whose
// recording was lost can be handed in.
type Issuer struct {
	cfg IssuerConfig

	mu      sync.Mutex
	waiting []intake.Submission // receipts that are not in the queue yet
	wake    chan struct{}
}

// Bounds of the recording of receipts.
const (
	recordEvery = 100 * time.Millisecond // a batch has its price, however few receipts it holds; a process that is killed loses what is not in one
	recordBatch = 4000
	maxWaiting  = 100_000 // receipts; beyond it questions are blocked
)

// NewIssuer returns an issuer; Run records what it issues.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	if cfg.Gate == nil || cfg.Key == nil || cfg.Normalise == nil || cfg.Contact == nil || cfg.Past == nil || cfg.Intake == nil || cfg.Log == nil {
		return nil, errors.New("gate new issuer: every field is required")
	}
	uuid.EnableRandPool()
	return &Issuer{cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

// PublicKey is what receipts verify with.
func (i *Issuer) PublicKey() ed25519.PublicKey { return i.cfg.Key.Public().(ed25519.PublicKey) }

// Ask answers a question with a signed receipt, which is recorded soon. A
// question about an instant of its own is answered from history: that answer
// is neither signed nor recorded, it permits no call. The error is an
// *events.Refusal, or a fault of the history.
func (i *Issuer) Ask(ctx context.Context, q events.Question) (events.Receipt, error) {
	a, at, faults := i.read(&q)
	if len(faults) > 0 {
		return events.Receipt{}, &events.Refusal{Errors: faults}
	}
	if !at.IsZero() {
		a.DialledAt = at
		d, err := i.cfg.Past(ctx, a)
		if err != nil {
			return events.Receipt{}, err
		}
		return receiptOf(&d), nil
	}
	d := i.cfg.Gate.Decide(ctx, a)
	if i.full() {
		d.Verdict, d.ValidUntil = events.VerdictBlock, d.At
		d.Reasons = append(d.Reasons, rules.Doubt(rules.Unrecorded, "answers cannot be recorded for now: see /readyz"))
	}
	r := receiptOf(&d)
	id, err := uuid.NewV7()
	if err != nil {
		return events.Receipt{}, fmt.Errorf("gate issue receipt: %w", err)
	}
	r.Decision = id.String()
	if r.Asked.Attempt == "" {
		r.Asked.Attempt = r.Decision
	}
	r.Sign(i.cfg.Key)
	i.put(SubmissionOf(&r))
	return r, nil
}

// SubmissionOf is the submission that records a receipt.
func SubmissionOf(r *events.Receipt) intake.Submission {
	return intake.Submission{Family: events.FamilyOutcomes, Source: events.GateSource, Type: events.TypeDecisionIssued, Body: r.DecisionEvent()}
}

// receiptOf puts a decision into the words of the contract, unsigned.
func receiptOf(d *Decision) events.Receipt {
	r := events.Receipt{
		Asked: questionOf(&d.Attempt), At: d.At, Verdict: d.Verdict, Reasons: make([]events.ReceiptReason, len(d.Reasons)), Passed: d.Passed,
		Basis: d.Proof.Basis, ValidUntil: d.ValidUntil, ExpiresAt: min(d.ValidUntil, d.At.Add(Lifetime)), Pack: d.Pack, Positions: d.Positions,
	}
	for n, why := range d.Reasons {
		r.Reasons[n] = events.ReceiptReason{Rule: why.Rule, Effect: why.Effect, Clause: why.Clause, Sentence: why.Sentence}
	}
	slices.SortStableFunc(r.Reasons, func(x, y events.ReceiptReason) int { return strings.Compare(x.Rule, y.Rule) })
	return r
}

// Lifetime is how long a receipt may be relied upon at most (LED-05,
// ledger.decision_ttl_seconds).
const Lifetime = 60 * time.Second

// questionOf is an attempt as a question; numbers are long gone.
func questionOf(a *rules.Attempt) events.Question {
	return events.Question{
		Contact: a.Contact.String(), Controller: a.Controller, Campaign: a.Campaign, Attempt: a.ID,
		Purpose: string(a.Purpose), Channel: string(a.Channel), Processor: a.Processor, CLI: a.CLI, OriginCountry: a.OriginCountry,
		AgentCountry: a.AgentCountry, Roaming: a.Roaming, Mode: string(a.Mode), Agent: a.Agent, AgentReserved: a.AgentReserved,
		Basis: string(a.Basis), Grant: a.Grant, Request: a.Request, Batch: a.Batch, Product: a.Product,
	}
}

// AttemptOf reads the attempt that a receipt judged; the error says which field
// no gate wrote.
func AttemptOf(r *events.Receipt) (rules.Attempt, error) {
	key, err := events.ParseContactKey(r.Asked.Contact)
	if err != nil {
		return rules.Attempt{}, fmt.Errorf("read receipt %s: asked.contact: %w", r.Decision, err)
	}
	a := attemptOf(&r.Asked, key)
	a.DialledAt = r.At
	return a, nil
}

func attemptOf(q *events.Question, key events.ContactKey) rules.Attempt {
	return rules.Attempt{
		ID: q.Attempt, Contact: key, Controller: q.Controller, Campaign: q.Campaign,
		Purpose: events.Purpose(q.Purpose), Channel: events.Channel(q.Channel), Processor: q.Processor, CLI: q.CLI,
		OriginCountry: q.OriginCountry, AgentCountry: q.AgentCountry, Roaming: q.Roaming, Mode: events.DiallerMode(q.Mode),
		Agent: q.Agent, AgentReserved: q.AgentReserved, Basis: events.Basis(q.Basis), Grant: q.Grant, Request: q.Request,
		Batch: q.Batch, Product: q.Product,
	}.Normalised()
}

// read turns a question into an attempt; the number ends here.
func (i *Issuer) read(q *events.Question) (rules.Attempt, events.Instant, []events.Fault) {
	var faults []events.Fault
	fault := func(code, field, hint string) {
		faults = append(faults, events.Fault{Code: code, Field: field, Hint: hint})
	}
	key := i.contact(q, fault)
	faults = append(faults, q.Faults()...)
	if q.Purpose == "" {
		q.Purpose = string(events.PurposeMarketing)
	}
	if q.Channel == "" {
		q.Channel = string(events.ChannelOperatorCall)
	}
	for _, c := range []struct {
		field string
		known bool
	}{
		{"purpose", events.InSet("attempt purpose", q.Purpose)}, {"channel", events.InSet("channel", q.Channel)},
		{"basis", q.Basis == "" || events.InSet("basis", q.Basis)}, {"mode", q.Mode == "" || events.InSet("dialler mode", q.Mode)},
	} {
		if !c.known {
			fault("value_unknown", c.field, "the value is not in the closed set of events.md 2")
		}
	}
	var at events.Instant
	if q.At != "" {
		var err error
		if at, err = events.ParseInstant(q.At); err != nil {
			fault("time_invalid", "at", "write an RFC 3339 instant with offset, or leave it out for now")
		}
	}
	if len(faults) > 0 {
		return rules.Attempt{}, 0, faults
	}
	return attemptOf(q, key), at, nil
}

func (i *Issuer) contact(q *events.Question, fault func(code, field, hint string)) events.ContactKey {
	switch {
	case (q.Contact == "") == (q.Number == ""):
		fault("phone_missing", "number", "give either number or contact")
	case q.Contact != "":
		key, err := events.ParseContactKey(q.Contact)
		if err != nil || key.IsZero() {
			fault("field_type", "contact", "write a contact key of 32 lower-case hex digits")
		}
		return key
	default:
		phone, code := i.cfg.Normalise(q.Number, q.Country)
		if code == "" {
			return i.cfg.Contact(phone)
		}
		fault(code, "number", "write the number in E.164, such as +39 and the national digits, or give its country")
	}
	return events.ContactKey{}
}

// full reports whether receipts pile up because they cannot be recorded.
func (i *Issuer) full() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.waiting) >= maxWaiting
}

// Unrecorded is how many receipts are not in the queue yet.
func (i *Issuer) Unrecorded() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.waiting)
}

// Ready returns why answers cannot be recorded; none when they can.
func (i *Issuer) Ready() []string {
	if i.full() {
		return []string{"gate: answers cannot be recorded, so every question is blocked: see whether the queues have room"}
	}
	return nil
}

func (i *Issuer) put(s intake.Submission) {
	i.mu.Lock()
	i.waiting = append(i.waiting, s)
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Run records what is issued until ctx ends, and then what is left.
func (i *Issuer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			for i.Unrecorded() > 0 && i.record(last) {
			}
			if n := i.Unrecorded(); n > 0 {
				i.cfg.Log.Warn("gate: receipts were issued and not recorded; their holders can hand them in", zap.Int("receipts", n))
			}
			return ctx.Err()
		case <-i.wake:
		}
		for i.Unrecorded() > 0 && ctx.Err() == nil {
			if ok := i.record(ctx); !ok || i.Unrecorded() < recordBatch {
				select {
				case <-ctx.Done():
				case <-time.After(recordEvery):
				}
			}
		}
	}
}

// record puts a batch into the queue; what was not taken stays. false when
// something was not taken.
func (i *Issuer) record(ctx context.Context) bool {
	i.mu.Lock()
	batch := slices.Clone(i.waiting[:min(len(i.waiting), recordBatch)])
	i.mu.Unlock()
	var again []intake.Submission
	var last error
	for n, err := range i.cfg.Intake.Submit(ctx, batch) {
		if err != nil {
			again, last = append(again, batch[n]), err
		}
	}
	i.mu.Lock()
	i.waiting = append(again, i.waiting[len(batch):]...)
	i.mu.Unlock()
	if last != nil && ctx.Err() == nil {
		i.cfg.Log.Warn("gate: receipts could not be recorded, trying again", zap.Int("receipts", len(again)), zap.Error(last))
	}
	return last == nil
}
