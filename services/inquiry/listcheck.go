package inquiry

import (
	"context"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// ListCheck is the recorded commitment to a list check.
type ListCheck struct {
	ID         string         `json:"id" doc:"of the decision.batch_issued"`
	Stream     string         `json:"stream"`
	Sequence   uint64         `json:"sequence"`
	Recorded   events.Instant `json:"recordedtime"`
	Time       events.Instant `json:"time" doc:"when the check began"`
	Controller string         `json:"controller"`
	Campaign   string         `json:"campaign"`
	// Data is what it commits to.
	Data events.DecisionBatchIssued `json:"data"`
}

// ListCheck returns the commitment of a list check by the id of its event;
// ErrUnknown if none is applied.
func (d *Desk) ListCheck(ctx context.Context, id string) (ListCheck, error) {
	identity := events.Identity{Source: events.GateSource, ID: id}.Hash()
	found, err := d.View.Identities(ctx, []events.IdentityHash{identity})
	if err != nil {
		return ListCheck{}, fmt.Errorf("inquiry read list check: %w", err)
	}
	for _, v := range found[identity] {
		if v.Stream != view.Reference {
			continue
		}
		stored, err := d.View.References(ctx, v.Sequence-1, 1, nil)
		if err != nil {
			return ListCheck{}, fmt.Errorf("inquiry read list check: %w", err)
		}
		if len(stored) != 1 || stored[0].Sequence != v.Sequence {
			break
		}
		e, err := d.Decode(stored[0].Body)
		if err != nil {
			return ListCheck{}, fmt.Errorf("inquiry read list check at %d: %w", v.Sequence, err)
		}
		if data, ok := e.Data.(*events.DecisionBatchIssued); ok {
			return ListCheck{ID: id, Stream: v.Stream, Sequence: v.Sequence, Recorded: v.Recorded, Time: e.Time, Controller: e.Controller, Campaign: e.Campaign, Data: *data}, nil
		}
	}
	return ListCheck{}, fmt.Errorf("inquiry read list check: %w", ErrUnknown)
}
