package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/view"
)

// Ledger is what the feed needs of the log.
type Ledger interface {
	Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error)
	Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error)
	Beats(ctx context.Context) (map[events.Family]ledger.Beat, error)
}

// Numbers reveals numbers; a vault.Vault does.
type Numbers interface {
	Number(ctx context.Context, key events.ContactKey) (vault.Number, error)
}

// Config says what the feed works with. Fields marked optional may be zero.
type Config struct {
	Ledger Ledger
	// View holds the event index, kept by the projection Index; Await returns
	// when everything within the positions is in it.
	View  view.Reader
	Index view.Projection
	Await func(ctx context.Context, p view.Positions) error

	Engine  *rules.Engine
	Said    *said.Store
	Numbers Numbers
	Intake  intake.Submitter
	// Conn carries FEED and everything that dialers say; it stays the caller's.
	Conn     *nats.Conn
	Replicas int // of FEED, default 1
	// Clock is the ledger's clock; optional, default the wall clock.
	Clock func() events.Instant
	// BeatEvery is how often the feed says how far it is, default 1 s.
	BeatEvery time.Duration
	// WipeAfter is how long messages about an erased contact wait for dialers
	// that have not acknowledged the erasure, default 24 h.
	WipeAfter time.Duration
	// Retry is the pause before the feed begins again after a fault, default
	// 200 ms.
	Retry time.Duration

	Log     *zap.Logger          // optional
	Metrics *prometheus.Registry // optional
}

func (c *Config) missing() []string {
	var names []string
	for _, f := range []struct {
		name   string
		absent bool
	}{
		{"Ledger", c.Ledger == nil}, {"View", c.View == nil}, {"Index", c.Index.Name == ""}, {"Await", c.Await == nil}, {"Engine", c.Engine == nil},
		{"Said", c.Said == nil}, {"Numbers", c.Numbers == nil}, {"Intake", c.Intake == nil}, {"Conn", c.Conn == nil},
	} {
		if f.absent {
			names = append(names, f.name)
		}
	}
	return names
}

func (c *Config) setDefaults() {
	if c.Clock == nil {
		c.Clock = func() events.Instant { return events.InstantOf(time.Now()) }
	}
	for _, d := range []struct {
		at   *time.Duration
		want time.Duration
	}{{&c.BeatEvery, time.Second}, {&c.WipeAfter, 24 * time.Hour}, {&c.Retry, 200 * time.Millisecond}} {
		if *d.at <= 0 {
			*d.at = d.want
		}
	}
	if c.Replicas <= 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Metrics == nil {
		c.Metrics = telemetry.NewRegistry()
	}
}

// Feed is the service. One instance at a time may run: a lease sees to that
// where several could.
type Feed struct {
	cfg     Config
	log     *zap.Logger
	js      jetstream.JetStream
	metrics metrics
	cursors *cursors
	kicked  chan struct{} // 1: a dialer has acknowledged something

	mu     sync.Mutex
	status Status
}

// Status is how far the feed is.
type Status struct {
	// At: everything recorded before this instant is in FEED; zero while that
	// cannot be said.
	At events.Instant
	// Position is the last one in FEED that is settled.
	Position uint64
	Ledger   view.Positions
	// Building: the feed's memory is being built; it says nothing of At yet.
	Building bool
}

// New checks the configuration and makes sure that FEED and the cursors exist.
// Nothing runs before Run.
func New(ctx context.Context, cfg Config) (*Feed, error) {
	if names := cfg.missing(); len(names) > 0 {
		return nil, fmt.Errorf("new feed: not wired: %v", names)
	}
	cfg.setDefaults()
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("new feed: %w", err)
	}
	f := &Feed{cfg: cfg, log: cfg.Log.With(zap.String("service", "feed")), js: js, metrics: newMetrics(cfg.Metrics), kicked: make(chan struct{}, 1)}
	if _, err := f.provision(ctx); err != nil {
		return nil, fmt.Errorf("new feed: %w", err)
	}
	if f.cursors, err = openCursors(ctx, js, cfg.Replicas); err != nil {
		return nil, fmt.Errorf("new feed: %w", err)
	}
	return f, nil
}

// Status returns how far the feed is.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *Feed) setStatus(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
}

// Run feeds until ctx ends, and returns its error; or until a record cannot be
// read (the ledger was written by a newer program, or has a hole). After any
// other fault it begins again from what is stored.
func (f *Feed) Run(ctx context.Context) error {
	stop, err := f.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for {
		err := f.live(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ledger.ErrGone), errors.Is(err, errUnreadable):
			return err
		}
		f.metrics.restarts.Inc()
		f.log.Warn("feed: beginning again from what is stored", telemetry.Err(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.cfg.Retry):
		}
	}
}

// errUnreadable: a record cannot be decoded. Passing over it could leave
// somebody callable.
var errUnreadable = errors.New("record unreadable")
