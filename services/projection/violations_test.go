package projection_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/view"
)

const (
	minute = events.Instant(60_000_000)
	hour   = 60 * minute
	day8   = projectiontest.DayStart
)

var nobody events.ContactKey

// rulesOf returns the rules found on the attempts of a contact.
func rulesOf(t *testing.T, store view.Reader, key events.ContactKey) []string {
	t.Helper()
	list, err := store.FindingsOf(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range list {
		out = append(out, f.Rule)
	}
	return out
}

func wantRule(t *testing.T, store view.Reader, key events.ContactKey, rule string, want bool) {
	t.Helper()
	if got := rulesOf(t, store, key); slices.Contains(got, rule) != want {
		t.Fatalf("findings %v: %s is there: %v, want %v", got, rule, !want, want)
	}
}

// sameAsRebuild compares the store with one that got the whole log at once.
func sameAsRebuild(t *testing.T, log *projectiontest.Log, store view.Reader) {
	t.Helper()
	whole := openView(t)
	follow(t, log, whole, projection.Config{})
	if got, want := dump(t, store), dump(t, whole); got != want {
		t.Fatalf("the rows differ from those of a rebuild:\n%s", firstDifference(got, want))
	}
}

// IT-RPO-03 asks whether the campaign had an earlier call. One that arrives
// late takes the finding from the call that seemed to be the first.
func TestLateFirstCallOfCampaign(t *testing.T) {
	one, two := projectiontest.Contact(1), projectiontest.Contact(2)
	b := projectiontest.Build()
	b.At(day8+3*hour).Call("second", "A", "K", day8+2*hour, one, "not_interested")
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-RPO-03", true)
	b.At(day8+4*hour).Call("first", "A", "K", day8+hour, two, "not_interested")
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, two, "IT-RPO-03", true)
	wantRule(t, store, one, "IT-RPO-03", false)
	sameAsRebuild(t, b.Log(), store)
	// The first call never was: the second is the first again.
	b.At(day8+5*hour).Put("x", "officer", "event.corrected", "", "", day8+5*hour, nobody,
		map[string]any{"target": map[string]any{"source": "dialer", "id": "first"}, "action": "void", "reason": "test call"})
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, two, "IT-RPO-03", false)
	wantRule(t, store, one, "IT-RPO-03", true)
	sameAsRebuild(t, b.Log(), store)
	line, err := store.Campaign(context.Background(), view.CampaignRef{Controller: "A", Campaign: "K"})
	if err != nil {
		t.Fatal(err)
	}
	if line.Counters[violations.CountAttempts] != 1 || line.FirstDialled != day8+2*hour {
		t.Fatalf("campaign counts %d attempts from %v, want 1 from %v", line.Counters[violations.CountAttempts], line.FirstDialled, day8+2*hour)
	}
}

// IT-OPP-02 is judged 15 minutes after the end of the call: by time alone, as
// the log goes on.
func TestRefusalIsJudgedWhenDue(t *testing.T) {
	one, two := projectiontest.Contact(1), projectiontest.Contact(2)
	b := projectiontest.Build()
	b.At(day8+hour+2*minute).Call("c", "A", "K", day8+hour, one, "asked_removal")
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-OPP-02", false)
	b.At(day8+2*hour).Call("d", "A", "K", day8+2*hour-5*minute, two, "no_answer")
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-OPP-02", true)
	sameAsRebuild(t, b.Log(), store)
	// The opposition was taken in time and uploaded late.
	b.At(day8+3*hour).Put("o", "dialer", "opposition.registered", "A", "", day8+hour+minute, one, map[string]any{"medium": "in_call"})
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-OPP-02", false)
	sameAsRebuild(t, b.Log(), store)
}

// design.md 6: a reference fact that arrives late re-evaluates what it
// touches, in chunks that survive faults.
func TestLateReferenceFact(t *testing.T) {
	const contacts = 1100 // more than one chunk
	b := projectiontest.Build()
	for i := range contacts {
		b.At(day8+hour+events.Instant(i)*1000).Call("c"+projectiontest.Contact(i).String(), "A", "K", day8+hour-5*minute, projectiontest.Contact(i), "no_answer")
	}
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	counter := func() int64 {
		line, err := store.Campaign(context.Background(), view.CampaignRef{Controller: "A", Campaign: "K"})
		if err != nil {
			t.Fatal(err)
		}
		return line.Counters[violations.CountRule+"IT-LST-03.CONFIRMED"]
	}
	if got := counter(); got != contacts {
		t.Fatalf("%d calls by a processor that was not appointed, want %d", got, contacts)
	}
	b.At(day8+2*hour).Put("p", "crm", "processor.appointed", "A", "", day8, nobody, map[string]any{"processor": "P1", "from": "2026-01-01"})
	faulty := &faultyStore{Store: store, kind: insideUpdate}
	follow(t, b.Log(), faulty, projection.Config{Retry: time.Microsecond})
	if got := counter(); got != 0 {
		t.Fatalf("%d findings are left after the appointment became known, want 0", got)
	}
	sameAsRebuild(t, b.Log(), store)
}

// A correction of a reference fact changes what rested on it.
func TestCorrectedReferenceFact(t *testing.T) {
	one := projectiontest.Contact(1)
	b := projectiontest.Build()
	b.Put("p", "crm", "processor.appointed", "A", "", day8-hour, nobody, map[string]any{"processor": "P1", "from": "2026-01-01"})
	b.At(day8+2*hour).Call("c", "A", "K", day8+hour, one, "no_answer")
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-LST-03", false)
	b.At(day8+3*hour).Put("x", "crm", "event.corrected", "A", "", day8+3*hour, nobody,
		map[string]any{"target": map[string]any{"source": "crm", "id": "p"}, "action": "void", "reason": "never signed"})
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-LST-03", true)
	// The correction is itself corrected.
	b.At(day8+4*hour).Put("y", "crm", "event.corrected", "A", "", day8+4*hour, nobody,
		map[string]any{"target": map[string]any{"source": "crm", "id": "x"}, "action": "void", "reason": "it was signed"})
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-LST-03", false)
	sameAsRebuild(t, b.Log(), store)
}

// events.md 1.1: a conflicting grant counts in none of its variants, even if
// the other one names another number.
func TestConflictAcrossContacts(t *testing.T) {
	one, two := projectiontest.Contact(1), projectiontest.Contact(2)
	grant := map[string]any{"purposes": []string{"marketing"}, "channels": []string{"operator_call"}}
	b := projectiontest.Build()
	b.Put("g", "crm", "consent.granted", "A", "", day8-hour, one, grant)
	b.At(day8+2*hour).Call("c", "A", "K", day8+hour, one, "no_answer")
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-CON-01", false) // there is a grant, though a bad one
	b.At(day8+3*hour).Put("g", "crm", "consent.granted", "A", "", day8-hour, two, grant)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-CON-01", true)
	sameAsRebuild(t, b.Log(), store)
	h, err := store.History(context.Background(), two, nil)
	if err != nil || len(h.Events) != 2 {
		t.Fatalf("history of the other contact: %d events, %v; want both variants", len(h.Events), err)
	}
}

// IT-RPO-03 again: what was the campaign's first call is struck out, and only
// then the call arrives that is the first in its place.
func TestLateFirstCallBehindOneThatWasStruckOut(t *testing.T) {
	one, two, three := projectiontest.Contact(1), projectiontest.Contact(2), projectiontest.Contact(3)
	b := projectiontest.Build()
	b.At(day8+4*hour).Call("first", "A", "K", day8+hour, one, "not_interested")
	b.Call("third", "A", "K", day8+3*hour, three, "not_interested")
	store := openView(t)
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, three, "IT-RPO-03", false)
	b.At(day8+5*hour).Put("x", "officer", "event.corrected", "", "", day8+5*hour, nobody,
		map[string]any{"target": map[string]any{"source": "dialer", "id": "first"}, "action": "void", "reason": "test call"})
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, three, "IT-RPO-03", true)
	b.At(day8+6*hour).Call("second", "A", "K", day8+2*hour, two, "not_interested")
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, two, "IT-RPO-03", true)
	wantRule(t, store, three, "IT-RPO-03", false)
	sameAsRebuild(t, b.Log(), store)
}

// A call in conflict does not have the whole campaign evaluated again: what it
// can change lies before the first call of which nobody doubts.
func TestConflictingCallReachesNoFurtherThanTheFirstCalls(t *testing.T) {
	one := projectiontest.Contact(1)
	b := projectiontest.Build()
	b.At(day8+2*hour).Call("doubtful", "A", "K", day8+hour, one, "not_interested")
	for i := 2; i < 6; i++ {
		b.Call("c"+projectiontest.Contact(i).String(), "A", "K", day8+hour+events.Instant(i)*minute, projectiontest.Contact(i), "no_answer")
	}
	store := &counting{Store: openView(t)}
	follow(t, b.Log(), store, projection.Config{})
	wantRule(t, store, one, "IT-RPO-03", true)
	wantRule(t, store, projectiontest.Contact(2), "IT-RPO-03", false)
	store.put = 0
	b.At(day8+3*hour).Call("doubtful", "A", "K", day8+hour+150*1_000_000, one, "not_interested")
	follow(t, b.Log(), store, projection.Config{})
	sameAsRebuild(t, b.Log(), store)
	if store.put != 1 || store.until > day8+hour+4*minute {
		t.Errorf("%d sweeps up to %v, want one up to the first calls", store.put, store.until)
	}
}

// counting notes which sweeps are stored.
type counting struct {
	view.Store
	put   int
	until events.Instant
}

func (c *counting) Update(ctx context.Context, p view.Projection, from, to view.Progress, change func(view.Tx) error) error {
	return c.Store.Update(ctx, p, from, to, func(tx view.Tx) error { return change(countingTx{tx, c}) })
}

type countingTx struct {
	view.Tx
	to *counting
}

func (c countingTx) PutSweeps(list []view.Sweep) error {
	for _, s := range list {
		c.to.put++
		c.to.until = max(c.to.until, s.Until)
	}
	return c.Tx.PutSweeps(list)
}
