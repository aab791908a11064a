package rules

import (
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// sil02: a silent call must be dropped within three seconds of the answer.
func sil02(s *setting) (hit, bool) {
	o := s.a.Outcome
	if o == nil || !o.Silent || o.AnsweredAt == 0 || o.ReleasedAt == 0 {
		return hit{}, false
	}
	lasted := o.ReleasedAt.Sub(o.AnsweredAt)
	if lasted <= time.Duration(s.pack.SilentDropMillis)*time.Millisecond {
		return hit{}, false
	}
	return finding(s.note().count("silent_ms", int(lasted.Milliseconds()))), true
}

// restUntil is the end of the rest after a silent call: the same wall-clock
// time some civil days later.
func (p *Pack) restUntil(dialled events.Instant) events.Instant {
	day, clock := clockOf(dialled)
	return wall(day+events.Date(p.RestDays), clock)
}

func sil03(e *evaluation) (hit, bool) {
	if !isCall(e.channel) {
		return hit{}, false
	}
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.Controller != e.a.Controller || c.Data.DialledAt >= e.t || !silent(c.Data) {
			continue
		}
		if until := e.pack.restUntil(c.Data.DialledAt); e.t < until {
			return block(e.note().fact(c.Identity).at("silent_call", c.Data.DialledAt).at("rest_until", until)), true
		}
	}
	return hit{}, false
}

// sil04: after a silent call the next one needs a reserved agent. Of two
// latest attempts at one instant the silent one counts.
func sil04(e *evaluation) (hit, bool) {
	if !isCall(e.channel) || e.a.AgentReserved {
		return hit{}, false
	}
	var last *contact.Call
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.Controller != e.a.Controller || c.Data.DialledAt >= e.t {
			continue
		}
		if last == nil || c.Data.DialledAt > last.Data.DialledAt || (c.Data.DialledAt == last.Data.DialledAt && silent(c.Data)) {
			last = c
		}
	}
	if last == nil || !silent(last.Data) {
		return hit{}, false
	}
	return block(e.note().fact(last.Identity).at("silent_call", last.Data.DialledAt).say("mode", string(e.a.Mode))), true
}

func sil05(s *setting) (hit, bool) {
	o := s.a.Outcome
	if o == nil || !o.Silent || o.ComfortNoise {
		return hit{}, false
	}
	return finding(s.note().say("comfort_noise", "false")), true
}
