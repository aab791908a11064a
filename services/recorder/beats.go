package recorder

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/worker"
)

// horizon knows the instant before which this recorder appends nothing more.
//
// The ledger stamps an entry inside Append, so a stamp is never earlier than
// the clock was when its Append began. While an Append is under way the horizon
// is therefore the clock at its beginning; otherwise it is the clock now. Both
// readings are taken under one lock, so that no Append can slip in between with
// an earlier stamp.
//
// An Append whose answer was lost may still reach the log with its old stamp.
// It keeps the horizon where it is until a repetition has settled it: the same
// message id is stored once, so after a success nothing of it is under way.
//
// The clock must be the one that the ledger stamps with, and must not step
// back; see Monotone.
type horizon struct {
	clock func() events.Instant

	mu    sync.Mutex
	open  bool // an Append is under way or unsettled
	since events.Instant
	busy  bool // an Append is under way
}

func (h *horizon) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		h.open, h.since = true, h.clock()
	}
	h.busy = true
}

func (h *horizon) end(settled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	if settled {
		h.open = false
	}
}

func (h *horizon) instant() events.Instant {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return h.since
	}
	return h.clock()
}

// settle says that every Append of the batch under way has its outcome.
func (h *horizon) settle() { h.end(true) }

// forget drops an unsettled Append of an earlier time as the active recorder,
// once it can no longer be under way.
func (h *horizon) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.busy {
		h.open = false
	}
}

func (h *horizon) unsettled() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// Monotone returns a clock that follows clock and never steps back; it is safe
// for concurrent use. Recorders and the ledger of one process share one.
func Monotone(clock func() events.Instant) func() events.Instant {
	var mu sync.Mutex
	var last events.Instant
	return func() events.Instant {
		mu.Lock()
		defer mu.Unlock()
		last = max(last, clock())
		return last
	}
}

// Beat publishes the beat of this recorder now: an instant before which it
// appends nothing more, then the last positions of all streams. Whatever it
// appended before that instant lies within those positions, because they are
// read after it was taken. Only the active recorder of a family may beat; Run
// sees to that, other callers (a simulated clock) must know.
func (r *Recorder) Beat(ctx context.Context) error {
	instant := r.horizon.instant()
	last, err := r.cfg.Ledger.Last(ctx)
	if err != nil {
		return fmt.Errorf("beat of %s: %w", r.cfg.Family, err)
	}
	beat := ledger.Beat{Family: r.cfg.Family, Instant: instant, Positions: last}
	if err := r.cfg.Ledger.PublishBeat(ctx, beat); err != nil {
		return fmt.Errorf("beat of %s: %w", r.cfg.Family, err)
	}
	return nil
}

// beats publishes a beat every BeatEvery while this recorder is the active one.
//
// After a takeover the former recorder, or this one before it lost its lease,
// may have handed an entry to the broker that is stored only now, with a stamp
// of then. So the first beat waits for the takeover grace: until then the
// youngest beat is the former recorder's and the gate answers "no" for want of
// a fresh one.
func (r *Recorder) beats(ctx context.Context, lease *worker.Lease) {
	if lease.Takeover() || r.horizon.unsettled() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.cfg.TakeoverGrace):
		}
		r.horizon.forget()
	}
	tick := time.NewTicker(r.cfg.BeatEvery)
	defer tick.Stop()
	for {
		if err := r.Beat(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("beat failed, trying again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
