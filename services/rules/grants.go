package rules

import (
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// defects is a set of blocking defects of a grant (rules.md 3.2).
type defects uint16

const (
	defectScope     defects = 1 << iota // IT-CON-06
	defectChannel                       // IT-CON-02
	defectWithdrawn                     // IT-CON-05
	defectOpposed                       // IT-OPP-01
	defectTainted                       // IT-CON-09
	defectNotFree                       // IT-CON-04
	defectUnproven                      // IT-CON-03
	defectNotice                        // IT-CON-11
	defectPreGDPR                       // IT-CON-08
	defectDead                          // IT-RPO-05
	defectUncertain                     // IT-RPO-14

	defectsOfRegister = defectDead | defectUncertain
)

// defectRules names each defect by its rule, in the order of the bits.
var defectRules = [...]string{
	"IT-CON-06", "IT-CON-02", "IT-CON-05", "IT-OPP-01", "IT-CON-09", "IT-CON-04",
	"IT-CON-03", "IT-CON-11", "IT-CON-08", "IT-RPO-05", "IT-RPO-14",
}

// ids lists the rules that name the defects, sorted.
func (d defects) ids() []string {
	var out []string
	for i, id := range defectRules {
		if d&(1<<i) != 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// grantView is one grant to C as the rules see it at t.
type grantView struct {
	*contact.Grant
	date        events.Date
	void        bool
	defects     defects
	noticeKind  events.Kind    // of IT-CON-11: POTENTIAL when the notice is not known
	verified    events.Instant // latest confirmed re-verification; 0 = never
	exception   bool           // contract exception
	contract    *contact.Contract
	taint       *contact.Call // the unlawful call in which it was given
	taintedRule string
}

// provesConsent: non-void, without blocking defect.
func (g *grantView) provesConsent() bool { return !g.void && g.defects == 0 }

// soundButRegister: no blocking defect other than IT-RPO-05 and IT-RPO-14.
func (g *grantView) soundButRegister() bool { return !g.void && g.defects&^defectsOfRegister == 0 }

// provesContract: the contract exception, and nothing but the register against it.
func (g *grantView) provesContract() bool { return g.exception && g.soundButRegister() }

func (e *evaluation) readGrants() {
	e.grants = e.grants[:0]
	for i := range e.state.Grants {
		if g := &e.state.Grants[i]; g.Controller == e.a.Controller {
			e.grants = append(e.grants, grantView{Grant: g})
			e.viewGrant(&e.grants[len(e.grants)-1])
		}
	}
	e.best = e.bestGrant()
}

func (e *evaluation) viewGrant(v *grantView) {
	g := v.Grant
	v.date, v.void = dateOf(g.Time), e.void(g)
	for i := range e.state.Reverified {
		if r := &e.state.Reverified[i]; r.Controller == g.Controller && r.Grant == g.ID {
			v.verified = r.Time
		}
	}
	v.contract = e.contractOf(g)
	v.exception = e.contractException(v.contract)
	if !v.void {
		e.findDefects(v)
	}
}

// aged: older than the months for which a consent is young.
func (e *evaluation) aged(g *grantView) bool { return dateOf(max(g.Time, g.verified)) < e.law.young }

// void: invalidated for another reason than bundled, tainted or fake; expired;
// given by an earlier holder of the number; erased.
func (e *evaluation) void(g *contact.Grant) bool {
	for i := range e.state.Invalid {
		v := &e.state.Invalid[i]
		if v.Controller != g.Controller || v.Grant != g.ID {
			continue
		}
		switch v.Reason {
		case events.InvalidBundled, events.InvalidTainted, events.InvalidFake:
		default:
			return true
		}
	}
	return (g.Data.ValidTo != 0 && e.day > g.Data.ValidTo) ||
		g.Time <= markedAt(e.reassigned(g.Controller)) || g.Time <= markedAt(e.erased(g.Controller))
}

// invalidated reports whether a grant was invalidated for the reason.
func (e *evaluation) invalidated(g *contact.Grant, reason events.InvalidationReason) bool {
	for i := range e.state.Invalid {
		if v := &e.state.Invalid[i]; v.Controller == g.Controller && v.Grant == g.ID && v.Reason == reason {
			return true
		}
	}
	return false
}

func (e *evaluation) findDefects(v *grantView) {
	g := v.Grant
	set := func(d defects, iff bool) {
		if iff {
			v.defects |= d
		}
	}
	set(defectScope, e.outOfScope(g))
	set(defectChannel, consentOnly(e.channel) && g.Data.Channels&e.channels == 0)
	set(defectWithdrawn, withdrawnAt(e.withdrawal) >= g.Time)
	set(defectOpposed, opposedAt(e.opposition) >= g.Time)
	set(defectNotFree, e.notFree(g))
	set(defectUnproven, e.unproven(g))
	v.noticeKind = e.noticeMismatch(g)
	set(defectNotice, v.noticeKind != "")
	set(defectPreGDPR, g.Time < e.law.preGDPR && v.verified == 0)
	switch e.life(v.date) {
	case dead:
		v.defects |= defectDead
	case uncertain:
		v.defects |= defectUncertain
	}
	if e.invalidated(g, events.InvalidTainted) {
		v.defects |= defectTainted
	} else if g.Data.CollectionAttempt != "" {
		e.doubt = e.doubt || e.history == nil
		v.taint, v.taintedRule = e.unlawfulCall(g.Data.CollectionAttempt)
		set(defectTainted, v.taint != nil)
	}
}

// outOfScope is IT-CON-06.
func (e *evaluation) outOfScope(g *contact.Grant) bool {
	d := g.Data
	owner := e.campaign.owner
	switch {
	case d.Purposes&e.purpose == 0:
		return true
	case owner != e.a.Controller && !slices.Contains(d.Beneficiaries, owner):
		return true
	case len(d.Products) > 0 && e.campaign.product != "" && !slices.Contains(d.Products, e.campaign.product):
		return true
	}
	switch e.channel {
	case events.ChannelOperatorCall:
		return d.Channels&e.channels == 0 && !(d.NoticeExtendsToOperator && d.Channels.Has(events.ChannelAutomatedCall))
	case events.ChannelPaperMail:
		return d.Channels&e.channels == 0
	}
	return false
}

// notFree is IT-CON-04.
func (e *evaluation) notFree(g *contact.Grant) bool {
	return e.invalidated(g, events.InvalidBundled) || g.Data.MandatoryForService || g.Data.PreTicked || g.Data.PurposesInControl > 1
}

// unproven is IT-CON-03.
func (e *evaluation) unproven(g *contact.Grant) bool {
	d := g.Data
	if e.invalidated(g, events.InvalidFake) || d.Notice == nil || d.Proof == nil || d.SourceRef == "" {
		return true
	}
	if !d.Proof.Immutable {
		return true
	}
	done := func(at events.Instant) bool { return at != 0 && at <= e.t }
	switch d.Proof.Kind {
	case events.ProofDoubleOptIn:
		return !done(d.Proof.ConfirmedAt)
	case events.ProofIPNotification:
		return !done(d.Proof.NotifiedAt)
	}
	return false
}

// noticeMismatch is IT-CON-11 for a grant to C: "" for none, else the kind of
// the finding.
func (e *evaluation) noticeMismatch(g *contact.Grant) events.Kind {
	n := g.Data.Notice
	if n == nil {
		return ""
	}
	for _, f := range e.notices() {
		p := f.Data.(*events.NoticePublished)
		if p.Notice != n.ID || p.Version != n.Version {
			continue
		}
		if p.SHA256 != n.SHA256 || !within(dateOf(g.Time), p.EffectiveFrom, p.EffectiveTo) {
			return events.KindConfirmed
		}
		return "" // the earliest publication of the version counts
	}
	return events.KindPotential
}

// contractOf returns the contract of C that the grant names; nil for none.
func (e *evaluation) contractOf(g *contact.Grant) *contact.Contract {
	if g.Data.Contract == "" {
		return nil
	}
	for i := range e.state.Contracts {
		if c := &e.state.Contracts[i]; c.Controller == g.Controller && c.ID == g.Data.Contract && c.Data != nil {
			return c
		}
	}
	return nil
}

func (e *evaluation) contractException(c *contact.Contract) bool {
	if c == nil {
		return false
	}
	d := c.Data
	return d.Continuous && d.StartedOn <= e.day &&
		(c.EndedOn == 0 || e.day <= c.EndedOn+events.Date(e.pack.AfterEndDays)) &&
		(d.SimplifiedRevocation == nil || *d.SimplifiedRevocation) && e.campaign.owner == e.a.Controller
}

// bestGrant is the grant that is reported when there is no basis.
func (e *evaluation) bestGrant() *grantView {
	var best *grantView
	for i := range e.grants {
		g := &e.grants[i]
		if !g.void && (best == nil || e.better(g, best)) {
			best = g
		}
	}
	return best
}

// better: cited by the attempt; else without IT-CON-06 and -02; else later;
// else the smaller id.
func (e *evaluation) better(g, h *grantView) bool {
	cited := func(v *grantView) bool { return e.a.Grant != "" && v.ID == e.a.Grant }
	fits := func(v *grantView) bool { return v.defects&(defectScope|defectChannel) == 0 }
	switch {
	case cited(g) != cited(h):
		return cited(g)
	case fits(g) != fits(h):
		return fits(g)
	}
	return cmp.Or(cmp.Compare(h.Time, g.Time), cmp.Compare(g.ID, h.ID), cmp.Compare(g.Source, h.Source)) < 0
}

// reports: no basis, and the best grant has the defect (rules.md 4.2).
func (e *evaluation) reports(d defects) bool {
	return e.bases == 0 && e.best != nil && e.best.defects&d != 0
}

// reported is a rule that says just that.
func (e *evaluation) reported(d defects) (hit, bool) {
	if !e.reports(d) {
		return hit{}, false
	}
	return block(e.grantEvidence(e.best)), true
}

func (e *evaluation) grantEvidence(g *grantView) *evidence {
	ev := e.note().fact(g.Identity).say("grant", g.ID).at("granted", g.Time).at("reverified", g.verified)
	if g.contract != nil {
		ev.fact(g.contract.Identity).say("contract", g.contract.ID)
	}
	if g.defects&defectsOfRegister != 0 {
		ev.fact(e.register.highBy).on("horizon_from", e.register.low).on("horizon_to", e.register.high)
	}
	if g.taint != nil {
		ev.fact(g.taint.Identity).say("given_in_call", g.taint.ID).say("which_broke", g.taintedRule)
	}
	for i := range e.state.Invalid {
		if v := &e.state.Invalid[i]; v.Controller == g.Controller && v.Grant == g.ID {
			ev.fact(v.Identity).say("invalidated", string(v.Reason))
		}
	}
	return ev
}

// withGrants adds every grant of C with its defects.
func (e *evaluation) withGrants(ev *evidence) *evidence {
	if ev == nil {
		return nil
	}
	for i := range e.grants {
		g := &e.grants[i]
		value := g.ID + ":"
		if g.void {
			value += " void"
		}
		for _, id := range g.defects.ids() {
			value += " " + id
		}
		ev.fact(g.Identity).say("grant", value)
	}
	return ev
}
