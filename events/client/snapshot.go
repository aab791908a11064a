package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// How long an answer may take: a page of a snapshot, and whatever the broker
// says itself.
const (
	pageWait = 10 * time.Second
	apiWait  = 2 * time.Second
)

func unmarshal(body []byte, v any) error { return json.Unmarshal(body, v) }

// snapshot asks for what stands, page by page, and puts it in the place of the
// set.
func (f *follower) snapshot() error {
	// The stream is looked at before and after: positions mean nothing when it
	// was made anew in between.
	ctx, free, err := f.line.open(f.ctx)
	if err != nil {
		return err
	}
	defer free()
	before, err := f.stream(ctx)
	if err != nil {
		return err
	}
	snapshot := f.set.Snapshot()
	position, err := f.pages(ctx, snapshot)
	if err != nil {
		return err
	}
	after, err := f.stream(ctx)
	if err != nil {
		return err
	}
	if !after.Created.Equal(before.Created) || position > after.State.LastSeq {
		return errAnew
	}
	f.mu.Lock()
	f.created = after.Created
	for _, filter := range events.FeedFilters(f.opts.Controller) {
		f.reached[filter] = position
	}
	f.own, f.acked = position, 0
	f.mu.Unlock()
	f.stopped(snapshot.Commit(position)...)
	return nil
}

// stream looks at the FEED stream.
func (f *follower) stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	s, err := f.js.Stream(ctx, events.FeedStream)
	if err != nil {
		return nil, fmt.Errorf("look at stream %s: %w", events.FeedStream, err)
	}
	return s.CachedInfo(), nil
}

// pages collects the pages of a snapshot and returns its position.
func (f *follower) pages(ctx context.Context, snapshot *Snapshot) (position uint64, err error) {
	request, err := json.Marshal(events.FeedSnapshotRequest{Dialer: f.opts.Dialer})
	if err != nil {
		return 0, err
	}
	inbox := f.nc.NewInbox()
	sub, err := f.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	// A snapshot of millions comes faster than it is read.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return 0, err
	}
	if err := f.nc.PublishRequest(events.FeedSnapshotSubject(f.opts.Controller), inbox, request); err != nil {
		return 0, err
	}
	for want := 0; ; want++ {
		page, err := nextPage(ctx, sub)
		switch {
		case err != nil:
			return 0, err
		case page.Error != "":
			return 0, fmt.Errorf("the feed says: %s", page.Error)
		case page.Page != want || want > 0 && page.Position != position:
			return 0, fmt.Errorf("page %d of position %d came where page %d of position %d was due", page.Page, page.Position, want, position)
		}
		position = page.Position
		if err := snapshot.Add(page.Messages...); err != nil {
			return 0, err
		}
		if page.Done {
			return position, nil
		}
	}
}

func nextPage(ctx context.Context, sub *nats.Subscription) (*events.FeedPage, error) {
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	m, err := sub.NextMsgWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return nil, nats.ErrNoResponders
	}
	var page events.FeedPage
	if err := json.Unmarshal(m.Data, &page); err != nil {
		return nil, errors.New("a page cannot be read")
	}
	return &page, nil
}
