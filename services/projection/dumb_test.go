package projection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// dumbLog reads a log in the simplest way: all facts in memory, every question
// answered by going through all of them.
type dumbLog struct {
	facts  []*contact.Fact
	copies map[string]int64 // entries that repeat an earlier one, by stream
}

// readDumbly takes the entries within limit; nil takes all.
func readDumbly(t *testing.T, log *projectiontest.Log, limit view.Positions) *dumbLog {
	t.Helper()
	d := &dumbLog{copies: map[string]int64{}}
	for stream, bodies := range log.Streams {
		var running events.Instant
		seen := map[string]bool{}
		for i, body := range bodies {
			if !limit.Covers(string(stream), uint64(i+1)) {
				break
			}
			e, err := codec.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := codec.Digest(body)
			if err != nil {
				t.Fatal(err)
			}
			running = max(running, e.Recorded)
			e.Recorded = running
			variant := e.Source + "/" + e.ID + "/" + digest.String()
			if seen[variant] {
				d.copies[string(stream)]++
				continue
			}
			seen[variant] = true
			d.facts = append(d.facts, contact.NewFact(e, digest, body, string(stream), uint64(i+1)))
		}
	}
	return d
}

// bearing returns the facts that bear on a contact: its own, and, again and
// again, all that share an identity with one of these or correct one.
func (d *dumbLog) bearing(key events.ContactKey) []*contact.Fact {
	ids := map[events.Identity]bool{}
	for _, f := range d.facts {
		if f.Subject == key {
			ids[f.Identity()] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, f := range d.facts {
			if c, ok := f.Data.(*events.EventCorrected); ok && ids[c.Target] && !ids[f.Identity()] {
				ids[f.Identity()] = true
				grown = true
			}
		}
	}
	var out []*contact.Fact
	for _, f := range d.facts {
		if ids[f.Identity()] {
			out = append(out, f)
		}
	}
	return out
}

func (d *dumbLog) contacts() []events.ContactKey {
	seen := map[events.ContactKey]bool{}
	for _, f := range d.facts {
		if !f.Subject.IsZero() {
			seen[f.Subject] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// reference hands everything to the reference state; what is none of its
// business is harmless.
func (d *dumbLog) reference() *rules.Reference {
	ref := rules.NewReference()
	variants := map[events.Identity]int{}
	corrected := map[events.Identity]bool{}
	for _, f := range d.facts {
		variants[f.Identity()]++
		if c, ok := f.Data.(*events.EventCorrected); ok {
			corrected[c.Target] = true
		}
	}
	for _, f := range d.facts {
		switch {
		case f.Subject.IsZero():
			ref.Add(f)
		case f.Type == events.TypeCallConcluded && (variants[f.Identity()] > 1 || corrected[f.Identity()]):
			ref.Dispute(f)
		case f.Type == events.TypeCallConcluded:
			ref.AddCall(f)
		case variants[f.Identity()] > 1:
			ref.Add(f)
		}
	}
	return ref
}

func placeOf(stream string, sequence uint64) string { return fmt.Sprintf("%s:%d", stream, sequence) }

// The index gives, at any positions, what going through the whole log gives.
func TestIndexAgainstDumbReading(t *testing.T) {
	ctx := context.Background()
	for seed := uint64(20); seed < 24; seed++ {
		log, store := projectiontest.Chaos(seed, 250), openView(t)
		follow(t, log.Shuffled(seed), store, projection.Config{MaxBatch: 31})
		for _, percent := range []int{100, 60, 25} {
			limit := (&projectiontest.Log{Streams: log.Prefix(percent)}).End()
			dumb := readDumbly(t, log, limit)
			for _, key := range dumb.contacts() {
				h, err := store.History(ctx, key, limit)
				if err != nil {
					t.Fatal(err)
				}
				var got, want []string
				for _, e := range h.Events {
					got = append(got, placeOf(e.Stream, e.Sequence))
				}
				for _, f := range dumb.bearing(key) {
					want = append(want, placeOf(f.Stream, f.Sequence))
				}
				slices.Sort(got)
				slices.Sort(want)
				if percent == 100 && !slices.Equal(got, want) {
					t.Fatalf("history %d, contact %v:\ngot  %v\nwant %v", seed, key, got, want)
				}
				compareViews(t, &h, dumb.bearing(key))
			}
			copies, err := store.Duplicates(ctx, limit)
			if err != nil || !maps.Equal(copies, dumb.copies) {
				t.Fatalf("history %d at %d%%: copies %v, %v; want %v", seed, percent, copies, err, dumb.copies)
			}
			compareConflicts(t, store, dumb, limit)
		}
	}
}

// compareViews holds a stored history against the facts that bear on its
// contact: what counts must be the same. The stored one may hold more: events
// that bear on the contact only through events beyond the cut-off.
func compareViews(t *testing.T, h *view.History, want []*contact.Fact) {
	t.Helper()
	var stored []*contact.Fact
	for i := range h.Events {
		f, err := projection.FactOf(&h.Events[i])
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, f)
	}
	ever := contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: events.MaxInstant, Known: events.MaxInstant}
	places := func(facts []*contact.Fact) (out []string) {
		for _, f := range contact.View(contact.NewHistory(h.Contact, facts), ever) {
			out = append(out, placeOf(f.Stream, f.Sequence)+" "+f.Digest.String())
		}
		return out
	}
	if got, want := places(stored), places(want); !slices.Equal(got, want) {
		t.Fatalf("contact %v: what counts differs:\ngot  %v\nwant %v", h.Contact, got, want)
	}
}

func compareConflicts(t *testing.T, store view.Reader, dumb *dumbLog, limit view.Positions) {
	t.Helper()
	variants := map[events.IdentityHash]int{}
	for _, f := range dumb.facts {
		variants[f.Identity().Hash()]++
	}
	conflicts, err := store.Conflicts(context.Background(), limit)
	if err != nil {
		t.Fatal(err)
	}
	found := map[events.IdentityHash]bool{}
	for _, c := range conflicts {
		found[c.Identity] = true
		if len(c.Variants) != variants[c.Identity] {
			t.Errorf("conflict %x has %d variants, want %d", c.Identity, len(c.Variants), variants[c.Identity])
		}
	}
	for id, n := range variants {
		if n > 1 && !found[id] {
			t.Errorf("conflict %x is missing", id)
		}
	}
}

// An instant resolves to what going through the stamps gives.
func TestResolveAgainstDumbReading(t *testing.T) {
	log, store := projectiontest.Chaos(30, 300), openView(t)
	follow(t, log.Shuffled(3), store, projection.Config{MaxBatch: 17})
	dumb := readDumbly(t, log, nil)
	for at := day8 - hour; at < day8+12*hour; at += 7 * minute {
		want := view.Positions{}
		for stream, bodies := range log.Streams {
			var running events.Instant
			for i, body := range bodies {
				e, err := codec.Decode(body)
				if err != nil {
					t.Fatal(err)
				}
				if running = max(running, e.Recorded); running <= at {
					want[string(stream)] = uint64(i + 1)
				}
			}
		}
		got, err := store.Resolve(context.Background(), at)
		if err != nil || !maps.Equal(got, want) {
			t.Fatalf("at %v: %v, %v; want %v", at, got, err, want)
		}
	}
	if len(dumb.facts) == 0 {
		t.Fatal("an empty log proves nothing")
	}
}

// The findings kept event by event are those that the pure function gives for
// the whole log at once.
func TestFindingsAgainstDumbEvaluation(t *testing.T) {
	for seed := uint64(40); seed < 48; seed++ {
		log, store := projectiontest.Chaos(seed, 250), openView(t)
		if seed%2 > 0 {
			log = projectiontest.Busy(seed, 4, 900)
		}
		follow(t, log.Shuffled(seed), store, projection.Config{MaxBatch: 23})
		if judged := sameAsDumb(t, log, store); judged < 20 {
			t.Fatalf("history %d: %d attempts prove little", seed, judged)
		}
	}
}

// sameAsDumb holds the findings in the view against those of the whole log and
// returns how many attempts they are about.
func sameAsDumb(t *testing.T, log *projectiontest.Log, store view.Reader) (judged int) {
	t.Helper()
	law, dumb := engine(t), readDumbly(t, log, nil)
	ref := dumb.reference()
	var asOf events.Instant
	for _, f := range dumb.facts {
		asOf = max(asOf, f.Recorded)
	}
	ever := contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: asOf, Known: events.MaxInstant}
	for _, key := range dumb.contacts() {
		var got, want []string
		h := contact.NewHistory(key, dumb.bearing(key))
		for _, f := range contact.View(h, ever) {
			a, ok := rules.AttemptOf(f)
			if !ok {
				continue
			}
			judged++
			for _, x := range law.Assess(h, ref, a, asOf).Findings {
				want = append(want, fmt.Sprint(f.Source, "/", f.ID, " ", a.DialledAt, " ", x.Rule, " ", x.Kind, " ", x.Severity, " ", evidence(t, x.Evidence)))
			}
		}
		list, err := store.FindingsOf(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			got = append(got, fmt.Sprint(x.Source, "/", x.Attempt, " ", x.DialledAt, " ", x.Rule, " ", x.Kind, " ", x.Severity, " ", string(x.Evidence)))
		}
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("contact %v: findings differ from those of the whole log (-want +got):\n%s", key, d)
		}
	}
	return judged
}

func evidence(t *testing.T, e rules.Evidence) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
