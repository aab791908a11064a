package events

import (
	"errors"
	"fmt"
	"time"
)

// Instant is a point in time in microseconds, UTC. The zero Instant means
// "absent" and equals the zero time.Time (0001-01-01T00:00:00Z). Instants
// compare with < and ==.
type Instant int64

// unixOffset is the distance from 0001-01-01T00:00:00Z to the Unix epoch in
// microseconds.
const unixOffset = 62135596800 * 1_000_000

// MaxInstant is later than every instant of the contract (RFC 3339 ends with
// year 9999); as a cut-off it means "no limit".
const MaxInstant Instant = 1<<63 - 1

// InstantOf cuts t to microseconds. The zero time gives the absent Instant.
func InstantOf(t time.Time) Instant {
	return Instant(t.UnixMicro() + unixOffset)
}

// InstantFromUnixMicro is the inverse of UnixMicro.
func InstantFromUnixMicro(us int64) Instant { return Instant(us + unixOffset) }

// Time returns i as a time.Time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(i.UnixMicro()).UTC() }

// UnixMicro returns microseconds since 1970-01-01T00:00:00Z, the form in which
// views store instants.
func (i Instant) UnixMicro() int64 { return int64(i) - unixOffset }

// IsZero reports whether i is absent.
func (i Instant) IsZero() bool { return i == 0 }

// Add returns i+d, cut to microseconds.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d/time.Microsecond) }

// Sub returns i-j.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Microsecond }

// AppendFormat appends the recorded form of i: RFC 3339, UTC, three fraction
// digits, or six where the last three are not zero (events.md, head).
func (i Instant) AppendFormat(dst []byte) []byte {
	switch {
	case i >= 0 && i < endInstant:
	case i%1000 == 0: // year 0000 and what lies beyond the contract
		return i.Time().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	default:
		return i.Time().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	}
	seconds, micros := int64(i/1_000_000), int(i%1_000_000)
	year, month, day := Date(seconds/86400 + 1).Civil()
	second := int(seconds % 86400)
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, second/3600, 2), ':')
	dst = append(appendDigits(dst, second/60%60, 2), ':')
	dst = append(appendDigits(dst, second%60, 2), '.')
	if micros%1000 == 0 {
		return append(appendDigits(dst, micros/1000, 3), 'Z')
	}
	return append(appendDigits(dst, micros, 6), 'Z')
}

// appendDigits appends v with n decimal digits.
func appendDigits(dst []byte, v, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; v > 0 && n > 0; i, n = i-1, n-1 {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// String returns the recorded form; "" when absent.
func (i Instant) String() string {
	if i == 0 {
		return ""
	}
	return string(i.AppendFormat(nil))
}

// ErrInstant is returned for text that is not RFC 3339 with an offset.
var ErrInstant = errors.New("not an RFC 3339 instant with offset")

// ParseInstant reads RFC 3339 with an offset; digits finer than a microsecond
// are cut, not rounded. An offset must not lead beyond the years 0000 to 9999,
// and the instant that stands for "absent" is refused. The error, ErrInstant,
// never quotes the text.
func ParseInstant(s string) (Instant, error) { return parseInstant(s) }

// MarshalText implements encoding.TextMarshaler.
func (i Instant) MarshalText() ([]byte, error) {
	if i == 0 {
		return nil, nil
	}
	return i.AppendFormat(nil), nil
}

// UnmarshalText implements encoding.TextUnmarshaler; empty text is absent.
func (i *Instant) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*i = 0
		return nil
	}
	v, err := parseInstant(b)
	if err != nil {
		return err
	}
	*i = v
	return nil
}

// Date is a civil date without a zone, counted in days from 0001-01-01 = 1.
// The zero Date means "absent". Dates compare with <; d+n is n civil days
// later (rules.md, head).
type Date int32

// DateOf is the civil date of i in loc; loc is Europe/Rome wherever the law
// counts days.
func DateOf(i Instant, loc *time.Location) Date {
	y, m, d := i.Time().In(loc).Date()
	return NewDate(y, m, d)
}

// NewDate normalises like time.Date.
func NewDate(year int, month time.Month, day int) Date {
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return Date((t.Unix()+62135596800)/86400 + 1)
}

// Civil returns the parts of d.
func (d Date) Civil() (year int, month time.Month, day int) {
	return d.utc().Date()
}

func (d Date) utc() time.Time {
	return time.Unix(int64(d-1)*86400-62135596800, 0).UTC()
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// In returns 00:00 of d in loc.
func (d Date) In(loc *time.Location) Instant {
	y, m, dd := d.Civil()
	return InstantOf(time.Date(y, m, dd, 0, 0, 0, 0, loc))
}

// AddMonths is month+(d,n) of rules.md: the same day-number n months later, or
// the last day of that month.
func (d Date) AddMonths(n int) Date {
	y, m, dd := d.Civil()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return NewDate(first.Year(), first.Month(), min(dd, last))
}

// String returns YYYY-MM-DD; "" when absent.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	y, m, dd := d.Civil()
	return fmt.Sprintf("%04d-%02d-%02d", y, int(m), dd)
}

// ErrDate is returned for text that is not a civil date YYYY-MM-DD.
var ErrDate = errors.New("not a civil date YYYY-MM-DD")

// ParseDate reads YYYY-MM-DD from 0001-01-01 on. The error, ErrDate, never
// quotes the text.
func ParseDate(s string) (Date, error) { return parseDate(s) }

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is absent.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := parseDate(b)
	if err != nil {
		return err
	}
	*d = v
	return nil
}
