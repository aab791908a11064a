package rules

import (
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// adheres reports whether C adheres to the Code of conduct on a day.
func (g *glance) adheres(controller string, day events.Date) bool {
	return slices.ContainsFunc(g.look(nil, refKey{refAdherence, controller, ""}), codeInForce(day))
}

// codeInForce tests one code.adhered.
func codeInForce(day events.Date) func(*contact.Fact) bool {
	return func(f *contact.Fact) bool {
		d := f.Data.(*events.CodeAdhered)
		return within(day, d.From, d.To)
	}
}

// byCode turns a hit of the Code into a recommendation for a controller that
// does not adhere: no gate effect.
func (s *setting) byCode(h hit) (hit, bool) {
	if !s.codeBinds() {
		h.effect = ""
		if h.kind != "" {
			h.kind = events.KindBestPractice
		}
	}
	return h, true
}

// codeApplies: the Code exists and the purpose is marketing.
func (s *setting) codeApplies() bool { return s.law.code && s.a.Purpose == events.PurposeMarketing }

// protectedCall: IT-CDC-01..04 concern calls to natural persons.
func (e *evaluation) protectedCall() bool {
	if !e.codeApplies() || !isCall(e.channel) {
		return false
	}
	natural := len(e.rows) == 0
	for i := range e.rows {
		natural = natural || e.rows[i].Data.Holder != events.HolderLegal
	}
	return natural
}

// hours is the window of a kind of day.
func (p *Pack) hours(k dayKind) (open, shut time.Duration) {
	if k == shortDay {
		return p.ShortOpen, p.ShortClose
	}
	return p.WeekdayOpen, p.WeekdayClose
}

// outsideHours reports the kind of the day of t and whether t lies outside its
// hours; both ends of the window are inside.
func (p *Pack) outsideHours(t events.Instant) (dayKind, bool) {
	day, clock := clockOf(t)
	k := p.calendar.kind(day)
	open, shut := p.hours(k)
	return k, k == closedDay || clock < open || clock > shut
}

// hoursOf is IT-CDC-01, -02 and -03: one rule for each kind of day.
func hoursOf(kind dayKind) func(*evaluation) (hit, bool) {
	return func(e *evaluation) (hit, bool) {
		if !e.protectedCall() {
			return hit{}, false
		}
		if e.outside {
			if e.law.kind != kind {
				return hit{}, false
			}
			h := block(e.clockEvidence(e.t))
			if e.clockAhead() {
				h.kind = events.KindPotential
			}
			return e.byCode(h)
		}
		if o := e.a.Outcome; o != nil && o.AnsweredAt != 0 {
			if k, outside := e.pack.outsideHours(o.AnsweredAt); outside && k == kind {
				return e.byCode(hit{kind: events.KindPotential, evidence: e.clockEvidence(o.AnsweredAt).say("tested", "answered_at")})
			}
		}
		return hit{}, false
	}
}

// clockAhead: the attempt was recorded before it was dialled.
func (s *setting) clockAhead() bool {
	return s.a.RecordedAt != 0 && s.t.Sub(s.a.RecordedAt) > time.Duration(s.pack.SkewSeconds)*time.Second
}

func (s *setting) clockEvidence(t events.Instant) *evidence {
	ev := s.note()
	if ev == nil {
		return nil
	}
	ev.at("utc", t).say("rome", t.Time().In(events.Rome).Format(time.RFC3339Nano))
	if name := s.pack.calendar.holidays[dateOf(t)]; name != "" {
		ev.say("holiday", name)
	} else if name := s.pack.calendar.holidays[dateOf(t)+1]; name != "" {
		ev.say("eve_of", name)
	}
	return ev
}

func cdc04(e *evaluation) (hit, bool) {
	if !e.protectedCall() || e.bases.any(basisRequest) {
		return hit{}, false
	}
	ev, n := e.note(), 0
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.Controller == e.a.Controller && humanAnswered(c.Data) && c.Data.Basis != events.BasisRequest &&
			c.Data.DialledAt < e.t && dateOf(c.Data.DialledAt) >= e.day-events.Date(e.pack.FrequencyDays) {
			n++
			ev.fact(c.Identity).at("earlier_contact", c.Data.DialledAt)
		}
	}
	if n < e.pack.FrequencyMax {
		return hit{}, false
	}
	return e.byCode(warn(ev))
}

func cdc05(s *setting) (hit, bool) {
	if !s.codeApplies() {
		return hit{}, false
	}
	ev := s.note()
	script := s.scriptReady(ev)
	notice := false
	for _, f := range s.notices() {
		d := f.Data.(*events.NoticePublished)
		notice = notice || within(s.day, d.EffectiveFrom, d.EffectiveTo)
	}
	if script && notice {
		return hit{}, false
	}
	if !notice {
		ev.say("missing", "notice")
	}
	return s.byCode(block(ev))
}

// scriptReady: a script of K that A's processor has acknowledged.
func (s *setting) scriptReady(ev *evidence) bool {
	published := false
	for _, f := range s.scripts() {
		p, ok := f.Data.(*events.ScriptPublished)
		if !ok {
			continue
		}
		published = true
		if s.a.Processor == s.a.Controller {
			return true
		}
		for _, g := range s.scripts() {
			if d, ok := g.Data.(*events.ScriptAcknowledged); ok && d.Script == p.Script && d.Processor == s.a.Processor {
				return true
			}
		}
		ev.fact(f.Identity())
	}
	if published {
		ev.say("missing", "acknowledgement of the script by "+s.a.Processor)
	} else {
		ev.say("missing", "script")
	}
	return false
}

// codeStatements are the five things that must be said (Code, arts 10-11).
var codeStatements = []events.Statement{
	events.StatementIdentity, events.StatementPurpose, events.StatementOrigin, events.StatementRights, events.StatementNotice,
}

func cdc06(s *setting) (hit, bool) {
	o := s.a.Outcome
	if !s.codeApplies() || !o.HumanAnswered() {
		return hit{}, false
	}
	if o.ReleasedAt != 0 && o.End.Sub(o.AnsweredAt) < time.Duration(s.pack.MinTalkSeconds)*time.Second {
		return hit{}, false
	}
	ev, unsaid := s.note(), false
	for _, said := range codeStatements {
		if !slices.Contains(o.Statements, said) {
			unsaid = true
			ev.say("not_said", string(said))
		}
	}
	if !unsaid {
		return hit{}, false
	}
	return s.byCode(finding(ev))
}
