package rules

import (
	"time"

	"github.com/assenso/assenso/events"
)

func led01(e *evaluation) (hit, bool) {
	if !e.clockAhead() {
		return hit{}, false
	}
	return finding(new(evidence).say("dialled", e.t.String()).say("recorded", e.a.RecordedAt.String())), true
}

// led05: dialled without a fresh decision that allowed it.
func led05(e *evaluation) (hit, bool) {
	c := e.a.Decision
	if !c.Made {
		return hit{}, false
	}
	ev := new(evidence).say("decision", c.Ref)
	if c.At != 0 {
		if e.fresh(c.At, c.Verdict) {
			return hit{}, false
		}
		return finding(ev.say("decided", c.At.String()).say("verdict", string(c.Verdict))), true
	}
	for i := range e.state.Decisions {
		d := &e.state.Decisions[i]
		if c.Ref == "" || d.ID != c.Ref || d.Controller != e.a.Controller {
			continue
		}
		if e.fresh(d.Time, d.Verdict) {
			return hit{}, false
		}
		ev.fact(d.Identity).say("decided", d.Time.String()).say("verdict", string(d.Verdict))
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

func agt01(e *evaluation) (hit, bool) {
	if e.a.Agent == "" {
		return hit{}, false
	}
	e.refs = e.look(e.refs[:0], refKey{refAgent, e.a.Agent, ""})
	for _, f := range e.refs {
		d := f.Data.(*events.AgentCertified)
		if within(e.day, d.From, d.To) && (f.Controller == "" || f.Controller == e.a.Controller) {
			return hit{}, false
		}
	}
	return finding(new(evidence).facts(e.refs).say("agent", e.a.Agent)), true
}
