package inquiry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Cutoffs are the three clocks of a read (design.md 6). Zero values mean: At =
// Known, Known = AsOf, AsOf = the latest possible.
type Cutoffs struct {
	At    events.Instant // legal time o
	Known events.Instant // received by r
	AsOf  AsOf           // recorded by w
}

// AsOf names a prefix of the log: an instant, positions, or (zero) the latest.
type AsOf struct {
	Instant   events.Instant
	Positions view.Positions
}

// ErrAsOf: the text is neither an instant nor a list of positions.
var ErrAsOf = errors.New("as_of is neither an RFC 3339 instant nor stream:sequence,…")

// ParseAsOf reads an RFC 3339 instant, "LEDGER_00:12,LEDGER_REF:7", or "".
func ParseAsOf(s string) (AsOf, error) {
	if s == "" {
		return AsOf{}, nil
	}
	if i, err := events.ParseInstant(s); err == nil {
		return AsOf{Instant: i}, nil
	}
	p := view.Positions{}
	for part := range strings.SplitSeq(s, ",") {
		stream, number, ok := strings.Cut(part, ":")
		n, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil || stream == "" {
			return AsOf{}, ErrAsOf
		}
		p[stream] = n
	}
	return AsOf{Positions: p}, nil
}

// TooLateError: the as_of lies beyond what every recorder has promised not to
// change any more. Ask again with Latest or earlier. HTTP answers 409.
type TooLateError struct{ Latest events.Instant }

// Error implements error.
func (e *TooLateError) Error() string {
	if e.Latest.IsZero() {
		return "as_of too late: no recorder has reported yet: wait until all five run"
	}
	return fmt.Sprintf("as_of too late: the latest possible is %s", e.Latest)
}

// Errors of the package, besides those of the ports.
var (
	// ErrBehind: the view has not applied what the cut-off asks for, and did
	// not within the wait. Ask again. HTTP answers 503 with Retry-After.
	ErrBehind = errors.New("view behind the ledger")
	// ErrUnknown: no such contact or campaign. HTTP answers 404.
	ErrUnknown = errors.New("unknown")
	// ErrAmbiguous: several controllers have a campaign of this id: name the
	// controller. HTTP answers 409.
	ErrAmbiguous = errors.New("ambiguous")
)

// FinalAt resolves an as-of that must be final, like Final, from an instant or
// from positions. R of positions is the recorded time of their latest event;
// ErrBehind if they lie beyond what the view has applied.
func (d *Desk) FinalAt(ctx context.Context, a AsOf) (events.Instant, view.Positions, error) {
	if a.Positions == nil {
		return d.Final(ctx, a.Instant)
	}
	progress, err := d.await(ctx, a.Positions)
	if err != nil {
		return 0, nil, err
	}
	low, high := events.Instant(0), progress.Recorded() // high covers the positions, low does not
	for high-low > 1 {
		middle := low + (high-low)/2
		p, err := d.View.Resolve(ctx, middle)
		if err != nil {
			return 0, nil, fmt.Errorf("inquiry resolve as-of: %w", err)
		}
		if covers(p, a.Positions) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, a.Positions, nil
}

// covers reports whether p lies nowhere before q.
func covers(p, q view.Positions) bool {
	for stream, n := range q {
		if p[stream] < n {
			return false
		}
	}
	return true
}
