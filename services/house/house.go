package house

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/feed"
	"github.com/assenso/assenso/services/gate"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/recorder"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
	"github.com/assenso/assenso/services/worker"
)

// Options are the surroundings of a house. Only Log is required.
type Options struct {
	Log *zap.Logger
	// Clock is the one clock of recorders, ledger, beats, gateway and
	// projections; nil = the wall clock.
	Clock func() events.Instant
	// Metrics collects everybody's; nil = a registry of its own.
	Metrics *prometheus.Registry
	// Access decides who may ask; nil = as the configuration says.
	Access access.Policy
	// Ledger is the log to use; nil = that of the broker.
	Ledger ledger.Ledger
	// Engine judges; nil = one under the packs of the configuration.
	Engine *rules.Engine
	// GateLedger, where not nil, makes the log that the gate follows instead of
	// the house's, whose contacts bear the keys that it is given; for benchmarks.
	GateLedger func(key func(events.Phone) events.ContactKey) (gate.Ledger, gate.Index)
	// Shuffle, where not nil, is the seed of a random order in which the
	// projections read the streams; for scenarios.
	Shuffle *uint64
}

// House is a set of services that work together. Make one with Open.
type House struct {
	cfg     Config
	log     *zap.Logger
	clock   func() events.Instant
	metrics *prometheus.Registry
	access  access.Policy

	broker     *embedded.Server // nil when it runs elsewhere
	conn       *nats.Conn       // commands
	bulk       *nats.Conn       // bulk reading
	js         jetstream.JetStream
	ledger     ledger.Ledger
	pepper     *pepper
	vault      openedVault
	view       view.Store
	intake     *natsintake.Intake
	leases     *worker.Leases
	rejects    *recorder.Rejects
	parked     *recorder.Parked
	recorders  map[events.Family]*recorder.Recorder
	engine     *rules.Engine
	desk       *inquiry.Desk
	gate       *gate.Gate
	issuer     *gate.Issuer
	feed       *feed.Feed
	feeding    atomic.Bool                                 // this house has the feed's lease
	indexed    func(context.Context, view.Positions) error // waits for consentstate
	reports    *Reports
	listener   net.Listener
	fastAGI    net.Addr // of the doors for switches, nil if closed
	sip        net.Addr
	gateway    *gateway.Gateway
	running    []service
	projected  []view.Projection // that readers wait for
	closers    []func() error    // in the order of opening
	durability string
	// ledgerExists: the ledger was there before this start.
	ledgerExists bool
	shuffle      *uint64
	gateLedger   func(key func(events.Phone) events.ContactKey) (gate.Ledger, gate.Index)
	failed       chan error // what must stop the process, from callbacks
}

// service is one goroutine under the group.
type service struct {
	name string
	run  func(ctx context.Context) error
}

// Open opens the stores and wires the services in the order of the flow.
// Nothing runs before Run; Close releases everything if Run is never called.
// Errors wrap ErrFatal or ErrConfig.
func Open(ctx context.Context, cfg Config, o Options) (*House, error) {
	h := &House{cfg: cfg, log: o.Log, metrics: o.Metrics, access: o.Access, ledger: o.Ledger, engine: o.Engine, shuffle: o.Shuffle, gateLedger: o.GateLedger,
		recorders: map[events.Family]*recorder.Recorder{}, failed: make(chan error, 1)}
	if h.metrics == nil {
		h.metrics = telemetry.NewRegistry()
	}
	if err := h.openAccess(); err != nil {
		return nil, err
	}
	wall := o.Clock
	if wall == nil {
		wall = func() events.Instant { return events.InstantOf(time.Now()) }
	}
	h.clock = recorder.Monotone(wall)
	for _, step := range []func(context.Context) error{
		h.openLaw, h.openBroker, h.openLedger, h.openVault, h.openIntake, h.openView,
		h.openRecorders, h.openProjections, h.openDesk, h.openGate, h.openFeed, h.openGateway, h.openPBX,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// openAccess reads the access keys, if there are any.
func (h *House) openAccess() error {
	switch {
	case h.access != nil:
		return nil
	case h.cfg.Access.Keys == "":
		h.access = access.Local{}
		return nil
	}
	keys, err := access.ReadKeys(h.cfg.Access.Keys)
	if err != nil {
		return fmt.Errorf("%w: access.keys: %w", ErrConfig, err)
	}
	h.access = keys
	return nil
}

// openLaw loads the rule packs; a bad pack stops the start.
func (h *House) openLaw(context.Context) error {
	if h.engine != nil {
		return nil
	}
	engine, err := LoadEngine(h.cfg.Law)
	h.engine = engine
	return err
}

// LoadEngine makes an engine under the packs that the configuration names. The
// error wraps ErrConfig and says file, line and reason.
func LoadEngine(law LawConfig) (*rules.Engine, error) {
	var files fs.FS = it.Files
	if law.Packs != "" {
		files = os.DirFS(law.Packs)
	}
	packs, err := rules.LoadPacks(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return rules.NewEngine(packs), nil
}

func (h *House) onClose(f func() error) { h.closers = append(h.closers, f) }

// openBroker starts the embedded broker or connects to another.
func (h *House) openBroker(ctx context.Context) error {
	var err error
	if h.cfg.NATS.URL == Embedded {
		h.broker, err = embedded.Start(ctx, embedded.Options{Data: h.cfg.Data, Listen: h.cfg.NATS.Listen, Mode: h.cfg.Ledger.Durability, Log: h.log})
		if err != nil {
			return fatal(err, "nothing was started")
		}
		h.onClose(h.broker.Close)
		if h.conn, err = h.broker.Conn(); err != nil {
			return fatal(err, "nothing was started")
		}
		h.onClose(closeConn(h.conn))
		if h.bulk, err = h.broker.Bulk(); err != nil {
			return fatal(err, "nothing was started")
		}
		h.onClose(closeConn(h.bulk))
	} else {
		if h.conn, err = nats.Connect(h.cfg.NATS.URL, nats.MaxReconnects(-1), nats.Name("assenso")); err != nil {
			return fmt.Errorf("%w: connect to the broker at nats.url: %w: is it running?", ErrConfig, err)
		}
		h.bulk = h.conn
		h.onClose(closeConn(h.conn))
	}
	h.js, err = jetstream.New(h.conn)
	return err
}

func closeConn(c *nats.Conn) func() error {
	return func() error { c.Close(); return nil }
}

// openIntake opens the queues before the ledger.
func (h *House) openIntake(ctx context.Context) error {
	if err := natsintake.Provision(ctx, h.conn, natsintake.Settings{MaxBytes: h.cfg.Ledger.IntakeBytes}); err != nil {
		return fatal(err, "the queues could not be made")
	}
	h.intake = natsintake.Open(h.conn, h.log)
	h.onClose(func() error { h.intake.Close(); return nil })
	return nil
}

// Banner says what runs and what an acknowledgement means.
func (h *House) Banner() string {
	where := "without an HTTP door"
	if a := h.Address(); a != "" {
		where = "on http://" + a
	}
	if h.fastAGI != nil {
		where += " · switches ask agi://" + h.fastAGI.String() + "/decide"
	}
	if h.sip != nil {
		where += " · switches ask sip:" + h.sip.String()
	}
	return "assenso " + Version() + " " + where + " · " + h.durability
}

// Gateway returns the HTTP door, nil if this house runs none.
func (h *House) Gateway() *gateway.Gateway { return h.gateway }

// Run runs the services until ctx ends, then lets them finish and closes
// everything. A fault of one stops all. The error is nil after a clean stop.
// After a fatal fault the services have fatalGrace to finish: they may wait for
// a store that does not come back. Then they are left as they are; what they
// acknowledged is on disk, and the process is to end.
func (h *House) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range h.running {
		group.Go(func() error {
			err := s.run(ctx)
			switch {
			case err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil:
				return nil
			case ctx.Err() != nil: // interrupted at a bad moment; a start repeats the step
				h.log.Warn("service interrupted by the stop", zap.String("service", s.name), telemetry.Err(err))
				return nil
			}
			return fatal(fmt.Errorf("%s: %w", s.name, err), remedy(err))
		})
	}
	group.Go(func() error { return h.watch(ctx) })
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		return errors.Join(err, h.Close())
	case <-ctx.Done():
	}
	var giveUp <-chan time.Time
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrFatal) {
		giveUp = time.After(fatalGrace)
	}
	select {
	case err := <-ended:
		return errors.Join(err, h.Close())
	case <-giveUp:
		return cause
	}
}

// fatalGrace is how long services may finish after a fatal fault.
const fatalGrace = 6 * time.Second

// remedy says what to do about a service that gave up.
func remedy(err error) string {
	switch {
	case errors.Is(err, view.ErrCorrupt), errors.Is(err, view.ErrFenced):
		return "let one process alone write the view; it can be rebuilt: stop, remove " + sqliteview.File + " from the data folder (or the view's tables from the database), start again"
	case errors.Is(err, events.ErrTypeUnknown):
		return "a newer program wrote this ledger: run that version or a later one"
	case errors.Is(err, ledger.ErrGone):
		return "events were deleted from the ledger: keep the folder as it is and find out who did it"
	}
	return "what was acknowledged is on disk: mend the cause and start again"
}

// watch ends when something must stop the process: the broker can no longer
// store, or the ledger's settings were weakened.
func (h *House) watch(ctx context.Context) error {
	var broker <-chan error
	if h.broker != nil {
		broker = h.broker.Failed()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.failed:
		return err
	case err := <-broker:
		return fatal(err, "what was acknowledged is on disk")
	}
}

// Close releases what Open opened, the last first. A second call does nothing.
func (h *House) Close() error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	h.closers = nil
	return errors.Join(errs...)
}
