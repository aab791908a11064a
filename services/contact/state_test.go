package contact_test

import (
	"encoding/json"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rules.md 2: any order and any duplication of events give the same state.
func TestFoldIgnoresOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := facts(t, 12)
		want, got := contact.Fold(list), contact.Fold(shuffled(t, list))
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("state differs (-in order +shuffled):\n%s", d)
		}
	})
}

// rules.md 2: ⊔ of the states of parts is the state of the whole.
func TestIncrementalJoinIsTheFoldFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := facts(t, 12)
		var state contact.State
		for _, f := range shuffled(t, list) {
			state = state.Join(contact.Fold([]*contact.Fact{f}))
		}
		if d := cmp.Diff(contact.Fold(list), state); d != "" {
			t.Fatalf("state differs (-fold +joined):\n%s", d)
		}
	})
}

func TestJoinIsCommutativeAssociativeIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := contact.Fold(facts(t, 6)), contact.Fold(facts(t, 6)), contact.Fold(facts(t, 6))
		for law, pair := range map[string][2]contact.State{
			"a∨b = b∨a":         {a.Join(b), b.Join(a)},
			"(a∨b)∨c = a∨(b∨c)": {a.Join(b).Join(c), a.Join(b.Join(c))},
			"a∨a = a":           {a.Join(a), a},
			"a∨⊥ = a":           {a.Join(contact.State{}), a},
		} {
			if d := cmp.Diff(pair[0], pair[1]); d != "" {
				t.Fatalf("%s fails:\n%s", law, d)
			}
		}
	})
}

func TestStateSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := contact.Fold(facts(t, 12))
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got contact.State
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		// The empty scope and "*" read alike; encoding keeps the latter.
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b events.Dropped) bool { return len(a.Dropped) == len(b.Dropped) })); d != "" {
			t.Fatalf("state differs after JSON (-before +after):\n%s", d)
		}
	})
}

func TestRefoldForgetsWhatItHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s contact.State
		s.Refold(facts(t, 12))
		list := facts(t, 12)
		s.Refold(list)
		if !json.Valid(mustJSON(t, s)) || string(mustJSON(t, s)) != string(mustJSON(t, contact.Fold(list))) {
			t.Fatalf("refolded state keeps something of the facts before")
		}
	})
}

func mustJSON(t *rapid.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rules.md 2, `answers`: opposed > selective > clear > invalid, then the later
// date, then the earlier snapshot.
func TestTwoAnswersOfOneBatchJoinByStrictness(t *testing.T) {
	answer := func(id string, a events.RegisterAnswer, date events.Date, snapshot events.Instant) *contact.Fact {
		d := &events.RegisterScreened{Batch: "B", Answer: a, OppositionDate: date, SnapshotAt: snapshot}
		return contact.NewFact(events.Event{ID: id, Source: "s", Type: d.EventType(), Data: d, Controller: "A", Time: start, Recorded: start}, events.Digest{id[0]}, nil, "S", 1)
	}
	clear, selective := answer("c", events.AnswerClear, 0, start), answer("s", events.AnswerSelective, 5, start)
	early, late := answer("e", events.AnswerOpposed, 5, start), answer("l", events.AnswerOpposed, 6, start+1)
	first := answer("f", events.AnswerOpposed, 6, start)
	for _, c := range []struct {
		list []*contact.Fact
		want string
	}{
		{[]*contact.Fact{clear, selective}, "s"},
		{[]*contact.Fact{early, selective}, "e"},
		{[]*contact.Fact{early, late}, "l"},
		{[]*contact.Fact{late, first}, "f"},
	} {
		if got := contact.Fold(c.list).Answers; len(got) != 1 || got[0].ID != c.want {
			t.Errorf("kept answers = %+v, want only %q", got, c.want)
		}
	}
}
