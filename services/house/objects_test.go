package house

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/propertytest"
	"github.com/assenso/assenso/services/report"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// everyContact is a campaign whose objects are judged the plain way: over every
// contact of the log.
type everyContact struct {
	*inquiry.Campaign
	store     view.Reader
	engine    *rules.Engine
	positions view.Positions
}

func (e *everyContact) Objects(ctx context.Context, r events.Instant) ([]rules.Finding, error) {
	return inquiry.ObjectsBarLate(ctx, e.store, codec.Decode, e.engine, e.positions, r)
}

// sameObjects builds a report both ways, compares them byte by byte and returns it; nil if there is none.
func sameObjects(t must, engine *rules.Engine, store view.Reader, c view.CampaignRef, r events.Instant, p view.Positions) *report.Report {
	t.Helper()
	got := buildAt(t, engine, store, c, 2, r, p)
	want := buildFrom(t, engine, store, c, 2, r, p, func(opened *inquiry.Campaign) report.Campaign {
		return &everyContact{opened, store, engine, p}
	})
	switch {
	case got == nil && want == nil:
		return nil
	case got == nil || want == nil:
		t.Fatalf("campaign %s: only one of two reports is there", c.Campaign)
	}
	samePrinted(t, got, want)
	return got
}

// What lies with people whom the campaign never called, and with no person at
// all, concerns its report too: a paid contract, a transferred list, a request
// that was closed under another number.
func TestObjectsOfPeopleNeverCalled(t *testing.T) {
	const (
		minute = events.Instant(60_000_000)
		day    = 24 * 60 * minute
		start  = projectiontest.DayStart
	)
	called, stranger, other, nobody := projectiontest.Contact(1), projectiontest.Contact(2), projectiontest.Contact(3), events.ContactKey{}
	b := projectiontest.Build().At(start + 10*minute)
	b.Put("ad", "crm", "code.adhered", "A", "", start-90*day, nobody, map[string]any{"from": "2025-01-01"})
	b.Put("sold", "crm", "contract.concluded", "A", "", start, stranger, map[string]any{"contract": "C-1", "channel": "phone", "continuous": true, "started_on": "2026-03-01"})
	b.Put("paid", "crm", "commission.paid", "A", "", start, nobody, map[string]any{"contract": "C-1", "processor": "P1"})
	b.Put("row", "crm", "list.contact_added", "A", "", start, other, map[string]any{"list": "L-A"})
	b.Put("over", "crm", "list.transferred", "A", "", start+minute, nobody, map[string]any{"list": "L-A", "recipient": "Z"})
	b.Put("ask", "crm", "rights.requested", "A", "", start-60*day, nobody, map[string]any{"request": "R-1", "right": "access"})
	b.Put("ask2", "crm", "rights.requested", "A", "", start-60*day, nobody, map[string]any{"request": "R-2", "right": "access"})
	b.Put("done", "crm", "rights.closed", "A", "", start-50*day, projectiontest.Contact(4), map[string]any{"request": "R-1"})
	b.Call("call", "A", "K-A", start, called, "no_answer")
	engine := law(t)
	store, err := sqliteview.Open(t.Context(), filepath.Join(t.TempDir(), sqliteview.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	project(t, engine, b.Log(), store, projection.Config{})
	progress, err := store.Progress(t.Context(), violations.Name)
	if err != nil {
		t.Fatal(err)
	}
	r := sameObjects(t, engine, store, chaosCampaigns[0], progress.Recorded(), progress.Positions())
	found := map[string]string{}
	for _, f := range r.Findings.Objects {
		found[f.Rule] += f.Object
	}
	want := map[string]string{"IT-CDC-09": "paid", "IT-CDC-12": "over", "IT-OPP-05": "R-2"}
	for rule, object := range want {
		if found[rule] != object {
			t.Errorf("%s on %q, want it on %q", rule, found[rule], object)
		}
	}
}

// A report reads only the contacts that can be objects of it; what it says is
// what an evaluation of every contact says, byte for byte, as of now and as of
// any earlier instant.
func TestObjectsOfACampaignAreThoseOfTheLog(t *testing.T) {
	propertytest.Checks(t, 20)
	engine, folder, runs := law(t), t.TempDir(), 0
	found := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		store, err := sqliteview.Open(context.Background(), filepath.Join(folder, fmt.Sprintf("%d.db", runs)))
		if err != nil {
			rt.Fatal(err)
		}
		runs++
		rt.Cleanup(func() {
			if err := store.Close(); err != nil {
				rt.Error(err)
			}
		})
		log := projectiontest.Chaos(rapid.Uint64().Draw(rt, "history"), rapid.IntRange(40, 250).Draw(rt, "events"))
		project(rt, engine, log, store, projection.Config{})
		progress, err := store.Progress(context.Background(), violations.Name)
		if err != nil {
			rt.Fatal(err)
		}
		share := rapid.Int64Range(50, 100).Draw(rt, "percent")
		r := projectiontest.DayStart + (progress.Recorded()-projectiontest.DayStart)/100*events.Instant(share)
		p, err := store.Resolve(context.Background(), r)
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range chaosCampaigns {
			got := sameObjects(rt, engine, store, c, r, p)
			if got == nil {
				continue
			}
			for _, f := range got.Findings.Objects {
				found[f.Rule]++
			}
			found["LED-02"] += len(got.Gaps.Conflicts)
			found["LED-03"] += len(got.Gaps.Sources)
		}
	})
	for _, rule := range []string{"IT-OPP-03", "IT-CDC-12", "IT-SIL-01", "LED-02", "LED-03"} { // the rarer ones have a case of their own
		if found[rule] == 0 {
			t.Errorf("no report has %s: nothing was compared; found %v", rule, found)
		}
	}
}

// The price of a list is divided by its rows: those never called and those
// removed later count, a row that never was does not.
func TestPriceOfABoughtRow(t *testing.T) {
	const minute, start = events.Instant(60_000_000), projectiontest.DayStart
	nobody := events.ContactKey{}
	b := projectiontest.Build().At(start + 10*minute)
	b.Put("k", "crm", "campaign.opened", "A", "K-A", start, nobody, map[string]any{"purpose": "marketing", "channels": []string{"operator_call"}, "sector": "telecom", "lists": []string{"L-A", "L-B"}, "clis": []string{}})
	b.Put("a", "crm", "list.acquired", "A", "", start, nobody, map[string]any{"list": "L-A", "vendor": "V", "price_cents": 1000})
	b.Put("b", "crm", "list.acquired", "A", "", start, nobody, map[string]any{"list": "L-B"})
	for i := range 7 {
		b.Put(fmt.Sprintf("row-%d", i), "crm", "list.contact_added", "A", "", start, projectiontest.Contact(i), map[string]any{"list": "L-A"})
	}
	b.Put("again", "crm", "list.contact_added", "A", "", start+minute, projectiontest.Contact(1), map[string]any{"list": "L-A"})
	b.Put("gone", "crm", "list.contact_removed", "A", "", start+minute, projectiontest.Contact(2), map[string]any{"list": "L-A"})
	b.Put("void", "officer", "event.corrected", "", "", start, nobody, map[string]any{"target": map[string]any{"source": "crm", "id": "row-3"}, "action": "void", "reason": "typing error"})
	b.Call("call", "A", "K-A", start+minute, projectiontest.Contact(1), "no_answer")
	engine := law(t)
	store, err := sqliteview.Open(t.Context(), filepath.Join(t.TempDir(), sqliteview.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	project(t, engine, b.Log(), store, projection.Config{})
	lists := build(t, engine, store, chaosCampaigns[0], 2).Lists.Lists
	if len(lists) != 2 || lists[1].Rows != nil || lists[1].CentsPerRow != nil {
		t.Fatalf("lists %+v", lists)
	}
	if l := lists[0]; l.Rows == nil || *l.Rows != 6 || l.CentsPerRow == nil || *l.CentsPerRow != 166 || l.Called != 1 {
		t.Errorf("list %+v, rows %v, cents a row %v", l, l.Rows, l.CentsPerRow)
	}
}
