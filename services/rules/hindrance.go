package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Hindrance is one cause for which a controller must not contact n for one
// purpose over one channel at an instant, whatever the campaign. Kind is one
// of revocation, opposition, register, consent, erasure and answer.
type Hindrance struct {
	Controller string
	Kind       events.FeedKind
	Purpose    events.Purpose
	Channel    events.Channel
	// By is the fact behind it; of a cause that comes by time alone the fact
	// whose effect ended.
	By *contact.Fact
	// From is the instant from which it holds.
	From events.Instant
}

// hindered are the purposes of attempts that a cause can hinder: service
// attempts run none of these rules (rules.md 3).
var hindered = [...]events.Purpose{events.PurposeMarketing, events.PurposeMarketResearch}

// Hindrances calls yield with every cause that stands at an instant, for every
// controller that the history names: View(at, at, ∞). It asks what the rules
// ask of an attempt without a campaign:
//
//   - revocation, opposition: W or O that no later grant supersedes
//     (IT-CON-05, IT-OPP-01);
//   - register: bar up and no consent or contract consent (IT-RPO-01, -10);
//   - consent: no basis, and a grant that covered purpose and channel was
//     invalidated, has lapsed or died (IT-CON-03, -04, -09, IT-RPO-05, -14);
//   - erasure: erased with suppression (IT-OPP-07) or reassigned (IT-CON-13),
//     and not superseded;
//   - answer: the register's answer has expired (IT-RPO-02, -09), unless the
//     register bars the number anyway.
//
// A request or call by the person lifts nothing here: it allows single calls,
// which the gate decides. It returns the facts that count at the instant (the
// caller's slice) and the first later instant at which time alone may change
// something; zero for none. Pure, like Gate.
func (e *Engine) Hindrances(h *contact.History, ref *Reference, at events.Instant, yield func(Hindrance)) (seen []*contact.Fact, next events.Instant) {
	ev := e.take(h, ref, Attempt{Contact: h.Key}, at, events.MaxInstant)
	defer e.end(ev)
	cut := contact.Finding(at, events.MaxInstant)
	ev.begin(cut, nil)
	ev.facts = h.Look(ev.facts[:0], cut, nil)
	ev.state.Refold(ev.facts)
	for _, c := range ev.controllers() {
		for _, pu := range hindered {
			for _, ch := range events.Channels {
				ev.hindrances(c, pu, ch, yield)
			}
		}
	}
	return slices.Clone(ev.facts), ev.nextChange()
}

// controllers lists whom the facts concern, in a fixed order.
func (e *evaluation) controllers() []string {
	var out []string
	for _, f := range e.facts {
		if f.Controller != "" {
			out = append(out, f.Controller)
		}
		if d, ok := f.Data.(*events.OppositionRegistered); ok {
			out = append(out, d.AlsoControllers...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e *evaluation) hindrances(c string, pu events.Purpose, ch events.Channel, yield func(Hindrance)) {
	e.place(e.engine, e.ref, Attempt{Contact: e.a.Contact, Controller: c, Purpose: pu, Channel: ch}, e.t, e.asOf)
	e.begin(e.cut, nil)
	e.derive()
	e.bases &^= basisRequest | basisInbound | basisThirdParty
	say := func(kind events.FeedKind, by *contact.Fact, from events.Instant) {
		if by != nil {
			yield(Hindrance{Controller: c, Kind: kind, Purpose: pu, Channel: ch, By: by, From: from})
		}
	}
	if w := e.withdrawal; w != nil && !e.supersededByGrant(w.Time) {
		say(events.FeedRevocation, e.factOf(&w.Origin), w.Time)
	}
	for i := range e.state.Oppositions {
		o := &e.state.Oppositions[i]
		if binds(o, c) && o.Purposes&e.purpose != 0 && o.Channels&e.channels != 0 && !e.supersededByGrant(o.Time) {
			say(events.FeedOpposition, e.factOf(&o.Origin), o.Time)
		}
	}
	for _, m := range [...]*contact.Mark{e.erased(c), e.reassignedFrom(c)} {
		if m != nil && !e.supersededByGrant(m.Time) {
			say(events.FeedErasure, e.factOf(&m.Origin), m.Time)
		}
	}
	barred := e.register.barUp && !e.bases.any(basisConsent|basisContract)
	if barred {
		by := e.factNamed(e.register.windowBy)
		say(events.FeedRegister, by, e.barredFrom(by))
	}
	if e.bases == 0 {
		by, from := e.endedConsent()
		say(events.FeedConsent, by, from)
	}
	if last := e.register.last; last != nil && e.register.valid == nil && !barred && e.consultationRequired() {
		say(events.FeedAnswer, e.factOf(&last.Origin), (dateOf(last.Snapshot) + events.Date(e.days) + 1).In(events.Rome))
	}
}

// supersededByGrant is superseded without the requests of the person.
func (e *evaluation) supersededByGrant(at events.Instant) bool {
	return slices.ContainsFunc(e.grants, func(g grantView) bool { return g.Time > at && g.soundButRegister() })
}

// reassignedFrom is X for a controller that knew the number before: a grant or
// a row not later than X.
func (e *evaluation) reassignedFrom(c string) *contact.Mark {
	x := e.reassigned(c)
	if x == nil {
		return nil
	}
	for _, f := range e.facts {
		if f.Controller != c || f.Time > x.Time {
			continue
		}
		switch f.Data.(type) {
		case *events.ConsentGranted, *events.ListContactAdded:
			return x
		}
	}
	return nil
}

// factOf finds the fact behind an entry of the state.
func (e *evaluation) factOf(o *contact.Origin) *contact.Fact {
	for _, f := range e.facts {
		if f.Digest == o.Digest && f.ID == o.ID && f.Source == o.Source {
			return f
		}
	}
	return nil
}

func (e *evaluation) factNamed(id events.Identity) *contact.Fact {
	for _, f := range e.facts {
		if f.ID == id.ID && f.Source == id.Source {
			return f
		}
	}
	return nil
}

// barredFrom is when the bar went up by what a fact says: at its time, or at
// the end of its window.
func (e *evaluation) barredFrom(by *contact.Fact) events.Instant {
	if by == nil {
		return 0
	}
	var to events.Date
	switch d := by.Data.(type) {
	case *events.RegisterSelectivelyRevoked:
		to = d.To
	case *events.RegisterScreened:
		if d.Answer == events.AnswerSelective {
			to = d.SelectiveTo
		}
	}
	if to != 0 && e.day > to {
		return (to + 1).In(events.Rome)
	}
	return by.Time
}

// endedConsent returns what ended the latest consent that covered purpose and
// channel, and when; nil when none ever did, or when one stands against which
// nothing but a withdrawal or an opposition speaks, a cause of its own.
func (e *evaluation) endedConsent() (*contact.Fact, events.Instant) {
	for i := range e.grants {
		g := &e.grants[i]
		against := g.defects &^ (defectWithdrawn | defectOpposed)
		if !g.void && (against == 0 || g.exception && against&^defectsOfRegister == 0) {
			return nil, 0
		}
	}
	var by *contact.Fact
	var from, granted events.Instant
	for i := range e.grants {
		g := &e.grants[i]
		if by != nil && g.Time <= granted {
			continue
		}
		if f, at := e.endOf(g); f != nil {
			by, from, granted = f, at, g.Time
		}
	}
	return by, from
}

// endOf returns what ended one consent; nil when it stands for another reason
// or never counted.
func (e *evaluation) endOf(g *grantView) (*contact.Fact, events.Instant) {
	d := g.Data
	if e.outOfScope(g.Grant) || consentOnly(e.channel) && d.Channels&e.channels == 0 || !e.oncePossible(g) {
		return nil, 0
	}
	own := e.factOf(&g.Origin)
	for i := range e.state.Invalid {
		if v := &e.state.Invalid[i]; v.Controller == g.Controller && v.Grant == g.ID {
			return e.factOf(&v.Origin), v.Time
		}
	}
	switch {
	case d.ValidTo != 0 && e.day > d.ValidTo:
		return own, (d.ValidTo + 1).In(events.Rome)
	case g.void:
		return nil, 0 // erased or reassigned: a cause of its own
	case g.defects&defectTainted != 0:
		if g.taint != nil {
			return e.factOf(&g.taint.Origin), max(g.Time, g.taint.Time)
		}
		return own, g.Time
	case g.defects&defectsOfRegister != 0:
		by := e.factNamed(e.register.highBy)
		if by == nil {
			by = own
		}
		from := by.Time
		if c := g.contract; c != nil && c.EndedOn != 0 {
			end := (c.EndedOn + events.Date(e.pack.AfterEndDays) + 1).In(events.Rome)
			if f := e.factNamed(c.EndedBy); f != nil && end > from {
				by, from = f, end
			}
		}
		return by, from
	}
	return nil, 0
}

// oncePossible: nothing that was so from the beginning speaks against the
// consent: freely given, proven, of a time that counts.
func (e *evaluation) oncePossible(g *grantView) bool {
	d := g.Data
	if d.MandatoryForService || d.PreTicked || d.PurposesInControl > 1 || d.Notice == nil || d.Proof == nil || d.SourceRef == "" || !d.Proof.Immutable {
		return false
	}
	switch d.Proof.Kind {
	case events.ProofDoubleOptIn:
		if d.Proof.ConfirmedAt == 0 || d.Proof.ConfirmedAt > e.t {
			return false
		}
	case events.ProofIPNotification:
		if d.Proof.NotifiedAt == 0 || d.Proof.NotifiedAt > e.t {
			return false
		}
	}
	return g.verified != 0 || g.Time >= e.pack.PreGDPRBefore.In(events.Rome)
}

// nextChange is the first instant after t at which time alone can change a
// hindrance; zero for none. Facts that wait for their time are among it.
func (e *evaluation) nextChange() events.Instant {
	next := events.MaxInstant
	sooner := func(at events.Instant) {
		if at > e.t && at < next {
			next = at
		}
	}
	begin := func(d events.Date) {
		if d > 0 {
			sooner(d.In(events.Rome))
		}
	}
	after := func(d events.Date) {
		if d > 0 {
			begin(d + 1)
		}
	}
	begin(e.pack.DPR26From)
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		sooner(a.Snapshot)
		begin(a.From)
		after(a.To)
		days := e.pack.PhoneDays
		if a.Register == events.RegisterPostal {
			days = e.pack.PaperDays
		}
		after(dateOf(a.Snapshot) + events.Date(days))
	}
	for i := range e.state.Lifts {
		begin(e.state.Lifts[i].From)
		after(e.state.Lifts[i].To)
	}
	for i := range e.state.Grants {
		d := e.state.Grants[i].Data
		after(d.ValidTo)
		if d.Proof != nil {
			sooner(d.Proof.ConfirmedAt)
			sooner(d.Proof.NotifiedAt)
		}
	}
	for i := range e.state.Contracts {
		c := &e.state.Contracts[i]
		if c.Data != nil {
			begin(c.Data.StartedOn)
		}
		if c.EndedOn > 0 {
			after(c.EndedOn + events.Date(e.pack.AfterEndDays))
		}
	}
	for i := range e.state.Calls { // a consent counts as given in it from then on
		sooner(e.state.Calls[i].Data.DialledAt + 1)
	}
	e.history.Pending(e.t, func(_ *contact.Fact, at events.Instant) { sooner(at) })
	if next == events.MaxInstant {
		return 0
	}
	return next
}

// Facts returns the reference facts of some types that count at the cut,
// earliest (time, id) first. It looks at every reference fact.
func (r *Reference) Facts(cut contact.Cut, types ...events.Type) []*contact.Fact {
	var out []*contact.Fact
	for _, s := range r.slots {
		for _, f := range s.Resolve(nil, cut, nil) {
			if f.Subject.IsZero() && slices.Contains(types, f.Type) {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, byTimeThenID)
	return out
}

// Pending calls yield with every later instant at which a reference fact of
// some types comes into the view of t, and with the fact.
func (r *Reference) Pending(t events.Instant, types []events.Type, yield func(*contact.Fact, events.Instant)) {
	for _, s := range r.slots {
		for _, f := range s.Forms() {
			if at := max(f.Time, f.Received); at > t && slices.Contains(types, f.Type) {
				yield(f, at)
			}
		}
	}
}
