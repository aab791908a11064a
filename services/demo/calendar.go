package demo

import (
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// calendar turns "17 days before, 10:30" into instants of Rome.
type calendar struct{ day events.Date }

// at is the local time clock ("10:30" or "10:30:05") offset days after the day.
func (c calendar) at(offset int, clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		t, _ = time.Parse("15:04", clock) // the clocks are those of this package; the test reads them all
	}
	y, m, d := (c.day + events.Date(offset)).Civil()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, events.Rome)
}

func (c calendar) date(offset int) events.Date { return c.day + events.Date(offset) }

// last is the offset of the latest such weekday before the day.
func (c calendar) last(w time.Weekday) int {
	for i := -1; ; i-- {
		if c.date(i).Weekday() == w {
			return i
		}
	}
}

// holidays by month*100+day; Easter falls on no day that check admits with the
// window of the story, but for its eve and Monday, which are refused by weekday.
var holidays = map[int]bool{101: true, 106: true, 425: true, 501: true, 602: true, 815: true, 1004: true, 1101: true, 1208: true, 1225: true, 1226: true}

// check refuses a day that would not be an ordinary one, or whose story would
// touch a holiday: calls are made on it, one and two weeks before, and on the Saturday before.
func (c calendar) check() error {
	switch c.day.Weekday() {
	case time.Saturday, time.Sunday, time.Monday:
		return fmt.Errorf("demo generate: %s is a %s: choose a day from Tuesday to Friday", c.day, c.day.Weekday())
	}
	for _, offset := range []int{0, dayBefore, dayFirst, c.last(time.Saturday)} {
		for _, d := range []events.Date{c.date(offset), c.date(offset + 1)} {
			_, m, day := d.Civil()
			if holidays[int(m)*100+day] {
				return fmt.Errorf("demo generate: %s is a holiday or the day after %s is: choose another day", d, c.date(offset))
			}
		}
	}
	if c.date(-40) <= events.NewDate(2026, 6, 19) {
		return fmt.Errorf("demo generate: %s is too early: the story needs the energy rules of 2026-06-19, choose a day from August 2026 on", c.day)
	}
	return nil
}
