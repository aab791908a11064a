package inquiry

import (
	"context"
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

const referencePage = 1000

// World builds the reference facts of a prefix of the log, and keeps them up
// to date where the prefix grows. It is not safe for concurrent use.
type World struct {
	View   view.Reader
	Decode Decoder
	// Limit is the prefix; nil = all that is applied.
	Limit view.Positions

	// Reference is what has been built so far.
	Reference *rules.Reference
	// Sequence is how far LEDGER_REF has been read.
	Sequence uint64

	opened    map[view.CampaignRef][]*contact.Fact
	contested map[events.IdentityHash]int // calls and cross-stream variants that are in already: how many variants of each identity
}

// NewWorld returns an empty world.
func NewWorld(v view.Reader, decode Decoder, limit view.Positions) *World {
	return &World{View: v, Decode: decode, Limit: limit, Reference: rules.NewReference(),
		opened: map[view.CampaignRef][]*contact.Fact{}, contested: map[events.IdentityHash]int{}}
}

// Refresh reads what has come since. It reports whether anything had.
func (w *World) Refresh(ctx context.Context) (bool, error) {
	from := w.Sequence
	for {
		page, err := w.View.References(ctx, w.Sequence, referencePage, w.Limit)
		if err != nil {
			return false, fmt.Errorf("inquiry read reference facts: %w", err)
		}
		for i := range page {
			if err := w.add(ctx, &page[i]); err != nil {
				return false, err
			}
			w.Sequence = page[i].Sequence
		}
		if len(page) < referencePage {
			break
		}
	}
	changed := w.Sequence != from
	disputed, err := w.conflicts(ctx)
	return changed || disputed, err
}

func (w *World) add(ctx context.Context, e *view.Event) error {
	f, err := factOf(w.Decode, e)
	if err != nil {
		return err
	}
	w.Reference.Add(f)
	switch d := f.Data.(type) {
	case *events.CampaignOpened:
		ref := view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign}
		w.opened[ref] = append(w.opened[ref], f)
	case *events.EventCorrected:
		return w.dispute(ctx, d.Target.Hash())
	}
	return nil
}

// conflicts takes in the identities with several variants.
func (w *World) conflicts(ctx context.Context) (bool, error) {
	all, err := w.View.Conflicts(ctx, w.Limit)
	if err != nil {
		return false, fmt.Errorf("inquiry read conflicts: %w", err)
	}
	changed := false
	for _, c := range all {
		if w.contested[c.Identity] < len(c.Variants) {
			changed = true
			if err := w.dispute(ctx, c.Identity); err != nil {
				return false, err
			}
		}
	}
	return changed, nil
}

// dispute hands every variant of an identity that lies with a contact to the
// reference, as far as it bears on reference facts: corrected or conflicting
// calls, and variants of an identity that is a reference fact too.
func (w *World) dispute(ctx context.Context, id events.IdentityHash) error {
	found, err := w.View.Identities(ctx, []events.IdentityHash{id})
	if err != nil {
		return fmt.Errorf("inquiry look up identity: %w", err)
	}
	variants := found[id]
	for _, v := range variants {
		if v.Contact.IsZero() || !w.Limit.Covers(v.Stream, v.Sequence) {
			continue
		}
		stored, err := w.View.History(ctx, v.Contact, w.Limit)
		if err != nil {
			return fmt.Errorf("inquiry load contact: %w", err)
		}
		for i := range stored.Events {
			e := &stored.Events[i]
			if e.Stream != v.Stream || e.Sequence != v.Sequence {
				continue
			}
			f, err := factOf(w.Decode, e)
			if err != nil {
				return err
			}
			if f.Type == events.TypeCallConcluded {
				w.Reference.Dispute(f)
			} else if reachesReference(variants) {
				w.Reference.Add(f)
			}
		}
	}
	if len(variants) > 0 {
		w.contested[id] = len(variants)
	}
	return nil
}

func reachesReference(variants []view.Variant) bool {
	for _, v := range variants {
		if v.Contact.IsZero() {
			return true
		}
	}
	return false
}

// Knows reports whether the campaign was opened by events with time, received
// and recorded not later than t.
func (w *World) Knows(c view.CampaignRef, cut contact.Cut) bool {
	for _, f := range w.opened[c] {
		if f.Time <= cut.Occurred && f.Received <= cut.Received && f.Recorded <= cut.Recorded {
			return true
		}
	}
	return false
}

// errFound ends a scan early.
var errFound = errors.New("found")

// Begin tells the reference of one call of the campaign that was dialled, and
// known, before t and within asOf, if there is one. That is all that a
// question at t asks of the campaign's other calls (IT-RPO-03).
func (w *World) Begin(ctx context.Context, c view.CampaignRef, t events.Instant, asOf view.Positions) error {
	err := w.View.Attempts(ctx, c, asOf, func(a view.Attempt) error {
		id := events.Identity{Source: a.Source, ID: a.ID}.Hash()
		if a.DialledAt >= t || a.Known > t || w.contested[id] > 0 {
			return nil
		}
		w.Reference.AddStarts(c.Controller, c.Campaign, rules.Starts{{Call: id, Dialled: a.DialledAt, Time: a.Known, Received: a.Known, Recorded: t}})
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return fmt.Errorf("inquiry read attempts: %w", err)
	}
	return nil
}

// Reference builds the reference facts of the prefix asOf, with the starts of
// one campaign: what that campaign's attempts are evaluated against.
func Reference(ctx context.Context, v view.Reader, decode Decoder, c view.CampaignRef, asOf view.Positions) (*rules.Reference, error) {
	opened, err := OpenCampaign(ctx, v, decode, c, asOf)
	if err != nil {
		return nil, err
	}
	return opened.Reference(), nil
}

// disputed holds in full every call within the prefix that is corrected or in
// conflict, after the prefix too: the view lists its attempts as they are now.
func (w *World) disputed(ctx context.Context) error {
	stored, err := w.View.Disputed(ctx, nil)
	if err != nil {
		return fmt.Errorf("inquiry read disputed events: %w", err)
	}
	for i := range stored {
		if !w.Limit.Covers(stored[i].Stream, stored[i].Sequence) {
			continue
		}
		f, err := factOf(w.Decode, &stored[i])
		if err != nil {
			return err
		}
		if f.Type == events.TypeCallConcluded {
			w.Reference.Dispute(f)
			w.contested[f.Identity().Hash()]++
		}
	}
	return nil
}

// starts tells the reference of all calls of a campaign within the prefix. A
// call counts for a question at t when it was made and known by t; what lies
// within the prefix is recorded.
func (w *World) starts(ctx context.Context, c view.CampaignRef) error {
	err := w.View.Attempts(ctx, c, w.Limit, func(a view.Attempt) error {
		id := events.Identity{Source: a.Source, ID: a.ID}.Hash()
		if w.contested[id] > 0 {
			return nil // held in full
		}
		start := rules.Start{Call: id, Dialled: a.DialledAt, Time: a.Known, Received: a.Known, Recorded: 1}
		if !w.Reference.Starts(c.Controller, c.Campaign).Covers(start) {
			w.Reference.AddStarts(c.Controller, c.Campaign, rules.Starts{start})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("inquiry read attempts: %w", err)
	}
	return nil
}
