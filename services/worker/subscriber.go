package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// ErrSubscriberClosed is returned by Subscribe after Close.
var ErrSubscriberClosed = errors.New("subscribe: subscriber is closed")

// SubscriberConfig configures a Subscriber. Zero fields take the defaults.
type SubscriberConfig struct {
	JetStream jetstream.JetStream
	Leases    *Leases
	// Durable names the consumer, and with it the group: each group reads
	// everything once.
	Durable string
	// Instance names this process among those that share the durable; a new
	// life of the same instance takes over at once. Default: a random name.
	Instance string
	// Stream names the stream of a topic; nil takes the topic as it stands.
	Stream func(topic string) string
	// Create, when set, gives the stream that SubscribeInitialize creates.
	Create func(topic string) jetstream.StreamConfig

	MaxMessages int           // messages in one batch, default 1
	MaxBytes    int           // bytes in one batch of more than one message, default 8 MiB
	Prefetch    int           // messages asked for in advance, default 2 MaxMessages, at least 64
	PurgeEvery  int           // purge the stream after so many acknowledged messages; 0 = never
	Idle        time.Duration // look for lost messages and tidy up after so long without one, default 2 s
	Grace       time.Duration // how long a batch may go on after the end was asked for, default 0
	Backoff     time.Duration // wait before a refused batch is handed out again or a failed reader is opened, default 100 ms

	// OnActive runs while this instance is the active one of its durable.
	OnActive func(ctx context.Context, lease *Lease)
	// OnFault hears of faults of the bus, which are retried for ever.
	OnFault func(err error)
}

// Subscriber hands out the messages of a stream in order, one Watermill message
// at a time: a message is followed by the next one only after it was
// acknowledged, and by itself after it was refused. With MaxMessages above 1
// one Watermill message carries up to that many bus messages. Acknowledgements
// go to the broker without waiting for its answer; what was handled and not yet
// acknowledged there is handed out again after a crash.
type Subscriber struct {
	cfg    SubscriberConfig
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// NewOrdered returns a subscriber of single messages.
func NewOrdered(cfg SubscriberConfig) (*Subscriber, error) {
	cfg.MaxMessages = 1
	return NewBatch(cfg)
}

// NewBatch returns a subscriber of batches of up to cfg.MaxMessages messages.
func NewBatch(cfg SubscriberConfig) (*Subscriber, error) {
	if cfg.JetStream == nil || cfg.Leases == nil || cfg.Durable == "" {
		return nil, errors.New("new subscriber: JetStream, Leases and Durable are needed")
	}
	if cfg.Stream == nil {
		cfg.Stream = func(topic string) string { return topic }
	}
	if cfg.Instance == "" {
		cfg.Instance = nuid.Next()
	}
	cfg.MaxMessages = max(cfg.MaxMessages, 1)
	cfg.MaxBytes = orDefault(cfg.MaxBytes, 8<<20)
	cfg.Prefetch = orDefault(cfg.Prefetch, max(2*cfg.MaxMessages, 64))
	cfg.Idle = orDefault(cfg.Idle, 2*time.Second)
	cfg.Backoff = orDefault(cfg.Backoff, 100*time.Millisecond)
	if cfg.OnActive == nil {
		cfg.OnActive = func(context.Context, *Lease) {}
	}
	if cfg.OnFault == nil {
		cfg.OnFault = func(error) {}
	}
	s := &Subscriber{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

// SubscribeInitialize creates the stream of topic where Create is configured.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	if s.cfg.Create == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	if _, err := s.cfg.JetStream.CreateOrUpdateStream(ctx, s.cfg.Create(topic)); err != nil {
		return fmt.Errorf("initialise subscription: create stream of %s: %w", topic, err)
	}
	return nil
}

// Subscribe hands out the messages of topic until ctx ends or Close is called;
// then the channel is closed, after the message under way was answered or the
// grace is over.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrSubscriberClosed
	}
	sub := &subscription{
		cfg: s.cfg, out: make(chan *message.Message),
		source: source{
			js: s.cfg.JetStream, stream: s.cfg.Stream(topic), durable: s.cfg.Durable,
			prefetch: s.cfg.Prefetch, purge: s.cfg.PurgeEvery, idle: s.cfg.Idle,
		},
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	s.active.Go(func() {
		defer cancel()
		defer stop()
		sub.run(ctx)
	})
	return sub.out, nil
}

// Close ends all subscriptions and waits for them.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.active.Wait()
	return nil
}

// subscription is one reader's life: wait for the lease, read while it lasts.
type subscription struct {
	cfg    SubscriberConfig
	source source
	out    chan *message.Message
}

func (s *subscription) run(ctx context.Context) {
	defer close(s.out)
	for restart := true; ; restart = false {
		// The lease outlives ctx by the grace, for the batch under way.
		lease, err := s.cfg.Leases.acquire(ctx, context.WithoutCancel(ctx), s.source.stream+"-"+s.source.durable, s.cfg.Instance, restart)
		if err != nil {
			return
		}
		s.hold(ctx, lease)
		lease.Release()
		if ctx.Err() != nil {
			return
		}
	}
}

// hold reads while the lease lasts and ctx asks for nothing else.
func (s *subscription) hold(ctx context.Context, lease *Lease) {
	work, cancel := context.WithCancel(lease.Context())
	defer cancel()
	var active sync.WaitGroup
	active.Go(func() { s.cfg.OnActive(work, lease) })
	defer active.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if s.cfg.Grace <= 0 {
			cancel()
			return
		}
		select {
		case <-time.After(s.cfg.Grace):
			cancel()
		case <-work.Done():
		}
	})()

	var handled uint64
	for ctx.Err() == nil && work.Err() == nil {
		r, err := s.source.open(work, handled)
		if err == nil {
			err = s.read(ctx, work, r)
			handled = r.handled
			r.close(context.WithoutCancel(work), lease.Context().Err() == nil)
		}
		if err != nil && ctx.Err() == nil && work.Err() == nil {
			s.cfg.OnFault(err)
			pause(ctx, s.cfg.Backoff)
		}
	}
}

// read hands out batches until ctx or work ends, or the reader fails.
func (s *subscription) read(ctx, work context.Context, r *reader) error {
	next, cancel := context.WithCancel(work)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	for {
		batch, last, err := r.next(next, s.cfg.MaxMessages, s.cfg.MaxBytes)
		if err != nil {
			return err
		}
		if !s.deliver(ctx, work, batch) {
			return nil
		}
		r.done(last, batch[len(batch)-1].Sequence)
	}
}

// deliver hands out one batch until it is acknowledged; false when that did not
// happen.
func (s *subscription) deliver(ctx, work context.Context, batch []Message) bool {
	for ctx.Err() == nil {
		msgCtx, cancel := context.WithCancel(work)
		msg := carry(msgCtx, batch)
		select {
		case s.out <- msg:
		case <-ctx.Done():
			cancel()
			return false
		case <-work.Done():
			cancel()
			return false
		}
		select {
		case <-msg.Acked():
			cancel()
			return true
		case <-msg.Nacked():
			cancel()
			pause(ctx, s.cfg.Backoff)
		case <-work.Done():
			cancel()
			return false
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
