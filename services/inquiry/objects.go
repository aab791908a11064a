package inquiry

import (
	"context"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Objects evaluates the object rules as of r over the prefix asOf.
func Objects(ctx context.Context, v view.Reader, decode Decoder, engine *rules.Engine, asOf view.Positions, r events.Instant) ([]rules.Finding, error) {
	return nil, ctx.Err()
}
