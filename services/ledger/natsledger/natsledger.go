// Package natsledger is the ledger on JetStream: P partition streams and the
// reference stream, written with group commit, read by direct gets and ordered
// consumers without filters.
//
//	log, err := natsledger.Open(ctx, nc, natsledger.Options{Create: true, Mode: ledger.Strict, Sync: natsledger.SyncOf(broker)})
//	if errors.Is(err, ledger.ErrWeak) { ... } // an acknowledgement would promise less than asked for
//	defer log.Close()
//
// Open reads back what the broker made of the streams' settings and refuses
// weaker ones; Watch goes on looking. DenyDelete and DenyPurge are no
// immutability: whoever may use the stream API can set a limit or delete a
// stream. The package notices (Faults, ErrGone); proof is the Merkle log's
// matter.
package natsledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/ledger"
)

// Options of Open. The zero value opens an existing ledger in mode strict.
type Options struct {
	// Partitions is P of a new ledger (default 4, 1 to 256); an existing one
	// keeps its own.
	Partitions int
	// Replicas of a new ledger's streams (default 1). An existing one must have
	// at least as many.
	Replicas int
	// Mode is the durability asked for (default strict).
	Mode ledger.Mode
	// Create makes the streams if the broker has none of them. Without it a
	// missing ledger is ErrNoLedger, never a fresh start.
	Create bool
	// AcceptLoss opens although the log promises less than asked for.
	AcceptLoss bool
	// Clock stamps recorded times (default the wall clock).
	Clock func() events.Instant
	// Sync reads when the broker syncs. nil asks the broker's system account
	// over nc, which an ordinary user may not; what cannot be read counts as
	// weak.
	Sync SyncProbe
	// Bulk is a connection for reading in bulk; nil = nc. An in-process
	// connection is slow at it.
	Bulk *nats.Conn
	// Weaker is called with the faults found whenever they change while the log
	// is open; nil = they are only logged. It must not call Close.
	Weaker func(faults []string)
	// WatchEvery is how often settings are read back besides on the broker's
	// advisories (default 30 s).
	WatchEvery time.Duration
	// Timeout of one request to the broker (default 5 s).
	Timeout time.Duration
	// Commit observes group commits, for metrics.
	Commit func(groupcommit.Commit)
	Logger *zap.Logger
}

// ErrNoLedger: the broker has no ledger and Options.Create was not given. Create
// one with assenso init, on purpose and once.
var ErrNoLedger = errors.New("no ledger at this broker")

// Ledger is an open log. Its methods may be called from many goroutines.
type Ledger struct {
	opts       Options
	js         jetstream.JetStream // commands
	bulk       jetstream.JetStream // reading
	partitions int
	stamper    *ledger.Stamper
	committers []*groupcommit.Committer // in the order of ledger.Streams
	streams    []ledger.Stream

	stop    context.CancelFunc
	watched sync.WaitGroup
	closing sync.Once

	mu     sync.Mutex
	faults []string
}

var _ ledger.Ledger = (*Ledger)(nil)

// Open finds or creates the ledger at the broker of nc, checks its settings and
// its durability, and watches them until Close. The connection stays the
// caller's. Errors wrap ledger.ErrWeak, ledger.ErrGone (a stream is missing),
// ErrNoLedger or ledger.ErrUnavailable.
func Open(ctx context.Context, nc *nats.Conn, o Options) (*Ledger, error) {
	o, err := o.withDefaults(nc)
	if err != nil {
		return nil, err
	}
	l := &Ledger{opts: o, stamper: ledger.NewStamper(o.Clock)}
	if l.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(o.Timeout)); err != nil {
		return nil, fmt.Errorf("open ledger: %w: %w", ledger.ErrUnavailable, err)
	}
	if l.bulk, err = jetstream.New(o.Bulk, jetstream.WithDefaultTimeout(o.Timeout)); err != nil {
		return nil, fmt.Errorf("open ledger: %w: %w", ledger.ErrUnavailable, err)
	}
	if l.partitions, err = provision(ctx, l.js, o); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l.streams = ledger.Streams(l.partitions)
	if err := l.checkDurability(ctx); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	for _, s := range l.streams {
		c, err := groupcommit.New(nc, string(s), groupcommit.Options{Timeout: o.Timeout, Window: Window, Stamp: l.stamp, Observe: o.Commit})
		if err != nil {
			l.closeCommitters()
			return nil, fmt.Errorf("open ledger: %w: %w", ledger.ErrUnavailable, err)
		}
		l.committers = append(l.committers, c)
	}
	if err := l.watch(nc); err != nil {
		l.closeCommitters()
		return nil, fmt.Errorf("open ledger: %w: %w", ledger.ErrUnavailable, err)
	}
	return l, nil
}

func (o Options) withDefaults(nc *nats.Conn) (Options, error) {
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.Partitions < 1 || o.Partitions > ledger.MaxPartitions {
		return o, fmt.Errorf("open ledger: partitions must be 1 to %d", ledger.MaxPartitions)
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Mode == "" {
		o.Mode = ledger.Strict
	}
	if !slices.Contains(modes, o.Mode) {
		return o, fmt.Errorf("open ledger: durability %q is none of strict, bounded, fast", o.Mode)
	}
	if o.Clock == nil {
		o.Clock = func() events.Instant { return events.InstantOf(time.Now()) }
	}
	if o.Bulk == nil {
		o.Bulk = nc
	}
	if o.Sync == nil {
		o.Sync = AskSystem(nc)
	}
	if o.WatchEvery == 0 {
		o.WatchEvery = 30 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, nil
}

// Close waits for entries on their way, refuses new ones and stops the watch.
// Followers are stopped by their own Stop or context. The log at the broker
// stays as it is. A second call does nothing.
func (l *Ledger) Close() {
	l.closing.Do(func() {
		l.stop()
		l.watched.Wait()
		l.closeCommitters()
	})
}

func (l *Ledger) closeCommitters() {
	var all sync.WaitGroup
	for _, c := range l.committers {
		all.Go(c.Close)
	}
	all.Wait()
}

// Partitions implements ledger.Reader.
func (l *Ledger) Partitions() int { return l.partitions }

// Last implements ledger.Reader. It asks each stream's leader.
func (l *Ledger) Last(ctx context.Context) (ledger.Positions, error) {
	type answer struct {
		at  ledger.Sequence
		err error
	}
	answers := make([]answer, len(l.streams))
	var all sync.WaitGroup
	for i, s := range l.streams {
		all.Go(func() {
			info, err := l.info(ctx, s)
			if err != nil {
				answers[i].err = err
				return
			}
			answers[i].at = ledger.Sequence(info.State.LastSeq)
		})
	}
	all.Wait()
	out := make(ledger.Positions, len(l.streams))
	for i, s := range l.streams {
		if answers[i].err != nil {
			return nil, fmt.Errorf("read last positions: %w", answers[i].err)
		}
		out[s] = answers[i].at
	}
	return out, nil
}

// info reads a stream's settings and state from its leader.
func (l *Ledger) info(ctx context.Context, s ledger.Stream) (*jetstream.StreamInfo, error) {
	stream, err := l.js.Stream(ctx, string(s))
	if err != nil {
		return nil, unavailable(ctx, s, err)
	}
	return stream.CachedInfo(), nil
}

// unavailable classifies a failed request about stream s.
func unavailable(ctx context.Context, s ledger.Stream, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%s: %w: the stream does not exist", s, ledger.ErrGone)
	}
	return fmt.Errorf("%s: %w: %w", s, ledger.ErrUnavailable, err)
}
