package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

// reasonsOf are the rules and effects of a single decision, as a list's answer
// has them.
func reasonsOf(d *Decision) []events.ReasonEffect {
	out := []events.ReasonEffect{}
	for _, r := range d.Reasons {
		out = append(out, events.ReasonEffect{Rule: r.Rule, Effect: r.Effect})
	}
	return out
}

// A list check answers for each contact as the gate does for it alone: verdict,
// rules and validity, now and for a later instant.
func TestListAnswersAsTheGate(t *testing.T) {
	engine := law(t)
	answered := map[events.Verdict]int{}
	histories := 0
	rapid.Check(t, func(t *rapid.T) {
		log, end := draw(t)
		clock := func() events.Instant { return end }
		plain := readPlainly(t, log)
		g, stop := started(t, Config{Ledger: &logLedger{Log: log.Shuffled(rapid.Uint64Range(1, 1<<30).Draw(t, "order")), clock: clock}, Index: plain, Engine: engine, Clock: clock})
		defer stop()
		d := drawn{t: t, now: end,
			oneOf:  func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) },
			number: func(name string, below int) int { return rapid.IntRange(0, below-1).Draw(t, name) }}
		a := d.attempt()
		var at events.Instant
		if d.number("plan", 3) == 0 {
			at = end.Add(time.Duration(1+d.number("hours", 40)) * time.Hour)
		}
		list, err := g.OpenList(t.Context(), a, at)
		if a.Campaign == "K-none" {
			if !errors.Is(err, listcheck.ErrCampaign) {
				t.Fatalf("an unknown campaign: error %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]events.ContactKey, rapid.IntRange(0, 150).Draw(t, "numbers"))
		for i := range keys {
			keys[i] = projectiontest.Contact(d.number("contact", 5))
		}
		got := make([]listcheck.Answer, len(keys))
		if err := list.Answer(t.Context(), keys, got); err != nil {
			t.Fatal(err)
		}
		ref := plain.reference(nil)
		for i, key := range keys {
			a.Contact = key
			want := g.Decide(t.Context(), a)
			if list.Head().Plan {
				want.Decision = engine.Gate(contact.NewHistory(key, plain.bearing(key, nil)), ref, a, at)
			}
			if got[i].Verdict != want.Verdict || got[i].ValidUntil != want.ValidUntil || !slices.Equal(got[i].Rules(), reasonsOf(&want)) {
				t.Fatalf("contact %s, attempt %+v at %s:\n got %s %v until %s\nwant %s %v until %s", key, a, list.Head().Instant,
					got[i].Verdict, got[i].Rules(), got[i].ValidUntil, want.Verdict, reasonsOf(&want), want.ValidUntil)
			}
			answered[got[i].Verdict]++
			if _, full := g.full[key]; full {
				histories++
			}
		}
	})
	if answered[events.VerdictAllow] == 0 || answered[events.VerdictWarn] == 0 || answered[events.VerdictBlock] == 0 || histories == 0 {
		t.Errorf("answers %v, %d of them from whole histories: want some of each", answered, histories)
	}
}

// In doubt no list: neither begun nor continued.
func TestListFailsClosed(t *testing.T) {
	log := permitted().Log()
	plain := readPlainly(t, log)
	source := &logLedger{Log: log, clock: noon}
	g, stop := started(t, Config{Ledger: source, Index: plain, Engine: law(t), Clock: noon, Patience: time.Millisecond, Poll: time.Hour, Retry: time.Millisecond})
	defer stop()
	list, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	keys, out := []events.ContactKey{projectiontest.Contact(0), projectiontest.Contact(1)}, make([]listcheck.Answer, 2)
	answer := func() error { return list.Answer(t.Context(), keys, out) }
	if err := answer(); err != nil || out[0].Verdict != events.VerdictAllow || out[1].Verdict != events.VerdictAllow {
		t.Fatalf("error %v, answers %+v: want allow", err, out)
	}
	for _, c := range []struct {
		name string
		set  *atomic.Bool
		rule string
	}{{"stale", &source.stale, rules.StaleLedger}, {"behind", &source.ahead, rules.Behind}} {
		c.set.Store(true)
		g.readBeats(t.Context())
		if err := answer(); !errors.Is(err, listcheck.ErrDoubt) || !strings.Contains(err.Error(), c.rule) {
			t.Errorf("%s: a list went on with error %v", c.name, err)
		}
		if _, err := g.OpenList(t.Context(), ask(0), 0); !errors.Is(err, listcheck.ErrDoubt) {
			t.Errorf("%s: a list was begun with error %v", c.name, err)
		}
		c.set.Store(false)
		g.readBeats(t.Context())
		if err := answer(); err != nil {
			t.Errorf("%s, over: %v", c.name, err)
		}
	}
	if _, err := g.OpenList(t.Context(), ask(0), noon()-1); !errors.Is(err, listcheck.ErrPast) {
		t.Errorf("a list of the past was begun with error %v", err)
	}
	if _, err := g.OpenList(t.Context(), ask(0), noon().Add(-20*365*24*time.Hour)); !errors.Is(err, listcheck.ErrPast) {
		t.Errorf("a list of before every pack was begun with error %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := list.Answer(ended, keys, out); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone got %v", err)
	}

	plain.down.Store(true)
	g.mu.Lock()
	g.markFull(keys[1])
	g.mu.Unlock()
	list.patience.Store(int64(2 * time.Millisecond))
	if err := answer(); err != nil || out[0].Verdict != events.VerdictAllow || out[1].Verdict != events.VerdictBlock || out[1].Doubt != listcheck.Unsettled {
		t.Errorf("error %v, answers %+v: want the unsettled contact blocked, the other not", err, out)
	}
	if left := list.patience.Load(); left > 0 {
		t.Errorf("%v of patience are left after waiting in vain", time.Duration(left))
	}
	plain.down.Store(false)
	again, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Answer(t.Context(), keys, out); err != nil || out[1].Verdict != events.VerdictAllow {
		t.Errorf("error %v, answers %+v: want allow once settled", err, out)
	}
}

// What changes for the campaign while a list is answered changes what is
// answered from then on.
func TestListSeesAnOrderIssuedMeanwhile(t *testing.T) {
	whole := permitted()
	at := projectiontest.DayStart
	whole.At(at).Put("order", "roc", "order.issued", "A", "", at, events.ContactKey{}, map[string]any{"authority": "garante", "number": "1", "kind": "prohibition",
		"from": "2026-01-01", "scope": map[string]any{"all": true}})
	log := whole.Log()
	plain := readPlainly(t, log)
	half := &projectiontest.Log{Streams: map[ledger.Stream][][]byte{}}
	for s, bodies := range log.Streams {
		half.Streams[s] = bodies
	}
	half.Streams[ledger.Reference] = half.Streams[ledger.Reference][:len(half.Streams[ledger.Reference])-1]
	g, stop := started(t, Config{Ledger: &logLedger{Log: half, clock: noon}, Index: plain, Engine: law(t), Clock: noon})
	defer stop()
	list, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	keys, out := []events.ContactKey{projectiontest.Contact(0)}, make([]listcheck.Answer, 1)
	if err := list.Answer(t.Context(), keys, out); err != nil || out[0].Verdict != events.VerdictAllow {
		t.Fatalf("error %v, %+v: want allow before the order", err, out)
	}
	for _, f := range plain.facts {
		if f.Type == events.TypeOrderIssued {
			g.mu.Lock()
			g.writer.commitOne(&record{fact: f})
			g.mu.Unlock()
		}
	}
	if err := list.Answer(t.Context(), keys, out); err != nil || out[0].Verdict != events.VerdictBlock || !slices.Contains(out[0].Blocks.Append(nil), "IT-ORD-01") {
		t.Errorf("error %v, %+v: want block by the order", err, out)
	}
}

// What happens to a contact after the list began can only make its answer
// stricter: a revocation counts, a consent does not.
func TestListSeesARevocationMeanwhile(t *testing.T) {
	b := permitted()
	later := noon().Add(time.Minute)
	at := noon().Add(-time.Hour)
	put := func(id, typ string, i int, when events.Instant, data map[string]any) {
		b.At(when).Put(id, "crm", typ, "A", "", when, projectiontest.Contact(i), data)
	}
	put("row-2", "list.contact_added", 2, at, map[string]any{"list": "L-A", "source": "web", "collector": "C", "acquired_on": "2026-01-15"})
	put("rpo-2", "register.screened", 2, at, map[string]any{"batch": "B-A", "answer": "clear", "snapshot_at": at.Add(-48 * 3600e9).String()})
	put("late-grant", "consent.granted", 2, later, map[string]any{"purposes": []string{"marketing"}, "channels": []string{"operator_call"}, "source_ref": "https://a.example/2",
		"notice": map[string]any{"id": "N", "version": "1", "sha256": sha}, "proof": map[string]any{"kind": "signed_form", "sha256": sha, "immutable": true}})
	for i := range 2 {
		put(id("late", i), "consent.revoked", i, later, map[string]any{})
	}
	log := b.Log()
	plain := readPlainly(t, log)
	var now atomic.Int64
	now.Store(int64(noon()))
	clock := func() events.Instant { return events.Instant(now.Load()) }
	g, stop := started(t, Config{Ledger: &logLedger{Log: log, clock: clock}, Index: plain, Engine: law(t), Clock: clock})
	defer stop()
	g.mu.Lock()
	g.floor = noon() // as if nothing later had been applied yet
	g.mu.Unlock()
	list, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	keys, out := []events.ContactKey{projectiontest.Contact(0), projectiontest.Contact(1), projectiontest.Contact(2)}, make([]listcheck.Answer, 3)
	for _, want := range [][]events.Verdict{
		{events.VerdictAllow, events.VerdictAllow, events.VerdictBlock}, // before they happen
		{events.VerdictBlock, events.VerdictBlock, events.VerdictBlock}, // after
	} {
		if err := list.Answer(t.Context(), keys, out); err != nil {
			t.Fatal(err)
		}
		for i := range keys {
			if out[i].Verdict != want[i] {
				t.Errorf("at %s contact %d is answered with %s %v, want %s", clock(), i, out[i].Verdict, out[i].Rules(), want[i])
			}
		}
		now.Store(int64(later.Add(time.Second)))
		g.readBeats(t.Context())
	}
	if got := out[0].Blocks.Append(nil); !slices.Contains(got, "IT-CON-05") {
		t.Errorf("the revoked contact is blocked by %v", got)
	}
}
