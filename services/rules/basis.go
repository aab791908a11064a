package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// basisSet is a set of lawful bases; the bits stand in the order of rules.md
// 3.3, so that the lowest is *the* basis of the report.
type basisSet uint8

const (
	basisRequest basisSet = 1 << iota
	basisInbound
	basisConsent
	basisContract
	basisSoftSpam
	basisDirectory
	basisThirdParty
)

var basisNames = [...]events.Basis{
	events.BasisRequest, events.BasisInbound, events.BasisConsent, events.BasisContractConsent,
	events.BasisSoftSpam, events.BasisDirectory, events.BasisThirdParty,
}

func (b basisSet) any(of basisSet) bool { return b&of != 0 }

// first is the basis; "" for none.
func (b basisSet) first() events.Basis {
	for i, name := range basisNames {
		if b&(1<<i) != 0 {
			return name
		}
	}
	return ""
}

// list lists the bases in order; all evaluations share the lists.
func (b basisSet) list() []events.Basis { return basisLists[b] }

var basisLists = func() (out [1 << len(basisNames)][]events.Basis) {
	for b := range out {
		for i, name := range basisNames {
			if b&(1<<i) != 0 {
				out[b] = append(out[b], name)
			}
		}
		out[b] = slices.Clip(out[b])
	}
	return out
}()

// exempt: register exempt (rules.md 3.3).
func (e *evaluation) exempt() bool { return e.bases.any(basisRequest | basisInbound | basisContract) }

func (e *evaluation) readBases() {
	e.bases = 0
	set := func(b basisSet, iff bool) {
		if iff {
			e.bases |= b
		}
	}
	restricted := max(withdrawnAt(e.withdrawal), opposedAt(e.opposition))
	set(basisRequest, e.requested(restricted))
	set(basisInbound, e.calledIn(restricted))
	for i := range e.grants {
		set(basisConsent, e.grants[i].provesConsent())
		set(basisContract, e.grants[i].provesContract())
	}
	set(basisSoftSpam, e.channel == events.ChannelEmail && restricted == 0 && e.softSpam())
	set(basisDirectory, e.state.Directory.InDirectory && operatorOrPaper(e.channel) && !e.register.barUp && restricted == 0)
	if e.pack.SelectiveIsBasis && e.register.status == events.AnswerSelective && e.register.inWindow && restricted == 0 {
		e.bases |= basisDirectory // the pack equates the lift with a directory entry
	}
	e.chain = thirdParty{}
	if e.bases == 0 {
		e.readThirdParty()
	}
}

// requested is basis 1.
func (e *evaluation) requested(restricted events.Instant) bool {
	for i := range e.state.Requests {
		q := &e.state.Requests[i]
		if q.Controller == e.a.Controller && e.day <= dateOf(q.Time)+events.Date(e.pack.RequestDays) &&
			(q.Product == "" || e.campaign.product == "" || q.Product == e.campaign.product) && e.stands(q.Time, restricted) {
			return true
		}
	}
	return false
}

// calledIn is basis 2.
func (e *evaluation) calledIn(restricted events.Instant) bool {
	for i := range e.state.Inbound {
		q := &e.state.Inbound[i]
		if q.Controller == e.a.Controller && e.day <= dateOf(q.Time)+events.Date(e.pack.InboundDays) && e.stands(q.Time, restricted) {
			return true
		}
	}
	return false
}

// stands: own product, not used up by an answered call, no later restriction.
func (e *evaluation) stands(asked, restricted events.Instant) bool {
	return e.campaign.owner == e.a.Controller && restricted < asked && e.consumedBy(asked) == nil
}

// consumedBy returns a human-answered attempt of C to n after the request and
// before t; nil for none.
func (e *evaluation) consumedBy(asked events.Instant) *contact.Call {
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.Controller == e.a.Controller && asked < c.Data.DialledAt && c.Data.DialledAt < e.t && humanAnswered(c.Data) {
			return c
		}
	}
	return nil
}

// softSpam is basis 5 but for channel, W and O.
func (e *evaluation) softSpam() bool {
	return e.campaign.owner == e.a.Controller && e.erasure == nil &&
		e.emailNoticed()
}

// emailNoticed: a contract of C gave the notice on e-mail.
func (e *evaluation) emailNoticed() bool {
	for i := range e.state.Contracts {
		if c := &e.state.Contracts[i]; c.Controller == e.a.Controller && c.Data != nil && c.Data.EmailNotice {
			return true
		}
	}
	return false
}

// superseded: a restriction at τ no longer binds (rules.md 3.3).
func (e *evaluation) superseded(at events.Instant) bool {
	if e.bases.any(basisRequest | basisInbound) {
		return true
	}
	for i := range e.grants {
		if g := &e.grants[i]; g.Time > at && g.soundButRegister() {
			return true
		}
	}
	return false
}

// proof is what the report says of the basis.
func (e *evaluation) proof() Proof {
	p := Proof{
		Declared: e.a.Basis, Basis: e.bases.first(), All: e.bases.list(),
		RegisterStatus: e.register.status, BarUp: e.register.barUp,
	}
	g := e.provingGrant()
	if g == nil {
		return p
	}
	p.Grant, p.GrantedOn, p.Defects = g.Identity, g.date, g.defects.ids()
	p.AgeDays = int(e.day - dateOf(max(g.Time, g.verified)))
	return p
}

// provingGrant is the youngest grant that proves the basis, or, without a
// basis, the best grant.
func (e *evaluation) provingGrant() *grantView {
	var out *grantView
	proves := (*grantView).provesConsent
	switch e.bases.first() {
	case "":
		return e.best
	case events.BasisConsent:
	case events.BasisContractConsent:
		proves = (*grantView).provesContract
	default:
		return nil
	}
	for i := range e.grants {
		if g := &e.grants[i]; proves(g) && (out == nil || max(g.Time, g.verified) > max(out.Time, out.verified)) {
			out = g
		}
	}
	return out
}
