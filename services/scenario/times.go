package scenario

import (
	"errors"
	"time"

	"github.com/assenso/assenso/events"
)

var errTime = errors.New(`want RFC 3339 with offset, "YYYY-MM-DD HH:MM[:SS[.fff]]" (Rome) or "YYYY-MM-DD" (12:00 Rome)`)

// parseTime reads the time forms of the format. A local time that is ambiguous
// is the first of the two instants, one that is missing the later reading: a
// rule of this format only.
func parseTime(s string) (events.Instant, error) {
	if i, err := events.ParseInstant(s); err == nil {
		return i, nil
	}
	if d, err := events.ParseDate(s); err == nil {
		return local(d, 12*time.Hour), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			d := events.NewDate(t.Date())
			return local(d, events.InstantOf(t).Sub(d.In(time.UTC))), nil
		}
	}
	return 0, errTime
}

// local is the first instant at which Rome's clocks show the given time.
func local(d events.Date, sinceMidnight time.Duration) events.Instant {
	naive := d.In(time.UTC).Add(sinceMidnight)
	var first, last events.Instant
	for _, probe := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := naive.Add(probe).Time().In(events.Rome).Zone()
		at := naive.Add(-time.Duration(offset) * time.Second)
		last = max(last, at)
		if _, shown := at.Time().In(events.Rome).Zone(); shown == offset && (first == 0 || at < first) {
			first = at
		}
	}
	if first != 0 {
		return first
	}
	return last
}
