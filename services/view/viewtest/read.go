package viewtest

import (
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

var errStop = errors.New("stop")

var readCases = map[string]func(*fixture){
	"an instant resolves to the last entry not later": func(f *fixture) {
		f.batch("S0", 1, 3)
		f.batch("S0", 4, 1)
		f.batch("S1", 1, 2)
		for _, c := range []struct {
			at   events.Instant
			want view.Positions
		}{
			{noon, view.Positions{}},
			{noon + stamp, view.Positions{"S0": 1, "S1": 1}},
			{noon + 3*stamp - 1, view.Positions{"S0": 2, "S1": 2}},
			{noon + 4*stamp, view.Positions{"S0": 4, "S1": 2}},
			{events.MaxInstant / 2, view.Positions{"S0": 4, "S1": 2}},
		} {
			got, err := f.Resolve(f.ctx, c.at)
			f.must(err)
			f.equal(got, c.want)
		}
	},
	"equal instants resolve to the last of them": func(f *fixture) {
		f.update(index, view.Progress{"S0": {Sequence: 5, Recorded: noon + 1}}, func(tx view.Tx) error {
			if err := tx.PutBatch(view.Batch{Stream: "S0", First: 1, Recorded: []events.Instant{noon, noon, noon}}); err != nil {
				return err
			}
			return tx.PutBatch(view.Batch{Stream: "S0", First: 4, Recorded: []events.Instant{noon, noon + 1}})
		})
		got, err := f.Resolve(f.ctx, noon)
		f.must(err)
		f.equal(got, view.Positions{"S0": 4})
	},
	"a history is cut at the positions": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""), row("S0", 2, contact(1), "b", ""), row("S0", 3, contact(2), "c", ""))
		f.equal(f.history(contact(1), nil), []string{"S0:1", "S0:2"})
		f.equal(f.history(contact(1), view.Positions{"S0": 1}), []string{"S0:1"})
		_, err := f.History(f.ctx, contact(2), view.Positions{"S0": 2})
		f.is(err, view.ErrUnknown)
		_, err = f.History(f.ctx, contact(7), nil)
		f.is(err, view.ErrUnknown)
	},
	"an event comes back whole": func(f *fixture) {
		a := row("S0", 1, contact(1), "a", "text with \"quotes\" and ü")
		f.store(a)
		h, err := f.History(f.ctx, contact(1), nil)
		f.must(err)
		f.equal(h, view.History{Contact: contact(1), Events: []view.Event{a.Event}})
	},
	"references come in order and pages": func(f *fixture) {
		for n := range uint64(5) {
			f.store(row(view.Reference, n+1, events.ContactKey{}, fmt.Sprint(n), ""))
		}
		f.store(row("S0", 1, contact(1), "x", ""))
		for _, c := range []struct {
			after uint64
			limit int
			asOf  view.Positions
			want  []string
		}{
			{0, 0, nil, []string{"1", "2", "3", "4", "5"}}, {2, 2, nil, []string{"3", "4"}}, {5, 0, nil, nil},
			{0, 0, view.Positions{view.Reference: 2}, []string{"1", "2"}},
		} {
			list, err := f.References(f.ctx, c.after, c.limit, c.asOf)
			f.must(err)
			var got []string
			for _, e := range list {
				got = append(got, fmt.Sprint(e.Sequence))
			}
			f.equal(got, c.want)
		}
	},
	"a scan visits contacts in the order of their keys": func(f *fixture) {
		for n := range 300 { // more than a page
			key := contact(byte(n%250 + 1))
			f.store(row("S0", uint64(n+1), key, fmt.Sprint(n), ""))
		}
		f.store(row(view.Reference, 1, events.ContactKey{}, "ref", ""))
		var last events.ContactKey
		visited, seen := 0, 0
		f.must(f.Scan(f.ctx, view.Selection{}, nil, func(h view.History) error {
			if h.Contact.String() <= last.String() {
				f.t.Errorf("%v after %v", h.Contact, last)
			}
			last = h.Contact
			visited++
			seen += len(h.Events)
			return nil
		}))
		f.equal([]int{visited, seen}, []int{250, 300})
		f.is(f.Scan(f.ctx, view.Selection{}, nil, func(view.History) error { return errStop }), errStop)
	},
	"a scan selects by type, list and campaign": func(f *fixture) {
		revoked, listed := row("S0", 1, contact(1), "a", ""), row("S0", 2, contact(2), "b", "")
		revoked.Type, listed.Type, listed.List = events.TypeConsentRevoked, events.TypeListContactAdded, "L-1"
		f.store(revoked, listed, row("S0", 3, contact(3), "c", ""))
		f.attempts(attempt("K", contact(3), 3))
		for _, c := range []struct {
			sel  view.Selection
			want []events.ContactKey
		}{
			{view.Selection{Types: []events.Type{events.TypeConsentRevoked, events.TypeCallInbound}}, []events.ContactKey{contact(1)}},
			{view.Selection{List: "L-1"}, []events.ContactKey{contact(2)}},
			{view.Selection{List: "L-2"}, nil},
			{view.Selection{Campaign: &view.CampaignRef{Controller: "A", Campaign: "K"}}, []events.ContactKey{contact(3)}},
			{view.Selection{Campaign: &view.CampaignRef{Controller: "B", Campaign: "K"}}, nil},
		} {
			var got []events.ContactKey
			f.must(f.Scan(f.ctx, c.sel, nil, func(h view.History) error { got = append(got, h.Contact); return nil }))
			f.equal(got, c.want)
		}
		if err := f.Scan(f.ctx, view.Selection{Types: []events.Type{events.TypeCallConcluded}}, nil, func(view.History) error { return nil }); err == nil {
			f.t.Error("a type that is not indexed: want an error, not an empty answer")
		}
	},
	"late events, sources and duplicates": func(f *fixture) {
		late := view.Late{Stream: "S0", Sequence: 2, Source: "src", ID: "b", Type: events.TypeConsentGranted, Time: noon, Received: noon, Recorded: noon + 9}
		f.update(index, view.Progress{"S0": {Sequence: 3, Recorded: noon}}, func(tx view.Tx) error {
			return tx.PutBatch(view.Batch{Stream: "S0", First: 1, Recorded: []events.Instant{noon, noon, noon}, Late: []view.Late{late}, Duplicates: []uint64{3},
				Sources: []view.SourceSequence{{Source: "x", Seq: 7, Stream: "S0", Sequence: 1}, {Source: "y", Seq: 1, Stream: "S0", Sequence: 2}, {Source: "x", Seq: 5, Stream: "S0", Sequence: 3}}})
		})
		for _, c := range []struct {
			asOf view.Positions
			want []string
		}{
			{nil, []string{"late 2", "x 7", "x 5", "y 1", "copies 1"}},
			{view.Positions{"S0": 1}, []string{"x 7", "copies 0"}},
		} {
			var got []string
			f.must(f.Late(f.ctx, c.asOf, func(l view.Late) error {
				f.equal(l, late)
				got = append(got, fmt.Sprint("late ", l.Sequence))
				return nil
			}))
			f.must(f.SourceSequences(f.ctx, c.asOf, func(s view.SourceSequence) error {
				got = append(got, fmt.Sprint(s.Source, " ", s.Seq))
				return nil
			}))
			copies, err := f.Duplicates(f.ctx, c.asOf)
			f.must(err)
			f.equal(append(got, fmt.Sprint("copies ", copies["S0"])), c.want)
		}
		f.is(f.Late(f.ctx, nil, func(view.Late) error { return errStop }), errStop)
		f.is(f.SourceSequences(f.ctx, nil, func(view.SourceSequence) error { return errStop }), errStop)
	},
}

// attempt makes a stored attempt with findings of the rules.
func attempt(campaign string, key events.ContactKey, sequence uint64, rules ...string) view.AttemptFindings {
	a := view.Attempt{
		CampaignRef: view.CampaignRef{Controller: "A", Campaign: campaign}, Contact: key, DialledAt: noon + events.Instant(sequence)*stamp,
		Known: noon + events.Instant(sequence)*stamp + 5, Stream: "S0", Sequence: sequence, ID: fmt.Sprint("c-", sequence), Source: "dialer", Findings: len(rules),
	}
	out := view.AttemptFindings{Attempt: a}
	for _, r := range rules {
		out.Findings = append(out.Findings, view.Finding{CampaignRef: a.CampaignRef, Contact: key, DialledAt: a.DialledAt, Source: a.Source, Attempt: a.ID,
			Sequence: sequence, Rule: r, Kind: "CONFIRMED", Severity: "high", Clause: "GDPR 7", Imputed: "A", Evidence: []byte(`{"x":1}`)})
	}
	return out
}

func (f *fixture) attempts(list ...view.AttemptFindings) {
	f.t.Helper()
	f.update(findings, view.Progress{"S0": {Sequence: 100, Recorded: noon}}, func(tx view.Tx) error { return tx.PutFindings(list) })
}

func (f *fixture) findingsOf(key events.ContactKey) []string {
	f.t.Helper()
	list, err := f.FindingsOf(f.ctx, key)
	f.must(err)
	var out []string
	for _, x := range list {
		out = append(out, x.Attempt+" "+x.Rule)
	}
	return out
}
