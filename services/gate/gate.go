package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
)

// Ledger is what the gate reads.
type Ledger interface {
	Partitions() int
	Last(ctx context.Context) (ledger.Positions, error)
	Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error)
	Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error)
	Beats(ctx context.Context) (map[events.Family]ledger.Beat, error)
}

// Config says what the gate works with. Ledger, Index, Engine, Clock and Log
// are required.
type Config struct {
	Ledger Ledger
	Index  Index
	Engine *rules.Engine
	// Clock is the gate's clock; it never steps back.
	Clock func() events.Instant
	Log   *zap.Logger

	// Snapshot is the file from which the gate starts and which it renews; "" =
	// none: then it reads the whole log at each start.
	Snapshot string
	// SnapshotEvery is how often the file is renewed; 0 = 10 minutes.
	SnapshotEvery time.Duration

	Fresh    time.Duration // how old beats may be; 0 = 5 s
	Patience time.Duration // how long a question waits for what is on its way; 0 = 100 ms
	Poll     time.Duration // between two looks at the beats; 0 = 250 ms
	Retry    time.Duration // after a fault of the index or the ledger; 0 = 100 ms
	// Histories is how many whole histories are held; 0 = 10,000.
	Histories int
}

func (c *Config) defaults() {
	for _, d := range []struct {
		at   *time.Duration
		want time.Duration
	}{
		{&c.SnapshotEvery, 10 * time.Minute}, {&c.Fresh, 5 * time.Second}, {&c.Patience, 100 * time.Millisecond},
		{&c.Poll, 250 * time.Millisecond}, {&c.Retry, 100 * time.Millisecond},
	} {
		if *d.at == 0 {
			*d.at = d.want
		}
	}
	if c.Histories == 0 {
		c.Histories = 10_000
	}
}

// Gate answers questions about calls. Make one with New; its methods may be
// used from many goroutines.
type Gate struct {
	*state
	cfg       Config
	writer    *writer
	histories *lru.Cache[events.ContactKey, heldHistory]
	scratches sync.Pool
	// listScratches are those of list checks.
	listScratches sync.Pool

	beatsMu  sync.RWMutex
	beats    map[events.Family]ledger.Beat
	beatsErr error
	current  atomic.Int64 // the gate's clock when it was without doubt last, as watchBeats saw it
}

// heldHistory is a whole history as of one change of its contact.
type heldHistory struct {
	moved   uint64
	history *contact.History
}

// New returns a gate that knows nothing yet: Run fills it. Until then every
// question is blocked.
func New(cfg Config) (*Gate, error) {
	if cfg.Ledger == nil || cfg.Index == nil || cfg.Engine == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("gate new: Ledger, Index, Engine, Clock and Log are required")
	}
	cfg.defaults()
	g := &Gate{cfg: cfg, state: newState(cfg.Ledger.Partitions())}
	g.scratches.New = func() any { return new(scratch) }
	g.listScratches.New = func() any { return newListScratch() }
	var err error
	if g.histories, err = lru.New[events.ContactKey, heldHistory](cfg.Histories); err != nil {
		return nil, fmt.Errorf("gate new: %w", err)
	}
	g.writer = &writer{
		state: g.state, index: cfg.Index, clock: cfg.Clock, templates: newTemplates(), seen: &filter{},
		corrected: map[events.IdentityHash]bool{}, target: map[events.IdentityHash]events.IdentityHash{},
		filtered: make([]ledger.Sequence, len(g.streams)), recent: map[events.ContactKey][]events.Payload{},
		wanted: make(chan chan *begun), log: cfg.Log, retry: cfg.Retry,
	}
	return g, nil
}

// Run follows the ledger until ctx ends, and returns its error; any other error
// means that the log has a hole or an entry that cannot be read: nothing may be
// allowed any more, and the process should stop. It starts from the snapshot,
// if there is one that fits, and renews it.
func (g *Gate) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { g.watchBeats(ctx) })
	if err := g.load(ctx); err != nil {
		return err
	}
	if g.cfg.Snapshot != "" {
		all.Go(func() { g.saveRegularly(ctx) })
	}
	defer cancel()
	err := g.follow(ctx)
	if g.cfg.Snapshot != "" && ctx.Err() != nil {
		g.saveAtStop(context.WithoutCancel(ctx))
	}
	return err
}

// saveAtStop renews the snapshot once the writer has stopped.
func (g *Gate) saveAtStop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := g.save(ctx, g.writer.copyForSnapshot()); err != nil {
		g.cfg.Log.Warn("gate: the snapshot was not renewed; the next start reads more of the log", zap.Error(err))
	}
}

// follow applies what the ledger holds and what comes.
func (g *Gate) follow(ctx context.Context) error {
	if err := g.readReference(ctx); err != nil {
		return err
	}
	follower, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer follower.Stop()
	batches, failed := make(chan []ledger.Record), make(chan error, 1)
	var reading sync.WaitGroup
	defer reading.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reading.Go(func() { failed <- readBatches(ctx, follower, batches) })
	for {
		select {
		case entries := <-batches:
			if err := g.writer.apply(ctx, entries); err != nil {
				return err
			}
		case answer := <-g.writer.wanted:
			answer <- g.writer.copyForSnapshot()
		case err := <-failed:
			return fmt.Errorf("gate follow: %w", err)
		}
	}
}

// readBatches hands over what the follower delivers until it fails.
func readBatches(ctx context.Context, f ledger.Follower, to chan<- []ledger.Record) error {
	for {
		entries, err := f.Next(ctx, nextBatch)
		if err != nil {
			return err
		}
		select {
		case to <- entries:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextBatch is how many entries are taken at once.
const nextBatch = 1024

// open starts a follower behind what is applied, as soon as the ledger answers.
func (g *Gate) open(ctx context.Context) (ledger.Follower, error) {
	for {
		f, err := g.cfg.Ledger.Follow(ctx, g.ledgerPositions())
		if err == nil || !errors.Is(err, ledger.ErrUnavailable) {
			return f, err
		}
		if err := g.pause(ctx, "the ledger does not answer", err); err != nil {
			return nil, err
		}
	}
}

// readReference reads the whole reference stream: what it says is kept in full
// and not in snapshots. Then it takes what is in dispute from the index.
func (g *Gate) readReference(ctx context.Context) error {
	for {
		last, err := g.cfg.Ledger.Last(ctx)
		if err == nil {
			err = g.readUpTo(ctx, last[ledger.Reference])
		}
		if err == nil {
			err = g.readDisputed(ctx)
		}
		if err == nil || errors.Is(err, ledger.ErrGone) || errors.Is(err, errUnreadable) {
			return err
		}
		if err := g.pause(ctx, "the reference facts cannot be read", err); err != nil {
			return err
		}
	}
}

// errUnreadable: an entry cannot be applied, ever.
var errUnreadable = errors.New("entry cannot be applied")

func (g *Gate) readUpTo(ctx context.Context, last ledger.Sequence) error {
	lane := g.lane(ledger.Reference)
	for g.at[lane].sequence < last {
		entries, err := g.cfg.Ledger.Read(ctx, ledger.Reference, g.at[lane].sequence+1, nextBatch)
		if err != nil {
			return fmt.Errorf("gate read reference facts: %w", err)
		}
		if len(entries) == 0 {
			return nil
		}
		if err := g.writer.apply(ctx, entries); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
	}
	return nil
}

func (g *Gate) readDisputed(ctx context.Context) error {
	p := g.ledgerPositions()
	if err := g.cfg.Index.Await(ctx, p); err != nil {
		return fmt.Errorf("gate read disputed facts: %w", err)
	}
	facts, err := g.cfg.Index.Disputed(ctx)
	if err != nil {
		return fmt.Errorf("gate read disputed facts: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writer.dispute(facts, p)
	return nil
}

// pause logs a fault and waits before the next try.
func (g *Gate) pause(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	g.cfg.Log.Warn("gate: "+what+", trying again", zap.Error(err))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(g.cfg.Retry):
		return nil
	}
}

// Refresh reads the beats now: an answer after it rests on all that they
// promise.
func (g *Gate) Refresh(ctx context.Context) error {
	g.readBeats(ctx)
	g.beatsMu.RLock()
	defer g.beatsMu.RUnlock()
	return g.beatsErr
}

// watchBeats reads the beats regularly.
func (g *Gate) watchBeats(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Poll)
	defer tick.Stop()
	for {
		g.readBeats(ctx)
		g.noteCurrent()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// noteCurrent remembers that the gate is without doubt now, if it is.
func (g *Gate) noteCurrent() {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t := max(g.cfg.Clock(), g.floor)
	if _, needs := g.doubts(t); needs == 0 {
		g.current.Store(int64(t))
	}
}

// readBeats reads the beats now.
func (g *Gate) readBeats(ctx context.Context) {
	beats, err := g.cfg.Ledger.Beats(ctx)
	g.beatsMu.Lock()
	defer g.beatsMu.Unlock()
	if g.beatsErr = err; err == nil {
		g.beats = beats
	}
}
