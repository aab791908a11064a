package rules

import (
	"sort"
	"time"

	"github.com/assenso/assenso/events"
)

// The civil calendar of Rome, without a look into the time-zone database for
// every instant: each year from firstSummer on has one summer time, which the
// database gives once. Instants and days of other years, or of years in which
// the database says something else, go the long way.

const (
	dayLength  = events.Instant(24 * 3600 * 1_000_000) // of a day of UTC
	winterTime = events.Instant(3600 * 1_000_000)      // ahead of UTC
	summerTime = 2 * winterTime
	// meanYear is 365.2425 days: an instant divided by it gives the year but for
	// a few days around New Year, where every year has winter time.
	meanYear = events.Instant(31_556_952 * 1_000_000)

	firstSummer = 1981 // since then the changes are at 01:00 UTC
	lastSummer  = lastYear
)

// summer is the time within a year when clocks are two hours ahead of UTC; the
// zero summer says that the year must go the long way.
type summer struct{ from, to events.Instant }

var summers = func() (out [lastSummer - firstSummer + 1]summer) {
	for i := range out {
		out[i] = summerOf(firstSummer + i)
	}
	return out
}()

// summerOf asks the database for the summer time of a year, to the hour.
func summerOf(year int) summer {
	offset := func(t events.Instant) events.Instant {
		_, seconds := t.Time().In(events.Rome).Zone()
		return events.Instant(seconds) * 1_000_000
	}
	change := func(from, to events.Date, after events.Instant) events.Instant {
		start := from.In(time.UTC)
		hours := sort.Search(int(to-from)*24, func(h int) bool { return offset(start+events.Instant(h)*winterTime) == after })
		return start + events.Instant(hours)*winterTime
	}
	first, last := events.NewDate(year, time.January, 1), events.NewDate(year, time.December, 31)
	july := events.NewDate(year, time.July, 1)
	if offset(first.In(time.UTC)) != winterTime || offset(july.In(time.UTC)) != summerTime || offset(last.In(time.UTC)) != winterTime {
		return summer{}
	}
	s := summer{change(first, july, summerTime), change(july, last, winterTime)}
	atOne := func(t events.Instant) bool {
		return t%dayLength == winterTime && offset(t-1)+offset(t) == winterTime+summerTime
	}
	if !atOne(s.from) || !atOne(s.to) {
		return summer{}
	}
	return s
}

// ahead is how far Rome's clocks are ahead of UTC; ok is false where only the
// database knows.
func ahead(t events.Instant) (offset events.Instant, ok bool) {
	year := t/meanYear + 1 - firstSummer
	if year < 0 || year >= events.Instant(len(summers)) || summers[year].to == 0 {
		return 0, false
	}
	if s := &summers[year]; t >= s.from && t < s.to {
		return summerTime, true
	}
	return winterTime, true
}

// clockOf returns the civil day of t in Rome and the wall-clock time since
// midnight that Rome's clocks show.
func clockOf(t events.Instant) (events.Date, time.Duration) {
	if offset, ok := ahead(t); ok {
		local := t + offset
		return events.Date(local/dayLength) + 1, time.Duration(local%dayLength) * time.Microsecond
	}
	local := t.Time().In(events.Rome)
	h, m, s := local.Clock()
	return events.NewDate(local.Date()), time.Duration(h)*time.Hour + time.Duration(m)*time.Minute +
		time.Duration(s)*time.Second + time.Duration(local.Nanosecond())
}

// dateOf is date(t): the civil date of t in Rome.
func dateOf(t events.Instant) events.Date {
	if offset, ok := ahead(t); ok {
		return events.Date((t+offset)/dayLength) + 1
	}
	return events.DateOf(t, events.Rome)
}

// midnight is the instant at which a civil day begins in Rome.
func midnight(d events.Date) events.Instant {
	naive := events.Instant(d-1) * dayLength
	// The clocks never change between the two instants that it may be.
	if offset, ok := ahead(naive - winterTime); ok {
		return naive - offset
	}
	return d.In(events.Rome)
}

// wall returns the instant at which Rome's clocks show the given time of a
// civil day. An ambiguous or missing time is the later instant (rules.md 3.4).
func wall(d events.Date, sinceMidnight time.Duration) events.Instant {
	naive := (events.Instant(d-1) * dayLength).Add(sinceMidnight)
	before, ok := ahead(naive - dayLength)
	after, ok2 := ahead(naive + dayLength)
	if ok && ok2 && before == after {
		return naive - before
	}
	var latest, latestShown events.Instant
	for _, probe := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := naive.Add(probe).Time().In(events.Rome).Zone()
		at := naive.Add(-time.Duration(offset) * time.Second)
		latest = max(latest, at)
		if _, shown := at.Time().In(events.Rome).Zone(); shown == offset {
			latestShown = max(latestShown, at)
		}
	}
	if latestShown != 0 {
		return latestShown
	}
	return latest
}
