package contact_test

import (
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A register of many entries is sorted another way than one of few; either
// holds one entry a key, in the order of the keys, in whatever order they came.
func TestARegisterIsCanonicalWhateverItsSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var given []*contact.Fact
		latest := map[string]events.Instant{}
		for range rapid.IntRange(0, 40).Draw(t, "entries") {
			c := rapid.SampledFrom([]string{"A", "B", "C", "D", "E", "F", "G", "H"}).Draw(t, "controller")
			at := events.Instant(rapid.IntRange(1, 5).Draw(t, "time"))
			latest[c] = max(latest[c], at)
			given = append(given, contact.NewFact(events.Event{
				ID: c + at.String(), Source: "s", Type: events.TypeNumberReassigned, Time: at, Received: at, Recorded: at, Controller: c, Data: &events.NumberReassigned{},
			}, events.Digest{}, nil, "S", 1))
		}
		got := contact.Fold(given).Reassigned
		if len(got) != len(latest) {
			t.Fatalf("%d entries for %d keys", len(got), len(latest))
		}
		for i := range got {
			if got[i].Time != latest[got[i].Controller] || (i > 0 && got[i-1].Controller >= got[i].Controller) {
				t.Fatalf("entry %d of %v", i, got)
			}
		}
		split := rapid.IntRange(0, len(given)).Draw(t, "split")
		halves := contact.Fold(given[:split]).Join(contact.Fold(given[split:]))
		if d := cmp.Diff(got, halves.Reassigned); d != "" {
			t.Fatalf("at once and in halves differ:\n%s", d)
		}
	})
}

// A state that is folded again and again shows nothing of what it was.
func TestRefoldIsFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var again contact.State
		for range 3 {
			list := facts(t, 12)
			again.Refold(list)
			want := contact.Fold(list)
			if d := cmp.Diff(want.Join(contact.State{}), again.Join(contact.State{})); d != "" {
				t.Fatalf("state differs (-folded +folded again):\n%s", d)
			}
		}
	})
}
