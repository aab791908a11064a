package projection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
)

// Source is what a runner needs of the ledger.
type Source interface {
	Last(ctx context.Context) (ledger.Positions, error)
	Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error)
	Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error)
}

// Config tunes a runner; the zero value is good.
type Config struct {
	// MaxBatch bounds the entries of one transaction; 0 = 16,384.
	MaxBatch int
	// Parallel is how many goroutines decode; 0 = GOMAXPROCS.
	Parallel int
	// Upstream, where not nil, is waited for before a batch is applied: it
	// returns when everything within the positions is in the view. A
	// projection that reads another's rows sets it to that one's Await.
	Upstream func(ctx context.Context, p view.Positions) error
	// Retry is how long to wait after the view was unavailable; 0 = 200 ms.
	Retry time.Duration
	// Report, where not nil, hears of every failed attempt that is retried.
	Report func(err error)
}

// Runner drives one projection. Run may be called once at a time; the other
// methods may be called from anywhere.
type Runner struct {
	source  Source
	store   view.Store
	project Projection
	cfg     Config

	mu       sync.Mutex
	progress view.Progress
	pending  bool
	moved    chan struct{} // closed and replaced when progress or pending changes
}

// NewRunner returns a runner that has not started.
func NewRunner(source Source, store view.Store, p Projection, cfg Config) *Runner {
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = 16384
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = runtime.NumCPU()
	}
	if cfg.Retry <= 0 {
		cfg.Retry = 200 * time.Millisecond
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	return &Runner{source: source, store: store, project: p, cfg: cfg, moved: make(chan struct{})}
}

// batch is what the reading goroutine hands over.
type batch struct {
	entries []ledger.Record
	decoded []decoded
}

// readAhead is how many batches are decoded before they are applied.
const readAhead = 4

// Run follows until ctx ends, and returns its error; or until an entry cannot
// be applied (EntryError), or another projector moves the same projection
// (view.ErrFenced). A view that is unavailable is tried again.
func (r *Runner) Run(ctx context.Context) error {
	for {
		err := r.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, view.ErrUnavailable), errors.Is(err, view.ErrAmbiguous), errors.Is(err, ledger.ErrUnavailable):
			r.cfg.Report(err)
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.cfg.Retry):
		}
	}
}

// follow starts from what the view holds and goes on until something fails.
func (r *Runner) follow(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.catchUp(ctx, ledger.Reference); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	follower, err := r.source.Follow(ctx, Positions(r.Progress().Positions()))
	if err != nil {
		cancel()
		return fmt.Errorf("project %s: %w", r.name(), err)
	}
	batches := make(chan batch, readAhead)
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { failed <- r.readAll(ctx, follower, batches) })
	defer wg.Wait()
	defer follower.Stop()
	defer cancel()
	for {
		select {
		case b := <-batches:
			if err := r.apply(ctx, r.gather(b, batches)); err != nil {
				return err
			}
			continue
		default:
		}
		if r.project.Pending() {
			if err := r.apply(ctx, nil); err != nil {
				return err
			}
			continue
		}
		select {
		case b := <-batches:
			if err := r.apply(ctx, r.gather(b, batches)); err != nil {
				return err
			}
		case err := <-failed:
			return r.last(ctx, err, batches)
		}
	}
}

// last applies what was read before reading failed.
func (r *Runner) last(ctx context.Context, err error, batches chan batch) error {
	for {
		select {
		case b := <-batches:
			if err := r.apply(ctx, []batch{b}); err != nil {
				return err
			}
		default:
			return fmt.Errorf("project %s: %w", r.name(), err)
		}
	}
}

func (r *Runner) name() string { return r.project.Projection().Name }

// start reads the position that counts.
func (r *Runner) start(ctx context.Context) error {
	r.project.Forget()
	at, err := r.store.Progress(ctx, r.project.Projection())
	if err != nil {
		return err
	}
	r.advance(at)
	return nil
}

// catchUp applies what one stream holds now. Reference facts are taken first:
// calls that are applied before their campaign would be looked at twice.
func (r *Runner) catchUp(ctx context.Context, stream ledger.Stream) error {
	last, err := r.source.Last(ctx)
	if err != nil {
		return fmt.Errorf("project %s: %w", r.name(), err)
	}
	for {
		from := ledger.Sequence(r.Progress()[string(stream)].Sequence) + 1
		if from > last[stream] {
			return nil
		}
		entries, err := r.source.Read(ctx, stream, from, r.cfg.MaxBatch)
		if err != nil {
			return fmt.Errorf("project %s: %w", r.name(), err)
		}
		if len(entries) == 0 {
			return nil
		}
		if err := r.apply(ctx, []batch{{entries, decode(entries, r.cfg.Parallel)}}); err != nil {
			return err
		}
	}
}

// readAll reads and decodes ahead.
func (r *Runner) readAll(ctx context.Context, f ledger.Follower, into chan<- batch) error {
	for {
		entries, err := f.Next(ctx, min(r.cfg.MaxBatch, 4096))
		if err != nil {
			return err
		}
		b := batch{entries, decode(entries, r.cfg.Parallel)}
		select {
		case into <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// gather adds what is ready without waiting, up to MaxBatch entries.
func (r *Runner) gather(first batch, more <-chan batch) []batch {
	out, n := []batch{first}, len(first.entries)
	for n < r.cfg.MaxBatch {
		select {
		case b := <-more:
			out = append(out, b)
			n += len(b.entries)
		default:
			return out
		}
	}
	return out
}

// apply writes batches and the new position in one transaction.
func (r *Runner) apply(ctx context.Context, batches []batch) error {
	from := r.Progress()
	runs, to, broken := r.runs(batches, from)
	if len(runs) > 0 || len(batches) == 0 {
		if err := r.update(ctx, from, to, runs); err != nil {
			return err
		}
	}
	return broken
}

// runs makes runs of batches, one for each stream. An entry that cannot be
// read ends them; what stands before it is still to be applied.
func (r *Runner) runs(batches []batch, from view.Progress) ([]Run, view.Progress, error) {
	to := maps.Clone(from)
	if to == nil {
		to = view.Progress{}
	}
	var runs []Run
	at := map[string]int{}
	for _, b := range batches {
		run, mark, err := b.run(r.name(), to[string(b.entries[0].Stream)])
		if err != nil {
			return r.before(b, runs, at, to, err)
		}
		to[run.Stream] = mark
		runs = join(runs, at, run)
	}
	return runs, to, nil
}

// before adds what stands before the broken entry of b.
func (r *Runner) before(b batch, runs []Run, at map[string]int, to view.Progress, err error) ([]Run, view.Progress, error) {
	var bad *EntryError
	if !errors.As(err, &bad) || bad.Sequence <= uint64(b.entries[0].Sequence) {
		return runs, to, err
	}
	n := bad.Sequence - uint64(b.entries[0].Sequence)
	run, mark, again := batch{b.entries[:n], b.decoded[:n]}.run(r.name(), to[string(b.entries[0].Stream)])
	if again != nil {
		return runs, to, again
	}
	to[run.Stream] = mark
	return join(runs, at, run), to, err
}

func join(runs []Run, at map[string]int, run Run) []Run {
	if i, ok := at[run.Stream]; ok {
		runs[i].Records = append(runs[i].Records, run.Records...)
		return runs
	}
	at[run.Stream] = len(runs)
	return append(runs, run)
}

func (r *Runner) update(ctx context.Context, from, to view.Progress, runs []Run) error {
	if r.cfg.Upstream != nil {
		if err := r.cfg.Upstream(ctx, to.Positions()); err != nil {
			return err
		}
	}
	again := false
	err := r.store.Update(ctx, r.project.Projection(), from, to, func(tx view.Tx) error {
		if again { // the transaction before this one came to nothing: so did what was learnt in it
			r.project.Forget()
		}
		again = true
		return r.project.Apply(tx, runs, to)
	})
	if errors.Is(err, view.ErrAmbiguous) {
		if err = r.settle(ctx, from, to, err); err == nil {
			r.project.Forget()
			r.advance(to)
			return nil
		}
	}
	if err != nil {
		r.project.Forget()
		return err
	}
	r.project.Applied()
	r.advance(to)
	return nil
}

// settle finds out what became of a commit of which the answer was lost. nil
// means that it is stored.
func (r *Runner) settle(ctx context.Context, from, to view.Progress, lost error) error {
	at, err := r.store.Progress(ctx, r.project.Projection())
	switch {
	case err != nil:
		return err
	case at.Equal(from): // also where nothing but rows was written: repeating is safe
		return lost
	case at.Equal(to):
		return nil
	}
	return fmt.Errorf("project %s: %w", r.name(), view.ErrFenced)
}

func (r *Runner) advance(to view.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress, r.pending = to, r.project.Pending()
	close(r.moved)
	r.moved = make(chan struct{})
}

// Progress returns how far the projection is, as far as this runner knows.
func (r *Runner) Progress() view.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// Await returns when everything within p is in the view, or with the error of
// ctx. Run must be running.
func (r *Runner) Await(ctx context.Context, p view.Positions) error { return r.await(ctx, p, false) }

// AwaitIdle is Await, and waits until no work is left that needs no entries.
func (r *Runner) AwaitIdle(ctx context.Context, p view.Positions) error { return r.await(ctx, p, true) }

func (r *Runner) await(ctx context.Context, p view.Positions, idle bool) error {
	for {
		r.mu.Lock()
		at, pending, moved := r.progress, r.pending, r.moved
		r.mu.Unlock()
		if covers(at, p) && !(idle && pending) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", r.name(), ctx.Err())
		}
	}
}

// Poll is an Upstream for a projection that another process runs: it asks the
// view every few milliseconds.
func Poll(store view.Reader, p view.Projection, every time.Duration) func(context.Context, view.Positions) error {
	return func(ctx context.Context, want view.Positions) error {
		for {
			at, err := store.Progress(ctx, p)
			if err != nil {
				return err
			}
			if covers(at, want) {
				return nil
			}
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return fmt.Errorf("await %s: %w", p.Name, ctx.Err())
			}
		}
	}
}

func covers(at view.Progress, p view.Positions) bool {
	for s, n := range p {
		if at[s].Sequence < n {
			return false
		}
	}
	return true
}

// Lag says how far a projection is behind the ledger.
type Lag struct {
	Entries  uint64            // over all streams
	Streams  map[string]uint64 // those that are behind
	Recorded events.Instant    // latest recorded time that is applied
}

// Lag compares the view's position with the end of the ledger.
func (r *Runner) Lag(ctx context.Context) (Lag, error) {
	last, err := r.source.Last(ctx)
	if err != nil {
		return Lag{}, fmt.Errorf("measure lag of %s: %w", r.name(), err)
	}
	at, err := r.store.Progress(ctx, r.project.Projection())
	if err != nil {
		return Lag{}, fmt.Errorf("measure lag of %s: %w", r.name(), err)
	}
	lag := Lag{Streams: map[string]uint64{}, Recorded: at.Recorded()}
	for s, n := range last {
		if done := at[string(s)].Sequence; done < uint64(n) {
			lag.Streams[string(s)] = uint64(n) - done
			lag.Entries += uint64(n) - done
		}
	}
	return lag, nil
}
