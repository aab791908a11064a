package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// FollowOptions say who follows the feed. Controller, Dialer and Processor are
// required.
type FollowOptions struct {
	// Controller is for whom the calls are placed; its messages and those that
	// concern every controller are followed.
	Controller string
	// Dialer names this dialer's cursor: two that call at once have two names.
	Dialer string
	// Processor is who dials; suppression.acknowledged is recorded for it.
	Processor string
	// OnStop hears, after it was applied, of everything that stops calls that
	// were not stopped so far, so that a running dialer can drop a queued
	// number or hang up. After an interruption it hears of what was missed. It
	// is called by one goroutine at a time and must not wait.
	OnStop func(events.FeedMessage)
	// OnError hears of faults; the following goes on and repairs them, while
	// MayCall blocks as long as it must. An error that wraps ErrNotPermitted
	// needs the operator. nil = nobody hears.
	OnError func(error)
	// AckEvery is how often, at most, the applied position is acknowledged when
	// it has moved (default 100 ms); negative = on request only, see
	// Acknowledge.
	AckEvery time.Duration
	// Backoff is the pause after a fault (default 100 ms); it doubles from
	// fault to fault, up to fifty times itself.
	Backoff time.Duration
	// Suppressions are the bounds of the set; its Controller is ours.
	Suppressions SuppressionOptions
}

func (o *FollowOptions) check() error {
	var missing []error
	for _, f := range []struct{ name, value string }{{"Controller", o.Controller}, {"Dialer", o.Dialer}, {"Processor", o.Processor}} {
		if f.value == "" {
			missing = append(missing, fmt.Errorf("follow the feed: %s is needed", f.name))
		}
	}
	if o.AckEvery == 0 {
		o.AckEvery = 100 * time.Millisecond
	}
	if o.Backoff <= 0 {
		o.Backoff = 100 * time.Millisecond
	}
	o.Suppressions.Controller = o.Controller
	return errors.Join(missing...)
}

// follower keeps a set up to date.
type follower struct {
	set  *Suppressions
	opts FollowOptions
	nc   *nats.Conn
	js   jetstream.JetStream
	line *line
	ctx  context.Context // ends with Close or that of Follow

	stop    context.CancelFunc
	running sync.WaitGroup
	closers []func()
	anew    chan struct{} // a new snapshot is wanted

	behind  map[string]chan struct{} // by filter: asks its tail to look how far it is
	calling sync.Mutex               // serialises calls of OnStop

	mu      sync.Mutex
	created time.Time // of the FEED stream that the positions are of
	reached map[string]uint64
	own     uint64 // position of the last message that was applied
	acked   uint64
}

// Follow follows the feed of a controller until ctx ends or Close, and returns
// the set that it keeps up to date; the set allows nothing until it is current
// (WaitCurrent). The connection stays the caller's. The error says what the
// options lack.
//
// It takes a snapshot and then reads the tail from the snapshot's position on
// with an ordered consumer of its own, which it makes again, from what is
// applied, whenever messages could be missing: after an interruption, a restart
// of the broker, when the consumer was deleted. Where the tail does not reach
// back that far it takes a new snapshot.
func Follow(ctx context.Context, nc *nats.Conn, o FollowOptions) (*Suppressions, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("follow the feed: %w", err)
	}
	f := &follower{set: NewSuppressions(o.Suppressions), opts: o, nc: nc, js: js, anew: make(chan struct{}, 1), reached: make(map[string]uint64), behind: make(map[string]chan struct{})}
	for _, filter := range events.FeedFilters(o.Controller) {
		f.behind[filter] = make(chan struct{}, 1)
	}
	f.ctx, f.stop = context.WithCancel(ctx)
	f.line = newLine(f.ctx, nc)
	sub, err := nc.Subscribe(events.FeedBeatSubject, f.beat)
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("follow the feed: hear heartbeats: %w", err)
	}
	f.closers = append(f.closers, func() { _ = sub.Unsubscribe() }, watchPermissions(nc, f.denied))
	f.set.following = f
	f.running.Go(func() { f.line.watch(f.ctx) })
	f.running.Go(f.run)
	if o.AckEvery > 0 {
		f.running.Go(f.acknowledgeAlways)
	}
	return f.set, nil
}

// Close ends the following and waits for it; the set allows nothing any more. A
// second call does nothing, nor does one without Follow.
func (s *Suppressions) Close() {
	if f := s.following; f != nil {
		f.stop()
		f.running.Wait()
	}
}

// run takes snapshots and follows the tail until ctx ends.
func (f *follower) run() {
	pause := f.opts.Backoff
	for f.ctx.Err() == nil {
		began := time.Now()
		err := f.session()
		if f.ctx.Err() != nil {
			break
		}
		f.tell(err)
		if time.Since(began) > time.Minute {
			pause = f.opts.Backoff
		}
		rest(f.ctx, jitter(pause))
		pause = min(2*pause, 50*f.opts.Backoff)
	}
	f.set.suspect(Reason{Code: CodeStopped, Text: "the following of the feed has ended"})
	for _, c := range f.closers {
		c()
	}
}

// tell reports a fault.
func (f *follower) tell(err error) {
	if err != nil && f.opts.OnError != nil {
		f.opts.OnError(fmt.Errorf("follow the feed: %w", err))
	}
}

// session takes a snapshot and follows the tail from there until a new snapshot
// is needed.
func (f *follower) session() error {
	select {
	case <-f.anew:
	default:
	}
	if err := f.snapshot(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	var tails sync.WaitGroup
	for _, filter := range events.FeedFilters(f.opts.Controller) {
		tails.Go(func() { cancel(f.tail(ctx, filter)) })
	}
	select {
	case <-ctx.Done():
	case <-f.anew:
		cancel(errAnew)
	}
	tails.Wait()
	err := context.Cause(ctx)
	if f.ctx.Err() == nil {
		f.set.Doubt("the tail of the feed does not reach back far enough: a new snapshot is needed")
	}
	return err
}

// beat hears a heartbeat, on a goroutine of the connection.
func (f *follower) beat(m *nats.Msg) {
	var b events.FeedBeat
	if unmarshal(m.Data, &b) != nil || b.Sent.IsZero() {
		return // what cannot be read does not count, and silence blocks
	}
	if f.set.Beat(b) != nil {
		signal(f.anew)
	}
}

func (f *follower) denied(v violation) {
	switch {
	case v.inbox:
		f.tell(fmt.Errorf("%w to hear answers: connect with the inbox prefix of the user, see Connect", ErrNotPermitted))
	case f.uses(v.subject):
		f.tell(fmt.Errorf("%w: %s: ask the operator for a credential that covers controller %s", ErrNotPermitted, v.subject, f.opts.Controller))
	}
}

// uses reports whether the follower speaks or listens on a subject.
func (f *follower) uses(subject string) bool {
	for _, s := range []string{events.FeedBeatSubject, events.FeedSnapshotSubject(f.opts.Controller), events.FeedAckSubject(f.opts.Controller)} {
		if subject == s {
			return true
		}
	}
	return apiOfFeed.MatchString(subject)
}

// applied notes what one filter of the tail has reached; everything up to the
// least of them is applied. own says that a message was applied there: then the
// others look how far they are, so that it can be acknowledged soon.
func (f *follower) applied(filter string, position uint64, own bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached[filter] = max(f.reached[filter], position)
	if own {
		f.own = max(f.own, position)
	}
	least := position
	for other, p := range f.reached {
		least = min(least, p)
		if own && p < position {
			signal(f.behind[other])
		}
	}
	f.set.Reach(least)
}

// signal leaves a note for one who may be busy.
func signal(note chan<- struct{}) {
	select {
	case note <- struct{}{}:
	default:
	}
}

// stopped calls OnStop.
func (f *follower) stopped(messages ...events.FeedMessage) {
	if f.opts.OnStop == nil {
		return
	}
	f.calling.Lock()
	defer f.calling.Unlock()
	for _, m := range messages {
		f.opts.OnStop(m)
	}
}
