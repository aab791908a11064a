package rules

import (
	"github.com/assenso/assenso/events"
)

// lawDay is the law of one civil day in Rome, with what follows from pack and
// calendar alone. An Engine keeps those of the days that it is asked about.
type lawDay struct {
	pack   *Pack
	day    events.Date
	begins events.Instant // 00:00
	ends   events.Instant // 24:00
	kind   dayKind
	open   events.Instant // first and last instant of the hours of contact, whatever the kind of day
	shut   events.Instant
	oldLaw bool // before DPR 26/2022
	code   bool // the Code of conduct exists
	// young is the earliest date on which a consent may have been given or
	// verified and not be aged.
	young   events.Date
	preGDPR events.Instant // consents before it are
}

func (p *Packs) lawDay(day events.Date) *lawDay {
	k := p.on(day)
	l := &lawDay{
		pack: k, day: day, begins: midnight(day), ends: midnight(day + 1), kind: k.calendar.kind(day),
		oldLaw: day < k.DPR26From, code: day >= k.CodeFrom, preGDPR: midnight(k.PreGDPRBefore), young: youngest(day, k.MaxAgeMonths),
	}
	open, shut := k.hours(l.kind)
	l.open, l.shut = wall(day, open), wall(day, shut)
	return l
}

// youngest is the least d for which month+(d, months) is not before day.
func youngest(day events.Date, months int) events.Date {
	d := day.AddMonths(-months) // or a few days later, where a month lacks the day-number
	for d.AddMonths(months) < day {
		d++
	}
	return d
}

// keptDays is how many days an Engine keeps.
const keptDays = 64

// law returns the law of the civil day of t.
func (e *Engine) law(t events.Instant) *lawDay {
	day := dateOf(t)
	slot := &e.days[uint32(day)%keptDays]
	if l := slot.Load(); l != nil && l.day == day {
		return l
	}
	l := e.packs.lawDay(day)
	slot.Store(l)
	return l
}
