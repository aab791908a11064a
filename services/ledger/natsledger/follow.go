package natsledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/ledger"
)

// What a follower holds for Next, over all streams: the broker sends as much
// again ahead. Each stream has an equal share, but not less than the least.
const (
	aheadRecords, leastRecords = 40_000, 256
	aheadBytes, leastBytes     = 64 << 20, 1 << 20
)

// follower merges one ordered consumer per stream.
type follower struct {
	log    *Ledger
	ctx    context.Context // ends with Follow's, or by Stop
	cancel context.CancelFunc
	outer  context.Context // Follow's
	once   sync.Once
	ended  sync.WaitGroup

	mu      sync.Mutex
	lanes   []*lane
	turn    int
	records int           // that one lane may hold
	bytes   int           // likewise
	failed  error         // ErrGone, for ever
	stopped bool          // by Stop
	ready   chan struct{} // 1: something for Next
}

// lane is one stream's part of a follower.
type lane struct {
	stream ledger.Stream
	queue  []ledger.Record
	bytes  int           // of the bodies in queue
	room   chan struct{} // 1: Next took something
}

// Follow implements ledger.Reader. The error wraps ledger.ErrGone or
// ledger.ErrUnavailable, or is that of ctx.
func (l *Ledger) Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error) {
	last, err := l.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	for stream, at := range after {
		if at > last[stream] {
			return nil, fmt.Errorf("follow %s after %d: %w: the stream ends at %d", stream, at, ledger.ErrGone, last[stream])
		}
	}
	f := &follower{
		log: l, outer: ctx, ready: make(chan struct{}, 1),
		records: max(aheadRecords/len(l.streams), leastRecords),
		bytes:   max(aheadBytes/len(l.streams), leastBytes),
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	for _, s := range l.streams {
		ln := &lane{stream: s, room: make(chan struct{}, 1)}
		f.lanes = append(f.lanes, ln)
		next := after[s] + 1
		f.ended.Go(func() { f.feed(ln, next) })
	}
	return f, nil
}

// feed reads one stream until the follower ends or the stream has a hole.
func (f *follower) feed(ln *lane, next ledger.Sequence) {
	for wait := 10 * time.Millisecond; f.ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
		was := next
		var err error
		if next, err = f.consume(ln, next); errors.Is(err, ledger.ErrGone) {
			f.fail(err)
			return
		}
		if next > was {
			wait = 10 * time.Millisecond
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// consume runs one ordered consumer from next on and returns where it ended.
func (f *follower) consume(ln *lane, next ledger.Sequence) (ledger.Sequence, error) {
	if err := f.check(ln.stream, next); err != nil {
		return next, err
	}
	consumer, err := f.log.bulk.OrderedConsumer(f.ctx, string(ln.stream), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(next), MaxResetAttempts: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return next, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(f.records, f.bytes))
	if err != nil {
		return next, err
	}
	defer messages.Stop()
	defer context.AfterFunc(f.ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if err != nil {
			return next, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return next, err
		}
		switch at := ledger.Sequence(meta.Sequence.Stream); {
		case at < next:
		case at > next:
			if err := f.missing(ln.stream, next, at); err != nil {
				return next, err
			}
		default:
			if !f.push(ln, ledger.Record{Stream: ln.stream, Sequence: at, Body: msg.Data()}) {
				return next, f.ctx.Err()
			}
			next++
		}
	}
}

// check looks whether the stream still reaches up to next, after a start or a
// reconnection: a broker restored from an older copy does not.
func (f *follower) check(stream ledger.Stream, next ledger.Sequence) error {
	info, err := f.log.info(f.ctx, stream)
	if err != nil {
		return err
	}
	if last := ledger.Sequence(info.State.LastSeq); last+1 < next {
		return fmt.Errorf("follow %s after %d: %w: the stream ends at %d", stream, next-1, ledger.ErrGone, last)
	}
	return nil
}

// missing makes sure of a hole before it is reported: nil means that the record
// is there after all and the consumer must start again.
func (f *follower) missing(stream ledger.Stream, want, got ledger.Sequence) error {
	_, err := f.log.Read(f.ctx, stream, want, 1)
	if errors.Is(err, ledger.ErrGone) {
		return fmt.Errorf("follow %s at %d: %w: the next one is %d", stream, want, ledger.ErrGone, got)
	}
	if err == nil {
		err = errRestart
	}
	return err
}

var errRestart = errors.New("the consumer skipped a record")

// push queues a record for Next and waits while the queue is full; false means
// that the follower ended.
func (f *follower) push(ln *lane, r ledger.Record) bool {
	for {
		f.mu.Lock()
		if len(ln.queue) == 0 || len(ln.queue) < f.records && ln.bytes < f.bytes {
			ln.queue = append(ln.queue, r)
			ln.bytes += len(r.Body)
			first := len(ln.queue) == 1
			f.mu.Unlock()
			if first {
				signal(f.ready)
			}
			return true
		}
		f.mu.Unlock()
		select {
		case <-ln.room:
		case <-f.ctx.Done():
			return false
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fail ends the follower once what was queued is delivered.
func (f *follower) fail(err error) {
	f.mu.Lock()
	if f.failed == nil {
		f.failed = err
	}
	f.mu.Unlock()
	signal(f.ready)
}

// Next implements ledger.Follower.
func (f *follower) Next(ctx context.Context, limit int) ([]ledger.Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := f.takeQueued(max(limit, 1))
		if err != nil || len(list) > 0 {
			return list, err
		}
		select {
		case <-f.ready:
		case <-ctx.Done():
		case <-f.ctx.Done():
		}
	}
}

// takeQueued returns queued records of the stream whose turn it is, or the
// error that ends the follower, or neither.
func (f *follower) takeQueued(limit int) ([]ledger.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, ledger.ErrStopped
	}
	if err := f.outer.Err(); err != nil {
		return nil, err
	}
	for range f.lanes {
		ln := f.lanes[f.turn%len(f.lanes)]
		f.turn++
		if len(ln.queue) == 0 {
			continue
		}
		n := min(limit, len(ln.queue))
		list := ln.queue[:n:n]
		ln.queue = ln.queue[n:]
		for _, r := range list {
			ln.bytes -= len(r.Body)
		}
		signal(ln.room)
		signal(f.ready) // there may be more
		return list, nil
	}
	return nil, f.failed
}

// Stop implements ledger.Follower. It waits until the consumers are released.
func (f *follower) Stop() {
	f.once.Do(func() {
		f.mu.Lock()
		f.stopped = true
		f.mu.Unlock()
		f.cancel()
	})
	f.ended.Wait()
}
