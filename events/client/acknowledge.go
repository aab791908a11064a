package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// Of acknowledgements.
const (
	ackWait = 5 * time.Second
	// ackIdle is how often a position is acknowledged that moved by other
	// controllers' messages only.
	ackIdle = 30 * time.Second
)

// ErrNotFollowing: the set is not kept by Follow, so it has no cursor.
var ErrNotFollowing = errors.New("the set does not follow the feed by itself")

// Acknowledge tells the feed that everything up to Position is applied, and
// returns the position that its cursor has then, durably. From this the ledger
// records suppression.acknowledged: how long a revocation took to be obeyed.
// FollowOptions.AckEvery does it without being asked.
func (s *Suppressions) Acknowledge(ctx context.Context) (uint64, error) {
	if s.following == nil {
		return 0, fmt.Errorf("acknowledge: %w", ErrNotFollowing)
	}
	position, err := s.following.acknowledge(ctx)
	if err != nil {
		return 0, fmt.Errorf("acknowledge: %w", err)
	}
	return position, nil
}

func (f *follower) acknowledge(ctx context.Context) (uint64, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	f.set.mu.RLock()
	position, doubt := f.set.position, f.set.doubt
	f.set.mu.RUnlock()
	if doubt.Code != "" {
		return 0, errors.New(doubt.String())
	}
	body, err := json.Marshal(events.FeedAck{Dialer: f.opts.Dialer, Processor: f.opts.Processor, Position: position})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	ctx, free, err := f.line.open(ctx)
	if err != nil {
		return 0, err
	}
	defer free()
	reply, err := f.nc.RequestWithContext(ctx, events.FeedAckSubject(f.opts.Controller), body)
	if err != nil {
		return 0, err
	}
	var acked events.FeedAcked
	if err := json.Unmarshal(reply.Data, &acked); err != nil {
		return 0, errors.New("the feed's answer cannot be read")
	}
	if len(acked.Errors) > 0 {
		return 0, errors.New(list(acked.Errors))
	}
	f.mu.Lock()
	f.acked = max(f.acked, position)
	f.mu.Unlock()
	return acked.Position, nil
}

// acknowledgeAlways acknowledges the position soon after messages were applied,
// and now and then when it moved without.
func (f *follower) acknowledgeAlways() {
	tick := time.NewTicker(f.opts.AckEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-tick.C:
		}
		position := f.set.Position()
		f.mu.Lock()
		due := f.own > f.acked && position > f.acked || position > f.acked && time.Since(last) >= ackIdle
		f.mu.Unlock()
		if !due {
			continue
		}
		if _, err := f.acknowledge(f.ctx); err != nil && f.ctx.Err() == nil {
			f.tell(fmt.Errorf("acknowledge: %w", err))
		}
		last = time.Now()
	}
}
