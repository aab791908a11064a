package viewtest

import (
	"bytes"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

var indexCases = map[string]func(*fixture){
	"a new identity is entered": func(f *fixture) {
		a, b := row("S0", 1, contact(1), "a", ""), row("S0", 2, contact(1), "b", "")
		f.equal(f.store(a, b), map[int][]view.Variant{})
		found, err := f.Identities(f.ctx, []events.IdentityHash{a.Identity, b.Identity, {9}})
		f.must(err)
		f.equal(found, map[events.IdentityHash][]view.Variant{a.Identity: {variant(a)}, b.Identity: {variant(b)}})
	},
	"a copy is known and not entered": func(f *fixture) {
		a := row("S0", 1, contact(1), "a", "")
		f.store(a)
		copied := row("S0", 2, contact(1), "a", "")
		f.equal(f.store(copied), map[int][]view.Variant{0: {variant(a)}})
		f.equal(f.history(contact(1), nil), []string{"S0:1"})
		again := row("S0", 3, contact(1), "b", "")
		f.equal(f.store(again, row("S0", 4, contact(1), "b", "")), map[int][]view.Variant{1: {variant(again)}})
		f.equal(f.history(contact(1), nil), []string{"S0:1", "S0:3"})
	},
	"another payload is one more variant": func(f *fixture) {
		a := row("S0", 1, contact(1), "a", "x")
		f.store(a)
		b := row("S1", 1, contact(2), "a", "y")
		f.equal(f.store(b), map[int][]view.Variant{0: {variant(a)}})
		c, d := row("S1", 2, contact(2), "a", "z"), row("S1", 3, contact(2), "a", "y")
		f.equal(f.store(c, d), map[int][]view.Variant{0: {variant(a), variant(b)}, 1: {variant(a), variant(b), variant(c)}})
		conflicts, err := f.Conflicts(f.ctx, nil)
		f.must(err)
		f.equal(len(conflicts), 1)
		f.equal(conflicts[0].Identity, a.Identity)
		f.equal(len(conflicts[0].Variants), 3)
		before, err := f.Conflicts(f.ctx, view.Positions{"S0": 1})
		f.must(err)
		f.equal(before, []view.Conflict(nil)) // one variant is no conflict
		f.update(index, nil, func(tx view.Tx) error {
			several, err := tx.Conflicting([]events.IdentityHash{a.Identity, {9}})
			f.equal(len(several), 1)
			f.equal(len(several[a.Identity]), 3)
			return err
		})
	},
	"many rows of one call": func(f *fixture) {
		var rows []view.Row
		for n := range 400 {
			rows = append(rows, row("S0", uint64(n+1), contact(byte(n%7+1)), fmt.Sprint("e", n%390), ""))
		}
		known := f.store(rows...)
		f.equal(len(known), 10) // the last ten repeat the first ten
		for n := range 10 {
			if len(known[390+n]) != 1 {
				f.t.Errorf("row %d: %v, want the first copy", 390+n, known[390+n])
			}
		}
	},
	"links make events part of other histories": func(f *fixture) {
		correction := row(view.Reference, 1, events.ContactKey{}, "x", "")
		foreign := row("S1", 1, contact(2), "b", "")
		f.store(row("S0", 1, contact(1), "a", ""), foreign, correction)
		f.update(index, nil, func(tx view.Tx) error {
			return tx.PutLinks([]view.Link{
				{Contact: contact(1), Stream: view.Reference, Sequence: 1},
				{Contact: contact(1), Owner: contact(2), Stream: "S1", Sequence: 1},
				{Contact: events.ContactKey{}, Owner: contact(2), Stream: "S1", Sequence: 1},
			})
		})
		f.update(index, nil, func(tx view.Tx) error {
			return tx.PutLinks([]view.Link{{Contact: contact(1), Stream: view.Reference, Sequence: 1}}) // again
		})
		f.equal(f.history(contact(1), nil), []string{"S0:1", view.Reference + ":1", "S1:1"})
		f.equal(f.history(contact(1), view.Positions{"S0": 1}), []string{"S0:1"})
		disputed, err := f.Disputed(f.ctx, nil)
		f.must(err)
		f.equal(places(disputed), []string{"S1:1"})
		f.equal(disputed[0].Contact, contact(2))
		_, err = f.History(f.ctx, contact(1), view.Positions{view.Reference: 1})
		f.is(err, view.ErrUnknown) // nothing of the contact itself
	},
	"corrections are remembered": func(f *fixture) {
		target := events.Identity{Source: "s", ID: "a"}.Hash()
		c := row(view.Reference, 1, events.ContactKey{}, "x", "")
		f.store(c)
		want := []view.Correction{{Target: target, Identity: c.Identity, Stream: view.Reference, Sequence: 1}}
		for range 2 {
			f.update(index, nil, func(tx view.Tx) error { return tx.PutCorrections(want) })
		}
		f.update(index, nil, func(tx view.Tx) error {
			got, err := tx.Corrections()
			f.equal(got, want)
			return err
		})
		list, err := f.Corrections(f.ctx, nil)
		f.must(err)
		f.equal(places(list), []string{view.Reference + ":1"})
		none, err := f.Corrections(f.ctx, view.Positions{})
		f.must(err)
		f.equal(places(none), []string(nil))
	},
	"a transaction sees its own writes": func(f *fixture) {
		f.update(index, view.Progress{"S0": {Sequence: 1, Recorded: noon}}, func(tx view.Tx) error {
			a := row("S0", 1, contact(1), "a", "")
			if _, err := tx.Index([]view.Row{a}); err != nil {
				return err
			}
			found, err := tx.Variants([]events.IdentityHash{a.Identity})
			f.must(err)
			f.equal(found[a.Identity], []view.Variant{variant(a)})
			stored, err := tx.Events([]view.Variant{variant(a), {Contact: contact(9), Sequence: 1}})
			f.must(err)
			f.equal(stored, []view.Event{a.Event})
			all, err := tx.Histories([]events.ContactKey{contact(1), contact(9)}, nil)
			f.equal(len(all), 1)
			f.equal(all[contact(1)].Events, []view.Event{a.Event})
			return err
		})
	},
	"what is due is taken once, the earliest first": func(f *fixture) {
		put := func(p view.Projection, at events.Instant, list ...events.ContactKey) {
			f.update(p, nil, func(tx view.Tx) error { return tx.PutDue(at, list) })
		}
		take := func(now events.Instant, limit int) (out []events.ContactKey) {
			f.update(findings, nil, func(tx view.Tx) error {
				var err error
				out, err = tx.TakeDue(now, limit)
				return err
			})
			return out
		}
		put(findings, noon+2, contact(1), contact(2))
		put(findings, noon+1, contact(3))
		put(findings, noon+1, contact(3))
		put(index, noon, contact(9)) // another projection's
		f.equal(take(noon, 10), []events.ContactKey(nil))
		f.equal(take(noon+2, 2), []events.ContactKey{contact(3), contact(1)})
		f.equal(take(noon+2, 2), []events.ContactKey{contact(2)})
		f.equal(take(noon+9, 2), []events.ContactKey(nil))
	},
	"equal content dumps equally in whatever batches": func(f *fixture) {
		var rows []view.Row
		for n := range uint64(30) {
			rows = append(rows, row("S0", n+1, contact(byte(n%3+1)), fmt.Sprint(n%28), ""))
		}
		other := f.fresh()
		f.store(rows...)
		f.batch("S0", 1, 30)
		for n, r := range rows {
			other.store(r)
			other.batch("S0", uint64(n+1), 1)
		}
		f.equal(other.dump(index), f.dump(index))
		if !bytes.Contains([]byte(f.dump(index)), rows[0].Body) {
			f.t.Error("the dump does not show the events: the case proves nothing")
		}
	},
}

// fresh is a fixture of another, empty store.
func (f *fixture) fresh() *fixture {
	h := f.open(f.t)
	g := &fixture{t: f.t, open: f.open, Harness: h, Store: h.Open(f.t), ctx: f.ctx, at: map[view.Projection]view.Progress{}}
	f.t.Cleanup(func() { g.must(g.Close()) })
	return g
}

// batch keeps the clocks of n entries from first on.
func (f *fixture) batch(stream string, first uint64, n int) {
	f.t.Helper()
	b := view.Batch{Stream: stream, First: first}
	for i := range n {
		at := noon + events.Instant(first+uint64(i))*stamp
		b.Recorded = append(b.Recorded, at)
		b.Sources = append(b.Sources, view.SourceSequence{Source: "src", Seq: int64(first) + int64(i), Stream: stream, Sequence: first + uint64(i)})
	}
	f.update(index, view.Progress{stream: {Sequence: first + uint64(n) - 1, Recorded: b.Recorded[n-1]}}, func(tx view.Tx) error { return tx.PutBatch(b) })
}
