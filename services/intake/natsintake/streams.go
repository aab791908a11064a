package natsintake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// DefaultMaxBytes is the byte limit of one family's queue.
const DefaultMaxBytes = 8 << 30

// minMaxBytes is the smallest queue that Provision falls back to.
const minMaxBytes = 64 << 20

const codeNoStorage jetstream.ErrorCode = 10047

// StreamOf names the queue of a family: "INTAKE_GRANTS".
func StreamOf(f events.Family) string { return "INTAKE_" + strings.ToUpper(string(f)) }

// Settings are the settings of the queues that an operator may choose.
type Settings struct {
	// MaxBytes is the byte limit of each queue; full means that a submission
	// is refused, never that an old one is dropped. 0 takes DefaultMaxBytes,
	// or what half of it, and half of that, fits the broker's storage.
	MaxBytes int64
	Replicas int // default 1
}

// Provision creates the five queues or brings them to the settings.
func Provision(ctx context.Context, nc *nats.Conn, s Settings) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("provision intake: %w", err)
	}
	for _, f := range events.Families {
		if err := provision(ctx, js, f, s); err != nil {
			return fmt.Errorf("provision intake: stream %s: %w", StreamOf(f), err)
		}
	}
	return nil
}

func provision(ctx context.Context, js jetstream.JetStream, f events.Family, s Settings) error {
	cfg := jetstream.StreamConfig{
		Name: StreamOf(f), Subjects: []string{"intake." + string(f) + ".>"},
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: max(s.Replicas, 1),
		Discard: jetstream.DiscardNew, MaxBytes: s.MaxBytes,
		AllowAtomicPublish: true,
	}
	fixed := s.MaxBytes > 0
	if !fixed {
		cfg.MaxBytes = DefaultMaxBytes
		if old, err := js.Stream(ctx, cfg.Name); err == nil {
			cfg.MaxBytes = max(old.CachedInfo().Config.MaxBytes, minMaxBytes)
		}
	}
	for {
		_, err := js.CreateOrUpdateStream(ctx, cfg)
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == codeNoStorage && !fixed && cfg.MaxBytes > minMaxBytes {
			cfg.MaxBytes /= 2
			continue
		}
		return err
	}
}
