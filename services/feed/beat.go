package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/view"
)

// heard is what the recorders and FEED say of themselves.
type heard struct {
	beats map[events.Family]ledger.Beat // nil: the ledger could not be read
	last  uint64                        // of FEED; 0: it could not be read
}

// listen asks every BeatEvery.
func (l *life) listen(ctx context.Context, into chan<- heard) error {
	stream, err := l.js.Stream(ctx, events.FeedStream)
	if err != nil {
		return fmt.Errorf("feed: stream %s: %w", events.FeedStream, err)
	}
	tick := time.NewTicker(l.cfg.BeatEvery)
	defer tick.Stop()
	for {
		var h heard
		ask, cancel := context.WithTimeout(ctx, max(l.cfg.BeatEvery, time.Second))
		if h.beats, err = l.cfg.Ledger.Beats(ask); err != nil && ctx.Err() == nil {
			l.log.Warn("feed: the recorders' beats cannot be read: dialers will stop", telemetry.Err(err))
			h.beats = nil
		}
		if info, err := stream.Info(ask); err == nil {
			h.last = info.State.LastSeq
		}
		cancel()
		select {
		case into <- h:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// beats turns the recorders' beats into the instant up to which the feed has
// said everything.
type beats struct {
	waiting map[events.Family][]ledger.Beat // not yet covered, the oldest first
	covered map[events.Family]events.Instant
	at      events.Instant
}

// waitingMost bounds the beats that wait of one family: the oldest are covered
// first, the youngest say most.
const waitingMost = 16

// hear takes new beats.
func (b *beats) hear(fresh map[events.Family]ledger.Beat) {
	if b.waiting == nil {
		b.waiting, b.covered = map[events.Family][]ledger.Beat{}, map[events.Family]events.Instant{}
	}
	for f, beat := range fresh {
		list := b.waiting[f]
		if n := len(list); n > 0 && list[n-1].Instant >= beat.Instant || b.covered[f] >= beat.Instant {
			continue
		}
		if len(list) >= waitingMost {
			list[waitingMost-1] = beat
		} else {
			list = append(list, beat)
		}
		b.waiting[f] = list
	}
}

// reach returns the instant before which everything recorded is within done;
// zero while a family has never beaten.
func (b *beats) reach(done view.Progress) events.Instant {
	first := events.MaxInstant
	for _, f := range events.Families {
		list := b.waiting[f]
		for len(list) > 0 && covers(done, list[0].Positions) {
			b.covered[f], list = list[0].Instant, list[1:]
		}
		if b.waiting != nil {
			b.waiting[f] = list
		}
		first = min(first, b.covered[f])
	}
	return first
}

func covers(done view.Progress, p ledger.Positions) bool {
	for s, n := range p {
		if done[string(s)].Sequence < uint64(n) {
			return false
		}
	}
	return true
}

// beat says how far the feed is.
func (l *life) beat(_ context.Context, h heard) error {
	idle := l.unitsMade == l.unitsDone
	if idle && h.last > l.position {
		return errGap
	}
	l.beats.hear(h.beats)
	reach := l.beats.reach(l.committed)
	for _, due := range []events.Instant{l.due, l.listsDue, l.packDue} { // what comes by time is said up to here
		if due != 0 {
			reach = min(reach, due)
		}
	}
	if !l.holding() {
		l.beats.at = max(l.beats.at, reach)
	}
	beat := events.FeedBeat{At: l.beats.at, Position: l.position, Positions: l.committed.Positions(), Sent: l.cfg.Clock()}
	l.setStatus(func(s *Status) {
		s.At, s.Position, s.Ledger, s.Building = beat.At, beat.Position, beat.Positions, l.holding()
	})
	l.metrics.beat(&beat)
	body, err := json.Marshal(beat)
	if err != nil {
		return fmt.Errorf("feed: write beat: %w", err)
	}
	if err := l.cfg.Conn.Publish(events.FeedBeatSubject, body); err != nil {
		l.log.Warn("feed: beat not sent: dialers will stop", telemetry.Err(err))
	}
	return nil
}
