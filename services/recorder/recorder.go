package recorder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

// Log is what a recorder needs of the ledger.
type Log interface {
	ledger.Appender
	Partitions() int
	Last(ctx context.Context) (ledger.Positions, error)
	PublishBeat(ctx context.Context, b ledger.Beat) error
}

// Config configures a recorder. Fields marked optional may be zero.
type Config struct {
	Family   events.Family
	Conn     *nats.Conn     // carries the queue; it stays the caller's
	Leases   *worker.Leases // decides which instance is active
	Instance string         // see worker.Config; optional
	Ledger   Log
	Vault    vault.Vault
	Receipts intake.Sender
	Rejects  *Rejects
	Parked   *Parked

	Identities        Identities    // optional
	IdentitiesTimeout time.Duration // default 250 ms, and 200 µs for each identity asked for
	Remember          int           // identities recorded last, default 131,072

	// Clock is the clock that Ledger stamps with, non-decreasing; see Monotone.
	Clock func() events.Instant
	// Normalise defaults to numbers.Normalise.
	Normalise events.Normaliser
	// Permit returns not_permitted faults of a submission that is otherwise
	// valid; nil permits all. That the source is the one of the subject, hence
	// of the credential, is always checked.
	Permit func(ctx context.Context, s *events.Submission) []events.Fault
	// SendsSubject reports whether a source may send subject instead of
	// data.phone: only services of the ledger may (design.md 11). nil: the
	// sources gate and feed.
	SendsSubject func(source string) bool
	// Alarm hears of every alarm, after the log and the metrics; optional.
	Alarm func(Alarm)

	MaxMessages   int           // in one batch, default 8000
	BeatEvery     time.Duration // default 1 s
	TakeoverGrace time.Duration // default worker.DefaultLeaseTTL
	Retry         worker.Retry  // optional
	Idle          time.Duration // see worker.Config; optional

	Logger  *zap.Logger           // optional
	Metrics prometheus.Registerer // optional
}

// Recorder is one family's consumer service.
type Recorder struct {
	cfg     Config
	family  family
	service *worker.Service
	log     *zap.Logger
	metrics *metrics
	recent  *recent
	horizon horizon
	lookup  lookup
	// attempted holds the queue positions of the batch under way of which an
	// Append was begun: a copy that the broker then knows is this very one.
	attempted map[uint64]struct{}
	refused   map[uint64]Reject // of the batch under way: kept already
	workers   int
	tokens    []string // of the partitions in subjects: "00" …
}

// ServiceName returns the name under which a family's recorder runs:
// "recorder.grants".
func ServiceName(f events.Family) string { return "recorder." + string(f) }

// New checks the configuration. Nothing runs before Run. The queue
// (natsintake.Provision), REJECTS and PARKED (Provision) must exist.
func New(cfg Config) (*Recorder, error) {
	special, ok := families[cfg.Family]
	if !ok {
		return nil, fmt.Errorf("new recorder: no family %q: use one of %v", cfg.Family, events.Families)
	}
	if cfg.Conn == nil || cfg.Leases == nil || cfg.Ledger == nil || cfg.Vault == nil || cfg.Receipts == nil ||
		cfg.Rejects == nil || cfg.Parked == nil || cfg.Clock == nil {
		return nil, fmt.Errorf("new recorder of %s: Conn, Leases, Ledger, Vault, Receipts, Rejects, Parked and Clock are needed", cfg.Family)
	}
	cfg.setDefaults()
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("new recorder of %s: %w", cfg.Family, err)
	}
	r := &Recorder{
		cfg: cfg, family: special, metrics: m, recent: newRecent(cfg.Remember),
		horizon: horizon{clock: cfg.Clock}, attempted: make(map[uint64]struct{}), refused: make(map[uint64]Reject),
		log: cfg.Logger.With(zap.String("service", ServiceName(cfg.Family))), workers: runtime.NumCPU(),
	}
	for p := range cfg.Ledger.Partitions() {
		r.tokens = append(r.tokens, fmt.Sprintf("%02d", p))
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("new recorder of %s: %w", cfg.Family, err)
	}
	r.service, err = worker.New(worker.Config{
		Name: ServiceName(cfg.Family), JetStream: js, Leases: cfg.Leases, Instance: cfg.Instance,
		Stream: natsintake.StreamOf(cfg.Family), Durable: "recorder-" + string(cfg.Family),
		MaxMessages: cfg.MaxMessages, Retry: cfg.Retry, Idle: cfg.Idle,
		Handle: r.Handle, Transient: Transient, Park: r.park, OnActive: r.beats,
		Logger: cfg.Logger, Metrics: cfg.Metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("new recorder of %s: %w", cfg.Family, err)
	}
	return r, nil
}

func (c *Config) setDefaults() {
	if c.IdentitiesTimeout <= 0 {
		c.IdentitiesTimeout = 250 * time.Millisecond
	}
	if c.Remember <= 0 {
		c.Remember = 1 << 17
	}
	if c.Normalise == nil {
		c.Normalise = numbers.Normalise
	}
	if c.SendsSubject == nil {
		c.SendsSubject = func(source string) bool { return source == "gate" || source == "feed" }
	}
	if c.MaxMessages <= 0 {
		c.MaxMessages = 8000
	}
	if c.BeatEvery <= 0 {
		c.BeatEvery = time.Second
	}
	if c.TakeoverGrace <= 0 {
		c.TakeoverGrace = worker.DefaultLeaseTTL
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
}

// Run records until ctx ends, as the active recorder of its family or standing
// by for it. The batch under way is finished first. The error is nil unless the
// service could not be started.
func (r *Recorder) Run(ctx context.Context) error { return r.service.Run(ctx) }

// Active reports whether this recorder is the one of its family that records.
func (r *Recorder) Active() bool { return r.service.Active() }

// Ready tells why the recorder cannot work; nil when it can, or stands by.
func (r *Recorder) Ready() error { return r.service.Ready() }

// errTransient marks faults of the bus that repeating helps.
var errTransient = errors.New("bus unavailable")

// Transient reports whether repeating a batch can help: the ledger, the vault
// or the bus is away. Any other error is the fault of a message.
func Transient(err error) bool {
	return errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, vault.ErrUnavailable) ||
		errors.Is(err, intake.ErrUnavailable) || errors.Is(err, errTransient) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// park sets one message aside; a message of a restricting family raises an
// alarm.
func (r *Recorder) park(ctx context.Context, m worker.Message, cause error) error {
	p, err := r.cfg.Parked.park(ctx, ServiceName(r.cfg.Family), m, cause)
	if err != nil {
		return err
	}
	if r.family.restricts(p.Type) {
		r.raise(Alarm{Reason: AlarmParked, Source: p.Source, Type: p.Type, Ref: p.ID})
	}
	return nil
}

// step measures one step of a batch.
func (r *Recorder) step(name string) func() {
	began := time.Now()
	return func() {
		r.metrics.steps.WithLabelValues(string(r.cfg.Family), name).Observe(time.Since(began).Seconds())
	}
}
