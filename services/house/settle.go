package house

import (
	"context"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// settlePoll is the pause between two looks at beats and projections.
const settlePoll = 20 * time.Millisecond

// Settle waits until the log is final as of t and both projections have
// applied all of it, or until ctx ends.
func (h *House) Settle(ctx context.Context, t events.Instant) error {
	for {
		done, err := h.settled(ctx, t)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("house settle as of %s: %w", t, ctx.Err())
		case <-time.After(settlePoll):
		}
	}
}

func (h *House) settled(ctx context.Context, t events.Instant) (bool, error) {
	horizon, err := h.desk.Horizon(ctx)
	if err != nil || horizon.Latest < t {
		return false, err
	}
	for _, p := range h.projected {
		behind, err := h.lag(ctx, p, horizon.Needs)
		if err != nil || behind > 0 {
			return false, err
		}
	}
	return true, nil
}

// Now reads the house's clock.
func (h *House) Now() events.Instant { return h.clock() }
