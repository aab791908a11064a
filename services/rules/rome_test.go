package rules

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

// The short way through the calendar is the long way: over all years, around
// every change of clocks and every New Year, and at random.
func TestRomeIsWhatTheTimeZoneDatabaseSays(t *testing.T) {
	check := func(at events.Instant) {
		t.Helper()
		local := at.Time().In(events.Rome)
		day, clock := clockOf(at)
		if want := events.DateOf(at, events.Rome); day != want || dateOf(at) != want {
			t.Fatalf("%v is on %v and %v, want %v", at, day, dateOf(at), want)
		}
		h, m, s := local.Clock()
		if want := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(local.Nanosecond()); clock != want {
			t.Fatalf("at %v clocks show %v, want %v", at, clock, want)
		}
		if got, want := midnight(day), day.In(events.Rome); got != want {
			t.Fatalf("%v begins at %v, want %v", day, got, want)
		}
		if got, want := wall(day, clock), longWall(day, clock); got != want {
			t.Fatalf("%v %v is %v, want %v", day, clock, got, want)
		}
	}
	for year := 1900; year <= lastYear+10; year++ {
		start := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
		for _, around := range []time.Duration{-72 * time.Hour, -2 * time.Hour, -time.Hour, -time.Microsecond, 0, time.Hour, 72 * time.Hour} {
			check(events.InstantOf(start.Add(around)))
		}
		for at := start.In(events.Rome); ; {
			_, next := at.ZoneBounds()
			if !next.After(at) || next.Year() > year {
				break
			}
			at = next
			for minute := -26 * 60; minute <= 26*60; minute += 15 {
				check(events.InstantOf(at) + events.Instant(minute)*60*second)
				check(events.InstantOf(at) + events.Instant(minute)*60*second - 1)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		check(events.NewDate(1975, 1, 1).In(time.UTC) + events.Instant(rnd.Int64N(int64(130*366*day))))
	}
	for _, at := range []events.Instant{0, 1, -1, events.NewDate(1, 1, 2).In(time.UTC)} {
		check(at)
	}
}

// longWall is wall by the database alone.
func longWall(d events.Date, clock time.Duration) events.Instant {
	var latest, latestShown events.Instant
	naive := d.In(time.UTC).Add(clock)
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

// Of the years to come every one takes the short way, as long as the law on
// summer time stands.
func TestEveryYearHasItsSummer(t *testing.T) {
	for i, s := range summers {
		if s.to == 0 || s.from >= s.to {
			t.Errorf("summer of %d: %v", firstSummer+i, s)
		}
	}
}

// A consent is young from the day on whose day-number, months later, is not
// before today.
func TestYoungest(t *testing.T) {
	for day := events.NewDate(2023, 12, 1); day < events.NewDate(2028, 4, 1); day++ {
		for _, months := range []int{0, 1, 6, 24, 25} {
			young := youngest(day, months)
			if young.AddMonths(months) < day || (young-1).AddMonths(months) >= day {
				t.Fatalf("on %v the youngest consent of %d months is of %v", day, months, young)
			}
		}
	}
}
