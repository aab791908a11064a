package rules

import (
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// A fact whose key is amended is found under the new key, and no longer under
// the old one, from the correction on.
func TestAnAmendedKeyMovesTheFact(t *testing.T) {
	s := newStage(t)
	s.ref("active2", "A", "", "2026-02-05", &events.ListActivated{List: "L9"})
	x := s.ref("x", "A", "", "2026-03-01", &events.EventCorrected{
		Target: events.Identity{Source: "src", ID: "active2"}, Action: events.CorrectionAmend, Data: map[string]any{"list": "L8"}, Reason: "r",
	})
	_, ref := build(s.facts)
	at := func(list string, cut events.Instant) int {
		g := glance{ref: ref, cut: contact.AsOf(cut)}
		return len(g.look(nil, refKey{refList, list, ""}))
	}
	for _, c := range []struct {
		list string
		cut  events.Instant
		want int
	}{{"L9", x.Recorded - 1, 1}, {"L8", x.Recorded - 1, 0}, {"L9", x.Recorded, 0}, {"L8", x.Recorded, 1}} {
		if got := at(c.list, c.cut); got != c.want {
			t.Errorf("facts of %s at %v = %d, want %d", c.list, c.cut, got, c.want)
		}
	}
}

// Adding the same fact again, as a redelivery does, changes nothing.
func TestAReferenceCountsARedeliveryOnce(t *testing.T) {
	s := newStage(t)
	_, ref := build(append(s.facts, s.facts...))
	g := glance{ref: ref, cut: contact.AsOf(noon)}
	if got := len(g.look(nil, refKey{refProcessor, "A", ""})); got != 1 {
		t.Errorf("%d appointments, want 1", got)
	}
	if id := (events.Identity{Source: "src", ID: "p1"}); len(ref.slots[id].Facts()) != 1 {
		t.Errorf("the slot holds %d copies, want 1", len(ref.slots[id].Facts()))
	}
}

// Starts that a projection stored answer like the calls themselves.
func TestStoredStartsServeIT_RPO_03(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	s.drop("batch")
	if got := s.gate(); got != "block IT-RPO-03" {
		t.Fatalf("gate says %q, want IT-RPO-03", got)
	}
	h, ref := build(s.facts)
	first := rome(t, "2026-03-09 10:00")
	ref.AddStarts("A", "K", Starts{{Call: events.IdentityHash{1}, Dialled: first, Time: first, Received: first, Recorded: first}})
	if d := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt); d.Verdict != events.VerdictAllow {
		t.Errorf("with an earlier call the gate says %v", d.Reasons)
	}
	if d := testEngine(t).Gate(h, ref, s.attempt, first); len(d.Reasons) != 1 || d.Reasons[0].Rule != "IT-RPO-03" {
		t.Errorf("at the instant of the first call the gate says %v", d.Reasons)
	}
}

// A Decision tells everything that a dialler shows.
func TestDecisionNamesReasonsAndWhatPassed(t *testing.T) {
	s := newStage(t)
	h, ref := build(s.facts)
	d := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt)
	if len(d.Reasons) != 1 || d.Reasons[0].Rule != "IT-CON-01" || d.Reasons[0].Clause == "" ||
		d.Reasons[0].Sentence != "No legal basis: the call must not be made (Codice privacy, art. 130(3); GDPR, art. 6)." {
		t.Errorf("reasons = %+v", d.Reasons)
	}
	if len(d.Passed) != len(attemptRules)-1 || d.Pack != "it/2025-11" || d.ValidUntil != rome(t, "2026-03-10 20:00")+1 {
		t.Errorf("passed %d rules under %s until %v", len(d.Passed), d.Pack, d.ValidUntil)
	}
	s.attempt.Purpose = events.PurposeService
	if d := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt); d.Verdict != events.VerdictAllow || len(d.Passed) != 12 {
		t.Errorf("service attempt: %v, passed %v", d.Reasons, d.Passed)
	}
}

// A finding names the parties and its facts.
func TestFindingImputesControllerAndProcessor(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	s.add("o", "A", "2026-03-09", &events.OppositionRegistered{ReceivedBy: "P1", Medium: "in_call"})
	h, ref := build(s.facts)
	found := testEngine(t).Assess(h, ref, s.attempt, noon).Findings
	if len(found) != 1 {
		t.Fatalf("findings = %+v, want one", found)
	}
	f := found[0]
	if f.Controller != "A" || f.Processor != "P1" || f.Attempt != "a" || f.Contact != person || f.Severity != events.SeverityCritical || f.Campaign != "K" {
		t.Errorf("finding = %+v", f)
	}
	if len(f.Evidence.Events) != 1 || f.Evidence.Events[0].ID != "o" || len(f.Evidence.Details) == 0 {
		t.Errorf("evidence = %+v, want the opposition", f.Evidence)
	}
}
