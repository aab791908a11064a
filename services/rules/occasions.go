package rules

import "github.com/assenso/assenso/events"

// occasions are things that must be so of a contact before some of the rules
// can speak: a prepared question tests a rule only where it has one. They spare
// the call of a rule that would say nothing, and decide nothing: the properties
// of the tests put every answer beside that of Gate, which tests every rule.
type occasions uint16

const (
	unbased     occasions = 1 << iota // there is no basis
	contractual                       // contract_consent is among the bases
	barred                            // the register's bar is up
	unanswered                        // there is no valid answer of the register
	withdrawn                         // W[C, pu, ch] exists
	suppressed                        // O[C, pu, ch] or E[C] exists
	attempted                         // an attempt to the contact is known
	bought                            // a third-party row is current (IT-CON-07)
	anything                          // is so of every contact

	always           = 2*anything - 1 // whatever is so
	never  occasions = 0
)

// occasions returns what is so of the contact.
func (e *evaluation) occasions() occasions {
	have := anything
	set := func(o occasions, iff bool) {
		if iff {
			have |= o
		}
	}
	set(unbased, e.bases == 0)
	set(contractual, e.bases.any(basisContract))
	set(barred, e.register.barUp)
	set(unanswered, e.register.valid == nil)
	set(withdrawn, e.withdrawal != nil)
	set(suppressed, e.opposition != nil || e.erasure != nil)
	set(attempted, len(e.state.Calls) > 0)
	set(bought, e.chain.row != nil)
	return have
}

// occasion returns when a rule that looks at the contact can speak at the gate
// in a setting of which everything is looked up.
func (s *setting) occasion(rule string) occasions {
	iff := func(possible bool, when occasions) occasions {
		if possible {
			return when
		}
		return never
	}
	switch rule {
	case "IT-RPO-01":
		return iff(operatorOrPaper(s.channel), barred)
	case "IT-RPO-02":
		return iff(isCall(s.channel), always)
	case "IT-RPO-03":
		return iff(s.part != "" && !s.startedEarlier() && !s.consulted(), always)
	case "IT-RPO-06":
		if s.a.Basis == events.BasisContractConsent {
			return always
		}
		return contractual
	case "IT-RPO-08":
		return iff(s.a.Batch != "", always)
	case "IT-RPO-09":
		return iff(s.channel == events.ChannelPaperMail, unanswered)
	case "IT-RPO-10":
		return iff(s.channel == events.ChannelAutomatedCall, barred)
	case "IT-RPO-11":
		return unanswered
	case "IT-RPO-12":
		return barred
	case "IT-RPO-13":
		return iff(s.a.Basis == events.BasisRequest, always)
	case "IT-RPO-15":
		return iff(s.a.Basis == events.BasisDirectory, always)
	case "IT-CON-01":
		return iff(!consentOnly(s.channel) && s.a.Basis != events.BasisDirectory, unbased)
	case "IT-CON-02":
		return iff(consentOnly(s.channel), unbased)
	case "IT-RPO-05", "IT-RPO-14", "IT-CON-03", "IT-CON-04", "IT-CON-06", "IT-CON-09", "IT-CON-11", "IT-CON-13":
		return unbased
	case "IT-CON-07":
		return bought
	case "IT-CON-05":
		return withdrawn
	case "IT-OPP-01", "IT-OPP-07":
		return suppressed
	case "IT-CDC-01":
		return iff(s.outside && s.law.kind == ordinaryDay, always)
	case "IT-CDC-02":
		return iff(s.outside && s.law.kind == shortDay, always)
	case "IT-CDC-03":
		return iff(s.outside && s.law.kind == closedDay, always)
	case "IT-CDC-04":
		return s.counting(s.pack.FrequencyMax < 1)
	case "IT-LST-06":
		return s.counting(s.pack.PressureWarn < 1)
	case "IT-SIL-03":
		return iff(isCall(s.channel), attempted)
	case "IT-SIL-04":
		return iff(isCall(s.channel) && !s.a.AgentReserved, attempted)
	case "IT-ORD-01":
		return iff(len(s.orders()) > 0, always)
	case "IT-ENE-01":
		return iff(s.campaign.sector == events.SectorEnergy, always)
	}
	return always
}

// counting is when a rule that counts attempts can speak; none is a limit that
// no attempt passes already.
func (*setting) counting(none bool) occasions {
	if none {
		return always
	}
	return attempted
}
