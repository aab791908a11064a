package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// LatestAsOf is the latest instant R at which the log can be asked: just before
// the earliest of the families' youngest beats (design.md 6). It is false while
// a family has never beaten: then nothing is known to be complete.
func LatestAsOf(beats map[events.Family]Beat) (events.Instant, bool) {
	earliest := events.MaxInstant
	for _, f := range events.Families {
		b, ok := beats[f]
		if !ok || b.Instant.IsZero() {
			return 0, false
		}
		earliest = min(earliest, b.Instant)
	}
	return earliest - 1, true
}

// StepBack is how far, as Resolve assumes, the stamps of one stream step back
// between recorders whose clocks differ; within it the answer is exact. What
// Resolve reads it checks against this, and it widens the assumption when it
// proves wrong; a larger step that it does not come to read goes unnoticed.
// Clocks kept by NTP differ by milliseconds. The view's own index is exact
// whatever the clocks did.
const StepBack = 10 * time.Second

// Resolve returns the positions of the log as of r: in each stream the last
// event with recorded time at most r, where the recorded time is the running
// maximum of the stamps. r must not exceed LatestAsOf, or events may follow
// that belong to it; the caller sees to that.
//
// The running maximum grows, the stamps themselves may step back; so bisection
// keeps two bounds that hold for sure: an event stamped after r bounds the
// answer from above, an event stamped so long before r that nothing earlier can
// be after r bounds it from below. What lies between is read in order.
// The errors are those of Reader.Read.
func Resolve(ctx context.Context, log Reader, r events.Instant) (Positions, error) {
	last, err := log.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r, err)
	}
	out := make(Positions, len(last))
	for stream, end := range last {
		s := resolver{log: log, stream: stream, r: r, stepBack: StepBack}
		if out[stream], err = s.resolve(ctx, end); err != nil {
			return nil, fmt.Errorf("resolve %s in %s: %w", r, stream, err)
		}
	}
	return out, nil
}

type resolver struct {
	log      Reader
	stream   Stream
	r        events.Instant
	stepBack time.Duration
}

// scanPage is how many records are read at once.
const scanPage = 512

// resolve returns the last position whose running maximum is at most r.
func (s *resolver) resolve(ctx context.Context, end Sequence) (Sequence, error) {
	for {
		low, high, err := s.bounds(ctx, end)
		if err != nil {
			return 0, err
		}
		at, step, err := s.scan(ctx, low, high)
		if err != nil {
			return 0, err
		}
		if step <= s.stepBack {
			return at, nil
		}
		s.stepBack = 4 * step
	}
}

// bounds narrows the answer to [low, high): everything up to low is at most r,
// the stamp at high is after r (or high is behind the end).
func (s *resolver) bounds(ctx context.Context, end Sequence) (low, high Sequence, err error) {
	low, high = 0, end+1
	// First an upper bound, by the stamps alone.
	for a, b := Sequence(0), high; b-a > scanPage; {
		mid := a + (b-a)/2
		at, err := s.stamp(ctx, mid)
		if err != nil {
			return 0, 0, err
		}
		if at > s.r {
			b, high = mid, mid
		} else {
			a = mid
		}
	}
	// Then a lower bound below it.
	before := s.r.Add(-s.stepBack)
	for a, b := Sequence(0), high; b-a > scanPage; {
		mid := a + (b-a)/2
		at, err := s.stamp(ctx, mid)
		if err != nil {
			return 0, 0, err
		}
		if at <= before {
			a, low = mid, mid
		} else {
			b = mid
		}
	}
	return low, high, nil
}

// scan reads (low, high) in order and returns the last position before the
// first stamp after r, and by how much the stamps stepped back meanwhile.
func (s *resolver) scan(ctx context.Context, low, high Sequence) (at Sequence, step time.Duration, err error) {
	var top events.Instant
	for at = low; at+1 < high; {
		list, err := s.log.Read(ctx, s.stream, at+1, int(min(scanPage, high-at-1)))
		if err != nil {
			return 0, 0, err
		}
		if len(list) == 0 {
			return 0, 0, fmt.Errorf("read %s at %d: %w: the stream ends before its last position", s.stream, at+1, ErrGone)
		}
		for _, rec := range list {
			stamp, err := RecordedAt(rec.Body)
			if err != nil {
				return 0, 0, fmt.Errorf("read %s at %d: %w", s.stream, rec.Sequence, err)
			}
			if stamp > s.r {
				return rec.Sequence - 1, step, nil
			}
			if stamp < top {
				step = max(step, top.Sub(stamp))
			}
			top = max(top, stamp)
			at = rec.Sequence
		}
	}
	return at, step, nil
}

func (s *resolver) stamp(ctx context.Context, at Sequence) (events.Instant, error) {
	list, err := s.log.Read(ctx, s.stream, at, 1)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 {
		return 0, fmt.Errorf("read %s at %d: %w", s.stream, at, ErrGone)
	}
	stamp, err := RecordedAt(list[0].Body)
	if err != nil {
		return 0, fmt.Errorf("read %s at %d: %w", s.stream, at, err)
	}
	return stamp, nil
}
