package rules

import (
	"maps"
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// listLife is the life of one list: the first event of each kind counts, and
// lists are identified by id alone.
type listLife struct {
	acquired, activated, retired *contact.Fact
	screened                     []*contact.Fact
}

func (o *objects) list(id string) listLife {
	var l listLife
	for _, f := range o.look(nil, refKey{refList, id, ""}) {
		switch f.Type {
		case events.TypeListAcquired:
			l.acquired = cmpFirst(l.acquired, f)
		case events.TypeListActivated:
			l.activated = cmpFirst(l.activated, f)
		case events.TypeListRetired:
			l.retired = cmpFirst(l.retired, f)
		case events.TypeListScreened:
			l.screened = append(l.screened, f)
		}
	}
	return l
}

// cmpFirst keeps the first of facts met in order.
func cmpFirst(have, f *contact.Fact) *contact.Fact {
	if have != nil {
		return have
	}
	return f
}

// controller of a list: who acquired it, else who activated it.
func (l *listLife) controller() string {
	if l.acquired != nil {
		return l.acquired.Controller
	}
	return l.activated.Controller
}

// lists runs the rules on lists that were activated.
func (o *objects) lists() {
	seen := map[string]bool{}
	for _, f := range o.byType(events.TypeListActivated) {
		id := f.Data.(*events.ListActivated).List
		if seen[id] {
			continue
		}
		seen[id] = true
		l := o.list(id)
		o.monthly(id, &l)
		if l.acquired == nil {
			continue
		}
		if d := l.acquired.Data.(*events.ListAcquired); d.Vendor != "" {
			o.ownScreening(id, &l)
			o.vetting(id, &l, d)
		}
	}
}

// monthly is IT-RPO-04.
func (o *objects) monthly(id string, l *listLife) {
	activation := dateOf(l.activated.Time)
	pack := o.engine.packs.At(l.activated.Time)
	end := o.day
	if l.retired != nil {
		end = dateOf(l.retired.Time)
	}
	ev := new(evidence).fact(l.activated.Identity()).say("activated", activation.String()).say("end", end.String())
	var dates []events.Date
	for _, f := range o.look(nil, refKey{refScreened, l.controller(), id}) {
		d := f.Data.(*events.RegisterScreeningCompleted)
		if day := dateOf(d.SnapshotAt); phoneIfAbsent(d.Register) == events.RegisterPhone && day <= end {
			dates = append(dates, day)
			ev.fact(f.Identity())
		}
	}
	slices.Sort(dates)
	missed := len(dates) == 0 && end > activation.AddMonths(pack.GapMonths)
	for i := range dates {
		next := end
		if i+1 < len(dates) {
			next = dates[i+1]
		}
		if next > dates[i].AddMonths(pack.GapMonths) && next > activation {
			missed = true
			ev.say("gap", dates[i].String()+" to "+next.String())
		}
	}
	if missed {
		o.report("IT-RPO-04", id, l.activated.Time, l.controller(), "", ev)
	}
}

// ownScreening is IT-OPP-06.
func (o *objects) ownScreening(id string, l *listLife) {
	hours := o.engine.packs.At(l.activated.Time).ScreenBeforeHours
	since := max(l.acquired.Time, l.activated.Time.Add(-time.Duration(hours)*time.Hour))
	for _, f := range l.screened {
		if since <= f.Time && f.Time <= l.activated.Time {
			return
		}
	}
	o.report("IT-OPP-06", id, l.activated.Time, l.controller(), "",
		new(evidence).fact(l.acquired.Identity(), l.activated.Identity()).say("activated", l.activated.Time.String()))
}

// vetting is IT-CDC-07 for lists.
func (o *objects) vetting(id string, l *listLife, d *events.ListAcquired) {
	v, ev := d.Vetting, new(evidence).fact(l.acquired.Identity()).say("vendor", d.Vendor)
	if v == nil {
		v = &events.Vetting{}
	}
	before := len(ev.Details)
	for _, m := range []struct {
		name string
		done bool
	}{{"notice", v.Notice}, {"ux", v.UX}, {"revocability", v.Revocability}, {"traceability", v.Traceability}, {"sample", d.Sample != nil && d.Sample.Size >= 1}} {
		if !m.done {
			ev.say("missing", m.name)
		}
	}
	if len(ev.Details) > before {
		o.reportCode("IT-CDC-07", id, l.activated.Time, dateOf(l.activated.Time), l.controller(), "", ev)
	}
}

// campaignRules runs IT-CDC-11, IT-CDC-14, IT-SIL-01 and IT-SIL-06.
func (o *objects) campaignRules() {
	opened, closed := map[campaignKey]*contact.Fact{}, map[campaignKey]*contact.Fact{}
	for _, f := range o.byType(events.TypeCampaignOpened) {
		key := campaignKey{f.Controller, f.Campaign}
		opened[key] = cmpFirst(opened[key], f)
	}
	for _, f := range o.byType(events.TypeCampaignClosed) {
		key := campaignKey{f.Controller, f.Campaign}
		closed[key] = cmpFirst(closed[key], f)
	}
	for key, f := range opened {
		o.openedCampaign(key, f)
	}
	for key, f := range closed {
		if f.Data.(*events.CampaignClosed).SilentReport == "" {
			o.report("IT-SIL-06", key.campaign, f.Time, key.controller, "", new(evidence).fact(f.Identity())).Campaign = key.campaign
		}
	}
	for _, key := range slices.Collect(maps.Keys(o.campaigns)) {
		o.silentRatio(key, opened[key], closed[key])
	}
}

func (o *objects) openedCampaign(key campaignKey, f *contact.Fact) {
	d := f.Data.(*events.CampaignOpened)
	if d.Profiling && d.DPIARef == "" {
		o.reportCode("IT-CDC-11", key.campaign, f.Time, dateOf(f.Time), key.controller, "", new(evidence).fact(f.Identity()))
	}
	ev := new(evidence).fact(f.Identity())
	for _, id := range d.Lists {
		if l := o.list(id); l.acquired != nil && l.acquired.Controller != key.controller {
			ev.fact(l.acquired.Identity()).say("list", id).say("acquired_by", l.acquired.Controller)
		}
	}
	if len(ev.Details) > 0 {
		o.reportCode("IT-CDC-14", key.campaign, f.Time, dateOf(f.Time), key.controller, "", ev)
	}
}

// silentRatio is IT-SIL-01.
func (o *objects) silentRatio(key campaignKey, opened, closed *contact.Fact) {
	c := o.campaigns[key]
	at, ev := o.asOf, new(evidence).say("answered", number(c.answered)).say("silent", number(c.silent))
	if opened != nil {
		at = opened.Time
		ev.fact(opened.Identity())
	}
	if c.silent*100 <= o.engine.packs.At(at).SilentRatioPercent*c.answered {
		return
	}
	f := o.report("IT-SIL-01", key.campaign, at, key.controller, "", ev)
	f.Campaign = key.campaign
	if closed == nil || c.answered < 100 {
		f.Kind = events.KindPotential
	}
}

// appointmentRules is IT-CDC-08.
func (o *objects) appointmentRules() {
	for _, f := range o.byType(events.TypeProcessorAppointed) {
		if d := f.Data.(*events.ProcessorAppointed); !d.PenaltyClause {
			o.reportCode("IT-CDC-08", f.ID, f.Time, max(dateOf(f.Time), d.From), f.Controller, d.Processor, new(evidence).fact(f.Identity()))
		}
	}
}

// transferRules is IT-RPO-07 and IT-CDC-12.
func (o *objects) transferRules() {
	for _, t := range o.transfers {
		f, day := t.fact, dateOf(t.fact.Time)
		if t.opposedN > 0 {
			o.report("IT-RPO-07", f.ID, f.Time, f.Controller, "", new(evidence).fact(f.Identity()).
				say("recipient", t.data.Recipient).say("contacts", number(t.opposedN)).say("one_of_them", t.opposed.String()))
		}
		ev := new(evidence).fact(f.Identity()).say("recipient", t.data.Recipient)
		before := len(ev.Details)
		if t.undisclN > 0 {
			ev.say("contacts", number(t.undisclN)).say("one_of_them", t.undisclosed.String())
		}
		if !o.named(f.Controller, t.data.Recipient, day) {
			ev.say("missing", "recipient in a notice in force")
		}
		if len(ev.Details) > before {
			o.reportCode("IT-CDC-12", f.ID, f.Time, day, f.Controller, "", ev)
		}
	}
}

// named: some notice of C in force that day names the recipient.
func (o *objects) named(controller, recipient string, day events.Date) bool {
	return slices.ContainsFunc(o.look(nil, refKey{refNotice, controller, ""}), func(f *contact.Fact) bool {
		d := f.Data.(*events.NoticePublished)
		return within(day, d.EffectiveFrom, d.EffectiveTo) && slices.Contains(d.Recipients, recipient)
	})
}

type rightKey struct{ controller, request string }

// right is one request of a person and what followed.
type right struct {
	requested *contact.Fact
	extended  []events.Date
	closed    []events.Date
}

// takeRight notes one rights.* fact, with or without a contact.
func (o *objects) takeRight(f *contact.Fact) {
	at := func(request string) *right {
		key := rightKey{f.Controller, request}
		if o.rights[key] == nil {
			o.rights[key] = &right{}
		}
		return o.rights[key]
	}
	switch d := f.Data.(type) {
	case *events.RightsRequested:
		if r := at(d.Request); r.requested == nil || byTimeThenID(f, r.requested) < 0 {
			r.requested = f
		}
	case *events.RightsExtended:
		r := at(d.Request)
		r.extended = append(r.extended, dateOf(f.Time))
	case *events.RightsClosed:
		r := at(d.Request)
		r.closed = append(r.closed, dateOf(f.Time))
	}
}

// rightRules is IT-OPP-05.
func (o *objects) rightRules() {
	for _, t := range []events.Type{events.TypeRightsRequested, events.TypeRightsExtended, events.TypeRightsClosed} {
		for _, f := range o.byType(t) {
			o.takeRight(f)
		}
	}
	for key, r := range o.rights {
		if r.requested == nil {
			continue
		}
		received := dateOf(r.requested.Received)
		due := received.AddMonths(1)
		if slices.ContainsFunc(r.extended, func(d events.Date) bool { return d <= received.AddMonths(1) }) {
			due = received.AddMonths(3)
		}
		due = o.engine.packs.on(received).calendar.workingDay(due)
		if o.day <= due || slices.ContainsFunc(r.closed, func(d events.Date) bool { return d <= due }) {
			continue
		}
		f := o.report("IT-OPP-05", key.request, r.requested.Time, key.controller, "", new(evidence).fact(r.requested.Identity()).
			say("received", received.String()).say("due", due.String()))
		f.Contact = r.requested.Subject
	}
}

// commissionRules is IT-CDC-09.
func (o *objects) commissionRules() {
	for _, f := range o.byType(events.TypeCommissionPaid) {
		d := f.Data.(*events.CommissionPaid)
		v := o.contracts[contractKey{f.Controller, d.Contract}]
		if !v.critical && !v.unlawful {
			continue
		}
		ev := new(evidence).fact(f.Identity()).say("contract", d.Contract)
		if v.critical {
			ev.say("origin", "critical finding")
		}
		if v.unlawful {
			ev.say("contract_broke", "IT-CDC-10")
		}
		o.reportCode("IT-CDC-09", f.ID, f.Time, dateOf(f.Time), f.Controller, d.Processor, ev)
	}
}
