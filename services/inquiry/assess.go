package inquiry

import (
	"context"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Assessor is what Assess needs of rules.Engine.
type Assessor interface {
	Assess(h *contact.History, ref *rules.Reference, a rules.Attempt, asOf events.Instant) rules.Assessment
}

// Assess answers what rules an attempt would have broken, had it been made, as
// of ledger time r over the prefix asOf: by the function, the stored history
// and the reference facts that the report uses.
func Assess(ctx context.Context, v view.Reader, decode Decoder, engine Assessor, a rules.Attempt, asOf view.Positions, r events.Instant) (rules.Assessment, error) {
	ref, err := Reference(ctx, v, decode, view.CampaignRef{Controller: a.Controller, Campaign: a.Campaign}, asOf)
	if err != nil {
		return rules.Assessment{}, err
	}
	h, err := history(ctx, v, decode, a.Contact, asOf)
	if err != nil {
		return rules.Assessment{}, err
	}
	return engine.Assess(h, ref, a, r), nil
}
