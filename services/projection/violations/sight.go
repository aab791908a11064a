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
	back   events.Instant // how far rules look back upon calls
	whole  *contact.History
	calls  []*contact.Fact
	far    map[string]*farsight // by controller
	near   map[nearsight]*contact.History
	cited  bool // a consent was given in a call: IT-CON-09 evaluates that call, too
	silent map[string]bool
}

// farsight is the history as all attempts of a controller see it.
type farsight struct {
	history *contact.History
	calls   int
	decided map[string]bool // decisions on which calls rest
}

// nearsight is a time of attempts of a controller.
type nearsight struct {
	controller string
	span       events.Instant
}

const (
	// longHistory is the number of calls from which on the time counts.
	longHistory = 64
	// nearSpan is how long the attempts that share a history may lie apart.
	nearSpan = 8 * civilDay
	civilDay = events.Instant(24 * 60 * 60 * 1_000_000)
)

func (v *Violations) sight(history *contact.History, calls []*contact.Fact) *sight {
	s := &sight{back: v.back, whole: history, calls: calls, far: map[string]*farsight{}, near: map[nearsight]*contact.History{}, silent: map[string]bool{}}
	if len(calls) < longHistory {
		return s
	}
	history.Forms(func(f *contact.Fact) {
		switch d := f.Data.(type) {
		case *events.ConsentGranted:
			s.cited = s.cited || d.CollectionAttempt != ""
		case *events.CallConcluded:
			if a, ok := rules.AttemptOf(f); ok && a.Outcome.Silent {
				s.silent[f.Controller] = true
			}
		}
	})
	return s
}

// of returns what the attempt sees.
func (s *sight) of(a *rules.Attempt) *contact.History {
	far := s.far[a.Controller]
	if far == nil {
		far = s.look(a.Controller)
		s.far[a.Controller] = far
	}
	if far.calls < longHistory || s.cited || s.silent[a.Controller] {
		return far.history
	}
	key := nearsight{a.Controller, a.DialledAt / nearSpan}
	near := s.near[key]
	if near == nil {
		near = far.history.Without(s.beyond(key, far.decided))
		s.near[key] = near
	}
	return near
}

// look leaves out what only other controllers' attempts see.
func (s *sight) look(controller string) *farsight {
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

// beyond tells what an attempt of that time does not see: calls dialled later;
// calls dialled longer ago than IT-LST-06 counts, unless somebody answered
// (IT-CDC-04, and what uses up a request), where none was silent (IT-SIL-03 and
// IT-SIL-04) and none gave a consent (IT-CON-09); and answers of the gate that
// no call names (LED-05).
func (s *sight) beyond(key nearsight, decided map[string]bool) func(*contact.Fact) bool {
	from, until := key.span*nearSpan-s.back, (key.span+1)*nearSpan
	return func(f *contact.Fact) bool {
		switch d := f.Data.(type) {
		case *events.CallConcluded:
			return d.DialledAt >= until || (d.DialledAt < from && d.AnsweredAt.IsZero())
		case *events.DecisionIssued:
			return !decided[f.ID]
		}
		return false
	}
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
