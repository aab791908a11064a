package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Config configures a consumer service. Zero fields take the defaults.
type Config struct {
	Name      string // in logs, metrics and parked messages: "recorder.grants"
	JetStream jetstream.JetStream
	Leases    *Leases
	Stream    string
	Durable   string
	Instance  string // see SubscriberConfig.Instance

	MaxMessages int           // in one batch, default 1000
	MaxBytes    int           // in one batch, default 8 MiB
	Prefetch    int           // default 4 MaxMessages
	PurgeEvery  int           // default 1000, negative = never
	Idle        time.Duration // default 2 s
	Grace       time.Duration // for the batch under way at the end, default 5 s
	Retry       Retry

	// Handle handles one batch, in order. It may be called again for messages
	// that it has handled: it must be idempotent. ctx ends when this instance
	// is no longer the active one or the service ends.
	Handle func(ctx context.Context, batch []Message) error
	// Transient reports whether repeating can help. Other errors of Handle
	// (and panics) are the fault of a message: it is found and parked. The
	// error of an ended ctx is always transient.
	Transient func(error) bool
	// Park sets one message aside for a person, durably. The cause never
	// quotes the message. An error repeats the batch.
	Park func(ctx context.Context, m Message, cause error) error
	// OnActive runs while this instance is the active one; see Lease.
	OnActive func(ctx context.Context, lease *Lease)

	Logger  *zap.Logger
	Metrics prometheus.Registerer // nil: not exported
}

// Retry is the back-off between two attempts: First, then each twice as long
// as the one before, up to Most, each varied by half at random.
type Retry struct {
	First time.Duration // default 50 ms
	Most  time.Duration // default 5 s
}

// Service is a hosted consumer service.
type Service struct {
	cfg     Config
	metrics *metrics
	active  atomic.Bool
	faulty  atomic.Bool
}

// New checks the configuration. Nothing runs before Run.
func New(cfg Config) (*Service, error) {
	if cfg.Name == "" || cfg.Stream == "" || cfg.Handle == nil || cfg.Transient == nil || cfg.Park == nil {
		return nil, errors.New("new service: Name, Stream, Handle, Transient and Park are needed")
	}
	cfg.MaxMessages = orDefault(cfg.MaxMessages, 1000)
	cfg.MaxBytes = orDefault(cfg.MaxBytes, 8<<20)
	cfg.Prefetch = orDefault(cfg.Prefetch, 4*cfg.MaxMessages)
	cfg.Grace = orDefault(cfg.Grace, 5*time.Second)
	cfg.Retry.First = orDefault(cfg.Retry.First, 50*time.Millisecond)
	cfg.Retry.Most = orDefault(cfg.Retry.Most, 5*time.Second)
	if cfg.PurgeEvery == 0 {
		cfg.PurgeEvery = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	m, err := newMetrics(cfg.Name, cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("new service %s: %w", cfg.Name, err)
	}
	return &Service{cfg: cfg, metrics: m}, nil
}

// Active reports whether this instance is the one that handles messages.
func (s *Service) Active() bool { return s.active.Load() }

// Ready tells why the service cannot work; nil when it can, as the active
// instance or as one that stands by.
func (s *Service) Ready() error {
	if s.faulty.Load() {
		return fmt.Errorf("%s: the bus or a store does not answer: see the log", s.cfg.Name)
	}
	return nil
}

// Run handles messages until ctx ends; the batch under way is finished within
// the grace. The error is nil unless the router could not be started.
func (s *Service) Run(ctx context.Context) error {
	sub, err := NewBatch(SubscriberConfig{
		JetStream: s.cfg.JetStream, Leases: s.cfg.Leases, Durable: s.cfg.Durable, Instance: s.cfg.Instance,
		MaxMessages: s.cfg.MaxMessages, MaxBytes: s.cfg.MaxBytes, Prefetch: s.cfg.Prefetch,
		PurgeEvery: max(s.cfg.PurgeEvery, 0), Idle: s.cfg.Idle, Grace: s.cfg.Grace,
		Backoff: s.cfg.Retry.First, OnActive: s.whileActive, OnFault: s.onFault,
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", s.cfg.Name, err)
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: s.cfg.Grace + 10*time.Second}, routerLog{s.cfg.Logger.With(zap.String("service", s.cfg.Name))})
	if err != nil {
		return fmt.Errorf("run %s: %w", s.cfg.Name, err)
	}
	// Outermost first. Bisection stands outside the retries, so that a half
	// that was handled is not repeated while its sister waits for the ledger.
	router.AddMiddleware(s.measure, middleware.CorrelationID, s.bisect, s.retry().Middleware, middleware.Recoverer)
	router.AddConsumerHandler(s.cfg.Name, s.cfg.Stream, sub, func(msg *message.Message) error {
		return s.cfg.Handle(msg.Context(), batchOf(msg))
	})
	// The router may not see ctx end before the subscriber does: it would
	// cancel the batch under way and cut the grace.
	err = s.runRouter(ctx, router, sub)
	if err != nil {
		return fmt.Errorf("run %s: %w", s.cfg.Name, err)
	}
	return nil
}

func (s *Service) runRouter(ctx context.Context, router *message.Router, sub *Subscriber) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = sub.Close() // never fails; returns after the batch under way
		cancel()
	})()
	return router.Run(running)
}

func (s *Service) whileActive(ctx context.Context, lease *Lease) {
	s.active.Store(true)
	s.metrics.active.Set(1)
	s.cfg.Logger.Info("service is active", zap.String("service", s.cfg.Name), zap.Bool("takeover", lease.Takeover()))
	defer func() {
		s.active.Store(false)
		s.metrics.active.Set(0)
	}()
	if s.cfg.OnActive != nil {
		s.cfg.OnActive(ctx, lease)
	}
	<-ctx.Done()
}

func (s *Service) onFault(err error) {
	s.faulty.Store(true)
	s.metrics.faults.Inc()
	s.cfg.Logger.Warn("bus fault, trying again", zap.String("service", s.cfg.Name), zap.Error(err))
}

// retry repeats transient faults for ever: waiting loses nothing, parking a
// sound message because the ledger is away would.
func (s *Service) retry() middleware.Retry {
	return middleware.Retry{
		MaxRetries: math.MaxInt32 - 1, InitialInterval: s.cfg.Retry.First, MaxInterval: s.cfg.Retry.Most,
		Multiplier: 2, RandomizationFactor: 0.5, ResetContextOnRetry: true,
		ShouldRetry: func(p middleware.RetryParams) bool {
			if isContextError(p.Err) || !s.cfg.Transient(p.Err) {
				return false
			}
			s.faulty.Store(true)
			s.metrics.retries.Inc()
			s.cfg.Logger.Warn("batch failed, trying again", zap.String("service", s.cfg.Name), zap.Error(describe(p.Err)))
			return true
		},
	}
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// measure counts what passes and how long it takes.
func (s *Service) measure(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		began := time.Now()
		n := len(batchOf(msg))
		out, err := next(msg)
		if err == nil {
			s.faulty.Store(false)
			s.metrics.batches.Observe(float64(n))
			s.metrics.messages.Add(float64(n))
			s.metrics.seconds.Observe(time.Since(began).Seconds())
		}
		return out, err
	}
}

// describe keeps the value of a panic, which may quote a message, out of logs
// and parked messages.
func describe(err error) error {
	var p middleware.RecoveredPanicError
	if errors.As(err, &p) {
		return fmt.Errorf("handler panicked (%T): %s", p.V, panicSite(p.Stacktrace))
	}
	return err
}
