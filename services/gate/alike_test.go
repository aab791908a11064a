package gate

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

// A list that is full of contacts of one kind, whose facts differ in their
// instants and names, is answered as the gate answers for each alone: what was
// said of one is said of another only where the rules would say it too.
func TestListAnswersContactsOfOneKindAsTheGate(t *testing.T) {
	engine := law(t)
	answered, shared := map[events.Verdict]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		kin := drawKin(t)
		clock := func() events.Instant { return kin.end }
		log := kin.b.Log()
		g, stop := started(t, Config{Ledger: &logLedger{Log: log, clock: clock}, Index: readPlainly(t, log), Engine: engine, Clock: clock})
		defer stop()
		a := ask(0)
		a.Grant, a.Processor = rapid.SampledFrom([]string{"", "", "", "k0-0"}).Draw(t, "cited"), "A"
		list, err := g.OpenList(t.Context(), a, 0)
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]events.ContactKey, kinship)
		for i := range keys {
			keys[i] = projectiontest.Contact(i)
		}
		got := make([]listcheck.Answer, len(keys))
		if err := list.Answer(t.Context(), keys, got); err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			a.Contact = key
			want := g.Decide(t.Context(), a)
			if got[i].Verdict != want.Verdict || got[i].ValidUntil != want.ValidUntil || !slices.Equal(got[i].Rules(), reasonsOf(&want)) {
				t.Fatalf("contact %d of\n%v\nattempt %+v at %s:\n got %s %v until %s\nwant %s %v until %s", i, kin.told, a, kin.end,
					got[i].Verdict, got[i].Rules(), got[i].ValidUntil, want.Verdict, reasonsOf(&want), want.ValidUntil)
			}
			answered[got[i].Verdict]++
		}
		shared += kinship - len(list.prepared.Load().rulings.Get().(*rulings).known)
	})
	if answered[events.VerdictAllow] == 0 || answered[events.VerdictWarn] == 0 || answered[events.VerdictBlock] == 0 || shared == 0 {
		t.Errorf("answers %v, %d of them shared: want some of each", answered, shared)
	}
}

// kinship is how many contacts of one kind are drawn.
const kinship = 12

// kin are contacts with the same facts at other instants, under other names.
type kin struct {
	t    *rapid.T
	b    *projectiontest.Builder
	end  events.Instant
	told []string
}

func drawKin(t *rapid.T) *kin {
	k := &kin{t: t, b: projectiontest.Build(), end: noon().Add(100 * 24 * time.Hour)}
	foundation(k.b)
	given := k.end.Add(-time.Duration(rapid.SampledFrom([]int{2, 2, 15}).Draw(t, "days since")) * 24 * time.Hour)
	k.b.At(given).Put("b-now", "crm", "register.screening_completed", "A", "", given, events.ContactKey{}, map[string]any{"batch": "B-N", "list": "L-A", "snapshot_at": given.String()})
	for i := range kinship { // what makes a call possible
		k.put(i, "row", "list.contact_added", given, map[string]any{"list": "L-A", "source": "web form", "collector": "C9", "acquired_on": "2026-01-15"})
		k.put(i, "rpo", "register.screened", given, map[string]any{"batch": "B-A", "answer": "clear", "snapshot_at": given.String()})
	}
	n := rapid.IntRange(1, 6).Draw(t, "facts")
	for f := range n {
		k.fact(f, n)
	}
	return k
}

func (k *kin) put(i int, id, typ string, at events.Instant, data map[string]any) {
	campaign := ""
	if typ == "call.concluded" {
		campaign = "K-A"
	}
	k.told = append(k.told, fmt.Sprintln(i, typ, at, id, data))
	k.b.At(k.end.Add(-time.Hour)).Put(fmt.Sprintf("%s-%d", id, i), "crm", typ, "A", campaign, at, projectiontest.Contact(i), data)
}

// moment draws an instant; few are drawn, so that ties are frequent.
func (k *kin) moment(name string) events.Instant {
	at := k.end.Add(-time.Duration(rapid.SampledFrom([]int{1, 1, 2, 3, 24, 48, 7 * 24, 30 * 24, 31 * 24, 40 * 24, 90 * 24}).Draw(k.t, name)) * time.Hour)
	return at.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 1000, 3600_000_000}).Draw(k.t, name+" by")) * time.Microsecond)
}

// fact gives each contact one of n facts.
func (k *kin) fact(f, n int) {
	d := drawn{t: k.t, now: k.end,
		oneOf:  func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(k.t, name) },
		number: func(name string, below int) int { return rapid.IntRange(0, below-1).Draw(k.t, name) }}
	typ := d.oneOf("type", "consent.granted", "consent.granted", "consent.granted", "consent.revoked", "consent.invalidated", "consent.reverified", "opposition.registered",
		"register.listed", "register.screened", "call.concluded", "call.concluded", "callback.requested", "call.inbound", "contract.concluded", "contract.ended",
		"list.contact_added", "list.contact_removed", "directory.extracted", "number.reassigned", "erasure.executed")
	data, base := map[string]any{}, k.moment("base")
	if typ == "call.concluded" {
		d.call(base, data)
	} else {
		d.payload(typ, base, "A", data)
	}
	delete(data, "collection_attempt") // then the whole history is asked for
	named := d.number("named", n)
	for i := range kinship {
		own, at := map[string]any{}, base
		for name, value := range data {
			own[name] = value
		}
		if i > 0 && d.number("moved", 3) > 0 {
			at = k.moment("moved")
		}
		switch typ {
		case "call.concluded":
			dialled := at.Add(-time.Duration(d.number("lasted", 3)) * 30 * time.Second)
			own["dialled_at"], own["released_at"] = dialled.String(), at.String()
			if own["answered_at"] != nil {
				own["answered_at"] = dialled.String()
			}
		case "consent.invalidated", "consent.reverified":
			own["grant"] = fmt.Sprintf("k%d-%d", named, i)
		}
		if _, ok := own["contract"]; ok && d.number("other contract", 3) == 0 {
			own["contract"] = d.oneOf("contract", "C1", "C2", "C3")
		}
		id := fmt.Sprintf("k%d", f)
		if d.number("renamed", 4) == 0 {
			id = d.oneOf("id", "a", "z", "00000000-0000-4000-8000-00000000000") + fmt.Sprint(f)
		}
		k.put(i, id, typ, at, own)
	}
}

// outlines returns a memory of rulings, and templates of facts.
func outlines(t *testing.T) (m *rulings, list []template) {
	t.Helper()
	b := permitted()
	g, stop := started(t, Config{Ledger: &logLedger{Log: b.Log(), clock: noon}, Index: readPlainly(t, b.Log()), Engine: law(t), Clock: noon})
	defer stop()
	l, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	row := template{typ: events.TypeListContactAdded, data: &events.ListContactAdded{List: "L-A"}}
	call := func(how events.Disposition) template {
		return template{typ: events.TypeCallConcluded, controller: "A", data: &events.CallConcluded{Disposition: how}}
	}
	grant := template{typ: events.TypeConsentGranted, controller: "A", data: &events.ConsentGranted{Proof: &events.Proof{Kind: events.ProofDoubleOptIn}}}
	listed := template{typ: events.TypeRegisterListed, controller: "A", data: &events.RegisterListed{ListedOn: 1}}
	return newRulings(l.question().question, noon()), []template{row, row, call(events.DispositionNoAnswer), call(events.DispositionSilent), grant, listed}
}

// factOf is one fact of a record, of a template, some hours before noon.
func factOf(template uint32, hours int, change ...func(*encoded)) encoded {
	at := noon().Add(-time.Duration(hours) * time.Hour)
	f := encoded{template: template, time: at, received: at}
	for _, c := range change {
		c(&f)
	}
	return f
}

func named(first, second string) func(*encoded) {
	return func(f *encoded) { f.first, f.second = first, second }
}

func recordOf(facts ...encoded) (b []byte) {
	for _, f := range facts {
		b = f.append(b)
	}
	return b
}

const someUUID = "0000000f-0000-4000-8000-00000000000"

// Records that a question could tell apart have different outlines.
func TestOutlinesDiffer(t *testing.T) {
	m, list := outlines(t)
	seen := map[string]int{}
	for i, content := range [][]byte{
		recordOf(),
		recordOf(factOf(0, 3)),
		recordOf(factOf(0, 3), factOf(0, 3)),
		recordOf(factOf(0, 3), factOf(0, 2)),
		recordOf(factOf(0, 3), factOf(0, 2), factOf(1, 1)), // its end could be read as an order
		recordOf(factOf(0, 2), factOf(0, 3)),
		recordOf(factOf(2, 3)),
		recordOf(factOf(2, 24*40)),
		recordOf(factOf(2, 3, func(f *encoded) { f.dialled = f.time - 1000 })),
		recordOf(factOf(4, 3, named("a", ""))),
		recordOf(factOf(4, 3, named("a", "b"))),
		recordOf(factOf(4, 3, named("b", "a"))),
		recordOf(factOf(4, 3, named("a", "a"))),
		recordOf(factOf(4, 3, named("a", "")), factOf(4, 2, named("b", ""))),
		recordOf(factOf(4, 3, named("b", "")), factOf(4, 2, named("aa", ""))), // shorter, but later
		recordOf(factOf(4, 3, named(someUUID+"1", "")), factOf(4, 2, named(someUUID+"1", ""))),
		recordOf(factOf(4, 49, named("a", "")), factOf(5, 1)), // given two days before
		recordOf(factOf(4, 30, named("a", "")), factOf(5, 1)), // one day before
	} {
		if !m.draw(content, list) {
			t.Fatalf("record %d has no outline", i)
		}
		if other, ok := seen[string(m.key)]; ok {
			t.Errorf("records %d and %d have one outline, %x", other, i, m.key)
		}
		seen[string(m.key)] = i
	}
	m.draw(recordOf(factOf(4, 3, named(someUUID+"1", "")), factOf(4, 2, named(someUUID+"2", ""))), list)
	if other := seen[string(m.key)]; other != 13 {
		t.Errorf("UUIDs in order are like record %d, want 13: texts in order", other)
	}
	m.draw(recordOf(factOf(4, 49, named("a", ""))), list)
	if other := seen[string(m.key)]; other != 9 {
		t.Errorf("without a date of the register, a consent of another day is like record %d, want 9", other)
	}
}

// What is not sure to be alike to any other contact has no outline.
func TestNoOutline(t *testing.T) {
	m, list := outlines(t)
	long := []encoded{}
	for i := range mostInstants + 1 {
		long = append(long, factOf(0, 100-i))
	}
	for name, content := range map[string][]byte{
		"at the instant that is judged": recordOf(factOf(0, 0)),
		"ahead of it":                   recordOf(factOf(0, -1)),
		"dialled ahead of it":           recordOf(factOf(2, 1, func(f *encoded) { f.dialled = noon() })),
		"an instant that is absent":     recordOf(factOf(0, 0, func(f *encoded) { f.time, f.received = 0, 0 })),
		"received ahead":                recordOf(factOf(0, 1, func(f *encoded) { f.received++ })),
		"a proof ahead":                 recordOf(factOf(4, 1, named("a", ""), func(f *encoded) { f.confirmed = f.time + 1 })),
		"a silent call":                 recordOf(factOf(3, 1)),
		"an unknown template":           recordOf(factOf(6, 1)),
		"cut off":                       recordOf(factOf(0, 1))[:6],
		"one name is a UUID":            recordOf(factOf(4, 3, named(someUUID+"1", "")), factOf(4, 2, named("b", ""))),
		"too many instants":             recordOf(long...),
	} {
		if m.draw(content, list) {
			t.Errorf("%s: the outline is %x", name, m.key)
		}
	}
	if !m.draw(recordOf(long[1:]...), list) {
		t.Error("as many instants as are compared: no outline")
	}
}

// What comes after the most outlines that are remembered is judged each time.
func TestRulingsAreBounded(t *testing.T) {
	m, list := outlines(t)
	for i := range mostRulings + 10 {
		list = append(list, list[0])
		if !m.draw(recordOf(factOf(uint32(len(list)-1), 1)), list) {
			t.Fatalf("record %d has no outline", i)
		}
		m.note(rules.Ruling{Verdict: events.VerdictAllow})
	}
	if _, ok := m.find(); ok || len(m.known) != mostRulings {
		t.Errorf("%d rulings are remembered, the last one: %v", len(m.known), ok)
	}
}

// Chunks of a list that are answered side by side share what was ruled, and
// are answered alike while the campaign changes.
func TestListIsAnsweredSideBySide(t *testing.T) {
	log := permitted().Log()
	g, stop := started(t, Config{Ledger: &logLedger{Log: log, clock: noon}, Index: readPlainly(t, log), Engine: law(t), Clock: noon})
	defer stop()
	list, err := g.OpenList(t.Context(), ask(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]events.ContactKey, 3*listHold)
	for i := range keys {
		keys[i] = projectiontest.Contact([]int{0, 7}[i%2]) // one may be called, of the other nothing is known
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			out := make([]listcheck.Answer, len(keys))
			for range 50 {
				if err := list.Answer(t.Context(), keys, out); err != nil {
					t.Error(err)
					return
				}
				for i := range out {
					if want := []events.Verdict{events.VerdictAllow, events.VerdictBlock}[i%2]; out[i].Verdict != want {
						t.Errorf("contact %d: %s %v, want %s", i, out[i].Verdict, out[i].Rules(), want)
						return
					}
				}
			}
		})
	}
	for range 50 {
		g.mu.Lock()
		g.referred++
		g.mu.Unlock()
	}
	all.Wait()
}
