package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/telemetry"
)

// wipeEvery is how often erasures are looked at, and what FEED has dropped by
// age.
const wipeEvery = time.Second

// wipe securely deletes the messages about erased contacts, until ctx ends. A
// message goes once every known dialer of the controller has acknowledged the
// erasure and every consumer of FEED has read it, at the latest after
// Config.WipeAfter.
func (f *Feed) wipe(ctx context.Context) {
	tick := time.NewTicker(wipeEvery)
	defer tick.Stop()
	var pruned time.Time
	for {
		if err := f.wipeAll(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("feed: messages about erased contacts remain, trying again", telemetry.Err(err))
		}
		if time.Since(pruned) > time.Hour {
			pruned = time.Now()
			if err := f.prune(ctx); err != nil && ctx.Err() == nil {
				f.log.Warn("feed: not pruned", telemetry.Err(err))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Feed) wipeAll(ctx context.Context) error {
	list, err := f.cfg.Said.Wipes(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	dialers, err := f.cursors.all(ctx)
	if err != nil {
		return err
	}
	slowest, err := f.slowestReader(ctx)
	if err != nil {
		return err
	}
	now := f.cfg.Clock()
	for _, w := range list {
		if now < w.Latest && (waits(dialers, w) || slowest < w.UpTo) {
			continue
		}
		if err := f.wipeOne(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// waits reports whether a dialer of the controller has yet to hear of the
// erasure.
func waits(dialers []*cursor, w said.Wipe) bool {
	for _, c := range dialers {
		if c.Controller == w.Controller && c.Position < w.UpTo {
			return true
		}
	}
	return false
}

// slowestReader is the position up to which every consumer of FEED has read,
// also those of dialers that acknowledge nothing.
func (f *Feed) slowestReader(ctx context.Context) (uint64, error) {
	stream, err := f.js.Stream(ctx, events.FeedStream)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", events.FeedStream, err)
	}
	slowest := uint64(math.MaxUint64)
	list := stream.ListConsumers(ctx)
	for c := range list.Info() {
		switch {
		case c.NumPending == 0 && c.NumAckPending == 0:
		case c.Config.AckPolicy == jetstream.AckNonePolicy:
			slowest = min(slowest, c.Delivered.Stream)
		default:
			slowest = min(slowest, c.AckFloor.Stream)
		}
	}
	return slowest, list.Err()
}

// wipeOne deletes the messages of one contact; a crash in between repeats it.
func (f *Feed) wipeOne(ctx context.Context, w said.Wipe) error {
	stream, err := f.js.Stream(ctx, events.FeedStream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", events.FeedStream, err)
	}
	list, err := f.cfg.Said.Sent(ctx, w)
	if err != nil {
		return err
	}
	for _, at := range list {
		err := stream.SecureDeleteMsg(ctx, at)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && !gone(err) {
			return fmt.Errorf("delete message %d of %s: %w", at, events.FeedStream, err)
		}
	}
	f.metrics.wiped.Add(float64(len(list)))
	return f.cfg.Said.Commit(ctx, &said.Change{Wiped: []said.Wipe{w}})
}

// codeNoMessage: the broker has no message at the sequence.
const codeNoMessage jetstream.ErrorCode = 10057

// gone reports whether the message was deleted before.
func gone(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeNoMessage || api.ErrorCode == jetstream.JSErrCodeMessageNotFound)
}

// prune forgets where messages lay that FEED has dropped by age.
func (f *Feed) prune(ctx context.Context) error {
	stream, err := f.js.Stream(ctx, events.FeedStream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", events.FeedStream, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("stream %s: %w", events.FeedStream, err)
	}
	return f.cfg.Said.Prune(ctx, info.State.FirstSeq)
}
