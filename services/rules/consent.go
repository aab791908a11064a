package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// con01: no basis, and nothing that another rule explains better.
func con01(e *evaluation) (hit, bool) {
	if e.bases != 0 || consentOnly(e.channel) || e.chain.row != nil || e.a.Basis == events.BasisDirectory {
		return hit{}, false
	}
	if e.state.Directory.InDirectory && operatorOrPaper(e.channel) {
		return hit{}, false
	}
	if e.a.Basis == events.BasisRequest && e.everRequested() {
		return hit{}, false
	}
	for i := range e.grants {
		if g := &e.grants[i]; !g.void && (g.defects&defectDead == 0 || e.register.barUp) {
			return hit{}, false
		}
	}
	return block(e.withGrants(e.note()).say("declared", string(e.a.Basis))), true
}

func (e *evaluation) everRequested() bool {
	for i := range e.state.Requests {
		if e.state.Requests[i].Controller == e.a.Controller {
			return true
		}
	}
	return false
}

// con02: a consent-only channel without a consent that names it.
func con02(e *evaluation) (hit, bool) {
	if !consentOnly(e.channel) || e.bases != 0 || e.chain.row != nil {
		return hit{}, false
	}
	for i := range e.grants {
		g := &e.grants[i]
		if !g.void && g.Data.Purposes&e.purpose != 0 && g.Data.Channels&e.channels != 0 {
			return hit{}, false
		}
	}
	return block(e.withGrants(e.note()).say("channel", string(e.a.Channel))), true
}

func con03(e *evaluation) (hit, bool) { return e.reported(defectUnproven) }
func con04(e *evaluation) (hit, bool) { return e.reported(defectNotFree) }
func con06(e *evaluation) (hit, bool) { return e.reported(defectScope) }
func con09(e *evaluation) (hit, bool) { return e.reported(defectTainted) }

func con05(e *evaluation) (hit, bool) {
	w := e.withdrawal
	if w == nil || e.superseded(w.Time) {
		return hit{}, false
	}
	return block(e.note().fact(w.Identity).at("withdrawn", w.Time).at("received", w.Received).at("recorded", w.Recorded)), true
}

func con08(e *evaluation) (hit, bool) {
	if h, ok := e.reported(defectPreGDPR); ok {
		return h, true
	}
	proves := (*grantView).provesConsent
	switch e.bases.first() {
	case events.BasisConsent:
	case events.BasisContractConsent:
		proves = (*grantView).provesContract
	default:
		return hit{}, false
	}
	ev := e.note()
	for i := range e.grants {
		g := &e.grants[i]
		if !proves(g) {
			continue
		}
		if !e.aged(g) {
			return hit{}, false
		}
		ev.fact(g.Identity).at("granted", g.Time)
	}
	return warn(ev), true
}

// con10: legitimate interest is no basis for telemarketing, whatever else is.
func con10(s *setting) (hit, bool) {
	if s.a.Basis != events.BasisLegitimateInterest {
		return hit{}, false
	}
	return block(s.note().say("declared", string(s.a.Basis))), true
}

func con11(e *evaluation) (hit, bool) {
	if !e.reports(defectNotice) {
		return hit{}, false
	}
	n := e.best.Data.Notice
	ev := e.grantEvidence(e.best)
	if ev != nil {
		ev.Details = append(ev.Details, Detail{"notice", n.ID}, Detail{"version", n.Version})
	}
	h := block(ev)
	h.kind = e.best.noticeKind
	return h, true
}

// con13: the consent was given by an earlier holder of the number.
func con13(e *evaluation) (hit, bool) {
	x := e.reassignment
	if e.bases != 0 || x == nil {
		return hit{}, false
	}
	for i := range e.grants {
		if g := &e.grants[i]; g.Time <= x.Time {
			return block(e.note().fact(x.Identity, g.Identity).at("reassigned", x.Time).at("granted", g.Time)), true
		}
	}
	return hit{}, false
}

// taintingRules are the findings that make a call unlawful as a source of
// consent (IT-CON-09).
var taintingRules = []string{"IT-OPP-01", "IT-CON-05", "IT-RPO-01", "IT-RPO-10"}

// unlawfulCall returns the known call of the contact with that id, dialled
// before t, whose own findings as of the same w taint a consent given in it.
func (e *evaluation) unlawfulCall(id string) (*contact.Call, string) {
	if e.history == nil {
		return nil, ""
	}
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		if c.ID != id || c.Controller != e.a.Controller || c.Data.DialledAt >= e.t {
			continue
		}
		for _, f := range e.facts {
			if f.Identity() != c.Identity || f.Digest != c.Digest {
				continue
			}
			if rule := e.engine.tainting(e.history, e.ref, f, e.cut.Recorded); rule != "" {
				return c, rule
			}
		}
	}
	return nil, ""
}
