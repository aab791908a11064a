package house

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
)

// Options are the surroundings of a house.
type Options struct {
	Log *zap.Logger
	// Clock is the one clock of recorders, beats, gateway and projections; nil
	// = the wall clock.
	Clock func() events.Instant
}

// House is a running set of services.
type House struct{}

// Open wires the services.
func Open(context.Context, Config, Options) (*House, error) { return nil, errors.New("not wired") }

// Run runs them.
func (h *House) Run(context.Context) error { return nil }

// Banner says what an acknowledgement means.
func (h *House) Banner() string { return "" }
