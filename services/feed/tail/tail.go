// Package tail lets one dialer of one controller follow the feed: what stands,
// what comes, and when it is current.
//
//	reader, err := tail.New(conn)
//	t, err := reader.Follow(ctx, tail.Request{Controller: "A", Dialer: "d1"})
//	for {
//		item, err := t.Next(ctx)
//		…
//	}
//
// It speaks to the feed over NATS only, so it works in any process. The gateway
// serves it as server-sent events. What a tail hands out is complete: a
// heartbeat comes after everything that the feed said before it.
package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed"
)

// Errors of the package.
var (
	// ErrUnavailable: the feed does not answer. A dialer must take it that it
	// knows nothing new, and ask again.
	ErrUnavailable = errors.New("feed unavailable")
	// ErrSlow: the reader did not take what came for too long. Follow again
	// from the last position.
	ErrSlow = errors.New("reader of the feed too slow")
	// ErrClosed: the tail was closed.
	ErrClosed = errors.New("tail of the feed closed")
)

// Reader opens tails. It is safe for concurrent use; the connection stays the
// caller's.
type Reader struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	stall time.Duration // that a reader may take nothing
}

// New returns a reader over a connection.
func New(nc *nats.Conn) (*Reader, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("feed tail: %w", err)
	}
	return &Reader{nc: nc, js: js, stall: stallMost}, nil
}

// askMost is how long a question to the feed may take.
const askMost = 5 * time.Second

// Acknowledge says that a dialer applies everything up to a position; the
// answer means that it is on disk. Faults of the request are in the answer.
func (r *Reader) Acknowledge(ctx context.Context, controller string, ack events.FeedAck) (events.FeedAcked, error) {
	var out events.FeedAcked
	body, err := json.Marshal(ack)
	if err != nil {
		return out, fmt.Errorf("feed acknowledge: %w", err)
	}
	return out, r.ask(ctx, "feed acknowledge", events.FeedAckSubject(controller), body, &out)
}

// Lag says how far every dialer is behind.
func (r *Reader) Lag(ctx context.Context) ([]feed.Dialer, error) {
	var out []feed.Dialer
	return out, r.ask(ctx, "feed lag", feed.LagSubject, nil, &out)
}

func (r *Reader) ask(ctx context.Context, op, subject string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askMost)
	defer cancel()
	m, err := r.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("%s: read the answer: %w", op, err)
	}
	return nil
}

// cursor returns the position that a dialer has acknowledged; 0 for none.
func (r *Reader) cursor(ctx context.Context, controller, dialer string) (uint64, error) {
	kv, err := r.js.KeyValue(ctx, feed.CursorBucket)
	if err != nil {
		return 0, fmt.Errorf("feed tail: read cursor: %w: %w", ErrUnavailable, err)
	}
	e, err := kv.Get(ctx, feed.CursorKey(controller, dialer))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("feed tail: read cursor: %w: %w", ErrUnavailable, err)
	}
	var c struct {
		Position uint64 `json:"position"`
	}
	if err := json.Unmarshal(e.Value(), &c); err != nil {
		return 0, fmt.Errorf("feed tail: read cursor: %w", err)
	}
	return c.Position, nil
}

// pages asks for a snapshot and hands its pages to yield. It returns the
// position after which the tail goes on.
func (r *Reader) pages(ctx context.Context, q Request, yield func([]events.FeedMessage) error) (uint64, error) {
	const op = "feed snapshot"
	inbox := r.nc.NewRespInbox()
	sub, err := r.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
	}
	defer sub.Unsubscribe()
	if err := sub.SetPendingLimits(-1, pendingMost); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	body, err := json.Marshal(events.FeedSnapshotRequest{Dialer: q.Dialer})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if err := r.nc.PublishRequest(events.FeedSnapshotSubject(q.Controller), inbox, body); err != nil {
		return 0, fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
	}
	for n := 0; ; n++ {
		page, err := nextPage(ctx, sub)
		if err != nil {
			return 0, fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
		}
		switch {
		case page.Error != "":
			return 0, fmt.Errorf("%s: %w: %s", op, ErrUnavailable, page.Error)
		case page.Page != n:
			return 0, fmt.Errorf("%s: %w: page %d is missing", op, ErrUnavailable, n)
		}
		if len(page.Messages) > 0 {
			if err := yield(page.Messages); err != nil {
				return 0, err
			}
		}
		if page.Done {
			return page.Position, nil
		}
	}
}

// pendingMost is how many bytes of a snapshot may wait for a slow reader.
const pendingMost = 256 << 20

var errNobody = errors.New("no feed is running")

func nextPage(ctx context.Context, sub *nats.Subscription) (events.FeedPage, error) {
	var page events.FeedPage
	ctx, cancel := context.WithTimeout(ctx, 4*askMost)
	defer cancel()
	m, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return page, err
	}
	if len(m.Data) == 0 && strings.HasPrefix(m.Header.Get("Status"), "503") {
		return page, errNobody
	}
	return page, json.Unmarshal(m.Data, &page)
}
