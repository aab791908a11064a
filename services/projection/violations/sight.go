package violations

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

// sight hands each attempt of one contact a history without what no rule of
// section 4 can see from it. Histories become long by calls and the gate's
// answers, and an evaluation goes through all of its history, so this is what
// keeps a contact with thousands of calls affordable. What is contested stays
// in every history, and so does every other type.
type sight struct {
	back  events.Instant // how far rules look back upon calls
	whole *contact.History
	calls []*contact.Fact
	far   map[string]*farsight // by controller
	near  map[span]*nearsight
	cited bool // a consent was given in a call: IT-CON-09 evaluates that call, too
}

// farsight is the history as all attempts of a controller see it.
type farsight struct {
	history *contact.History
	calls   int
	decided map[string]bool // decisions on which calls rest
}

// span is a time of attempts of a controller.
type span struct {
	controller string
	number     events.Instant
}

// nearsight is the history as the attempts of a span see it, from the instant
// on at which the latest call that they see is in it.
type nearsight struct {
	history *contact.History
	from    events.Instant
}

const (
	// longHistory is the number of calls from which on the time counts.
	longHistory = 64
	// nearSpan is how long the attempts that share a history may lie apart.
	nearSpan = 8 * civilDay
	civilDay = events.Instant(24 * 60 * 60 * 1_000_000)
)

func (v *Violations) sight(history *contact.History, calls []*contact.Fact) *sight {
	s := &sight{back: v.back, whole: history, calls: calls, far: map[string]*farsight{}, near: map[span]*nearsight{}}
	if len(calls) >= longHistory {
		history.Forms(func(f *contact.Fact) {
			d, ok := f.Data.(*events.ConsentGranted)
			s.cited = s.cited || (ok && d.CollectionAttempt != "")
		})
	}
	return s
}

// of returns what the attempt sees.
func (s *sight) of(a *rules.Attempt) *contact.History {
	far := s.far[a.Controller]
	if far == nil {
		far = s.lookFar(a.Controller)
		s.far[a.Controller] = far
	}
	if far.calls < longHistory || s.cited {
		return far.history
	}
	key := span{a.Controller, a.DialledAt / nearSpan}
	near := s.near[key]
	if near == nil {
		near = s.lookNear(far, key.number)
		s.near[key] = near
	}
	if a.DialledAt < near.from {
		return far.history
	}
	return near.history
}

// lookFar leaves out what only other controllers' attempts see.
func (s *sight) lookFar(controller string) *farsight {
	far := &farsight{history: s.whole, decided: map[string]bool{}}
	for _, f := range s.calls {
		if f.Controller == controller {
			far.calls++
			far.decided[f.Data.(*events.CallConcluded).Decision] = true
		}
	}
	if far.calls < len(s.calls) {
		far.history = s.whole.Without(func(f *contact.Fact) bool { return ownOnly(f) && f.Controller != controller })
	}
	return far
}

// ownOnly: the facts of which no rule of section 4 reads another controller's:
// rules count calls and look for the gate's answers of the attempt's own
// controller (IT-CDC-04, IT-CON-09, IT-LST-06, IT-SIL-03, IT-SIL-04, LED-05,
// and what uses up a request).
func ownOnly(f *contact.Fact) bool {
	return f.Type == events.TypeCallConcluded || f.Type == events.TypeDecisionIssued
}

// lookNear leaves out what no attempt of a span sees: calls dialled later; calls
// dialled longer ago than IT-LST-06 and IT-SIL-03 look, unless somebody
// answered (IT-CDC-04, and what uses up a request); and answers of the gate
// that no call names (LED-05). That the latest call before an attempt was
// silent (IT-SIL-04) is seen where any call is left before it.
func (s *sight) lookNear(far *farsight, number events.Instant) *nearsight {
	begin, end := number*nearSpan-s.back, (number+1)*nearSpan
	near := &nearsight{from: events.MaxInstant}
	near.history = far.history.Without(func(f *contact.Fact) bool {
		switch d := f.Data.(type) {
		case *events.CallConcluded:
			if d.DialledAt >= begin && d.DialledAt < end {
				near.from = min(near.from, max(d.DialledAt+1, f.Time, f.Received))
				return false
			}
			return d.DialledAt >= end || d.AnsweredAt.IsZero()
		case *events.DecisionIssued:
			return !far.decided[f.ID]
		}
		return false
	})
	return near
}

// lookBack is how far the rules of any pack count calls that nobody answered,
// and two days for the difference between civil days and 24 hours.
func lookBack(packs *rules.Packs) events.Instant {
	days := 0
	for _, day := range append(packs.Days(), 0) { // the oldest holds since ever
		p := packs.On(day)
		days = max(days, p.FrequencyDays, p.PressureDays, p.RestDays)
	}
	return events.Instant(days+2) * civilDay
}
