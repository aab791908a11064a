package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
)

// PublisherOptions configure a Publisher. Only Source is required.
type PublisherOptions struct {
	// Source is the source of every event published here; the credential is
	// bound to it.
	Source string
	// Pending bounds the events under way at once (default 256); Publish and
	// PublishAsync wait for a free place.
	Pending int
	// AckWait is how long an acknowledgement may take before the event is sent
	// again (default 3 s).
	AckWait time.Duration
	// ReceiptWait is how long a receipt may take after the acknowledgement
	// before the event is sent again to bring it (default 5 s); it doubles from
	// try to try, up to twelve times itself.
	ReceiptWait time.Duration
	// Backoff is the pause after a fault (default 100 ms); it doubles from try
	// to try, up to fifty times itself.
	Backoff time.Duration
	// Normalise reads telephone numbers for the validation before sending.
	// Default: the form alone is judged, and the ledger judges the rest.
	Normalise events.Normaliser
}

// Publisher publishes the events of one source over NATS and hears their
// receipts. It is safe for concurrent use.
type Publisher struct {
	nc      *nats.Conn
	opts    PublisherOptions
	token   string // last token of the receipts' subject
	sub     *nats.Subscription
	places  chan struct{}
	unwatch func()
	ctx     context.Context // ends with Close
	close   context.CancelCauseFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ref    uint64
	under  map[string]*Pending // under way, by reference
	deaf   error               // receipts are forbidden, since
	deafAt uint64              // this reconnection
}

// NewPublisher returns a publisher on a connection that stays the caller's; see
// Connect. Make one a source and keep it; close it before the connection. The error says what the options
// lack.
func NewPublisher(nc *nats.Conn, o PublisherOptions) (*Publisher, error) {
	switch {
	case nc == nil:
		return nil, errors.New("new publisher: a connection is needed")
	case o.Source == "":
		return nil, errors.New("new publisher: Source is needed: the credential is bound to it")
	}
	o.setDefaults()
	p := &Publisher{nc: nc, opts: o, token: rand.Text(), places: make(chan struct{}, o.Pending), under: make(map[string]*Pending)}
	p.ctx, p.close = context.WithCancelCause(context.Background())
	sub, err := nc.Subscribe(events.ReceiptSubject(o.Source, p.token), p.hear)
	if err != nil {
		return nil, fmt.Errorf("new publisher: hear receipts: %w: %w", ErrUnavailable, err)
	}
	p.sub = sub
	p.unwatch = watchPermissions(nc, p.denied)
	return p, nil
}

func (o *PublisherOptions) setDefaults() {
	if o.Pending <= 0 {
		o.Pending = 256
	}
	if o.AckWait <= 0 {
		o.AckWait = 3 * time.Second
	}
	if o.ReceiptWait <= 0 {
		o.ReceiptWait = 5 * time.Second
	}
	if o.Backoff <= 0 {
		o.Backoff = 100 * time.Millisecond
	}
	if o.Normalise == nil {
		o.Normalise = FormOfNumber
	}
}

// Close ends what is under way, as if its ctx had ended, and waits for it. A
// second call does nothing.
func (p *Publisher) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.close(ErrClosed)
	p.running.Wait()
	p.unwatch()
	_ = p.sub.Unsubscribe() // of a connection that is closed: nothing is left to do
}

// Publish publishes one event and waits for its receipt: it sends the event
// again, under the same identity, until the receipt is there or ctx ends. Give
// ctx a deadline.
//
// The error is nil when the event is in the ledger, on disk; else it wraps one
// of the errors of this package, and the receipt says how far the event came.
func (p *Publisher) Publish(ctx context.Context, e Event) (Receipt, error) {
	w := p.PublishAsync(ctx, e)
	<-w.Done()
	return w.receipt, w.receipt.Err
}

// PublishAll publishes events, at most Pending of them at once, and waits for
// all receipts. An event that is refused hinders no other.
func (p *Publisher) PublishAll(ctx context.Context, batch []Event) Receipts {
	under := make([]*Pending, len(batch))
	for i := range batch {
		under[i] = p.PublishAsync(ctx, batch[i])
	}
	out := make(Receipts, len(batch))
	for i, w := range under {
		<-w.Done()
		out[i] = w.receipt
	}
	return out
}

// Pending is an event under way.
type Pending struct {
	receipt  Receipt // fixed when done is closed
	done     chan struct{}
	identity events.Identity
	subject  string
	body     []byte
	ref      string
	faults   []events.Fault  // of a restrictive event that is sent all the same
	ctx      context.Context // ends when the waiting is over
	settle   context.CancelCauseFunc
	accepted bool     // under Publisher.mu, as
	heard    *Receipt // is this
}

// ID is the event's id, minted or given; "" where none could be read.
func (w *Pending) ID() string { return w.identity.ID }

// Done is closed when the receipt is there, or ctx or the publisher ended.
func (w *Pending) Done() <-chan struct{} { return w.done }

// Wait waits for Done and returns what Publish would; if ctx ends first, the
// error is its, and the event goes on.
func (w *Pending) Wait(ctx context.Context) (Receipt, error) {
	select {
	case <-w.done:
		return w.receipt, w.receipt.Err
	case <-ctx.Done():
		return Receipt{Source: w.identity.Source, ID: w.identity.ID, Result: Unknown, Err: ctx.Err()}, ctx.Err()
	}
}

// PublishAsync does what Publish does without waiting for the receipt. It
// waits while as many events as PublisherOptions.Pending are under way.
func (p *Publisher) PublishAsync(ctx context.Context, e Event) *Pending {
	w := &Pending{done: make(chan struct{}), identity: events.Identity{Source: p.opts.Source}}
	w.receipt = Receipt{Source: p.opts.Source, Result: Invalid}
	if err := p.prepare(w, &e); err != nil {
		return w.end(err)
	}
	w.receipt.Result = Unknown
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return w.end(fmt.Errorf("publish %s: %w before it was sent: %w", e, ErrUnavailable, context.Cause(ctx)))
	case <-p.ctx.Done():
		return w.end(fmt.Errorf("publish %s: %w", e, ErrClosed))
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.places
		return w.end(fmt.Errorf("publish %s: %w", e, ErrClosed))
	}
	p.ref++
	w.ref = strconv.FormatUint(p.ref, 36)
	w.ctx, w.settle = context.WithCancelCause(ctx)
	p.under[w.ref] = w
	p.running.Go(func() { p.deliver(w) })
	p.mu.Unlock()
	return w
}

// end fixes the receipt.
func (w *Pending) end(err error) *Pending {
	w.receipt.Err = err
	close(w.done)
	return w
}

// prepare encodes and validates the event. An event with faults is refused
// here, but for a restrictive one: if it vanished in a sender's log, somebody
// who said no would stay callable. It goes to the ledger as it is, which seals
// it among the rejects and raises the alarm (README, Operating).
func (p *Publisher) prepare(w *Pending, e *Event) error {
	body, err := e.encode(p.opts.Source)
	if err != nil {
		return err
	}
	s, faults := events.Validate(body, events.ValidateOptions{Normalise: p.opts.Normalise})
	w.body, w.identity.ID, w.receipt.ID = body, s.ID, s.ID
	if s.Source != "" && s.Source != p.opts.Source {
		faults = append(faults, events.Fault{Code: "not_permitted", Field: "source", Hint: "this publisher publishes as another source: use one a source"})
	}
	w.subject = events.IntakeSubject(s.Type.Family(), p.opts.Source, s.Type)
	if len(faults) == 0 {
		return nil
	}
	w.faults = faults
	if s.Type.Restrictive() && len(body) <= events.MaxSubmission {
		return nil
	}
	w.receipt.Errors = faults
	return fmt.Errorf("publish event: %w: %s", ErrInvalid, list(faults))
}

// hear takes a receipt. It runs on the connection's goroutine.
func (p *Publisher) hear(m *nats.Msg) {
	var r Receipt
	if json.Unmarshal(m.Data, &r) != nil {
		return // no receipt: the event is sent again, and brings another
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.under[r.Ref]; w != nil && r.ID == w.identity.ID && w.heard == nil {
		w.heard = &r
		w.settle(errHeard)
	}
}

// errHeard ends the waiting for a receipt that is there.
var errHeard = errors.New("the receipt is there")

// accept notes JetStream's acknowledgement. Where receipts are forbidden there
// is nothing more to wait for.
func (p *Publisher) accept(w *Pending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.accepted = true
	if p.deaf != nil && p.deafAt == p.nc.Stats().Reconnects {
		w.settle(p.deaf)
	}
}

// denied maps what the broker forbids to the events that it concerns.
func (p *Publisher) denied(v violation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var why error
	var concerns func(*Pending) bool
	switch {
	case v.publish:
		why = fmt.Errorf("%w to publish as source %s: ask the operator for a credential that covers it", ErrNotPermitted, p.opts.Source)
		concerns = func(w *Pending) bool { return w.subject == v.subject }
	case v.inbox:
		why = fmt.Errorf("%w to hear answers: connect with the inbox prefix of the user, see Connect", ErrNotPermitted)
		concerns = func(*Pending) bool { return true }
	case v.subject == p.sub.Subject:
		why = fmt.Errorf("%w to hear the receipts of source %s: ask the operator for a credential that covers receipts.%s.>",
			ErrNotPermitted, p.opts.Source, events.SubjectToken(p.opts.Source))
		concerns = func(w *Pending) bool { return w.accepted }
		p.deaf, p.deafAt = why, p.nc.Stats().Reconnects
	default:
		return
	}
	for _, w := range p.under {
		if concerns(w) {
			w.settle(why)
		}
	}
}
