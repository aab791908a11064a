package contact_test

import (
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rules.md 1: order never matters.
func TestViewIgnoresOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, c := facts(t, 14), cut(t)
		want := contact.View(contact.NewHistory(n, list), c)
		got := contact.View(contact.NewHistory(n, shuffled(t, list)), c)
		// Restrictive variants of one identity may stand in any order.
		if d := cmp.Diff(contact.Fold(want), contact.Fold(got)); d != "" || len(want) != len(got) {
			t.Fatalf("view at %+v differs (-in order +shuffled):\n%s", c, d)
		}
	})
}

// Sensitivity promises that an evaluation need not be repeated.
func TestAnInsensitiveViewIsTheSameAtTheOtherCutOffs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := contact.NewHistory(n, facts(t, 14))
		at, r := tick(t, "t"), tick(t, "R")
		var sense contact.Sensitivity
		seen := h.Look(nil, contact.Finding(at, r), &sense)
		if !sense.Disputed {
			if d := cmp.Diff(seen, contact.View(h, contact.KnownThen(at, r))); d != "" {
				t.Fatalf("not disputed, yet k = t gives another view:\n%s", d)
			}
		}
		if !sense.Late {
			if d := cmp.Diff(seen, contact.View(h, contact.Hindsight(at, r))); d != "" {
				t.Fatalf("not late, yet hindsight gives another view:\n%s", d)
			}
		}
	})
}

// A fact later than any cut-off is in no view.
func TestCutOffs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cut(t)
		for _, f := range contact.View(contact.NewHistory(n, facts(t, 14)), c) {
			if f.Time > c.Occurred || f.Received > c.Received || f.Recorded > c.Recorded || f.Subject != n {
				t.Fatalf("view %+v holds %+v", c, f.Event)
			}
		}
	})
}

// at makes one fact of n with distinct clocks.
func at(id string, data events.Payload, time, received, recorded events.Instant) *contact.Fact {
	e := events.Event{ID: id, Source: "src", Type: data.EventType(), Data: data, Controller: "A", Time: start + time, Received: start + received, Recorded: start + recorded}
	if e.Type != events.TypeEventCorrected {
		e.Subject = n
	}
	return contact.NewFact(e, events.Digest{byte(recorded), byte(len(id)), id[0]}, nil, "S", uint64(recorded))
}

func ids(list []*contact.Fact) []string {
	out := []string{}
	for _, f := range list {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return out
}

func void(target string) events.Payload {
	return &events.EventCorrected{Target: events.Identity{Source: "src", ID: target}, Action: events.CorrectionVoid, Reason: "r"}
}

// events.md 1.1: of a variant the copy recorded first stands, with its own
// clocks, whatever copies of it come behind other variants.
func TestCopyRecordedFirstStands(t *testing.T) {
	opposed := func(received, recorded events.Instant) *contact.Fact {
		return at("o", &events.OppositionRegistered{}, 1, received, recorded)
	}
	late, again := opposed(9, 2), opposed(4, 4)
	again.Digest = late.Digest
	list := []*contact.Fact{opposed(1, 1), late, opposed(3, 3), again}
	for known, want := range map[events.Instant]int{5: 2, 9: 3} {
		cut := contact.Cut{Occurred: start + 100, Received: start + 100, Recorded: start + 100, Known: start + known}
		if got := contact.View(contact.NewHistory(n, list), cut); len(got) != want {
			t.Errorf("k = %d: %d variants count, want %d", known, len(got), want)
		}
	}
}

// rules.md 1.1: duplicates, conflicts by class, corrections, k.
func TestConflictsAndCorrections(t *testing.T) {
	grant := func() events.Payload { return &events.ConsentGranted{Purposes: 1, Channels: 1} }
	opposition := func() events.Payload { return &events.OppositionRegistered{} }
	request := func(p string) events.Payload { return &events.CallbackRequested{Product: p} }
	all := contact.AsOf(start + 100)
	known := func(k events.Instant) contact.Cut {
		return contact.Cut{Occurred: start + 100, Received: start + 100, Recorded: start + 100, Known: start + k}
	}
	for name, c := range map[string]struct {
		facts []*contact.Fact
		cut   contact.Cut
		want  []string
	}{
		"conflicting grants count not at all":     {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("g", grant(), 1, 2, 2)}, all, []string{}},
		"until the second is known, the first":    {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("g", grant(), 1, 9, 9)}, known(8), []string{"g"}},
		"conflicting restrictions all count":      {[]*contact.Fact{at("o", opposition(), 1, 1, 1), at("o", opposition(), 2, 2, 2)}, all, []string{"o", "o"}},
		"of the rest one counts":                  {[]*contact.Fact{at("q", request("a"), 1, 1, 1), at("q", request("b"), 1, 2, 2)}, all, []string{"q"}},
		"a void removes":                          {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 5, 5, 5)}, all, []string{}},
		"not before it is recorded":               {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 5, 5, 5)}, contact.AsOf(start + 4), []string{"g"}},
		"whatever its legal time":                 {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 50, 50, 50)}, contact.Finding(start+2, start+60), []string{}},
		"not for k before it was received":        {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 5, 5, 5)}, known(4), []string{"g"}},
		"a voided correction corrects nothing":    {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 5, 5, 5), at("y", void("x"), 6, 6, 6)}, all, []string{"g"}},
		"and counts again when that is voided":    {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("g"), 5, 5, 5), at("y", void("x"), 6, 6, 6), at("z", void("y"), 7, 7, 7)}, all, []string{}},
		"corrections that void each other settle": {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("x", void("y"), 5, 5, 5), at("y", void("x"), 6, 6, 6)}, all, []string{"g"}},
		"a variant voids its own target only":     {[]*contact.Fact{at("g", grant(), 1, 1, 1), at("o", opposition(), 2, 2, 2), at("x", void("g"), 5, 5, 5), at("x", void("o"), 6, 6, 6)}, all, []string{"o"}},
		"a void ends a conflict of restrictions":  {[]*contact.Fact{at("o", opposition(), 1, 1, 1), at("o", opposition(), 2, 2, 2), at("x", void("o"), 3, 3, 3)}, all, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ids(contact.View(contact.NewHistory(n, c.facts), c.cut))
			if !slices.Equal(got, c.want) {
				t.Errorf("view = %v, want %v", got, c.want)
			}
		})
	}
}

// rules.md 1.1: amend replaces named fields, null removes, new_time moves.
func TestAmend(t *testing.T) {
	g := at("g", &events.ConsentGranted{Purposes: 1, Channels: 1, Products: []string{"a"}, SourceRef: "s"}, 1, 1, 1)
	x := at("x", &events.EventCorrected{
		Target: g.Identity(), Action: events.CorrectionAmend, NewTime: start + 3, Reason: "r",
		Data: map[string]any{"purposes": []any{"profiling"}, "products": nil, "phone": "never"},
	}, 5, 5, 5)
	view := contact.View(contact.NewHistory(n, []*contact.Fact{x, g}), contact.AsOf(start+9))
	if len(view) != 1 {
		t.Fatalf("view = %v, want the amended grant", view)
	}
	d := view[0].Data.(*events.ConsentGranted)
	if view[0].Time != start+3 || d.Purposes != events.PurposeProfiling.Bit() || d.Products != nil || d.SourceRef != "s" || view[0].Digest == g.Digest {
		t.Errorf("amended grant = %+v at %v", d, view[0].Time)
	}
	if before := g.Data.(*events.ConsentGranted); before.Purposes != 1 || g.Time != start+1 {
		t.Errorf("the recorded grant itself changed: %+v", before)
	}
}

// An amendment that cannot be read leaves a restriction and kills a grant.
func TestAnUnreadableAmendmentDoubtsInFavourOfThePerson(t *testing.T) {
	for want, data := range map[int]events.Payload{0: &events.ConsentGranted{Purposes: 1, Channels: 1}, 1: &events.OppositionRegistered{}} {
		x := &events.EventCorrected{Target: events.Identity{Source: "src", ID: "e"}, Action: events.CorrectionAmend, Reason: "r", Data: map[string]any{"purposes": 7}}
		view := contact.View(contact.NewHistory(n, []*contact.Fact{at("e", data, 1, 1, 1), at("x", x, 2, 2, 2)}), contact.AsOf(start+9))
		if len(view) != want {
			t.Errorf("%s: %d facts in view, want %d", data.EventType(), len(view), want)
		}
	}
}

// rules.md 1: data.dropped with "time" reads the recorded time for both clocks.
func TestADroppedTimeReadsAsRecorded(t *testing.T) {
	f := at("o", &events.OppositionRegistered{Dropped: events.Dropped{Dropped: []string{"time"}}}, 90, 90, 7)
	if f.Time != start+7 || f.Received != start+7 {
		t.Errorf("time %v, received %v, want the recorded time %v", f.Time, f.Received, f.Recorded)
	}
}

// A conflict is global: a variant that bears another number counts.
func TestAConflictAcrossContacts(t *testing.T) {
	here := at("g", &events.ConsentGranted{Purposes: 1, Channels: 1}, 1, 1, 1)
	there := at("g", &events.ConsentGranted{Purposes: 1, Channels: 1}, 1, 2, 2)
	there.Subject = m
	h := contact.NewHistory(n, []*contact.Fact{here, there})
	if got := contact.View(h, contact.AsOf(start+9)); len(got) != 0 {
		t.Errorf("view = %v, want nothing", ids(got))
	}
	conflicts := 0
	h.Conflicts(start+9, func(*contact.Fact) { conflicts++ })
	if conflicts != 1 || !h.Contested() {
		t.Errorf("%d conflicts, want 1", conflicts)
	}
}
