package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

func lst01(e *evaluation) (hit, bool) {
	if e.bases.any(basisRequest | basisInbound) {
		return hit{}, false
	}
	k := &e.campaign
	open := k.known && e.t >= k.openedAt && (k.closedAt == 0 || e.t <= k.closedAt)
	for i := range e.rows {
		if open && e.listActive(e.rows[i].Data.List) {
			return hit{}, false
		}
	}
	ev := e.note()
	if k.known {
		ev.fact(k.opened.Identity())
	}
	if !open {
		return block(ev.say("campaign", "not open")), true
	}
	for i := range e.rows {
		ev.fact(e.rows[i].Identity).say("inactive_list", e.rows[i].Data.List)
	}
	if len(e.rows) == 0 {
		ev.say("missing", "row on a list of the campaign")
	}
	return block(ev), true
}

func lst02(e *evaluation) (hit, bool) {
	if e.bases.any(basisRequest|basisInbound) || len(e.rows) == 0 {
		return hit{}, false
	}
	ev := e.note()
	for i := range e.rows {
		d := e.rows[i].Data
		if d.Source != "" && d.Collector != "" && d.AcquiredOn != 0 {
			return hit{}, false
		}
		ev.fact(e.rows[i].Identity).say("list", d.List)
	}
	return block(ev), true
}

// appointment is one appointment of a processor, and whether it is in force.
type appointment struct {
	fact  *contact.Fact
	data  *events.ProcessorAppointed
	valid bool
}

// appointments lists those of a controller as of a day.
func (g *glance) appointments(controller string, day events.Date) []appointment {
	return appointmentsAmong(nil, g.look(nil, refKey{refProcessor, controller, ""}), day)
}

// appointmentsAmong appends the appointments among the facts of one controller
// as of a day: valid within [from, to] and not dismissed before; an appointment
// from a day after the dismissal is a new one.
func appointmentsAmong(list []appointment, facts []*contact.Fact, day events.Date) []appointment {
	for _, f := range facts {
		a, ok := f.Data.(*events.ProcessorAppointed)
		if !ok {
			continue
		}
		valid := within(day, a.From, a.To)
		for _, h := range facts {
			if d, ok := h.Data.(*events.ProcessorDismissed); ok && d.Processor == a.Processor && d.LastDay < day && a.From <= d.LastDay {
				valid = false
			}
		}
		list = append(list, appointment{f, a, valid})
	}
	return list
}

// appointed reports whether a chain of valid appointments leads from the
// processor to the controller.
func appointed(list []appointment, controller, processor string, passed []string) bool {
	for _, a := range list {
		if !a.valid || a.data.Processor != processor {
			continue
		}
		if a.data.By == "" || a.data.By == controller {
			return true
		}
		if !slices.Contains(passed, a.data.By) && appointed(list, controller, a.data.By, append(passed, processor)) {
			return true
		}
	}
	return false
}

func lst03(s *setting) (hit, bool) {
	if s.a.Processor == s.a.Controller || appointed(s.processors(), s.a.Controller, s.a.Processor, nil) {
		return hit{}, false
	}
	ev := s.note().say("processor", s.a.Processor)
	for _, a := range s.processors() {
		if a.data.Processor == s.a.Processor {
			ev.fact(a.fact.Identity())
		}
	}
	return block(ev), true
}

func lst04(s *setting) (hit, bool) {
	if s.a.Processor == s.a.Controller {
		return hit{}, false
	}
	ev, any := s.note().say("processor", s.a.Processor), false
	for _, a := range s.processors() {
		if a.data.Processor != s.a.Processor {
			continue
		}
		if r := a.data.ROC; r != nil && within(s.day, r.From, r.To) {
			return hit{}, false
		}
		any = true
		ev.fact(a.fact.Identity())
	}
	if !any {
		return hit{}, false
	}
	return block(ev), true
}

func lst05(s *setting) (hit, bool) {
	if s.pack.calendar.member(s.a.AgentCountry, s.day) {
		return hit{}, false
	}
	ev := s.note().say("agent_country", s.a.AgentCountry).say("processor", s.a.Processor)
	for _, a := range s.processors() {
		if !a.valid || a.data.Processor != s.a.Processor {
			continue
		}
		if slices.Contains(a.data.NotifiedCountries, s.a.AgentCountry) {
			return hit{}, false
		}
		ev.fact(a.fact.Identity())
	}
	return hit{effect: events.VerdictWarn, kind: events.KindConfirmed, evidence: ev}, true
}

func lst06(e *evaluation) (hit, bool) {
	n := 1
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.Controller == e.a.Controller && c.Data.DialledAt < e.t && dateOf(c.Data.DialledAt) > e.day-events.Date(e.pack.PressureDays) {
			n++
		}
	}
	if n <= e.pack.PressureWarn {
		return hit{}, false
	}
	ev := e.note().count("attempts", n).count("days", e.pack.PressureDays)
	if n > e.pack.PressureBlock {
		return block(ev), true
	}
	return warn(ev), true
}

// ord01: a regulator forbade it.
func ord01(e *evaluation) (hit, bool) {
	for _, f := range e.orders() {
		if d := f.Data.(*events.OrderIssued); e.ordered(&d.Scope) {
			return block(e.note().fact(f.Identity()).say("authority", d.Authority).say("number", d.Number)), true
		}
	}
	return hit{}, false
}

// ordered: the scope is everything, or hits every current row of n.
func (e *evaluation) ordered(s *events.OrderScope) bool {
	if s.All {
		return true
	}
	for i := range e.rows {
		d := e.rows[i].Data
		if !slices.Contains(s.Lists, d.List) && !(d.Vendor != "" && slices.Contains(s.Vendors, d.Vendor)) &&
			!(d.Source != "" && slices.Contains(s.Sources, d.Source)) {
			return false
		}
	}
	return len(e.rows) > 0
}

// ene01: energy may be offered by telephone only on request or with consent.
func ene01(e *evaluation) (hit, bool) {
	if e.campaign.sector != events.SectorEnergy || e.a.Purpose != events.PurposeMarketing || e.day < e.pack.EnergyFrom ||
		!(isCall(e.channel) || e.channel == events.ChannelSMS) || e.bases.any(basisRequest|basisInbound|basisConsent) {
		return hit{}, false
	}
	return block(e.withGrants(e.note()).say("basis", string(e.bases.first()))), true
}
