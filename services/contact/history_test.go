package contact_test

import (
	"iter"
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// look is everything that a history shows at a cut.
type look struct {
	View      []*contact.Fact
	State     contact.State
	Sense     contact.Sensitivity
	Conflicts []events.Identity
	Contested bool
}

func lookAt(h *contact.History, c contact.Cut) look {
	out := look{Contested: h.Contested()}
	out.View = h.Look(nil, c, &out.Sense)
	out.State = contact.Fold(out.View)
	h.Conflicts(c.Recorded, func(f *contact.Fact) { out.Conflicts = append(out.Conflicts, f.Identity()) })
	return out
}

// A history that grows piece by piece shows what one made at once shows.
func TestAGrownHistoryIsTheWholeHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := facts(t, 16)
		whole, grown := contact.NewHistory(n, list), contact.NewHistory(n, nil)
		rest, taken := shuffled(t, list), 0
		for len(rest) > 0 {
			piece := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			before, size := grown, grown.Len()
			was := lookAt(before, contact.AsOf(events.MaxInstant))
			next, added := grown.With(rest[:piece])
			if before.Len() != size || cmp.Diff(was, lookAt(before, contact.AsOf(events.MaxInstant))) != "" {
				t.Fatal("growing changed the history that grew")
			}
			if next.Len() != size+len(added) {
				t.Fatalf("%d facts and %d more are %d", size, len(added), next.Len())
			}
			grown, rest, taken = next, rest[piece:], taken+len(added)
		}
		if taken > len(list) {
			t.Errorf("%d facts were taken of %d", taken, len(list))
		}
		for range 4 {
			c := cut(t)
			if d := cmp.Diff(lookAt(whole, c), lookAt(grown, c)); d != "" {
				t.Fatalf("at %+v (-whole +grown):\n%s", c, d)
			}
		}
	})
}

// What is known adds nothing.
func TestAHistoryGrowsByNoCopy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := facts(t, 16)
		h := contact.NewHistory(n, list)
		copies := shuffled(t, list)
		for i, f := range copies {
			later := *f
			later.Sequence, later.Recorded = f.Sequence+100, f.Recorded+1
			copies[i] = &later
		}
		if same, added := h.With(copies); same != h || len(added) > 0 {
			t.Fatalf("%d copies of facts that are known were added", len(added))
		}
	})
}

// Without leaves out what it is told to and nothing else.
func TestAHistoryWithoutSomeFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, c := contact.NewHistory(n, facts(t, 16)), cut(t)
		typ := rapid.SampledFrom([]events.Type{events.TypeCallConcluded, events.TypeConsentGranted, events.TypeConsentRevoked}).Draw(t, "type")
		drop := func(f *contact.Fact) bool { return f.Type == typ }
		less := h.Without(drop)
		if h.Contested() != less.Contested() {
			t.Fatal("what is contested must stay")
		}
		all, some := contact.View(h, c), contact.View(less, c)
		if !h.Contested() && slices.ContainsFunc(some, drop) {
			t.Fatalf("a %s was to be left out", typ)
		}
		want := slices.Collect(others(all, drop))
		if d := cmp.Diff(want, slices.Collect(others(some, drop))); d != "" {
			t.Fatalf("the other facts differ (-want +got):\n%s", d)
		}
	})
}

func others(list []*contact.Fact, drop func(*contact.Fact) bool) iter.Seq[*contact.Fact] {
	return func(yield func(*contact.Fact) bool) {
		for _, f := range list {
			if !drop(f) && !yield(f) {
				return
			}
		}
	}
}
