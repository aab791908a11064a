package clienttest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
)

// gatekeeper answers questions as the contract says, changed by each test.
type gatekeeper struct {
	t      *testing.T
	nc     *nats.Conn
	key    ed25519.PrivateKey
	answer func(q events.Question, r *events.Receipt) any // nil = r, signed
}

func keeper(t *testing.T) *gatekeeper {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &gatekeeper{t: t, nc: embeddedtest.Conn(t, embeddedtest.Start(t)), key: key}
	sub, err := g.nc.Subscribe("decide.*", g.hear)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return g
}

func (g *gatekeeper) hear(m *nats.Msg) {
	var q events.Question
	if err := json.Unmarshal(m.Data, &q); err != nil {
		g.t.Errorf("question cannot be read: %v", err)
	}
	asked := q
	asked.Number, asked.Contact = "", strings.Repeat("0a", 16)
	at := events.InstantOf(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)) // a clock far from ours
	r := events.Receipt{Decision: "d-1", Asked: asked, At: at, Verdict: events.VerdictAllow, ValidUntil: at.Add(time.Hour), ExpiresAt: at.Add(time.Minute), Pack: "it"}
	var out any
	if g.answer != nil {
		out = g.answer(q, &r)
	}
	if out == nil {
		r.Sign(g.key)
		out = &r
	}
	body, err := json.Marshal(out)
	if err != nil {
		g.t.Errorf("answer: %v", err)
	}
	if err := m.Respond(body); err != nil {
		g.t.Errorf("respond: %v", err)
	}
}

var question = events.Question{Number: "+393401234567", Controller: "aurora-telecomunicazioni", Campaign: "K-A", Attempt: "a-1"}

func TestAnAllowanceHoldsUntilItExpires(t *testing.T) {
	g := keeper(t)
	now := time.Now()
	gate := client.NewGate(g.nc, client.GateOptions{Key: g.key.Public().(ed25519.PublicKey), Clock: func() time.Time { return now }})
	d, err := gate.Decide(soon(t), question)
	if err != nil || !d.MayCall() || d.Receipt.Decision != "d-1" {
		t.Fatalf("%+v %v: %s", d.Receipt, err, d.Verdict())
	}
	now = now.Add(59 * time.Second)
	if !d.MayCall() {
		t.Errorf("after 59 s: %s", d.Verdict())
	}
	now = now.Add(time.Second)
	if v := d.Verdict(); v.Allowed || v.Reasons[0].Code != client.CodeExpired {
		t.Errorf("after 60 s: %s", v)
	}
}

// The gate gives an attempt without a name that of its decision.
func TestAnAttemptNeedsNoName(t *testing.T) {
	g := keeper(t)
	nameless := question
	nameless.Attempt = ""
	for attempt, want := range map[string]error{"d-1": nil, "a-2": client.ErrUntrusted, "": client.ErrUntrusted} {
		g.answer = func(_ events.Question, r *events.Receipt) any { r.Asked.Attempt = attempt; r.Sign(g.key); return r }
		if d, err := client.Decide(soon(t), g.nc, nameless); !errors.Is(err, want) || d.MayCall() != (want == nil) {
			t.Errorf("attempt %q: %s, error %v, want %v", attempt, d.Verdict(), err, want)
		}
	}
}

func TestWarningsAndBlocksBearTheirRules(t *testing.T) {
	g := keeper(t)
	for verdict, allowed := range map[events.Verdict]bool{events.VerdictWarn: true, events.VerdictBlock: false} {
		g.answer = func(_ events.Question, r *events.Receipt) any {
			r.Verdict = verdict
			r.Reasons = []events.ReceiptReason{{Rule: "IT-RPO-02", Effect: verdict, Clause: "c", Sentence: "The number is in the register."}}
			return nil
		}
		d, err := client.Decide(soon(t), g.nc, question)
		v := d.Verdict()
		if err != nil || v.Allowed != allowed || len(v.Reasons) != 1 || v.Reasons[0].Code != client.CodeRule || !strings.Contains(v.String(), "IT-RPO-02 (The number is in the register)") {
			t.Errorf("%s: %s %v", verdict, v, err)
		}
	}
}

// TestWithoutATrustedAnswerNoCall: whoever looks at the Decision alone, and at
// no error, is safe.
func TestWithoutATrustedAnswerNoCall(t *testing.T) {
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(r *events.Receipt, key ed25519.PrivateKey) any { r.Sign(key); return r }
	g := keeper(t)
	for _, c := range []struct {
		name   string
		answer func(q events.Question, r *events.Receipt) any
		code   client.ReasonCode
		err    error
	}{
		{"another key", func(_ events.Question, r *events.Receipt) any { return signed(r, foreign) }, client.CodeUntrusted, events.ErrReceiptKey},
		{"changed after signing", func(_ events.Question, r *events.Receipt) any {
			r.Verdict = events.VerdictBlock
			signed(r, g.key)
			r.Verdict = events.VerdictAllow
			return r
		}, client.CodeUntrusted, events.ErrReceiptSignature},
		{"another campaign", func(_ events.Question, r *events.Receipt) any { r.Asked.Campaign = "K-B"; return signed(r, g.key) }, client.CodeUntrusted, client.ErrUntrusted},
		{"another attempt", func(_ events.Question, r *events.Receipt) any { r.Asked.Attempt = "a-2"; return signed(r, g.key) }, client.CodeUntrusted, client.ErrUntrusted},
		{"no verdict", func(_ events.Question, r *events.Receipt) any { r.Verdict = ""; return signed(r, g.key) }, client.CodeUntrusted, client.ErrUntrusted},
		{"no end", func(_ events.Question, r *events.Receipt) any {
			r.ExpiresAt = events.MaxInstant
			return signed(r, g.key)
		}, client.CodeUntrusted, client.ErrUntrusted},
		{"a refusal", func(events.Question, *events.Receipt) any {
			return events.Refusal{Errors: []events.Fault{{Code: "phone_invalid", Field: "number", Hint: "send E.164"}}}
		}, client.CodeUnread, client.ErrQuestion},
		{"no JSON of a receipt", func(events.Question, *events.Receipt) any { return []int{1} }, client.CodeUntrusted, client.ErrUntrusted},
		{"an empty object", func(events.Question, *events.Receipt) any { return map[string]any{} }, client.CodeUntrusted, client.ErrUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.answer = c.answer
			d, err := client.NewGate(g.nc, client.GateOptions{Key: g.key.Public().(ed25519.PublicKey)}).Decide(soon(t), question)
			v := d.Verdict()
			if !errors.Is(err, c.err) || d.MayCall() || len(v.Reasons) != 1 || v.Reasons[0].Code != c.code {
				t.Errorf("%s, error %v, want code %s", v, err, c.code)
			}
		})
	}
	g.answer = nil
	silence := question
	silence.Controller = "nobody.answers"
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, d := range map[string]struct {
		ctx context.Context
		nc  *nats.Conn
	}{"no gate": {soon(t), embeddedtest.Conn(t, embeddedtest.Start(t))}, "ctx ended": {ended, g.nc}} {
		if d, err := client.Decide(d.ctx, d.nc, silence); !errors.Is(err, client.ErrNoGate) || d.MayCall() {
			t.Errorf("%s: %s %v", name, d.Verdict(), err)
		}
	}
	history := question
	history.At = "2026-01-01T00:00:00Z"
	if d, err := client.Decide(soon(t), g.nc, history); err != nil || d.MayCall() || d.Receipt.Decision == "" {
		t.Errorf("about another instant: %s %v", d.Verdict(), err)
	}
	var zero client.Decision
	if zero.MayCall() || len(zero.Verdict().Reasons) != 1 {
		t.Errorf("a zero Decision: %s", zero.Verdict())
	}
}
