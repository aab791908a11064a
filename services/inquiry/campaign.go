package inquiry

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Campaign is what a prefix of the log holds of one campaign: what its report
// and its replays read. It is not safe for concurrent use.
type Campaign struct {
	of    view.CampaignRef
	world *World
}

// OpenCampaign reads the reference facts of the prefix asOf, and when the calls
// of the campaign were made.
func OpenCampaign(ctx context.Context, v view.Reader, decode Decoder, c view.CampaignRef, asOf view.Positions) (*Campaign, error) {
	w := NewWorld(v, decode, asOf)
	if _, err := w.Refresh(ctx); err != nil {
		return nil, err
	}
	if err := w.disputed(ctx); err != nil {
		return nil, err
	}
	if err := w.starts(ctx, c); err != nil {
		return nil, err
	}
	return &Campaign{of: c, world: w}, nil
}

// Reference returns the reference facts, ready for the evaluation of every
// attempt of the campaign. It is safe for concurrent use until Objects is
// called.
func (c *Campaign) Reference() *rules.Reference { return c.world.Reference }

// Contacts visits the histories of the contacts with a call of the campaign
// within the prefix, in the order of their keys, once each, in bounded memory.
// It may visit a contact whose calls all lie behind the prefix. yield must not
// keep the history; its error ends the visit and is returned.
func (c *Campaign) Contacts(ctx context.Context, yield func(view.History) error) error {
	struck, err := c.struckOut(ctx)
	if err != nil {
		return fmt.Errorf("inquiry read corrected calls: %w", err)
	}
	err = c.world.View.Scan(ctx, view.Selection{Campaign: &c.of}, c.world.Limit, func(h view.History) error {
		for len(struck) > 0 && bytes.Compare(struck[0].Contact[:], h.Contact[:]) < 0 {
			if err := yield(struck[0]); err != nil {
				return err
			}
			struck = struck[1:]
		}
		if len(struck) > 0 && struck[0].Contact == h.Contact {
			struck = struck[1:]
		}
		return yield(h)
	})
	for i := range struck {
		if err == nil {
			err = yield(struck[i])
		}
	}
	return err
}

// struckOut returns the histories, by key, of contacts with a call of the
// campaign within the prefix that the view lists no more, since what came after
// the prefix corrected it or put it in conflict.
func (c *Campaign) struckOut(ctx context.Context) ([]view.History, error) {
	w := c.world
	disputed, err := w.View.Disputed(ctx, nil)
	if err != nil {
		return nil, err
	}
	missing := map[events.ContactKey]bool{}
	for i := range disputed {
		e := &disputed[i]
		if !w.Limit.Covers(e.Stream, e.Sequence) {
			continue
		}
		f, err := factOf(w.Decode, e)
		if err != nil {
			return nil, err
		}
		if f.Type == events.TypeCallConcluded && f.Controller == c.of.Controller && f.Campaign == c.of.Campaign {
			missing[e.Contact] = true
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	err = w.View.Attempts(ctx, c.of, nil, func(a view.Attempt) error {
		delete(missing, a.Contact)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []view.History
	for _, key := range slices.SortedFunc(maps.Keys(missing), compareKeys) {
		h, err := w.View.History(ctx, key, w.Limit)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// Rows counts the contacts that stood on a list at any time, as of r: the rows
// that were bought, whoever was called. It decodes nothing else of them.
func (c *Campaign) Rows(ctx context.Context, list string, r events.Instant) (int, error) {
	rows := 0
	err := c.world.View.Scan(ctx, view.Selection{List: list}, c.world.Limit, func(h view.History) error {
		added, err := historyOf(c.world.Decode, additions(h))
		if err != nil {
			return err
		}
		for _, f := range contact.View(added, contact.AsOf(r)) {
			if d, ok := f.Data.(*events.ListContactAdded); ok && d.List == list {
				rows++
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("inquiry count rows of a list: %w", err)
	}
	return rows, nil
}

// additions is the part of a history that says when rows were added: these
// events, whatever bears their identities, and corrections.
func additions(h view.History) view.History {
	rows := map[events.IdentityHash]bool{}
	for i := range h.Events {
		if bytes.Contains(h.Events[i].Body, []byte(`"type":"`+string(events.TypeListContactAdded)+`"`)) {
			rows[h.Events[i].Identity] = true
		}
	}
	out := view.History{Contact: h.Contact}
	for i := range h.Events {
		if e := &h.Events[i]; rows[e.Identity] || bytes.Contains(e.Body, []byte(`"type":"`+string(events.TypeEventCorrected)+`"`)) {
			out.Events = append(out.Events, *e)
		}
	}
	return out
}

func compareKeys(a, b events.ContactKey) int { return bytes.Compare(a[:], b[:]) }

// Judged is a Campaign with the engine that judges its objects.
type Judged struct {
	*Campaign
	Engine ApartEngine
}

// Objects evaluates the object rules but LED-01 as of r, as far as they can
// concern the campaign's report, and reads no contact besides those that can
// be objects of it: of the findings on contacts it returns those on contacts
// of the campaign, of the others those of its controller, of the campaign, or
// of no controller. These are the same that an evaluation of every contact
// finds.
func (j *Judged) Objects(ctx context.Context, r events.Instant) ([]rules.Finding, error) {
	c := j.Campaign
	campaigns, err := c.world.View.Campaigns(ctx)
	if err != nil {
		return nil, fmt.Errorf("inquiry list campaigns: %w", err)
	}
	for _, other := range campaigns { // a contract's origin may be a call of any of them
		if other.Controller == c.of.Controller && other.CampaignRef != c.of {
			if err := c.world.starts(ctx, other.CampaignRef); err != nil {
				return nil, err
			}
		}
	}
	s := &campaignScan{scan: scan{ctx, c.world}, campaign: c, asOf: r}
	found, err := j.Engine.ObjectsApart(s, r, func(rules.Finding) {})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(f rules.Finding) bool { return !s.complete(&f) }), nil
}

// campaignScan is the part of a prefix that can be objects of one campaign's
// report.
type campaignScan struct {
	scan
	campaign *Campaign
	asOf     events.Instant
	called   []events.ContactKey // contacts of the campaign, sorted
	others   []events.ContactKey // further ones that were visited, sorted
}

var (
	_ rules.World          = (*campaignScan)(nil)
	_ rules.SequenceSource = (*campaignScan)(nil)
)

// complete reports whether the scan has seen all that a finding rests on.
func (s *campaignScan) complete(f *rules.Finding) bool {
	if (f.Controller != "" && f.Controller != s.campaign.of.Controller) || (f.Campaign != "" && f.Campaign != s.campaign.of.Campaign) {
		return false
	}
	return f.Contact.IsZero() || holds(s.called, f.Contact)
}

func holds(sorted []events.ContactKey, key events.ContactKey) bool {
	_, ok := slices.BinarySearchFunc(sorted, key, compareKeys)
	return ok
}

// Contacts implements rules.World.
func (s *campaignScan) Contacts(yield func(*contact.History) error) error {
	s.called, s.others = nil, nil
	err := s.campaign.Contacts(s.ctx, func(h view.History) error {
		s.called = append(s.called, h.Contact)
		return s.visit(h, yield)
	})
	if err != nil {
		return fmt.Errorf("inquiry scan contacts: %w", err)
	}
	for _, sel := range s.further() {
		var fresh []events.ContactKey
		err := s.View.Scan(s.ctx, sel, s.Limit, func(h view.History) error {
			if holds(s.called, h.Contact) || holds(s.others, h.Contact) {
				return nil
			}
			fresh = append(fresh, h.Contact)
			return s.visit(h, yield)
		})
		if err != nil {
			return fmt.Errorf("inquiry scan contacts: %w", err)
		}
		s.others = append(s.others, fresh...)
		slices.SortFunc(s.others, compareKeys)
	}
	return nil
}

func (s *campaignScan) visit(stored view.History, yield func(*contact.History) error) error {
	h, err := historyOf(s.Decode, stored)
	if err != nil {
		return err
	}
	return yield(h)
}

// further selects the contacts whom the campaign did not call and of whom its
// report says something all the same: a request may be closed by an event that
// lies elsewhere, a commission is paid for any contract of the controller, a
// transfer hands over a whole list.
func (s *campaignScan) further() []view.Selection {
	out := []view.Selection{{Types: []events.Type{events.TypeRightsRequested, events.TypeRightsExtended, events.TypeRightsClosed}}}
	own := func(t events.Type) []*contact.Fact {
		return slices.DeleteFunc(s.World.Reference.OfType(t, contact.AsOf(s.asOf)), func(f *contact.Fact) bool { return f.Controller != s.campaign.of.Controller })
	}
	if len(own(events.TypeCommissionPaid)) > 0 {
		out = append(out, view.Selection{Types: []events.Type{events.TypeContractConcluded}})
	}
	lists := map[string]bool{}
	for _, f := range own(events.TypeListTransferred) {
		lists[f.Data.(*events.ListTransferred).List] = true
	}
	for _, list := range slices.Sorted(maps.Keys(lists)) {
		out = append(out, view.Selection{List: list})
	}
	return out
}

// SourceSequences implements rules.SequenceSource.
func (s *campaignScan) SourceSequences(yield func(source string, n int64)) error {
	err := s.View.SourceSequences(s.ctx, s.Limit, func(q view.SourceSequence) error {
		yield(q.Source, q.Seq)
		return nil
	})
	if err != nil {
		return fmt.Errorf("inquiry read source sequences: %w", err)
	}
	return nil
}
