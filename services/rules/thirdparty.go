package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// thirdParty is IT-CON-07's view of a bought row (rules.md 4.2).
type thirdParty struct {
	row    *contact.Row   // a current row with vendor, and no non-void grant to C; nil: the rule is silent
	vendor string         // whose grant completes the chain; "" = chain not ok
	grant  *contact.Grant // that grant
	script *contact.Fact  // latest script of K
	stands bool           // chain ok, bar down, script with own introduction
}

// readThirdParty runs when no basis of 1–6 stands.
func (e *evaluation) readThirdParty() {
	for i := range e.grants {
		if !e.grants[i].void {
			return
		}
	}
	for i := range e.rows {
		r := &e.rows[i]
		if r.Data.Vendor == "" {
			continue
		}
		if e.chain.row == nil {
			e.chain.row = r
		}
		if g := e.disclosed(r.Data.Vendor); g != nil && e.chain.vendor == "" {
			e.chain.row, e.chain.vendor, e.chain.grant = r, r.Data.Vendor, g
		}
	}
	if e.chain.row == nil {
		return
	}
	for _, f := range e.scripts() { // by time, then id: the last is the latest
		if f.Type == events.TypeScriptPublished {
			e.chain.script = f
		}
	}
	if e.chain.vendor != "" && !e.register.barUp && e.chain.script != nil {
		e.chain.stands = e.chain.script.Data.(*events.ScriptPublished).ThirdPartyIntro
	}
	if e.chain.stands {
		e.bases |= basisThirdParty
	}
}

// disclosed returns a grant of n to the vendor that allows disclosure to C:
// chain ok.
func (e *evaluation) disclosed(vendor string) *contact.Grant {
	pu := events.PurposeThirdPartyDisclosure.Bit()
	restricted := max(withdrawnAt(e.withdrawn(vendor, pu)), opposedAt(e.opposed(vendor, pu)))
	for i := range e.state.Grants {
		g := &e.state.Grants[i]
		if g.Controller != vendor || g.Data.Purposes&pu == 0 || !e.names(g.Data.Recipients) {
			continue
		}
		if e.void(g) || restricted >= g.Time || e.life(dateOf(g.Time)) != alive || e.unproven(g) || e.notFree(g) {
			continue
		}
		return g
	}
	return nil
}

// names: the recipients name C or K's sector.
func (e *evaluation) names(r *events.Recipients) bool {
	return r != nil && (slices.Contains(r.Controllers, e.a.Controller) ||
		(e.campaign.sector != "" && slices.Contains(r.Sectors, e.campaign.sector)))
}

func con07(e *evaluation) (hit, bool) {
	c := &e.chain
	if c.row == nil {
		return hit{}, false
	}
	ev := e.note().fact(c.row.Identity).say("list", c.row.Data.List).say("vendor", c.row.Data.Vendor)
	if c.grant != nil {
		ev.fact(c.grant.Identity).say("disclosure_grant", c.grant.ID)
	}
	if c.script != nil {
		ev.fact(c.script.Identity()).say("script", c.script.Data.(*events.ScriptPublished).Script)
	}
	if !c.stands {
		return block(ev), true
	}
	h := hit{effect: events.VerdictWarn}
	if e.a.Outcome.HumanAnswered() && !e.introduced() {
		h.kind = events.KindConfirmed
	}
	h.evidence = ev
	return h, true
}

// introduced: consent before the pitch, and identity, origin and notice said.
func (e *evaluation) introduced() bool {
	o := e.a.Outcome
	for _, s := range []events.Statement{events.StatementIdentity, events.StatementOrigin, events.StatementNotice} {
		if !slices.Contains(o.Statements, s) {
			return false
		}
	}
	return o.ConsentBeforePitch
}
