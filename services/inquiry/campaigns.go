package inquiry

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Campaigns is the list of campaigns.
type Campaigns struct {
	Campaigns []view.Campaign `json:"campaigns"`
	// AsOf and Positions say, of a list that was asked for as of a ledger time,
	// what it was read from. Its counters hold "attempts" alone: findings as of
	// an earlier time are not stored, the report evaluates them.
	AsOf      events.Instant `json:"as_of,omitzero" doc:"recorded by then, UTC; absent: as counted now"`
	Positions view.Positions `json:"positions,omitempty" doc:"ledger positions that were read"`
}

// countAttempts is the counter of the attempts of a campaign.
const countAttempts = "attempts"

// Campaigns lists the campaigns: with the zero AsOf as the projections count
// them now, findings included, else those of which a call or the opening is
// recorded by then, with their attempts.
func (d *Desk) Campaigns(ctx context.Context, asOf AsOf) (Campaigns, error) {
	if asOf.Instant != 0 || asOf.Positions != nil {
		return d.earlierCampaigns(ctx, asOf)
	}
	list, err := d.campaigns(ctx)
	if err != nil {
		return Campaigns{}, err
	}
	if list == nil {
		list = []view.Campaign{}
	}
	return Campaigns{Campaigns: list}, nil
}

// campaigns lists the campaigns of a view that is current: one that is being
// rebuilt would deny those it has not met yet.
func (d *Desk) campaigns(ctx context.Context) ([]view.Campaign, error) {
	if _, err := d.current(ctx); err != nil {
		return nil, err
	}
	list, err := d.View.Campaigns(ctx)
	if err != nil {
		return nil, fmt.Errorf("inquiry list campaigns: %w", err)
	}
	return list, nil
}

func (d *Desk) earlierCampaigns(ctx context.Context, asOf AsOf) (Campaigns, error) {
	r, p, err := d.FinalAt(ctx, asOf)
	if err != nil {
		return Campaigns{}, err
	}
	list, err := CampaignsAt(ctx, d.View, d.Decode, r, p)
	return Campaigns{Campaigns: list, AsOf: r, Positions: p}, err
}

// CampaignsAt lists the campaigns of which a call or the opening lies within
// the positions, which hold all that is recorded by r, with when they were
// dialled first and last and how many attempts they have.
func CampaignsAt(ctx context.Context, v view.Reader, decode Decoder, r events.Instant, p view.Positions) ([]view.Campaign, error) {
	w := NewWorld(v, decode, p)
	if _, err := w.Refresh(ctx); err != nil {
		return nil, err
	}
	if err := w.disputed(ctx); err != nil {
		return nil, err
	}
	now, err := v.Campaigns(ctx)
	if err != nil {
		return nil, fmt.Errorf("inquiry list campaigns: %w", err)
	}
	counts := map[view.CampaignRef]*view.Campaign{}
	recorded := contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: r, Known: events.MaxInstant}
	for _, f := range w.Reference.DisputedCalls(recorded) {
		if a, ok := rules.AttemptOf(f); ok {
			countCall(counts, view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign}, a.DialledAt)
		}
	}
	for _, c := range now {
		err := v.Attempts(ctx, c.CampaignRef, p, func(a view.Attempt) error {
			if w.contested[events.Identity{Source: a.Source, ID: a.ID}.Hash()] == 0 {
				countCall(counts, c.CampaignRef, a.DialledAt)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("inquiry read attempts: %w", err)
		}
	}
	for _, f := range w.Reference.OfType(events.TypeCampaignOpened, recorded) {
		campaignOf(counts, view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign})
	}
	out := make([]view.Campaign, 0, len(counts))
	for _, c := range counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b view.Campaign) int {
		return cmp.Or(cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Campaign, b.Campaign))
	})
	return out, nil
}

func campaignOf(counts map[view.CampaignRef]*view.Campaign, ref view.CampaignRef) *view.Campaign {
	c := counts[ref]
	if c == nil {
		c = &view.Campaign{CampaignRef: ref, Counters: map[string]int64{countAttempts: 0}}
		counts[ref] = c
	}
	return c
}

func countCall(counts map[view.CampaignRef]*view.Campaign, ref view.CampaignRef, dialled events.Instant) {
	c := campaignOf(counts, ref)
	c.Counters[countAttempts]++
	if c.FirstDialled == 0 || dialled < c.FirstDialled {
		c.FirstDialled = dialled
	}
	c.LastDialled = max(c.LastDialled, dialled)
}
