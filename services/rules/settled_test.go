package rules

import (
	"slices"
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// settled returns what a holder of settled facts would keep of the contact at
// an instant: what counts of all that is recorded, whatever its other clocks.
func settled(h *contact.History, at events.Instant) []*contact.Fact {
	return contact.View(h, contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: at, Known: events.MaxInstant})
}

// sharing reports whether two of the facts bear one identity: an amendment may
// let several variants stand, and they would be a conflict in a new history.
func sharing(facts []*contact.Fact) bool {
	seen := map[events.Identity]bool{}
	for _, f := range facts {
		if seen[f.Identity()] {
			return true
		}
		seen[f.Identity()] = true
	}
	return false
}

// given reports whether a grant among the facts names the call in which it was
// given.
func given(facts []*contact.Fact) bool {
	return slices.ContainsFunc(facts, func(f *contact.Fact) bool {
		g, ok := f.Data.(*events.ConsentGranted)
		return ok && g.CollectionAttempt != ""
	})
}

// eachQuestion draws worlds, wild and likely, and a question in each.
func eachQuestion(t *testing.T, check func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant)) {
	base := stageFacts(t)
	rapid.Check(t, func(t *rapid.T) {
		a, at := likelyAttempt(t)
		facts := likelyFacts(t, base)
		if rapid.IntRange(0, 4).Draw(t, "wild") == 0 {
			facts = factsOf(t)
			a = attempts(t, nil)[0]
			at = a.DialledAt
		}
		h, ref := build(facts)
		check(t, h, ref, a, at)
	})
}

// GateFacts says what Gate says, to the last word, or that it cannot.
func TestSettledFactsGiveTheAnswerOfTheGate(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		facts := settled(h, at)
		got, ok := e.GateFacts(rapid.Permutation(facts).Draw(t, "order"), ref, a, at)
		if !ok {
			if !given(facts) || !cmp.Equal(got, Decision{}) {
				t.Fatalf("no answer though no grant names a call: %+v", got)
			}
			return
		}
		if !sharing(facts) {
			if d := cmp.Diff(e.Gate(contact.NewHistory(person, facts), ref, a, at), got); d != "" {
				t.Fatalf("decision differs (-Gate of the settled facts +GateFacts):\n%s", d)
			}
		}
		want := e.Gate(h, ref, a, at)
		if want.ValidUntil > got.ValidUntil {
			t.Fatalf("valid until %v, the gate with the whole history says %v", got.ValidUntil, want.ValidUntil)
		}
		want.ValidUntil = got.ValidUntil // the whole history also foresees forms that were corrected away
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("decision differs (-Gate +GateFacts):\n%s", d)
		}
	})
}

// A prepared question says of every contact what the gate says.
func TestAPreparedQuestionGivesTheAnswerOfTheGate(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		q := e.Prepare(ref, a, at)
		others := a
		others.Contact = events.ContactKey{9}
		facts := settled(h, at)
		for _, list := range [][]*contact.Fact{facts, nil, facts[:len(facts)/2], facts} {
			sameRuling(t, e, q, list, ref, others, at)
		}
	})
}

func sameRuling(t *rapid.T, e *Engine, q *Question, facts []*contact.Fact, ref *Reference, a Attempt, at events.Instant) {
	t.Helper()
	want, wantOK := e.GateFacts(facts, ref, a, at)
	got, ok := q.Verdict(facts)
	if ok != wantOK {
		t.Fatalf("the prepared question answers %v, the gate %v", ok, wantOK)
	}
	if !ok {
		if got != (Ruling{}) {
			t.Fatalf("no answer, yet %+v", got)
		}
		return
	}
	var blocks, warns []string
	for _, r := range want.Reasons {
		if r.Effect == events.VerdictBlock {
			blocks = append(blocks, r.Rule)
		} else {
			warns = append(warns, r.Rule)
		}
	}
	if got.Verdict != want.Verdict || !slices.Equal(got.Blocks.Append(nil), blocks) || !slices.Equal(got.Warns.Append(nil), warns) || got.ValidUntil != want.ValidUntil {
		t.Fatalf("prepared: %v %v %v %v; the gate: %v %v %v %v", got.Verdict, got.Blocks.Append(nil), got.Warns.Append(nil), got.ValidUntil,
			want.Verdict, blocks, warns, want.ValidUntil)
	}
	if got.Blocks.Len() != len(blocks) {
		t.Fatalf("%d rules block, Len says %d", len(blocks), got.Blocks.Len())
	}
}

// Many goroutines share one question.
func TestAQuestionIsAskedSideBySide(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	s.called("c", "2026-03-09 11:00")
	_, ref := build(s.facts)
	opposed := append(slices.Clone(ownFacts(s)), s.add("o", "A", "2026-03-08", &events.OppositionRegistered{ReceivedBy: "P1"}))
	q := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if r, ok := q.Verdict(opposed); !ok || r.Verdict != events.VerdictBlock || !slices.Equal(r.Blocks.Append(nil), []string{"IT-OPP-01"}) {
					t.Errorf("with an opposition: %+v", r)
				}
				if r, ok := q.Verdict(opposed[:len(opposed)-1]); !ok || r.Verdict != events.VerdictAllow || r.Blocks|r.Warns != 0 {
					t.Errorf("without: %+v", r)
				}
			}
		})
	}
	wg.Wait()
}
