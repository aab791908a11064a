package inquiry

import (
	"context"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Recompute answers a question again as of the positions on which an answer of
// the gate rests: View(at, at, positions), by the function that the gate used.
// at must not lie before the recorded time of anything within the positions.
func Recompute(ctx context.Context, v view.Reader, decode Decoder, engine Engine, a rules.Attempt, at events.Instant, p view.Positions) (rules.Decision, error) {
	ref, err := Reference(ctx, v, decode, view.CampaignRef{Controller: a.Controller, Campaign: a.Campaign}, p)
	if err != nil {
		return rules.Decision{}, err
	}
	h, err := history(ctx, v, decode, a.Contact, p)
	if err != nil {
		return rules.Decision{}, err
	}
	return engine.Gate(h, ref, a.Normalised(), at), nil
}
