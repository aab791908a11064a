package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Opened reports whether the campaign was opened, as far as the cut shows.
func (r *Reference) Opened(controller, campaign string, cut contact.Cut) bool {
	g := glance{ref: r, cut: cut}
	for _, f := range g.look(nil, refKey{refCampaign, controller, campaign}) {
		if f.Type == events.TypeCampaignOpened {
			return true
		}
	}
	return false
}

// EachStarts calls yield with what AddCall and AddStarts made of each campaign,
// in no particular order; it must not be changed.
func (r *Reference) EachStarts(yield func(controller, campaign string, s Starts)) {
	for key, s := range r.starts {
		yield(key.controller, key.campaign, s)
	}
}

// Disputed reports whether a call of this identity is resolved in full, see
// Dispute.
func (r *Reference) Disputed(f *contact.Fact) bool { return r.contested[f.Identity().Hash()] }
