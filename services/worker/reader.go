package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errGap says that the broker handed a message to nobody, or to somebody else:
// the reader must be opened again behind the last message that was handled.
var errGap = errors.New("read batch: gap in the delivery")

// source is what a reader reads: one durable AckAll consumer on one limits
// stream.
type source struct {
	js       jetstream.JetStream
	stream   string
	durable  string
	prefetch int
	purge    int           // purge after so many handled messages; 0 = never
	idle     time.Duration // after so long without a message, look for lost ones and tidy up
}

// reader hands out the stream in order and without gaps. It owns the consumer:
// it resets it behind the last handled message when it opens, so that messages
// that a former reader was given and did not handle come first. Without that
// reset they would come after their acknowledgement wait, behind younger ones,
// and the acknowledgement of a younger one would cover them.
type reader struct {
	src      source
	stream   jetstream.Stream
	consumer jetstream.Consumer
	iter     jetstream.MessagesContext
	arrived  chan jetstream.Msg
	failed   chan error // buffered; why the pump stopped
	expected uint64     // next stream sequence
	missed   uint64     // sequence that was delivered and had not come at the last look
	held     *Message   // arrived, did not fit the last batch
	heldMsg  jetstream.Msg

	handled   uint64 // every message up to it was handled
	acked     jetstream.Msg
	confirmed bool // the broker has confirmed acked
	purged    uint64
	purging   atomic.Bool
	purges    sync.WaitGroup
}

// open prepares the consumer. handled is the last message known to be handled
// by this process; 0 asks the broker.
func (s source) open(ctx context.Context, handled uint64) (*reader, error) {
	stream, err := s.js.Stream(ctx, s.stream)
	if err != nil {
		return nil, fmt.Errorf("open reader: stream %s: %w", s.stream, err)
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: s.durable, AckPolicy: jetstream.AckAllPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		// Redelivery is by reset, never by time: a batch may take as long as
		// the ledger is away.
		AckWait: 24 * time.Hour, MaxDeliver: -1, MaxAckPending: -1,
	})
	if err != nil {
		return nil, fmt.Errorf("open reader: consumer %s on %s: %w", s.durable, s.stream, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("open reader: stream %s: %w", s.stream, err)
	}
	floor := max(handled, consumer.CachedInfo().AckFloor.Stream)
	if info.State.FirstSeq > 0 {
		floor = max(floor, info.State.FirstSeq-1)
	}
	floor = min(floor, info.State.LastSeq) // a stream that was made anew begins anew
	if _, err := stream.ResetConsumerToSequence(ctx, s.durable, floor+1); err != nil {
		return nil, fmt.Errorf("open reader: reset consumer %s on %s to %d: %w", s.durable, s.stream, floor+1, err)
	}
	iter, err := consumer.Messages(jetstream.PullMaxMessages(s.prefetch), jetstream.PullExpiry(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("open reader: pull from %s: %w", s.stream, err)
	}
	r := &reader{
		src: s, stream: stream, consumer: consumer, iter: iter,
		arrived: make(chan jetstream.Msg, s.prefetch), failed: make(chan error, 1),
		expected: floor + 1, handled: floor, purged: floor, confirmed: true,
	}
	go r.pump()
	return r, nil
}

func (r *reader) pump() {
	defer close(r.arrived)
	for {
		m, err := r.iter.Next()
		if err != nil {
			r.failed <- err
			return
		}
		r.arrived <- m
	}
}

// close stops pulling. When flush is set the last acknowledgement is confirmed
// by the broker first.
func (r *reader) close(ctx context.Context, flush bool) {
	r.iter.Stop()
	for range r.arrived { // let the pump end
	}
	if flush {
		r.tidy(ctx)
	}
	r.purges.Wait()
}

// next waits for at least one message and returns what has arrived, at most n
// messages and, beyond the first, at most size bytes.
func (r *reader) next(ctx context.Context, n, size int) ([]Message, jetstream.Msg, error) {
	first, last, err := r.first(ctx)
	if err != nil {
		return nil, nil, err
	}
	batch := append(make([]Message, 0, min(n, 1+len(r.arrived))), first)
	size -= len(first.Body)
	for len(batch) < n && size > 0 {
		select {
		case m, ok := <-r.arrived:
			if !ok {
				return batch, last, nil
			}
			msg, err := r.take(ctx, m)
			if err != nil {
				return batch, last, nil // met again, as a gap, by the next call
			}
			if size -= len(msg.Body); size < 0 {
				r.held, r.heldMsg = &msg, m
				return batch, last, nil
			}
			batch, last = append(batch, msg), m
		default:
			return batch, last, nil
		}
	}
	return batch, last, nil
}

func (r *reader) first(ctx context.Context) (Message, jetstream.Msg, error) {
	if r.held != nil {
		msg, m := *r.held, r.heldMsg
		r.held, r.heldMsg = nil, nil
		return msg, m, nil
	}
	idle := time.NewTicker(r.src.idle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return Message{}, nil, ctx.Err()
		case m, ok := <-r.arrived:
			if !ok {
				return Message{}, nil, fmt.Errorf("read batch: %w", <-r.failed)
			}
			msg, err := r.take(ctx, m)
			return msg, m, err
		case <-idle.C:
			r.tidy(ctx)
			if err := r.lookForLost(ctx); err != nil {
				return Message{}, nil, err
			}
		}
	}
}

// take checks that m is the next message of the stream.
func (r *reader) take(ctx context.Context, m jetstream.Msg) (Message, error) {
	msg, ok := received(m)
	if !ok {
		return Message{}, fmt.Errorf("%w: message without position", errGap)
	}
	if msg.Sequence != r.expected && !r.deleted(ctx, msg.Sequence) {
		return Message{}, fmt.Errorf("%w: %s has %d where %d was due", errGap, r.src.stream, msg.Sequence, r.expected)
	}
	r.expected = msg.Sequence + 1
	return msg, nil
}

// deleted reports whether nothing is stored between the expected message and
// the one at sequence: then somebody deleted what was due.
func (r *reader) deleted(ctx context.Context, sequence uint64) bool {
	if sequence < r.expected {
		return false
	}
	next, err := r.stream.GetMsg(ctx, r.expected, jetstream.WithGetMsgSubject(">"))
	return err == nil && next.Sequence == sequence
}

// lookForLost finds messages that the broker counts as delivered and that
// never came, for instance because the connection broke in between. What may
// still be on its way gets until the next look.
func (r *reader) lookForLost(ctx context.Context) error {
	info, err := r.consumer.Info(ctx)
	if err != nil {
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("%w: consumer %s is gone", errGap, r.src.durable)
		}
		return nil // the pull itself will notice
	}
	if len(r.arrived) > 0 || info.Delivered.Stream < r.expected {
		r.missed = 0
		return nil
	}
	if r.missed == r.expected {
		return fmt.Errorf("%w: %s delivered %d, %d never came", errGap, r.src.stream, info.Delivered.Stream, r.expected)
	}
	r.missed = r.expected
	return nil
}

// done acknowledges everything up to last without waiting, and now and then
// purges what is acknowledged.
func (r *reader) done(last jetstream.Msg, sequence uint64) {
	// A lost acknowledgement is covered by the next one, or by tidy.
	_ = last.Ack()
	r.acked, r.confirmed, r.handled = last, false, sequence
	if r.src.purge > 0 && r.handled-r.purged >= uint64(r.src.purge) {
		r.startPurge()
	}
}

// tidy confirms the last acknowledgement and purges up to it, so that an idle
// queue keeps no numbers in clear.
func (r *reader) tidy(ctx context.Context) {
	if !r.confirmed {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := r.src.js.Conn().RequestWithContext(ctx, r.acked.Reply(), []byte("+ACK")); err != nil {
			return // tried again by the next call
		}
		r.confirmed = true
	}
	if r.src.purge > 0 && r.handled > r.purged {
		r.startPurge()
	}
}

func (r *reader) startPurge() {
	if !r.purging.CompareAndSwap(false, true) {
		return
	}
	upTo := r.handled
	r.purged = upTo
	r.purges.Go(func() {
		defer r.purging.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// A purge that fails is made good by the next one, which reaches
		// further.
		_ = r.stream.Purge(ctx, jetstream.WithPurgeSequence(upTo+1))
	})
}
