package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/telemetry"
)

// Bounds of what is served at once.
const (
	pageMost     = 500 // messages of one page of a snapshot
	snapshotMost = 4   // snapshots at once
	settleMost   = 2 * time.Second
	pageTimeout  = 10 * time.Second
)

// LagSubject is where the lag of all dialers is asked for (core NATS request;
// the answer is a JSON array of Dialer). It is not for dialers.
const LagSubject = "feedlag"

// serve answers snapshots, acknowledgements and questions about lag until stop
// is called.
func (f *Feed) serve(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	var subs []*nats.Subscription
	stop = func() {
		for _, s := range subs {
			if err := s.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				f.log.Warn("feed: a subscription did not end", telemetry.Err(err))
			}
		}
		cancel()
		running.Wait()
	}
	room := make(chan struct{}, snapshotMost)
	for subject, handle := range map[string]func(context.Context, *nats.Msg){
		events.FeedSnapshotSubject("*"): func(ctx context.Context, m *nats.Msg) {
			room <- struct{}{}
			defer func() { <-room }()
			f.answerSnapshot(ctx, m)
		},
		events.FeedAckSubject("*"): f.answerAck,
		LagSubject:                 f.answerLag,
	} {
		sub, err := f.cfg.Conn.Subscribe(wildcard(subject), func(m *nats.Msg) {
			running.Go(func() { handle(ctx, m) })
		})
		if err != nil {
			stop()
			return nil, fmt.Errorf("feed: subscribe: %w", err)
		}
		subs = append(subs, sub)
	}
	if err := f.cfg.Conn.Flush(); err != nil {
		stop()
		return nil, fmt.Errorf("feed: subscribe: %w", err)
	}
	running.Go(func() { f.reportAcks(ctx) })
	running.Go(func() { f.wipe(ctx) })
	return stop, nil
}

// wildcard undoes the escaping of the star that stands for every controller.
func wildcard(subject string) string { return strings.Replace(subject, "%2A", "*", 1) }

// controllerOf reads the controller out of a subject of two tokens.
func controllerOf(subject string) (string, error) {
	_, token, _ := strings.Cut(subject, ".")
	return events.ParseSubjectToken(token)
}

// answerSnapshot sends what stands for a controller, page by page.
func (f *Feed) answerSnapshot(ctx context.Context, m *nats.Msg) {
	controller, err := controllerOf(m.Subject)
	if err != nil || m.Reply == "" {
		return
	}
	var ask events.FeedSnapshotRequest
	if len(m.Data) > 0 && json.Unmarshal(m.Data, &ask) == nil && ask.Dialer != "" {
		if err := f.cursors.know(ctx, controller, ask.Dialer); err != nil && ctx.Err() == nil {
			f.log.Warn("feed: a dialer's cursor was not made", telemetry.Err(err))
		}
	}
	page := events.FeedPage{Messages: []events.FeedMessage{}}
	send := func() error {
		body, err := json.Marshal(page)
		if err != nil {
			return fmt.Errorf("write page: %w", err)
		}
		if err := f.cfg.Conn.Publish(m.Reply, body); err != nil {
			return err
		}
		page.Messages, page.Page = page.Messages[:0], page.Page+1
		ctx, cancel := context.WithTimeout(ctx, pageTimeout)
		defer cancel()
		return f.cfg.Conn.FlushWithContext(ctx) // no faster than the broker takes it
	}
	err = f.snapshot(ctx, controller, func(position uint64) { page.Position = position }, func(list []events.FeedMessage) error {
		page.Messages = append(page.Messages, list...)
		return send()
	})
	if err != nil && ctx.Err() == nil {
		f.log.Warn("feed: snapshot failed", zap.String("controller", controller), telemetry.Err(err))
		page.Error = "the snapshot cannot be read now: ask again"
	}
	page.Done, page.Messages = true, []events.FeedMessage{}
	if err := send(); err != nil && ctx.Err() == nil {
		f.log.Warn("feed: snapshot not sent", zap.String("controller", controller), telemetry.Err(err))
	}
}

// snapshot hands what stands for a controller to yield in pages, with numbers.
func (f *Feed) snapshot(ctx context.Context, controller string, begin func(position uint64), yield func([]events.FeedMessage) error) error {
	var page []events.FeedMessage
	hand := func() error {
		if err := f.reveal(ctx, page); err != nil {
			return err
		}
		err := yield(page)
		page = page[:0]
		return err
	}
	err := f.cfg.Said.Snapshot(ctx, controller, func(position uint64) error { begin(position); return nil }, func(e said.Entry) error {
		e.Message.Position = 0
		page = append(page, e.Message)
		if len(page) < pageMost {
			return nil
		}
		return hand()
	})
	if err == nil && len(page) > 0 {
		err = hand()
	}
	return err
}
