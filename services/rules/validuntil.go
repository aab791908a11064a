package rules

import (
	"github.com/assenso/assenso/events"
)

// validUntil is the first instant after t at which the answer may change by
// time alone. Everything that counts civil days changes at a Rome midnight;
// within a day only hours, rests after silent calls, pending confirmations and
// facts of the contact ahead of the clock change anything. It is a bound: the
// answer may well stay the same. A reference fact ahead of the clock is a fact
// that arrives: the bound does not foresee it.
func (e *evaluation) validUntil() events.Instant {
	next := (e.day + 1).In(events.Rome)
	sooner := func(at events.Instant) {
		if at > e.t && at < next {
			next = at
		}
	}
	if open, shut := e.pack.hours(e.pack.calendar.kind(e.day)); isCall(e.channel) {
		sooner(wall(e.day, open))
		sooner(wall(e.day, shut) + 1) // the closing instant itself is inside
	}
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		sooner(c.Data.DialledAt + 1) // then it is an earlier attempt
		if c.Controller == e.a.Controller && silent(c.Data) {
			sooner(e.pack.restUntil(c.Data.DialledAt))
		}
	}
	for i := range e.state.Grants {
		if p := e.state.Grants[i].Data.Proof; p != nil {
			sooner(p.ConfirmedAt)
			sooner(p.NotifiedAt)
		}
	}
	for i := range e.state.Answers {
		sooner(e.state.Answers[i].Snapshot)
	}
	e.history.Pending(e.t, sooner)
	return next
}
