package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
)

// Committer publishes to one stream. One goroutine gathers and stages a group
// while another has the group before committed; a third watches the connection.
// Its methods may be called from many goroutines.
type Committer struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  string
	opts    Options
	room    *semaphore.Weighted
	life    context.Context // ended by Close
	end     context.CancelFunc
	staged  chan *group   // unbuffered: at most one group waits behind the one being committed
	settled chan struct{} // closed when the last group is settled
	status  chan nats.Status
	ended   sync.WaitGroup

	mu        sync.Mutex
	wake      *sync.Cond
	queue     []*item
	busy      bool               // a group is being committed
	interrupt context.CancelFunc // ends the wait for the answer to a batch
	closed    bool
	pending   map[string]*item // by message id: published, result not yet known
	recent    memory
}

// item is one message on its way.
type item struct {
	msg     *Message
	call    *Call
	index   int
	twins   []*item // handed in later with the same id
	unknown bool    // a try had no answer
}

// New returns a committer for stream over nc. The connection stays the
// caller's. Close the committer before the connection.
func New(nc *nats.Conn, stream string, opts Options) (*Committer, error) {
	opts = opts.withDefaults()
	js, err := jetstream.New(nc,
		jetstream.WithDefaultTimeout(opts.Timeout),
		jetstream.WithPublishAsyncTimeout(opts.Timeout),
		jetstream.WithPublishAsyncMaxPending(4*MaxGroup))
	if err != nil {
		return nil, fmt.Errorf("group commit for %s: %w", stream, err)
	}
	c := &Committer{
		nc: nc, js: js, stream: stream, opts: opts,
		room:    semaphore.NewWeighted(int64(opts.Pending)),
		staged:  make(chan *group),
		settled: make(chan struct{}),
		pending: make(map[string]*item),
		recent:  newMemory(opts.Remember),
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.wake = sync.NewCond(&c.mu)
	c.status = nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	c.ended.Add(3)
	go c.gatherGroups()
	go c.commitGroups()
	go c.watchConnection()
	return c, nil
}

// Close refuses new messages, withdraws those not yet published
// (ErrUnavailable), waits for the answer to those on their way (at most
// Options.Timeout, then ErrAmbiguous) and releases the goroutines.
func (c *Committer) Close() {
	c.mu.Lock()
	c.closed = true
	c.end()
	c.wake.Broadcast()
	c.mu.Unlock()
	c.ended.Wait()
	c.nc.RemoveStatusListener(c.status)
	c.js.CleanupPublisher()
}

// watchConnection ends the wait for an answer when the connection breaks: it
// will not come any more.
func (c *Committer) watchConnection() {
	defer c.ended.Done()
	for {
		select {
		case <-c.settled:
			return
		case _, ok := <-c.status:
			c.mu.Lock()
			if c.interrupt != nil {
				c.interrupt()
			}
			c.mu.Unlock()
			if !ok {
				return
			}
		}
	}
}

// Enqueue hands messages in and returns without waiting for their results; it
// blocks only while Options.Pending messages are waiting. When ctx ends or the
// committer is closed meanwhile, the rest bears ErrUnavailable.
func (c *Committer) Enqueue(ctx context.Context, msgs []Message) *Call {
	call := &Call{c: c, results: make([]Result, len(msgs)), left: len(msgs), done: make(chan struct{})}
	if len(msgs) == 0 {
		close(call.done)
		return call
	}
	items := make([]item, len(msgs))
	for i := range msgs {
		items[i] = item{msg: &msgs[i], call: call, index: i}
	}
	for from := 0; from < len(items); {
		n := min(len(items)-from, c.opts.MaxGroup, c.opts.Pending)
		if err := c.admit(ctx, items[from:from+n]); err != nil {
			err = fmt.Errorf("publish to %s: %w: not sent: %w", c.stream, ErrUnavailable, err)
			for i := from; i < len(items); i++ {
				call.set(i, Result{Err: err})
			}
			return call
		}
		from += n
	}
	return call
}

var errClosed = errors.New("the committer is closed")

// admit waits for room and appends items to the queue.
func (c *Committer) admit(ctx context.Context, items []item) error {
	if !c.room.TryAcquire(int64(len(items))) {
		wait, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.life, cancel)()
		if err := c.room.Acquire(wait, int64(len(items))); err != nil {
			if ctx.Err() == nil {
				return errClosed
			}
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.room.Release(int64(len(items)))
		return errClosed
	}
	for i := range items {
		c.queue = append(c.queue, &items[i])
	}
	c.wake.Signal()
	return nil
}

// gatherGroups takes groups from the queue, stages them and hands them to
// commitGroups.
func (c *Committer) gatherGroups() {
	defer c.ended.Done()
	defer close(c.staged)
	for {
		items, ok := c.take()
		if !ok {
			return
		}
		if len(items) == 0 {
			continue
		}
		g := c.newGroup(items)
		if len(items) >= c.opts.Threshold && c.nc.IsConnected() {
			g.stage(c, items)
		}
		c.staged <- g
	}
}

// take waits until there is something worth a group: anything at all when the
// committer is idle, a full group while it is busy.
func (c *Committer) take() ([]*item, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && (len(c.queue) == 0 || c.busy && len(c.queue) < c.opts.MaxGroup) {
		c.wake.Wait()
	}
	if c.closed {
		c.withdrawAll()
		return nil, false
	}
	if len(c.queue) < c.opts.MaxGroup {
		// Callers that the last commit released are about to come back.
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	items := c.cut()
	if len(items) > 0 {
		c.busy = true
	}
	return items, true
}

// cut removes the next group from the queue: without what was abandoned, what
// is known to be stored and what is on its way already.
func (c *Committer) cut() []*item {
	group := make([]*item, 0, min(len(c.queue), c.opts.MaxGroup))
	bytes, n := 0, 0
	for _, it := range c.queue {
		if len(group) == c.opts.MaxGroup || len(group) > 0 && bytes+len(it.msg.Data) > c.opts.MaxGroupBytes {
			break
		}
		n++
		if it.call.isAbandoned() {
			c.room.Release(1)
			continue
		}
		if id := it.msg.ID; id != "" {
			if known, ok := c.recent.get(id); ok {
				c.finish(it, Result{Sequence: known.sequence, Stamped: known.stamped, Duplicate: true})
				continue
			}
			if first, ok := c.pending[id]; ok {
				first.twins = append(first.twins, it)
				continue
			}
			c.pending[id] = it
		}
		bytes += len(it.msg.Data)
		group = append(group, it)
	}
	rest := copy(c.queue, c.queue[n:])
	clear(c.queue[rest:])
	c.queue = c.queue[:rest]
	return group
}

// withdrawAll settles the queue when the committer closes.
func (c *Committer) withdrawAll() {
	for _, it := range c.queue {
		c.finish(it, Result{Err: fmt.Errorf("publish to %s: %w: not sent: %w", c.stream, ErrUnavailable, errClosed)})
	}
	c.queue = nil
}

// settle gives an item and its twins their results.
func (c *Committer) settle(it *item, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := it.msg.ID; id != "" {
		delete(c.pending, id)
		if r.Err == nil {
			c.recent.put(id, place{sequence: r.Sequence, stamped: r.Stamped})
		}
	}
	c.finish(it, r)
	if r.Err == nil {
		r.Duplicate, r.Resent = true, false
	}
	for _, twin := range it.twins {
		c.finish(twin, r)
	}
}

// finish hands the result to the caller and frees the room.
func (c *Committer) finish(it *item, r Result) {
	it.call.set(it.index, r)
	c.room.Release(1)
}

// idle ends the group being committed.
func (c *Committer) idle() {
	c.mu.Lock()
	c.busy = false
	c.wake.Signal()
	c.mu.Unlock()
}
