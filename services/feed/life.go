package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
	"golang.org/x/sync/errgroup"
)

// Bounds of a life.
const (
	readBatch   = 512   // records read at once
	settleBatch = 256   // records settled at once
	dueBatch    = 1024  // contacts looked at at once because of time or a sweep
	queueMost   = 32768 // facts that wait for the event index; beyond them nothing is read, not even a revocation
	unitsMost   = 8     // commits under way
)

// life is the feed from one start to the next fault. All its fields belong to
// the goroutine of loop unless said.
type life struct {
	*Feed
	committer *groupcommit.Committer
	world     *inquiry.World
	cited     map[said.Cited]bool
	fresh     overlay
	marks     view.Progress // read
	committed view.Progress // settled and stored
	position  uint64        // in FEED, stored
	queue     []batch
	queued    int                                   // facts of queue
	unsettled map[events.ContactKey][]*contact.Fact // facts of queue

	dirty      []events.ContactKey // to be looked at first
	orders     []standing.Order
	ordersSaid string // fingerprint of the orders by which contacts were last looked at
	lawSaid    string
	listsDue   events.Instant // when time alone changes lists or orders
	packDue    events.Instant // when another pack is in force
	due        events.Instant // of contacts; zero = none
	dueUnit    uint64         // looks at contacts that are due; 0 = none
	looked     events.Instant // when lists and orders were looked at
	sweeps     []said.Sweep
	sweeping   int64           // the sweep under way; 0 = none
	coarse     map[string]bool // orders that stop a controller as a whole until the contacts are looked at
	building   bool
	beats      beats
	units      chan *unit
	unitsMade  uint64
	unitsDone  uint64
	done       chan *unit // committed
	ready      chan struct{}
	target     chan view.Positions
	awaiting   bool
	tasks      chan said.Sweep
	scanned    chan scanned
}

// batch is a run of records of one stream.
type batch struct {
	facts []*contact.Fact
	from  view.Mark // before it
	to    view.Mark // after it
}

func (b *batch) stream() string { return b.facts[0].Stream }

// live runs one life. It returns an error in any case.
func (f *Feed) live(ctx context.Context) error {
	l := &life{Feed: f, fresh: overlay{}, unsettled: map[events.ContactKey][]*contact.Fact{},
		units: make(chan *unit, unitsMost), done: make(chan *unit, unitsMost), ready: make(chan struct{}, 1),
		target: make(chan view.Positions, 1), tasks: make(chan said.Sweep, 1), scanned: make(chan scanned), coarse: map[string]bool{}}
	if err := l.begin(ctx); err != nil {
		return err
	}
	var err error
	if l.committer, err = groupcommit.New(f.cfg.Conn, events.FeedStream, groupcommit.Options{Remember: -1}); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer l.committer.Close()
	follower, err := f.cfg.Ledger.Follow(ctx, positions(l.marks))
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer follower.Stop()
	group, ctx := errgroup.WithContext(ctx)
	records, heartbeats := make(chan batch), make(chan heard)
	group.Go(func() error { return l.read(ctx, follower, records) })
	group.Go(func() error { return l.await(ctx) })
	group.Go(func() error { return l.commitUnits(ctx) })
	group.Go(func() error { return l.listen(ctx, heartbeats) })
	group.Go(func() error { return l.scan(ctx) })
	group.Go(func() error { return l.loop(ctx, records, heartbeats) })
	return group.Wait()
}

func positions(p view.Progress) ledger.Positions {
	out := make(ledger.Positions, len(p))
	for s, m := range p {
		out[ledger.Stream(s)] = ledger.Sequence(m.Sequence)
	}
	return out
}

// read decodes what the ledger delivers.
func (l *life) read(ctx context.Context, f ledger.Follower, into chan<- batch) error {
	marks := view.Progress{}
	for s, m := range l.marks {
		marks[s] = m
	}
	for {
		list, err := f.Next(ctx, readBatch)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		stream := string(list[0].Stream)
		b := batch{facts: make([]*contact.Fact, 0, len(list)), from: marks[stream]}
		at := b.from
		for i := range list {
			fact, err := factOf(&list[i], &at)
			if err != nil {
				return err
			}
			b.facts = append(b.facts, fact)
		}
		b.to, marks[stream] = at, at
		select {
		case into <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// factOf decodes a record and moves the mark of its stream.
func factOf(r *ledger.Record, at *view.Mark) (*contact.Fact, error) {
	if uint64(r.Sequence) != at.Sequence+1 {
		return nil, fmt.Errorf("feed: %s at %d: %w", r.Stream, at.Sequence+1, ledger.ErrGone)
	}
	e, err := codec.Decode(r.Body)
	if err != nil {
		return nil, fmt.Errorf("feed: %s at %d: %w: %w", r.Stream, r.Sequence, errUnreadable, err)
	}
	digest, err := codec.Digest(r.Body)
	if err != nil {
		return nil, fmt.Errorf("feed: %s at %d: %w: %w", r.Stream, r.Sequence, errUnreadable, err)
	}
	at.Sequence, at.Recorded = uint64(r.Sequence), max(at.Recorded, e.Recorded)
	e.Recorded = at.Recorded
	return contact.NewFact(e, digest, r.Body, string(r.Stream), uint64(r.Sequence)), nil
}

// await tells loop when the event index has applied what loop waits for.
func (l *life) await(ctx context.Context) error {
	for {
		select {
		case p := <-l.target:
			if err := l.cfg.Await(ctx, p); err != nil {
				return fmt.Errorf("feed: %w", err)
			}
			l.ready <- struct{}{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// loop does one thing after the other, the most urgent first.
func (l *life) loop(ctx context.Context, records <-chan batch, heartbeats <-chan heard) error {
	if err := l.first(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		in, scanned := records, l.scanned
		if l.queued >= queueMost {
			in = nil
		}
		if l.busy() {
			scanned = nil
		}
		select { // a record may stop somebody: it goes before everything else
		case b := <-in:
			if err := l.take(ctx, b); err != nil {
				return err
			}
			l.next()
			continue
		default:
		}
		timer.Reset(l.untilDue())
		var err error
		select {
		case b := <-in:
			err = l.take(ctx, b)
		case <-l.ready:
			l.awaiting = false
			err = l.settleQueue(ctx)
		case u := <-l.done:
			err = l.committedUnit(ctx, u)
		case h := <-heartbeats:
			err = l.beat(ctx, h)
		case s := <-scanned:
			err = l.swept(ctx, s)
		case <-timer.C:
			err = l.handleDue(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		l.next()
	}
}

// busy: enough commits are under way.
func (l *life) busy() bool { return l.unitsMade-l.unitsDone >= unitsMost/2 }

// take queues a batch, says at once what it stops, and settles it if the event
// index is that far.
func (l *life) take(ctx context.Context, b batch) error {
	l.queue = append(l.queue, b)
	l.queued += len(b.facts)
	l.marks[b.stream()] = b.to
	for _, f := range b.facts {
		if !f.Subject.IsZero() {
			l.unsettled[f.Subject] = append(l.unsettled[f.Subject], f)
		}
	}
	if len(l.queue) == 1 && !l.busy() {
		covered, err := l.covered(ctx, &b)
		if err != nil {
			return err
		}
		if covered {
			return l.settleQueue(ctx)
		}
	}
	return l.hurry(ctx, b)
}

// covered reports whether the event index has applied a batch.
func (l *life) covered(ctx context.Context, b *batch) (bool, error) {
	at, err := l.cfg.View.Progress(ctx, l.cfg.Index)
	if err != nil {
		return false, fmt.Errorf("feed: %w", err)
	}
	return at[b.stream()].Sequence >= b.to.Sequence, nil
}

// next asks for the head of the queue to be settled, and for the next sweep,
// once each.
func (l *life) next() {
	if !l.awaiting && len(l.queue) > 0 && !l.busy() {
		b := &l.queue[0]
		l.awaiting = true
		l.target <- view.Positions{b.stream(): b.to.Sequence}
	}
	if l.sweeping == 0 && len(l.sweeps) > 0 {
		l.sweeping = l.sweeps[0].ID
		l.tasks <- l.sweeps[0]
	}
}

// untilDue is how long the loop may wait.
func (l *life) untilDue() time.Duration {
	at := l.nextDue()
	if at == 0 {
		return time.Hour
	}
	return max(0, min(at.Sub(l.cfg.Clock()), time.Hour))
}

// nextDue is the first instant at which time alone has work for the loop; zero
// for none.
func (l *life) nextDue() events.Instant {
	next := earliest(l.listsDue, l.packDue)
	if l.dueUnit == 0 && !l.busy() {
		next = earliest(next, l.due)
	}
	return next
}

// earliest is the earlier of two instants, of which zero means none.
func earliest(a, b events.Instant) events.Instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
