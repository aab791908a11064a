package rules

import (
	"bytes"
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// contact runs the object rules that concern one contact's facts.
func (o *objects) contact(h *contact.History) error {
	h.Recorded(o.asOf, o.entry)
	h.Conflicts(o.asOf, o.conflict)
	o.facts = h.Look(o.facts[:0], o.cut, nil)
	from := len(o.found)
	contracts := false
	for _, f := range o.facts {
		switch d := f.Data.(type) {
		case *events.ConsentRevoked:
			o.withdrawal(f, d)
		case *events.OppositionRegistered:
			o.suppressionEntry(f, d)
		case *events.ComplaintReceived:
			o.complaint(f)
		case *events.CallInbound:
			if ev := o.misused(h, f, d); ev != nil {
				o.reportCode("IT-CDC-13", f.ID, f.Time, dateOf(f.Time), f.Controller, "", ev)
			}
		case *events.CallConcluded:
			o.count(f, d)
		case *events.RightsRequested, *events.RightsExtended, *events.RightsClosed:
			o.takeRight(f)
		case *events.ContractConcluded:
			contracts = true
		}
	}
	if contracts {
		for _, c := range contact.Fold(o.facts).Contracts {
			if c.Data != nil {
				o.contract(h, &c)
			}
		}
	}
	for _, t := range o.transfers {
		o.transferred(h, t)
	}
	for i := range o.found[from:] {
		if f := &o.found[from+i]; f.Rule != "LED-02" { // a conflict may concern several contacts
			f.Contact = h.Key
		}
	}
	return nil
}

// withdrawal is IT-CON-12.
func (o *objects) withdrawal(f *contact.Fact, d *events.ConsentRevoked) {
	applied := d.AppliedAt
	if applied == 0 {
		applied = f.Recorded
	}
	limit := time.Duration(o.engine.packs.At(f.Time).ReportLagHours) * time.Hour
	lag := applied.Sub(f.Received)
	if lag < limit && !d.HarderThanGrant {
		return
	}
	ev := new(evidence).fact(f.Identity()).say("received", f.Received.String()).say("applied", applied.String()).say("lag", lag.String())
	if d.HarderThanGrant {
		ev.say("harder_than_grant", "true")
	}
	o.report("IT-CON-12", f.ID, f.Time, f.Controller, d.ReceivedBy, ev)
}

// suppressionEntry is IT-OPP-03.
func (o *objects) suppressionEntry(f *contact.Fact, d *events.OppositionRegistered) {
	ev := new(evidence).fact(f.Identity())
	for _, m := range []struct {
		name    string
		missing bool
	}{
		{"refused_at", d.RefusedAt == 0}, {"inserted_at", d.InsertedAt == 0}, {"entry_source", d.EntrySource == ""},
		{"recorded_by", d.RecordedBy == ""}, {"medium", d.Medium == ""},
	} {
		if m.missing {
			ev.say("missing", m.name)
		}
	}
	if len(ev.Details) > 0 {
		o.report("IT-OPP-03", f.ID, f.Time, f.Controller, d.ReceivedBy, ev)
	}
}

// complaint is IT-CDC-07 for complaints.
func (o *objects) complaint(f *contact.Fact) {
	due := dateOf(f.Received) + events.Date(o.engine.packs.At(f.Time).ComplaintDays)
	if o.day <= due {
		return
	}
	for _, v := range o.look(nil, refKey{refComplaint, f.Controller, f.ID}) {
		if dateOf(v.Time) <= due {
			return
		}
	}
	o.reportCode("IT-CDC-07", f.ID, f.Time, dateOf(f.Time), f.Controller, "", new(evidence).fact(f.Identity()).say("due", due.String()))
}

// unlawful returns the CONFIRMED findings of a call as of R that keep returns
// true for.
func (o *objects) unlawful(h *contact.History, call *contact.Fact, keep func(*Finding, *Rule) bool) []Finding {
	a, ok := AttemptOf(call)
	if !ok {
		return nil
	}
	var out []Finding
	for _, f := range o.engine.Assess(h, o.ref, a, o.asOf).Findings {
		if f.Kind == events.KindConfirmed && keep(&f, o.engine.packs.byID[f.Rule]) {
			out = append(out, f)
		}
	}
	return out
}

func canBlock(_ *Finding, r *Rule) bool { return r.CanBlock() }

// origin returns the fact of the contact and controller with the id: a call or
// an inbound call; nil for none.
func (o *objects) origin(h *contact.History, controller, id string) *contact.Fact {
	for _, t := range []events.Type{events.TypeCallConcluded, events.TypeCallInbound} {
		for _, f := range h.Find(id, t, o.cut) {
			if f.Controller == controller {
				return f
			}
		}
	}
	return nil
}

// misused is the condition of IT-CDC-13; nil when it does not hold.
func (o *objects) misused(h *contact.History, f *contact.Fact, d *events.CallInbound) *evidence {
	ev := new(evidence).fact(f.Identity())
	if d.PitchedFor != "" && d.PitchedFor != f.Controller {
		ev.say("pitched_for", d.PitchedFor)
	}
	if d.NoticeGiven != nil && !*d.NoticeGiven {
		ev.say("notice_given", "false")
	}
	if d.OriginAttempt != "" {
		if call := o.origin(h, f.Controller, d.OriginAttempt); call != nil {
			for _, g := range o.unlawful(h, call, canBlock) {
				ev.fact(call.Identity()).say("origin_broke", g.Rule)
			}
		}
	}
	if len(ev.Details) == 0 {
		return nil
	}
	return ev
}

// contract runs IT-CDC-10, IT-ENE-02, IT-ENE-03 and notes what commissions ask.
func (o *objects) contract(h *contact.History, c *contact.Contract) {
	d := c.Data
	day := dateOf(c.Time)
	origin := o.origin(h, c.Controller, d.Origin)
	var broken []Finding
	if origin != nil {
		broken = o.unlawful(h, origin, func(*Finding, *Rule) bool { return true })
	}
	var verdict contractVerdict
	for _, f := range broken {
		verdict.critical = verdict.critical || f.Severity == events.SeverityCritical
		if f.Rule == "IT-ENE-01" && d.Sector == events.SectorEnergy {
			o.report("IT-ENE-02", c.ID, c.Time, c.Controller, d.BroughtBy, new(evidence).fact(c.Identity, origin.Identity()))
		}
	}
	if d.Channel == events.ContractByPhone {
		if ev := o.withoutOrigin(h, c, origin, broken, day); ev != nil {
			verdict.unlawful = o.reportCode("IT-CDC-10", c.ID, c.Time, day, c.Controller, d.BroughtBy, ev)
		}
		o.durableMedium(c)
	}
	if verdict != (contractVerdict{}) {
		key := contractKey{c.Controller, c.ID}
		v := o.contracts[key]
		o.contracts[key] = contractVerdict{v.unlawful || verdict.unlawful, v.critical || verdict.critical}
	}
}

// withoutOrigin is the condition of IT-CDC-10; nil when it does not hold.
func (o *objects) withoutOrigin(h *contact.History, c *contact.Contract, origin *contact.Fact, broken []Finding, day events.Date) *evidence {
	d := c.Data
	ev := new(evidence).fact(c.Identity)
	switch {
	case d.Origin == "":
		ev.say("missing", "origin")
	case origin == nil:
		ev.say("origin_unknown", d.Origin)
	default:
		ev.fact(origin.Identity())
	}
	for _, f := range broken {
		if o.engine.packs.byID[f.Rule].CanBlock() {
			ev.say("origin_broke", f.Rule)
		}
	}
	if origin != nil {
		if in, ok := origin.Data.(*events.CallInbound); ok && dateOf(origin.Time) >= o.engine.packs.At(origin.Time).CodeFrom && o.misused(h, origin, in) != nil {
			ev.say("origin_broke", "IT-CDC-13")
		}
	}
	if by := d.BroughtBy; by != "" && by != c.Controller && !appointed(o.appointments(c.Controller, day), c.Controller, by, nil) {
		ev.say("not_appointed", by)
	}
	if len(ev.Details) == 0 {
		return nil
	}
	return ev
}

// durableMedium is IT-ENE-03.
func (o *objects) durableMedium(c *contact.Contract) {
	d := c.Data
	if d.Sector != events.SectorEnergy || d.StartedOn < o.engine.packs.At(c.Time).DurableMediumFrom ||
		d.ActivatedOn == 0 || d.ActivatedOn > o.day {
		return
	}
	if d.DurableMediumConfirmedOn != 0 && d.DurableMediumConfirmedOn <= d.ActivatedOn {
		return
	}
	o.report("IT-ENE-03", c.ID, c.Time, c.Controller, d.BroughtBy, new(evidence).fact(c.Identity).
		say("activated_on", d.ActivatedOn.String()).say("confirmed_on", d.DurableMediumConfirmedOn.String()))
}

// campaignCount is what IT-SIL-01 counts.
type campaignCount struct{ answered, silent int }

func (o *objects) count(f *contact.Fact, d *events.CallConcluded) {
	key := campaignKey{f.Controller, f.Campaign}
	c := o.campaigns[key]
	if c == nil {
		c = &campaignCount{}
		o.campaigns[key] = c
	}
	if d.AnsweredAt != 0 {
		c.answered++
		if silent(d) {
			c.silent++
		}
	}
}

// transfer is one list.transferred and what was found of its contacts.
type transfer struct {
	fact        *contact.Fact
	data        *events.ListTransferred
	opposed     events.ContactKey // the contact of least key that breaks IT-RPO-07
	undisclosed events.ContactKey // the contact of least key that breaks IT-CDC-12
	opposedN    int
	undisclN    int
}

// transferred looks at one contact of a transferred list, as of the transfer's
// own time and with all that is recorded by R.
func (o *objects) transferred(h *contact.History, t *transfer) {
	listed := slices.ContainsFunc(o.facts, func(f *contact.Fact) bool {
		d, ok := f.Data.(*events.ListContactAdded)
		return ok && d.List == t.data.List
	})
	if !listed {
		return
	}
	at := t.fact.Time
	e := o.engine.take(h, o.ref, Attempt{
		Contact: h.Key, Controller: t.fact.Controller, DialledAt: at,
		Purpose: events.PurposeThirdPartyDisclosure, Channel: events.ChannelOperatorCall,
	}, at, o.asOf)
	defer o.engine.end(e)
	e.prepare(contact.Cut{Occurred: at, Received: o.asOf, Recorded: o.asOf, Known: events.MaxInstant}, nil)
	row := slices.ContainsFunc(e.state.Rows, func(r contact.Row) bool {
		return r.Data.List == t.data.List && r.Time > removedAt(&e.state, r.Data.List)
	})
	if !row {
		return
	}
	withdrawn := withdrawnAt(e.withdrawal)
	disclosed, live := false, false
	for i := range e.grants {
		g := &e.grants[i]
		if g.void || !g.Data.Purposes.Has(e.a.Purpose) || g.Data.Recipients == nil ||
			!slices.Contains(g.Data.Recipients.Controllers, t.data.Recipient) || withdrawn >= g.Time {
			continue
		}
		disclosed = true
		live = live || e.life(g.date) == alive
	}
	if e.register.barUp && !live {
		t.opposed, t.opposedN = leastKey(t.opposed, h.Key), t.opposedN+1
	}
	if !disclosed {
		t.undisclosed, t.undisclN = leastKey(t.undisclosed, h.Key), t.undisclN+1
	}
}

// leastKey keeps the smaller key; the zero key is none.
func leastKey(have, k events.ContactKey) events.ContactKey {
	if have.IsZero() || bytes.Compare(k[:], have[:]) < 0 {
		return k
	}
	return have
}
