package client

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
)

// GateOptions configure a Gate. Every field may be zero.
type GateOptions struct {
	// Key is the gate's public key; nil leaves signatures unchecked.
	Key ed25519.PublicKey
	// Timeout is how long an answer may take (default 2 s), within the ctx of
	// Decide.
	Timeout time.Duration
	// Clock tells the local time; nil = time.Now. Give a test its own.
	Clock func() time.Time
}

// Gate asks the gate of an Assenso over NATS. It is safe for concurrent use.
type Gate struct {
	nc   *nats.Conn
	opts GateOptions
}

// NewGate returns a gate on a connection that stays the caller's.
func NewGate(nc *nats.Conn, o GateOptions) *Gate {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Gate{nc: nc, opts: o}
}

// Decide asks whether one call may be placed now, with the defaults of a Gate.
func Decide(ctx context.Context, nc *nats.Conn, q events.Question) (Decision, error) {
	return NewGate(nc, GateOptions{}).Decide(ctx, q)
}

// Errors of Decide. Whatever the error, the Decision forbids the call.
var (
	// ErrNoGate: no answer came. Ask again for the next call; do not place this
	// one.
	ErrNoGate = errors.New("the gate did not answer")
	// ErrQuestion: the gate could not read the question; the error lists the
	// faults. Mend the question.
	ErrQuestion = errors.New("the gate could not read the question")
	// ErrUntrusted: the answer is signed by nobody known, or answers another
	// question. Tell the operator.
	ErrUntrusted = errors.New("the gate's answer cannot be trusted")
)

// Decision is the gate's answer, or that there is none. The zero Decision
// forbids the call.
type Decision struct {
	// Receipt is the gate's signed answer; zero where there is none. Keep it
	// with the call, and cite its Decision in call.concluded.
	Receipt events.Receipt

	doubt  Reason           // why there is no answer
	expiry time.Time        // by Clock, its monotonic part included; zero without an answer
	clock  func() time.Time // nil in a zero Decision
}

// Verdict says whether the call may be placed at this moment. It turns to
// blocked when the receipt expires (LED-05).
func (d *Decision) Verdict() Verdict {
	if d.expiry.IsZero() || d.clock == nil {
		if d.doubt.Code == "" {
			return blocked(CodeNoAnswer, "the gate was not asked")
		}
		return Verdict{Reasons: []Reason{d.doubt}}
	}
	v := Verdict{Allowed: d.Receipt.Verdict == events.VerdictAllow || d.Receipt.Verdict == events.VerdictWarn}
	for _, r := range d.Receipt.Reasons {
		v.Reasons = append(v.Reasons, Reason{Code: CodeRule, Rule: r.Rule, Text: r.Sentence})
	}
	if v.Allowed && age(d.clock(), d.expiry) >= 0 {
		return blocked(CodeExpired, "the answer has expired: ask again just before the call")
	}
	return v
}

// MayCall reports whether the call may be placed at this moment.
func (d *Decision) MayCall() bool { return d.Verdict().Allowed }

// Decide asks whether one call may be placed now. Without an answer that can
// be trusted the Decision forbids the call, and the error says why; a caller
// that looks at the Decision alone is safe.
func (g *Gate) Decide(ctx context.Context, q events.Question) (Decision, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return g.doubtful(CodeUnread, fmt.Errorf("decide: %w: it does not encode to JSON", ErrQuestion))
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	asked := g.opts.Clock()
	reply, err := g.nc.RequestWithContext(ctx, events.DecideSubject(q.Controller), body)
	if err != nil {
		return g.doubtful(CodeNoAnswer, fmt.Errorf("decide: %w: %w", ErrNoGate, err))
	}
	var refusal events.Refusal
	var r events.Receipt
	if json.Unmarshal(reply.Data, &refusal) != nil || json.Unmarshal(reply.Data, &r) != nil {
		return g.doubtful(CodeUntrusted, fmt.Errorf("decide: %w: it is no JSON of a receipt", ErrUntrusted))
	}
	if len(refusal.Errors) > 0 {
		return g.doubtful(CodeUnread, fmt.Errorf("decide: %w: %s", ErrQuestion, list(refusal.Errors)))
	}
	if err := answers(&r, &q); err != nil {
		return g.doubtful(CodeUntrusted, fmt.Errorf("decide: %w: %w", ErrUntrusted, err))
	}
	if q.At != "" { // unsigned, and no permission
		return Decision{Receipt: r, doubt: Reason{Code: CodeExpired, Text: "the answer is about another instant: ask without At just before the call"}}, nil
	}
	if err := g.trust(&r); err != nil {
		return g.doubtful(CodeUntrusted, fmt.Errorf("decide: %w: %w", ErrUntrusted, err))
	}
	// The gate's clock may differ from this one: the receipt is good for as
	// long as the gate says, from the moment the question left.
	return Decision{Receipt: r, clock: g.opts.Clock, expiry: asked.Add(r.ExpiresAt.Sub(r.At))}, nil
}

func (g *Gate) doubtful(code ReasonCode, err error) (Decision, error) {
	return Decision{doubt: Reason{Code: code, Text: err.Error()}}, err
}

// answers checks that a receipt answers the question.
func answers(r *events.Receipt, q *events.Question) error {
	switch {
	case r.Verdict != events.VerdictAllow && r.Verdict != events.VerdictWarn && r.Verdict != events.VerdictBlock:
		return errors.New("it bears no verdict")
	case r.Asked.Controller != q.Controller || r.Asked.Campaign != q.Campaign ||
		r.Asked.Attempt != cmp.Or(q.Attempt, r.Decision) || // an attempt without a name gets that of the decision
		q.Contact != "" && r.Asked.Contact != q.Contact || q.Purpose != "" && r.Asked.Purpose != q.Purpose ||
		q.Channel != "" && r.Asked.Channel != q.Channel:
		return errors.New("it answers another question")
	}
	return nil
}

// trust checks how long a receipt says that it may be relied upon (LED-05: 60
// seconds at most), and its signature.
func (g *Gate) trust(r *events.Receipt) error {
	switch {
	case r.At.IsZero() || r.ExpiresAt.IsZero() || r.ExpiresAt.Sub(r.At) > time.Minute:
		return errors.New("it does not say how long it may be relied upon")
	case g.opts.Key == nil:
		return nil
	}
	return r.Verify(g.opts.Key)
}
