package violations

import (
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// restartChunk is how many contacts are read at once to find first calls.
const restartChunk = 1000

// restart builds the starts of a campaign again (IT-RPO-03) where so many of
// its first calls are corrected or in conflict that those kept no longer speak
// for the rest: from the attempts that are stored, and from the calls among
// the facts that the batch brings. It runs when everything new is in the
// reference.
func (w *work) restart(facts []*contact.Fact) error {
	lines, err := w.tx.Campaigns()
	if err != nil {
		return err
	}
	exhausted := w.memory.reference.ExhaustedStarts
	refs := slices.Clone(w.calls)
	for _, c := range lines {
		refs = append(refs, c.CampaignRef)
	}
	slices.SortFunc(refs, func(a, b view.CampaignRef) int {
		return cmp.Or(cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Campaign, b.Campaign))
	})
	for _, ref := range slices.Compact(refs) {
		if !exhausted(ref.Controller, ref.Campaign) {
			continue
		}
		stored, err := w.storedStarts(ref)
		if err != nil {
			return err
		}
		w.memory.reference.RestartCalls(ref.Controller, ref.Campaign, stored)
		for _, f := range facts {
			if f.Type == events.TypeCallConcluded && !f.Subject.IsZero() && f.Controller == ref.Controller && f.Campaign == ref.Campaign {
				w.memory.reference.AddCall(f)
			}
		}
		encoded, err := encodeStarts(w.memory.reference.Starts(ref.Controller, ref.Campaign))
		if err != nil {
			return err
		}
		w.change(ref).Starts = encoded
		w.memory.sweepFrom(scope{controller: ref.Controller, campaign: ref.Campaign}, 0)
	}
	return nil
}

// undisputed are the starts that count whatever becomes of corrections: what
// was struck out precedes nothing.
func (w *work) undisputed(s rules.Starts) rules.Starts {
	return slices.DeleteFunc(slices.Clone(s), func(c rules.Start) bool { return w.memory.reference.Disputes(c.Call) })
}

// storedStarts are the starts of the attempts that are stored of a campaign,
// contact by contact; those that are disputed the reference holds in full and
// leaves out.
func (w *work) storedStarts(ref view.CampaignRef) (rules.Starts, error) {
	var starts rules.Starts
	all := view.Sweep{CampaignRef: ref, Until: events.MaxInstant}
	for {
		contacts, err := w.tx.SweepContacts(all, restartChunk)
		if err != nil || len(contacts) == 0 {
			return starts, err
		}
		all.After = contacts[len(contacts)-1]
		found, err := w.tx.FindingsOf(contacts)
		if err != nil {
			return nil, err
		}
		for _, list := range found {
			for i := range list {
				a := &list[i].Attempt
				if a.CampaignRef != ref {
					continue
				}
				// Nobody knows of a call before Known, so it counts for no question before;
				// and what is stored is recorded.
				s := rules.Start{Call: events.Identity{Source: a.Source, ID: a.ID}.Hash(), Dialled: a.DialledAt, Time: a.Known, Received: a.Known, Recorded: 1}
				if !w.memory.reference.Disputes(s.Call) && !starts.Covers(s) {
					starts = starts.Join(rules.Starts{s})
				}
			}
		}
	}
}
