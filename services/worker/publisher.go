package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ErrPublisherClosed is returned by Publish after Close.
var ErrPublisherClosed = errors.New("publish: publisher is closed")

// MaxAtomic is the largest number of messages in one atomic batch; the broker
// refuses more.
const MaxAtomic = 1000

// PublishError says which messages of one Publish call are not known to be
// stored. Messages that stand in neither list are on disk.
type PublishError struct {
	Refused []string // ids that the broker refused: not stored
	Unknown []string // ids that may or may not be stored: publish them again with the same id
	Cause   error    // the first fault met
}

// Error implements error.
func (e *PublishError) Error() string {
	return fmt.Sprintf("publish: %d refused, %d unknown: %v", len(e.Refused), len(e.Unknown), e.Cause)
}

// Unwrap returns the first fault met.
func (e *PublishError) Unwrap() error { return e.Cause }

// PublisherConfig configures a Publisher.
type PublisherConfig struct {
	JetStream jetstream.JetStream
	// Subject maps a topic to a subject; nil takes the topic as it stands.
	Subject func(topic string) string
	// Atomic stores the messages of one call together or not at all (at most
	// MaxAtomic; the stream must allow it). Otherwise each is published
	// asynchronously and all are awaited together.
	Atomic bool
	// Deduplicate sends the message's UUID as Nats-Msg-Id.
	Deduplicate bool
	// Timeout bounds one call; default 10 s. Without it an answer that never
	// comes, because the quorum is lost, would never be reported.
	Timeout time.Duration
}

// Publisher publishes Watermill messages to JetStream and returns after every
// one of them is on disk, or says which are not. It is safe for concurrent use.
type Publisher struct {
	cfg PublisherConfig

	mu     sync.RWMutex // held for reading by calls under way
	closed bool
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher returns a publisher; Close ends it and not the connection.
func NewPublisher(cfg PublisherConfig) *Publisher {
	if cfg.Subject == nil {
		cfg.Subject = func(topic string) string { return topic }
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	return &Publisher{cfg: cfg}
}

// Publish stores messages in their order and waits for the acknowledgements.
// It honours the context of the first message. The error is a *PublishError
// or ErrPublisherClosed.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return ErrPublisherClosed
	}
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(messages[0].Context(), p.cfg.Timeout)
	defer cancel()
	if p.cfg.Atomic && len(messages) > 1 {
		return p.atomic(ctx, topic, messages)
	}
	return p.each(ctx, topic, messages)
}

// Close waits for the calls under way.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *Publisher) each(ctx context.Context, topic string, messages []*message.Message) error {
	fail := &PublishError{}
	type pending struct {
		id     string
		future jetstream.PubAckFuture
	}
	waiting := make([]pending, 0, len(messages))
	for _, m := range messages {
		if err := ctx.Err(); err != nil {
			fail.add(m.UUID, err, false)
			continue
		}
		f, err := p.cfg.JetStream.PublishMsgAsync(p.encode(topic, m))
		if err != nil {
			fail.add(m.UUID, err, !errors.Is(err, nats.ErrConnectionClosed))
			continue
		}
		waiting = append(waiting, pending{m.UUID, f})
	}
	for _, w := range waiting {
		select {
		case <-w.future.Ok():
		case err := <-w.future.Err():
			fail.add(w.id, err, !isAPIError(err))
		case <-ctx.Done():
			fail.add(w.id, ctx.Err(), true)
		}
	}
	return fail.orNil()
}

func (p *Publisher) atomic(ctx context.Context, topic string, messages []*message.Message) error {
	fail := &PublishError{}
	if len(messages) > MaxAtomic {
		err := fmt.Errorf("atomic batch of %d messages, at most %d fit: split it", len(messages), MaxAtomic)
		for _, m := range messages {
			fail.add(m.UUID, err, false)
		}
		return fail
	}
	msgs := make([]*nats.Msg, len(messages))
	for i, m := range messages {
		msgs[i] = p.encode(topic, m)
	}
	if _, err := jetstreamext.PublishMsgBatch(ctx, p.cfg.JetStream, msgs); err != nil {
		for _, m := range messages {
			fail.add(m.UUID, err, !isAPIError(err))
		}
	}
	return fail.orNil()
}

func (p *Publisher) encode(topic string, m *message.Message) *nats.Msg {
	msg := nats.NewMsg(p.cfg.Subject(topic))
	msg.Data = m.Payload
	for k, v := range m.Metadata {
		msg.Header[k] = []string{v}
	}
	msg.Header[headerUUID] = []string{m.UUID}
	if p.cfg.Deduplicate {
		msg.Header.Set(jetstream.MsgIDHeader, m.UUID)
	}
	return msg
}

func (e *PublishError) add(id string, cause error, unknown bool) {
	if unknown {
		e.Unknown = append(e.Unknown, id)
	} else {
		e.Refused = append(e.Refused, id)
	}
	if e.Cause == nil {
		e.Cause = cause
	}
}

func (e *PublishError) orNil() error {
	if e.Cause == nil {
		return nil
	}
	return e
}

// isAPIError reports whether the broker answered with an error: then nothing
// was stored. Any other fault leaves the fate of the message open.
func isAPIError(err error) bool {
	var api *jetstream.APIError
	var js jetstream.JetStreamError
	return errors.As(err, &api) || errors.As(err, &js) && js.APIError() != nil
}
