package imports

import (
	"context"
	"time"

	"github.com/assenso/assenso/events"
)

// dryRun is the sink of a dry run: it asks the contract's own validation and
// keeps nothing.
type dryRun struct {
	normalise events.Normaliser
	clock     func() time.Time
}

// Send implements Sink.
func (d dryRun) Send(ctx context.Context, batch [][]byte) ([]Outcome, error) {
	opts := events.ValidateOptions{Now: events.InstantOf(d.clock()), Normalise: d.normalise}
	out := make([]Outcome, len(batch))
	for i, body := range batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, faults := events.Validate(body, opts); len(faults) > 0 {
			out[i] = Outcome{Result: Rejected, Errors: faults}
		} else {
			out[i] = Outcome{Result: Valid}
		}
	}
	return out, nil
}
