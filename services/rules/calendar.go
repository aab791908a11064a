package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/rickar/cal/v2"
)

// Years for which holidays are worked out when a pack is loaded.
const (
	firstYear = 1990
	lastYear  = 2100
)

// calendar answers what kind of day a civil day is (rules.md 3.4).
type calendar struct {
	holidays map[events.Date]string
	members  map[string][]memberState // by code
}

type memberState struct {
	Code     string
	from, to events.Date
}

type holidayEntry struct {
	Name   string `yaml:"name"`
	Month  int    `yaml:"month"`
	Day    int    `yaml:"day"`
	Easter *int   `yaml:"easter"`
	From   int    `yaml:"from"`
	To     int    `yaml:"to"`
	Tag    string `yaml:"tag"`
	Source string `yaml:"source"`
}

type memberEntry struct {
	Code string `yaml:"code"`
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

func loadCalendar(files fs.FS) (*calendar, error) {
	const name = "calendar.yaml"
	var file struct {
		Holidays []located[holidayEntry] `yaml:"holidays"`
		Patrons  []located[holidayEntry] `yaml:"patron_days"`
		Members  []located[memberEntry]  `yaml:"member_states"`
	}
	if err := readYAML(files, name, &file); err != nil {
		return nil, err
	}
	c := &calendar{holidays: map[events.Date]string{}, members: map[string][]memberState{}}
	var errs []error
	for _, h := range append(file.Holidays, file.Patrons...) {
		if err := c.addHoliday(h.Value); err != nil {
			errs = append(errs, &PackError{name, h.Line, err.Error()})
		}
	}
	for _, m := range file.Members {
		state := memberState{Code: m.Value.Code}
		var err, err2 error
		if m.Value.From != "" {
			state.from, err = events.ParseDate(m.Value.From)
		}
		if m.Value.To != "" {
			state.to, err2 = events.ParseDate(m.Value.To)
		}
		if err != nil || err2 != nil || len(state.Code) != 2 {
			errs = append(errs, &PackError{name, m.Line, "member state: want a code of two letters and quoted dates"})
		}
		c.members[state.Code] = append(c.members[state.Code], state)
	}
	if len(file.Holidays) == 0 || len(c.members) == 0 {
		errs = append(errs, &PackError{name, 0, "holidays or member_states missing"})
	}
	return c, errors.Join(errs...)
}

func (c *calendar) addHoliday(h holidayEntry) error {
	def := cal.Holiday{Name: h.Name, StartYear: h.From, EndYear: h.To, Func: cal.CalcDayOfMonth}
	switch {
	case h.Name == "":
		return errors.New("holiday: name missing")
	case h.Easter != nil:
		def.Func, def.Offset = cal.CalcEasterOffset, *h.Easter
	case h.Month < 1 || h.Month > 12 || h.Day < 1 || h.Day > 31:
		return fmt.Errorf("holiday %s: want month and day, or easter", h.Name)
	default:
		def.Month, def.Day = time.Month(h.Month), h.Day
	}
	for year := firstYear; year <= lastYear; year++ {
		if day, _ := def.Calc(year); !day.IsZero() {
			c.holidays[events.NewDate(day.Date())] = h.Name
		}
	}
	return nil
}

// dayKind is the kind of a civil day for the hours of contact.
type dayKind uint8

const (
	ordinaryDay dayKind = iota
	shortDay            // Saturday or eve of a holiday
	closedDay           // Sunday or holiday; wins over all
)

func (c *calendar) kind(d events.Date) dayKind {
	_, holiday := c.holidays[d]
	_, eve := c.holidays[d+1]
	switch weekday := d.Weekday(); {
	case weekday == time.Sunday || holiday:
		return closedDay
	case weekday == time.Saturday || eve:
		return shortDay
	}
	return ordinaryDay
}

// workingDay moves d to the next day that is no Saturday, Sunday or holiday.
func (c *calendar) workingDay(d events.Date) events.Date {
	for {
		_, holiday := c.holidays[d]
		if w := d.Weekday(); !holiday && w != time.Saturday && w != time.Sunday {
			return d
		}
		d++
	}
}

// member reports whether the country belongs to the Union on that day.
func (c *calendar) member(code string, d events.Date) bool {
	return slices.ContainsFunc(c.members[code], func(m memberState) bool { return within(d, m.from, m.to) })
}
