package natsledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

// PublishBeat implements ledger.Beats.
func (l *Ledger) PublishBeat(ctx context.Context, b ledger.Beat) error {
	body, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("publish beat of %s: %w", b.Family, err)
	}
	if _, err := l.js.Publish(ctx, events.BeatSubject(b.Family), body, jetstream.WithRetryAttempts(0), jetstream.WithExpectStream(BeatsStream)); err != nil {
		return fmt.Errorf("publish beat of %s: %w: %w", b.Family, ledger.ErrUnavailable, err)
	}
	return nil
}

// Beats implements ledger.Beats. On a replicated ledger a replica that is
// behind may answer with a beat that is a moment older, which is safe.
func (l *Ledger) Beats(ctx context.Context) (map[events.Family]ledger.Beat, error) {
	rctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	out := make(map[events.Family]ledger.Beat, len(events.Families))
	messages, err := jetstreamext.GetLastMsgsFor(rctx, l.js, BeatsStream, []string{"beat.*"})
	if err != nil {
		return nil, fmt.Errorf("read beats: %w", unavailable(ctx, BeatsStream, err))
	}
	for m, err := range messages {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read beats: %w", unavailable(ctx, BeatsStream, err))
		}
		var b ledger.Beat
		if err := json.Unmarshal(m.Data, &b); err != nil || events.BeatSubject(b.Family) != m.Subject {
			return nil, fmt.Errorf("read beats: %w: %s holds no beat of its family: somebody else wrote there: %w", ledger.ErrUnavailable, m.Subject, errors.Join(err, errForeign))
		}
		out[b.Family] = b
	}
	return out, nil
}

var errForeign = errors.New("not a beat")
