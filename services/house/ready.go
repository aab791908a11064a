package house

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// fresh is how old a beat may be (design.md 8).
const fresh = 5 * time.Second

// Durability implements gateway.Readiness.
func (h *House) Durability() string { return h.durability }

// Ready implements gateway.Readiness: every family's beat is fresh, the
// recorders of this house can work, and each projection says how far it is
// behind.
func (h *House) Ready(ctx context.Context) (reasons []string, lag map[string]uint64) {
	horizon, err := h.desk.Horizon(ctx)
	if err != nil {
		return []string{"the ledger cannot be read: " + err.Error()}, nil
	}
	for _, f := range horizon.Missing {
		reasons = append(reasons, RecorderOf(f)+" has never reported: start it")
	}
	if len(horizon.Missing) == 0 && h.clock().Sub(horizon.Oldest) > fresh {
		reasons = append(reasons, fmt.Sprintf("a recorder has not reported since %s: see its log", horizon.Oldest))
	}
	for _, f := range events.Families {
		if r := h.recorders[f]; r != nil {
			if err := r.Ready(); err != nil {
				reasons = append(reasons, RecorderOf(f)+": "+err.Error())
			}
		}
	}
	lag = map[string]uint64{}
	for _, p := range h.projected {
		behind, err := h.lag(ctx, p, horizon.Needs)
		if err != nil {
			reasons = append(reasons, "the view cannot be read: "+err.Error())
			continue
		}
		lag[p.Name] = behind
		if behind > maxLag {
			reasons = append(reasons, fmt.Sprintf("projection.%s is %d events behind: it is catching up, or see its log", p.Name, behind))
		}
	}
	reasons = append(reasons, h.gateReady()...)
	reasons = append(reasons, h.feedReady()...)
	slices.Sort(reasons)
	return reasons, lag
}

// maxLag is how many events a projection may be behind and still count as
// ready.
const maxLag = 10_000

func (h *House) lag(ctx context.Context, p view.Projection, needs view.Positions) (uint64, error) {
	progress, err := h.view.Progress(ctx, p)
	if err != nil {
		return 0, err
	}
	var behind uint64
	for stream, n := range needs {
		if have := progress[stream].Sequence; have < n {
			behind += n - have
		}
	}
	return behind, nil
}
