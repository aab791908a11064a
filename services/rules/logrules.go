package rules

import (
	"time"

	"github.com/assenso/assenso/events"
)

func led01(s *setting) (hit, bool) {
	if !s.clockAhead() {
		return hit{}, false
	}
	return finding(s.note().at("dialled", s.t).at("recorded", s.a.RecordedAt)), true
}

// led05: dialled without a fresh decision that allowed it.
func led05(e *evaluation) (hit, bool) {
	c := e.a.Decision
	if !c.Made {
		return hit{}, false
	}
	ev := e.note().say("decision", c.Ref)
	if c.At != 0 {
		if e.fresh(c.At, c.Verdict) {
			return hit{}, false
		}
		return finding(ev.at("decided", c.At).say("verdict", string(c.Verdict))), true
	}
	for i := range e.state.Decisions {
		d := &e.state.Decisions[i]
		if c.Ref == "" || d.ID != c.Ref || d.Controller != e.a.Controller {
			continue
		}
		if e.fresh(d.Time, d.Verdict) {
			return hit{}, false
		}
		ev.fact(d.Identity).at("decided", d.Time).say("verdict", string(d.Verdict))
	}
	if len(ev.Events) == 0 {
		ev.say("missing", "decision")
	}
	return finding(ev), true
}

// fresh: not later than t, not too old at t, and no block.
func (e *evaluation) fresh(at events.Instant, v events.Verdict) bool {
	return at <= e.t && e.t.Sub(at) <= time.Duration(e.pack.DecisionTTLSeconds)*time.Second &&
		(v == events.VerdictAllow || v == events.VerdictWarn)
}

func agt01(s *setting) (hit, bool) {
	if s.a.Agent == "" {
		return hit{}, false
	}
	s.refs = s.look(s.refs[:0], refKey{refAgent, s.a.Agent, ""})
	for _, f := range s.refs {
		d := f.Data.(*events.AgentCertified)
		if within(s.day, d.From, d.To) && (f.Controller == "" || f.Controller == s.a.Controller) {
			return hit{}, false
		}
	}
	return finding(s.note().facts(s.refs).say("agent", s.a.Agent)), true
}
