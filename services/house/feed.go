package house

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/tail"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/projection/consentstate"
)

// openFeed wires the feed, if this house runs it. Where several houses could,
// a lease sees to it that one does.
func (h *House) openFeed(ctx context.Context) error {
	if !h.cfg.Runs(ServiceFeed) {
		return nil
	}
	path := filepath.Join(h.cfg.Data, said.File)
	store, err := said.Open(ctx, path)
	if err != nil {
		return fatal(err, "the feed's memory can be built again: remove "+path+" and start again")
	}
	h.onClose(store.Close)
	h.feed, err = feed.New(ctx, feed.Config{
		Ledger: h.ledger, View: h.view, Index: consentstate.Name, Await: h.indexed, Engine: h.engine, Said: store, Numbers: h.vault,
		Intake: h.intake, Conn: h.conn, Clock: h.clock, Log: h.log, Metrics: h.metrics,
	})
	if err != nil {
		return fatal(err, "the stream of the feed could not be made")
	}
	h.running = append(h.running, service{ServiceFeed, h.runFeed})
	return nil
}

// runFeed runs the feed whenever this house holds its lease.
func (h *House) runFeed(ctx context.Context) error {
	for {
		lease, err := h.leases.Acquire(ctx, ServiceFeed, h.instance())
		if err != nil {
			return err
		}
		h.feeding.Store(true)
		err = h.feed.Run(lease.Context())
		h.feeding.Store(false)
		lease.Release()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, context.Canceled):
			return err
		}
		h.log.Warn("feed: its lease was lost; it goes on when it has it again")
	}
}

// behindMost is how far the feed may be behind and still count as ready; as
// long a dialer goes on without a heartbeat.
const behindMost = 5 * time.Second

// feedReady says why dialers do not hear everything.
func (h *House) feedReady() []string {
	if !h.feeding.Load() { // another house has the lease, or nobody yet
		return nil
	}
	s := h.feed.Status()
	switch {
	case s.Building:
		return []string{"feed: it is looking at every contact again and tells dialers to stop meanwhile: it is catching up, or see its log"}
	case s.At == 0:
		return []string{"feed: it has not told dialers yet how far it is: it is starting, or a recorder has never reported"}
	case h.clock().Sub(s.At) > behindMost:
		return []string{fmt.Sprintf("feed: it has told dialers everything up to %s and nothing later, so they stop: see its log and the recorders'", s.At)}
	}
	return nil
}

// openTails gives the gateway the feed in its own words, over NATS, so that
// the feed may run elsewhere.
func (h *House) openTails() (gateway.Feed, error) {
	r, err := tail.New(h.conn)
	if err != nil {
		return nil, err
	}
	return tails{r}, nil
}

// tails implements gateway.Feed.
type tails struct {
	reader *tail.Reader
}

// Follow implements gateway.Feed.
func (t tails) Follow(ctx context.Context, q gateway.FeedRequest) (gateway.FeedTail, error) {
	f, err := t.reader.Follow(ctx, tail.Request{Controller: q.Controller, Dialer: q.Dialer, From: q.From})
	if err != nil {
		return nil, feedError(err)
	}
	return oneTail{f}, nil
}

// Acknowledge implements gateway.Feed.
func (t tails) Acknowledge(ctx context.Context, controller string, ack events.FeedAck) (events.FeedAcked, error) {
	out, err := t.reader.Acknowledge(ctx, controller, ack)
	return out, feedError(err)
}

// Lag implements gateway.Feed.
func (t tails) Lag(ctx context.Context) ([]gateway.FeedDialer, error) {
	list, err := t.reader.Lag(ctx)
	if err != nil {
		return nil, feedError(err)
	}
	out := make([]gateway.FeedDialer, len(list))
	for i, d := range list {
		out[i] = gateway.FeedDialer{Controller: d.Controller, Dialer: d.Dialer, Processor: d.Processor, Position: d.Position, Feed: d.Feed,
			Behind: d.Behind, DelayMS: d.DelayMS, AcknowledgedAt: d.AcknowledgedAt}
		if s := d.Slowest; s != nil {
			out[i].Slowest = &gateway.FeedSlowest{TookMS: s.TookMS, Event: s.Event, Kind: string(s.Kind), Position: s.Position}
		}
	}
	return out, nil
}

// oneTail implements gateway.FeedTail.
type oneTail struct{ *tail.Tail }

// Next implements gateway.FeedTail.
func (t oneTail) Next(ctx context.Context) (gateway.FeedItem, error) {
	i, err := t.Tail.Next(ctx)
	if err != nil {
		return gateway.FeedItem{}, feedError(err)
	}
	out := gateway.FeedItem{Position: i.Position, Current: i.Kind == tail.Current}
	if i.Kind == tail.Suppression {
		out.Suppression = &i.Message
	} else {
		out.Beat = &i.Beat
	}
	return out, nil
}

// feedError says it in the gateway's words.
func feedError(err error) error {
	switch {
	case errors.Is(err, tail.ErrSlow):
		return fmt.Errorf("%w: %w", gateway.ErrFeedSlow, err)
	case errors.Is(err, tail.ErrUnavailable):
		return fmt.Errorf("%w: %w", gateway.ErrFeedAway, err)
	}
	return err
}
