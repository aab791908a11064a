package house

import (
	"context"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/rules"
)

// OpenList implements gateway.Lists: lists are checked in the gate's memory.
func (a asked) OpenList(ctx context.Context, attempt rules.Attempt, at events.Instant) (gateway.ListCheck, error) {
	if a.house.gate == nil {
		return nil, fmt.Errorf("%w: this process runs none, and a list is not sent on: ask a process that runs %s", gateway.ErrNoGate, ServiceGate)
	}
	list, err := a.house.gate.OpenList(ctx, attempt, at)
	if err != nil {
		return nil, err
	}
	return list, nil
}
