package viewtest

import (
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

var violationCases = map[string]func(*fixture){
	"findings replace what was there": func(f *fixture) {
		f.attempts(attempt("K", contact(1), 1, "IT-RPO-01", "IT-CON-01"))
		f.equal(f.findingsOf(contact(1)), []string{"c-1 IT-CON-01", "c-1 IT-RPO-01"})
		f.attempts(attempt("K", contact(1), 1, "IT-RPO-02"))
		f.equal(f.findingsOf(contact(1)), []string{"c-1 IT-RPO-02"})
		f.attempts(attempt("K", contact(1), 1))
		f.equal(f.findingsOf(contact(1)), []string(nil))
		f.attempts(attempt("K", contact(1), 1, "IT-RPO-02"))
		list, err := f.FindingsOf(f.ctx, contact(1))
		f.must(err)
		f.equal(list, attempt("K", contact(1), 1, "IT-RPO-02").Findings)
	},
	"attempts come by contact and sequence": func(f *fixture) {
		f.attempts(attempt("K", contact(2), 1), attempt("K", contact(1), 3, "IT-RPO-01"), attempt("K", contact(1), 2), attempt("J", contact(1), 4))
		read := func(asOf view.Positions) (out []view.Attempt) {
			f.must(f.Attempts(f.ctx, view.CampaignRef{Controller: "A", Campaign: "K"}, asOf, func(a view.Attempt) error { out = append(out, a); return nil }))
			return out
		}
		f.equal(read(nil), []view.Attempt{attempt("K", contact(1), 2).Attempt, attempt("K", contact(1), 3, "x").Attempt, attempt("K", contact(2), 1).Attempt})
		f.equal(len(read(view.Positions{"S0": 1})), 1)
		f.is(f.Attempts(f.ctx, view.CampaignRef{Controller: "A", Campaign: "K"}, nil, func(view.Attempt) error { return errStop }), errStop)
	},
	"a dropped attempt is gone with its findings": func(f *fixture) {
		one, two := attempt("K", contact(1), 1, "IT-RPO-01"), attempt("K", contact(1), 2, "IT-RPO-02")
		f.attempts(one, two)
		f.update(findings, nil, func(tx view.Tx) error { return tx.DropAttempts([]view.Attempt{one.Attempt}) })
		f.equal(f.findingsOf(contact(1)), []string{"c-2 IT-RPO-02"})
		f.update(findings, nil, func(tx view.Tx) error {
			called, err := tx.Called([]events.ContactKey{contact(1), contact(2)})
			f.equal(called, map[events.ContactKey]bool{contact(1): true})
			return err
		})
	},
	"findings are paged without gap or repetition": func(f *fixture) {
		for n := range uint64(9) {
			f.attempts(attempt("K", contact(byte(n%4+1)), n+1, "IT-CON-01", "IT-RPO-01", "IT-RPO-02"))
		}
		f.attempts(attempt("J", contact(1), 50, "IT-RPO-01"), attempt("K", contact(1), 51))
		ref := view.CampaignRef{Controller: "A", Campaign: "K"}
		all, next, err := f.Findings(f.ctx, ref, "", 1000)
		f.must(err)
		f.equal(next, "")
		f.equal(len(all), 27)
		for _, limit := range []int{1, 2, 3, 5, 27} {
			var paged []view.Finding
			for cursor, pages := "", 0; pages < 100; pages++ {
				page, after, err := f.Findings(f.ctx, ref, cursor, limit)
				f.must(err)
				paged = append(paged, page...)
				if cursor = after; cursor == "" {
					break
				}
			}
			f.equal(paged, all)
		}
		_, _, err = f.Findings(f.ctx, ref, "nonsense", 3)
		f.is(err, view.ErrUnknown)
	},
	"campaign lines add up": func(f *fixture) {
		ref := view.CampaignRef{Controller: "A", Campaign: "K"}
		_, err := f.Campaign(f.ctx, ref)
		f.is(err, view.ErrUnknown)
		f.attempts(attempt("K", contact(1), 3), attempt("K", contact(2), 5))
		change := func(c view.Change) {
			c.CampaignRef = ref
			f.update(findings, nil, func(tx view.Tx) error { return tx.Change([]view.Change{c}) })
		}
		change(view.Change{Counters: map[string]int64{"attempts": 2, "x": 1}, FirstDialled: noon + 9, LastDialled: noon + 9, Starts: []byte("[1]")})
		change(view.Change{Counters: map[string]int64{"attempts": 1, "x": -1}, FirstDialled: noon + 5, LastDialled: noon + 7})
		line, err := f.Campaign(f.ctx, ref)
		f.must(err)
		f.equal(line, view.Campaign{CampaignRef: ref, FirstDialled: noon + 5, LastDialled: noon + 9, Counters: map[string]int64{"attempts": 3}, Starts: []byte("[1]")})
		change(view.Change{Recount: true})
		line, err = f.Campaign(f.ctx, ref)
		f.must(err)
		f.equal([]events.Instant{line.FirstDialled, line.LastDialled}, []events.Instant{noon + 3*stamp, noon + 5*stamp})
		f.update(findings, nil, func(tx view.Tx) error {
			return tx.Change([]view.Change{{CampaignRef: view.CampaignRef{Controller: "A", Campaign: "J"}}, {CampaignRef: view.CampaignRef{Controller: "B", Campaign: "K"}}})
		})
		list, err := f.Campaigns(f.ctx)
		f.must(err)
		var names []string
		for _, c := range list {
			names = append(names, c.Controller+"/"+c.Campaign)
		}
		f.equal(names, []string{"A/J", "A/K", "B/K"})
	},
	"a sweep goes through the attempts of its interval": func(f *fixture) {
		for n := range uint64(10) {
			f.attempts(attempt("K", contact(byte(n+1)), n+1))
		}
		s := view.Sweep{CampaignRef: view.CampaignRef{Controller: "A", Campaign: "K"}, From: noon + 3*stamp, Until: noon + 7*stamp}
		f.update(findings, nil, func(tx view.Tx) error { return tx.PutSweeps([]view.Sweep{s}) })
		var visited []string
		for {
			var page []events.ContactKey
			f.update(findings, nil, func(tx view.Tx) error {
				standing, err := tx.Sweeps()
				f.must(err)
				f.equal(standing, []view.Sweep{s})
				if page, err = tx.SweepContacts(s, 2); err != nil || len(page) == 0 {
					return err
				}
				s.After = page[len(page)-1]
				return tx.PutSweeps([]view.Sweep{s})
			})
			if len(page) == 0 {
				break
			}
			for _, key := range page {
				visited = append(visited, fmt.Sprint(key[0]))
			}
		}
		f.equal(visited, []string{"3", "4", "5", "6", "7"})
		f.update(findings, nil, func(tx view.Tx) error { return tx.DropSweeps([]view.CampaignRef{s.CampaignRef}) })
		f.update(findings, nil, func(tx view.Tx) error {
			left, err := tx.Sweeps()
			f.equal(left, []view.Sweep(nil))
			return err
		})
	},
	"stored findings come back by contact": func(f *fixture) {
		one, two := attempt("K", contact(1), 1, "IT-RPO-01"), attempt("J", contact(1), 2)
		f.attempts(one, two)
		f.update(findings, nil, func(tx view.Tx) error {
			got, err := tx.FindingsOf([]events.ContactKey{contact(1), contact(2)})
			f.equal(len(got), 1)
			f.equal(len(got[contact(1)]), 2)
			for _, a := range got[contact(1)] {
				if a.Attempt.Sequence == 1 {
					f.equal(a, one)
				} else {
					f.equal(a, two)
				}
			}
			return err
		})
	},
}
