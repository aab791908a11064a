package gate

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

func int64Duration(n int) time.Duration { return time.Duration(n) }

// answer is what a gate must have in common with the pure evaluation: all but
// the evidence, which only the event index has.
type answer struct {
	Verdict    events.Verdict
	Reasons    []string
	Passed     []string
	Basis      events.Basis
	ValidUntil events.Instant
	Pack       string
}

func answerOf(d *rules.Decision) answer {
	a := answer{Verdict: d.Verdict, Passed: d.Passed, Basis: d.Proof.Basis, ValidUntil: d.ValidUntil, Pack: d.Pack}
	for _, r := range d.Reasons {
		a.Reasons = append(a.Reasons, r.Rule+" "+string(r.Effect)+" "+r.Clause+" "+r.Sentence)
	}
	return a
}

func (a answer) equal(b answer) bool {
	return a.Verdict == b.Verdict && slices.Equal(a.Reasons, b.Reasons) && slices.Equal(a.Passed, b.Passed) && a.Basis == b.Basis &&
		a.ValidUntil == b.ValidUntil && a.Pack == b.Pack
}

// The gate gives the answer of the pure evaluation at its clock, whatever the
// order in which it read the streams, with copies, conflicts, corrections and
// events of the near future (issue: property test of the gate).
func TestGateAnswersAsThePureEvaluation(t *testing.T) {
	engine := law(t)
	verdicts := map[events.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		log, end := draw(t)
		var now atomic.Int64
		now.Store(int64(end))
		clock := func() events.Instant { return events.Instant(now.Load()) }
		plain := readPlainly(t, log)
		shuffled := log.Shuffled(rapid.Uint64Range(1, 1<<30).Draw(t, "order"))
		g, stop := started(t, Config{Ledger: &logLedger{Log: shuffled, clock: clock}, Index: plain, Engine: engine, Clock: clock})
		defer stop()
		ref := plain.reference(nil)
		d := drawn{t: t, now: end,
			oneOf:  func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) },
			number: func(name string, below int) int { return rapid.IntRange(0, below-1).Draw(t, name) }}
		for range 8 {
			now.Add(int64(events.Instant(0).Add(60e9 * int64Duration(d.number("pass", 8)))))
			a := d.attempt()
			got := g.Decide(t.Context(), a)
			want := engine.Gate(contact.NewHistory(a.Contact, plain.bearing(a.Contact, nil)), ref, a, got.At)
			if got.At != clock() {
				t.Fatalf("judged at %s, the clock stands at %s", got.At, clock())
			}
			if a.Campaign == "K-none" {
				if got.Verdict != events.VerdictBlock || !slices.ContainsFunc(got.Reasons, func(r rules.Reason) bool { return r.Rule == rules.UnknownCampaign }) {
					t.Fatalf("an unknown campaign got %+v", got)
				}
				continue
			}
			if x, y := answerOf(&got.Decision), answerOf(&want); !x.equal(y) {
				t.Fatalf("at %s, attempt %+v:\n got %+v\nwant %+v", got.At, a, x, y)
			}
			verdicts[got.Verdict]++
		}
	})
	for _, v := range []events.Verdict{events.VerdictAllow, events.VerdictWarn, events.VerdictBlock} {
		if verdicts[v] == 0 {
			t.Errorf("no random question was answered with %s: %v", v, verdicts)
		}
	}
}

// The same over longer histories of one day, with step-backs of the stamps.
func TestGateAnswersOverChaos(t *testing.T) {
	engine := law(t)
	for seed := uint64(1); seed <= 6; seed++ {
		log := projectiontest.Chaos(seed, 400)
		plain := readPlainly(t, log)
		var end events.Instant
		for _, f := range plain.facts {
			end = max(end, f.Recorded)
		}
		clock := func() events.Instant { return end }
		g, stop := started(t, Config{Ledger: &logLedger{Log: log.Shuffled(seed), clock: clock}, Index: plain, Engine: engine, Clock: clock})
		ref := plain.reference(nil)
		for i := range 8 {
			for _, c := range []string{"A", "B"} {
				a := rules.Attempt{Contact: projectiontest.Contact(i), Controller: c, Campaign: "K-" + c, Purpose: events.PurposeMarketing,
					Channel: events.ChannelOperatorCall, CLI: "+390844100100", Processor: "P1"}.Normalised()
				got := g.Decide(t.Context(), a)
				want := engine.Gate(contact.NewHistory(a.Contact, plain.bearing(a.Contact, nil)), ref, a, got.At)
				x, y := answerOf(&got.Decision), answerOf(&want)
				x.Reasons = slices.DeleteFunc(x.Reasons, func(s string) bool { return s[:3] == "SYS" })
				if !slices.Equal(x.Reasons, y.Reasons) {
					t.Errorf("seed %d, contact %d of %s:\n got %q\nwant %q", seed, i, c, x.Reasons, y.Reasons)
				}
			}
		}
		stop()
	}
}
