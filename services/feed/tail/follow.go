package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// Request says what to follow.
type Request struct {
	Controller string
	Dialer     string // names the durable cursor
	// From, where not nil, is the last position that the reader has applied; 0
	// asks for a snapshot. nil: the dialer's cursor decides.
	From *uint64
}

// Kind says what an Item is.
type Kind string

// The kinds.
const (
	Suppression Kind = "suppression" // Message; of a snapshot without Position
	Current     Kind = "current"     // Beat: everything that was said when the tail began is handed out
	Heartbeat   Kind = "heartbeat"   // Beat: everything up to its Position is handed out
)

// Item is one thing that a dialer hears.
type Item struct {
	Kind    Kind
	Message events.FeedMessage
	Beat    events.FeedBeat
	// Position is what the reader has applied once it has applied this item; 0
	// within a snapshot, after which alone it is known.
	Position uint64
}

// Tail is one dialer's way through the feed.
type Tail struct {
	reader  *Reader
	request Request
	items   chan Item
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	mu  sync.Mutex
	err error
}

// Bounds of a tail.
const (
	buffered  = 1024             // items that wait for a slow reader
	stallMost = 15 * time.Second // that the reader may take none
)

// Follow starts a tail. It goes on after From, or after the dialer's cursor,
// if FEED still holds what follows; otherwise it begins with a snapshot. Close
// it, or end ctx.
func (r *Reader) Follow(ctx context.Context, q Request) (*Tail, error) {
	ctx, cancel := context.WithCancel(ctx)
	t := &Tail{reader: r, request: q, items: make(chan Item, buffered), cancel: cancel}
	stream, err := r.js.Stream(ctx, events.FeedStream)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
	}
	beats := make(chan *nats.Msg, 64)
	sub, err := r.nc.ChanSubscribe(events.FeedBeatSubject, beats)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
	}
	from, held, err := r.start(ctx, stream, q)
	if err != nil {
		cancel()
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	t.ended.Go(func() {
		defer sub.Unsubscribe()
		defer close(t.items)
		t.end(t.run(ctx, stream, from, !held, beats))
	})
	return t, nil
}

// start finds where to go on; held is false when that is not possible.
func (r *Reader) start(ctx context.Context, stream jetstream.Stream, q Request) (from uint64, held bool, err error) {
	if q.From != nil {
		from = *q.From
	} else if q.Dialer != "" {
		if from, err = r.cursor(ctx, q.Controller, q.Dialer); err != nil {
			return 0, false, err
		}
	}
	if from == 0 {
		return 0, false, nil
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
	}
	return from, from+1 >= info.State.FirstSeq && from <= info.State.LastSeq, nil
}

// Next waits for the next item. The error is that of ctx, ErrClosed, or why
// the tail ended (ErrSlow, ErrUnavailable): then follow again.
func (t *Tail) Next(ctx context.Context) (Item, error) {
	select {
	case item, ok := <-t.items:
		if !ok {
			t.mu.Lock()
			defer t.mu.Unlock()
			return Item{}, t.err
		}
		return item, nil
	case <-ctx.Done():
		return Item{}, ctx.Err()
	}
}

// Ready reports whether Next has an item without waiting.
func (t *Tail) Ready() bool { return len(t.items) > 0 }

// Close ends the tail.
func (t *Tail) Close() {
	t.cancel()
	t.ended.Wait()
}

func (t *Tail) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err = err; err == nil || errors.Is(err, context.Canceled) {
		t.err = ErrClosed
	}
}

// hand gives an item to the reader, who has Reader.stall to make room.
func (t *Tail) hand(ctx context.Context, item Item) error {
	select {
	case t.items <- item:
		return nil
	default:
	}
	stall := time.NewTimer(t.reader.stall)
	defer stall.Stop()
	select {
	case t.items <- item:
		return nil
	case <-stall.C:
		return fmt.Errorf("feed tail: %w", ErrSlow)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run hands out snapshot and tail until ctx ends or something fails.
func (t *Tail) run(ctx context.Context, stream jetstream.Stream, from uint64, snapshot bool, beats <-chan *nats.Msg) error {
	if snapshot {
		var err error
		from, err = t.reader.pages(ctx, t.request, func(list []events.FeedMessage) error {
			for i := range list {
				if err := t.hand(ctx, Item{Kind: Suppression, Message: list[i]}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	m := merger{tail: t, stream: stream, done: from}
	return m.run(ctx, from, beats)
}

// merger puts messages and beats into one order.
type merger struct {
	tail    *Tail
	stream  jetstream.Stream
	done    uint64           // last position handed out, or known to hold nothing for this reader
	current bool             // Current was handed out
	waiting *events.FeedBeat // comes once done reaches target
	target  uint64
}

func (m *merger) run(ctx context.Context, from uint64, beats <-chan *nats.Msg) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	consumer, err := m.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: events.FeedFilters(m.tail.request.Controller), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from + 1,
	})
	if err != nil {
		return fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(500))
	if err != nil {
		return fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	read, failed := make(chan jetstream.Msg), make(chan error, 1)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer messages.Stop()
	defer cancel()
	reading.Go(func() { failed <- readAll(ctx, messages, read) })
	for {
		select {
		case msg := <-read:
			err = m.message(ctx, msg)
		case b := <-beats:
			err = m.beat(ctx, b)
		case err = <-failed:
			err = fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func readAll(ctx context.Context, messages jetstream.MessagesContext, into chan<- jetstream.Msg) error {
	for {
		msg, err := messages.Next()
		if err != nil {
			return err
		}
		select {
		case into <- msg:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// message hands out one message of the tail.
func (m *merger) message(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("feed tail: %w", err)
	}
	item := Item{Kind: Suppression, Position: meta.Sequence.Stream}
	if err := json.Unmarshal(msg.Data(), &item.Message); err != nil {
		return fmt.Errorf("feed tail: message %d: %w", meta.Sequence.Stream, err)
	}
	item.Message.Position = item.Position
	if err := m.tail.hand(ctx, item); err != nil {
		return err
	}
	m.done = item.Position
	return m.beatIfDone(ctx)
}

// beat takes a beat of the feed. It is handed out once everything that the feed
// had said for this reader is.
func (m *merger) beat(ctx context.Context, msg *nats.Msg) error {
	if m.waiting != nil { // a later one would need more; the next comes soon
		return nil
	}
	var b events.FeedBeat
	if err := json.Unmarshal(msg.Data, &b); err != nil {
		return fmt.Errorf("feed tail: beat: %w", err)
	}
	last, err := m.last(ctx)
	if err != nil {
		return err
	}
	m.waiting, m.target = &b, last
	return m.beatIfDone(ctx)
}

// last is the last position in FEED of a message for this reader.
func (m *merger) last(ctx context.Context) (uint64, error) {
	var last uint64
	for _, subject := range events.FeedFilters(m.tail.request.Controller) {
		raw, err := m.stream.GetLastMsgForSubject(ctx, subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, fmt.Errorf("feed tail: %w: %w", ErrUnavailable, err)
		default:
			last = max(last, raw.Sequence)
		}
	}
	return last, nil
}

// beatIfDone hands out the waiting beat when its time has come.
func (m *merger) beatIfDone(ctx context.Context) error {
	if m.waiting == nil || m.done < m.target {
		return nil
	}
	b := *m.waiting
	m.waiting = nil
	b.Position = max(b.Position, m.done)
	item := Item{Kind: Heartbeat, Beat: b, Position: b.Position}
	if !m.current {
		m.current, item.Kind = true, Current
	}
	return m.tail.hand(ctx, item)
}
