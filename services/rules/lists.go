package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// active reports whether the list may be dialled: activated, and not retired
// at the same time or later.
func (g *glance) active(list string) bool {
	var on, off events.Instant
	for _, f := range g.look(nil, refKey{refList, list, ""}) {
		switch f.Type {
		case events.TypeListActivated:
			on = max(on, f.Time)
		case events.TypeListRetired:
			off = max(off, f.Time)
		}
	}
	return on > off
}

func lst01(e *evaluation) (hit, bool) {
	if e.bases.any(basisRequest | basisInbound) {
		return hit{}, false
	}
	k := &e.campaign
	open := k.known && e.t >= k.openedAt && (k.closedAt == 0 || e.t <= k.closedAt)
	ev := new(evidence)
	if k.known {
		ev.fact(k.opened.Identity())
	}
	if !open {
		return block(ev.say("campaign", "not open")), true
	}
	for i := range e.rows {
		if e.active(e.rows[i].Data.List) {
			return hit{}, false
		}
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
	ev := new(evidence)
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

// appointments lists those of a controller as of a day: valid within [from,
// to] and not dismissed before; an appointment from a day after the dismissal
// is a new one.
func (g *glance) appointments(controller string, day events.Date) []appointment {
	var list []appointment
	facts := g.look(nil, refKey{refProcessor, controller, ""})
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

func lst03(e *evaluation) (hit, bool) {
	if e.a.Processor == e.a.Controller {
		return hit{}, false
	}
	list := e.appointments(e.a.Controller, e.day)
	if appointed(list, e.a.Controller, e.a.Processor, nil) {
		return hit{}, false
	}
	ev := new(evidence).say("processor", e.a.Processor)
	for _, a := range list {
		if a.data.Processor == e.a.Processor {
			ev.fact(a.fact.Identity())
		}
	}
	return block(ev), true
}

func lst04(e *evaluation) (hit, bool) {
	if e.a.Processor == e.a.Controller {
		return hit{}, false
	}
	ev, any := new(evidence).say("processor", e.a.Processor), false
	for _, a := range e.appointments(e.a.Controller, e.day) {
		if a.data.Processor != e.a.Processor {
			continue
		}
		if r := a.data.ROC; r != nil && within(e.day, r.From, r.To) {
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

func lst05(e *evaluation) (hit, bool) {
	if e.pack.calendar.member(e.a.AgentCountry, e.day) {
		return hit{}, false
	}
	ev := new(evidence).say("agent_country", e.a.AgentCountry).say("processor", e.a.Processor)
	for _, a := range e.appointments(e.a.Controller, e.day) {
		if !a.valid || a.data.Processor != e.a.Processor {
			continue
		}
		if slices.Contains(a.data.NotifiedCountries, e.a.AgentCountry) {
			return hit{}, false
		}
		ev.fact(a.fact.Identity())
	}
	return hit{effect: events.VerdictWarn, kind: events.KindConfirmed, evidence: ev.done()}, true
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
	ev := new(evidence).say("attempts", number(n)).say("days", number(e.pack.PressureDays))
	if n > e.pack.PressureBlock {
		return block(ev), true
	}
	return warn(ev), true
}

// ord01: a regulator forbade it.
func ord01(e *evaluation) (hit, bool) {
	for _, controller := range [...]string{e.a.Controller, ""} {
		e.refs = e.look(e.refs[:0], refKey{refOrder, controller, ""})
		for _, f := range e.refs {
			d := f.Data.(*events.OrderIssued)
			if (d.Kind != events.OrderProhibition && d.Kind != events.OrderLimitation) || !within(e.day, d.From, d.To) || !e.ordered(&d.Scope) {
				continue
			}
			return block(new(evidence).fact(f.Identity()).say("authority", d.Authority).say("number", d.Number)), true
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
	return block(e.withGrants(new(evidence)).say("basis", string(e.bases.first()))), true
}
