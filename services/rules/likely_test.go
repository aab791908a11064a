package rules

import (
	"fmt"
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"pgregory.net/rapid"
)

// The worlds of world_test.go are wild: nearly every question is blocked. A
// likely world is the stage of the clauses, in which a call may be made, with a
// few facts missing and a few random facts more, so that every verdict and
// every rule occurs.

// likelyFacts draws a likely world around the stage's facts.
func likelyFacts(t *rapid.T, base []*contact.Fact) []*contact.Fact {
	m := &factory{n: 5000}
	out := slices.Clone(base)
	for range rapid.IntRange(0, 2).Draw(t, "missing facts") {
		i := rapid.IntRange(0, len(out)-1).Draw(t, "missing")
		out = slices.Delete(out, i, i+1)
	}
	switch rapid.IntRange(0, 9).Draw(t, "basis of the world") {
	case 0, 1:
		out = m.bought(t, out)
	case 2:
		out = m.contractual(t, out)
	}
	for range rapid.IntRange(0, 3).Draw(t, "more reference facts") {
		draw := oneOf(t, "kind of reference", m.reference, m.rarerReference, m.rarerReference)
		out = append(out, draw(t))
	}
	if rapid.IntRange(0, 19).Draw(t, "pressed") == 0 {
		for i := range rapid.IntRange(7, 33).Draw(t, "earlier calls") {
			out = append(out, m.call(t, fmt.Sprintf("e%d", i), noon-events.Instant(i)*6*hour-5*hour))
		}
	}
	for range rapid.IntRange(0, 7).Draw(t, "more contact facts") {
		draw := oneOf(t, "kind", m.personal, m.rarer)
		out = append(out, draw(t))
	}
	if rapid.IntRange(0, 3).Draw(t, "corrected") == 0 {
		out = append(out, m.correction(t))
	}
	return out
}

// stageFacts are the facts of the stage with a consent.
func stageFacts(t testing.TB) []*contact.Fact {
	s := newStage(t)
	s.consent("2026-01-10")
	return s.facts
}

// bought replaces the person's own consent by a bought row: a vendor's grant
// that discloses to A, mostly with a script that says so.
func (m *factory) bought(t *rapid.T, facts []*contact.Fact) []*contact.Fact {
	facts = slices.DeleteFunc(facts, func(f *contact.Fact) bool { return f.Type == events.TypeConsentGranted })
	at := noon - 60*day
	disclosed := grant(func(g *events.ConsentGranted) {
		g.Purposes = events.PurposeThirdPartyDisclosure.Bit()
		g.Recipients = oneOf(t, "recipients", &events.Recipients{Controllers: []string{"A"}}, &events.Recipients{Sectors: []events.Sector{events.SectorTelecom}}, nil)
	})
	return append(facts,
		m.fact(t, "vg", "V", "", person, disclosed, at, at, at),
		m.fact(t, "vr", "A", "", person, &events.ListContactAdded{List: "L", Vendor: "V", Source: "s", Collector: "V", AcquiredOn: 1}, at, at, at),
		m.fact(t, "vs", "A", "K", events.ContactKey{}, &events.ScriptPublished{Script: "S", ThirdPartyIntro: rapid.IntRange(0, 4).Draw(t, "intro") > 0}, at, at, at))
}

// contractual replaces the person's consent by one that only a contract, ended
// about thirty days ago, keeps above a later listing in the register.
func (m *factory) contractual(t *rapid.T, facts []*contact.Fact) []*contact.Fact {
	facts = slices.DeleteFunc(facts, func(f *contact.Fact) bool { return f.Type == events.TypeConsentGranted })
	at := noon - 60*day
	ended := dateOf(noon) - oneOf(t, "days since the end", events.Date(29), 30, 31)
	return append(facts,
		m.fact(t, "kg", "A", "", person, grant(func(g *events.ConsentGranted) { g.Contract = "k" }), at, at, at),
		m.fact(t, "kc", "A", "", person, &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: dateOf(at)}, at, at, at),
		m.fact(t, "ke", "A", "", person, &events.ContractEnded{Contract: "k", EndedOn: ended}, noon-20*day, noon-20*day, noon-20*day),
		m.fact(t, "kl", "A", "", person, &events.RegisterListed{ListedOn: dateOf(noon) - 15}, noon-15*day, noon-15*day, noon-15*day))
}

func (m *factory) call(t *rapid.T, id string, at events.Instant) *contact.Fact {
	d := &events.CallConcluded{DialledAt: at, Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, CLI: cli, Disposition: events.DispositionNoAnswer}
	return m.fact(t, id, "A", "K", person, d, at, at, at)
}

// rarerReference draws a reference fact that reference never draws.
func (m *factory) rarerReference(t *rapid.T) *contact.Fact {
	controller, campaign := "A", ""
	var d events.Payload
	switch rapid.IntRange(0, 5).Draw(t, "rarer reference") {
	case 0: // the earliest of the campaign
		campaign = "K"
		d = &events.CampaignOpened{Purpose: "marketing", Channels: 1, Sector: events.SectorEnergy, Product: "plan", ProductOwner: oneOf(t, "owner", "", "", "Z"), Lists: []string{"L"}, CLIs: []string{cli}}
		at := noon - 90*day
		return m.fact(t, "energy", controller, campaign, events.ContactKey{}, d, at, at, at)
	case 1:
		controller, d = "", &events.CallerIDTested{CLI: oneOf(t, "tested", "+390612345678", "+390843100100"), OK: rapid.Bool().Draw(t, "ok")}
	case 2:
		controller, d = "", &events.CallerIDDeclared{Holder: oneOf(t, "holder", "A", "P1", "P2"), CLIs: []string{cli, "+390612345678"}, From: 1, To: oneOf(t, "to", 0, civil(t, "end"))}
	case 3:
		d = &events.ProcessorAppointed{Processor: oneOf(t, "processor", "P1", "P2"), From: civil(t, "from") - 30, NotifiedCountries: oneOf(t, "notified", nil, []string{"AL"})}
	case 4:
		d = &events.OrderIssued{Kind: events.OrderLimitation, From: civil(t, "order"), Scope: oneOf(t, "scope", events.OrderScope{All: true}, events.OrderScope{Vendors: []string{"V"}}, events.OrderScope{Sources: []string{"s"}})}
	default:
		d = &events.RegisterScreeningCompleted{Batch: oneOf(t, "batch", "B", "B9"), List: "L", SnapshotAt: moment(t, "snapshot"), Register: oneOf(t, "register", "", events.RegisterPostal)}
	}
	at, received, recorded := clocks(t)
	return m.fact(t, fmt.Sprintf("r%d", rapid.IntRange(0, 30).Draw(t, "id")), controller, campaign, events.ContactKey{}, d, at, received, recorded)
}

// rarer draws a fact of the person of a type or form that personal never draws.
func (m *factory) rarer(t *rapid.T) *contact.Fact {
	id := fmt.Sprintf("c%d", rapid.IntRange(0, 14).Draw(t, "id"))
	controller, d := rarerPayload(t)
	at, received, recorded := clocks(t)
	switch {
	case d.EventType() == events.TypeConsentGranted && rapid.IntRange(0, 4).Draw(t, "old") == 0:
		at = oneOf(t, "years ago", noon-3*365*day, noon-9*365*day)
	case d.EventType() == events.TypeContractConcluded:
		at = noon - 60*day
	}
	return m.fact(t, id, controller, "", person, d, at, received, recorded)
}

func rarerPayload(t *rapid.T) (controller string, d events.Payload) {
	ref := oneOf(t, "ref", "g", "c0", "c1", "c2", "c3")
	who := oneOf(t, "who", "A", "A", "V", "")
	register := oneOf(t, "register", "", events.RegisterPhone, events.RegisterPostal)
	switch rapid.IntRange(0, 14).Draw(t, "rarer type") {
	case 0, 1:
		return "A", rarerGrant(t)
	case 2:
		return "A", &events.ConsentRefused{Purposes: oneOf(t, "purposes", 0, events.PurposeProfiling.Bit())}
	case 3:
		return "A", &events.ConsentReverified{Grant: ref, Result: oneOf(t, "result", "confirmed", "not_confirmed")}
	case 4:
		return "V", &events.OppositionRegistered{AlsoControllers: []string{"A"}, ReceivedBy: oneOf(t, "taken by", "P1", "")}
	case 5:
		return who, &events.ErasureExecuted{Suppress: oneOf(t, "suppress", nil, new(bool))}
	case 6:
		return who, &events.NumberReassigned{}
	case 7:
		return "A", &events.RegisterDelisted{DelistedOn: civil(t, "delisted"), Register: register}
	case 8:
		return "A", &events.RegisterRenewed{ListedOn: civil(t, "listed"), Register: register}
	case 9:
		return "A", &events.RegisterScreened{Batch: oneOf(t, "batch", "B", "B1", "B2"), SnapshotAt: moment(t, "snapshot"), Register: register,
			Answer: oneOf(t, "answer", events.AnswerClear, events.AnswerSelective), SelectiveFrom: oneOf(t, "from", 0, civil(t, "window")), SelectiveTo: oneOf(t, "to", 0, civil(t, "window end"))}
	case 10:
		return "A", &events.CallInbound{}
	case 11:
		return "A", &events.CallbackRequested{Product: oneOf(t, "product", "", "plan", "fibre")}
	case 12:
		return "A", &events.ContractEnded{Contract: "k", EndedOn: dateOf(noon) - oneOf(t, "days ago", events.Date(29), 30, 31)}
	case 13:
		return "A", &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: civil(t, "started") - 60, EmailNotice: true, SimplifiedRevocation: oneOf(t, "simple", nil, new(bool))}
	default:
		return "A", &events.ListContactAdded{List: "L", Vendor: oneOf(t, "vendor", "", "V"), Holder: oneOf(t, "holder", events.HolderLegal, events.HolderNatural), Source: oneOf(t, "source", "", "s"), Collector: "A", AcquiredOn: 1}
	}
}

func rarerGrant(t *rapid.T) *events.ConsentGranted {
	return grant(func(g *events.ConsentGranted) {
		g.Channels = oneOf(t, "channels", events.AllChannels, events.ChannelAutomatedCall.Bit(), events.ChannelEmail.Bit())
		g.NoticeExtendsToOperator = rapid.Bool().Draw(t, "extends")
		g.Products = oneOf(t, "products", nil, []string{"plan"}, []string{"fibre"})
		g.Notice.Version = oneOf(t, "version", "1", "1", "2")
		g.Proof.Kind = oneOf(t, "proof", events.ProofDoubleOptIn, events.ProofIPNotification, events.ProofSignedForm)
		g.Proof.ConfirmedAt, g.Proof.NotifiedAt = moment(t, "confirmed"), moment(t, "notified")
		g.PreTicked = rapid.IntRange(0, 3).Draw(t, "ticked") == 0
		g.ValidTo = oneOf(t, "valid to", 0, civil(t, "valid"))
		g.Contract = oneOf(t, "contract", "", "k")
	})
}

// likelyAttempt draws a question about the person that the stage knows of, with
// everything that an attempt may say.
func likelyAttempt(t *rapid.T) (a Attempt, at events.Instant) {
	a = Attempt{
		ID: "a", Contact: person, Controller: "A", Campaign: oneOf(t, "campaign", "K", "K", "K", "K", "K", "K", "K", "K2"),
		Purpose:   oneOf(t, "purpose", events.PurposeMarketing, events.PurposeMarketing, events.PurposeMarketing, events.PurposeMarketing, events.PurposeMarketResearch, events.PurposeService),
		Channel:   oneOf(t, "channel", append([]events.Channel{events.ChannelOperatorCall, events.ChannelOperatorCall, events.ChannelOperatorCall}, events.Channels...)...),
		Processor: oneOf(t, "processor", "P1", "P1", "P1", "P1", "P2", "A", ""), CLI: oneOf(t, "cli", cli, cli, cli, cli, cli, cli, cli, "", "+390843100100", "+390612345678", "+393401234567"),
		OriginCountry: oneOf(t, "origin", "", "", "", "AL"), AgentCountry: oneOf(t, "seat", "", "", "", "", "AL", "FR"), Roaming: rapid.Bool().Draw(t, "roaming"),
		Agent: oneOf(t, "agent", "", "agent"), AgentReserved: rapid.IntRange(0, 2).Draw(t, "reserved") > 0,
		Basis: oneOf(t, "declared", "", events.BasisConsent, events.BasisConsent, events.BasisConsent, events.BasisConsent, events.BasisConsent, events.BasisRequest, events.BasisDirectory, events.BasisContractConsent, events.BasisLegitimateInterest),
		Grant: oneOf(t, "cited", "", "", "g", "c1"), Batch: oneOf(t, "batch", "", "", "B", "B1", "B9"), Product: oneOf(t, "product", "", "", "fibre"),
		Decision: Claim{Made: rapid.Bool().Draw(t, "claims")}, RecordedAt: oneOf(t, "recorded", 0, noon),
	}
	at = noon - 2*hour
	if rapid.Bool().Draw(t, "another time") {
		at = noon + events.Instant(rapid.IntRange(-600, 600).Draw(t, "at"))*600*second
	}
	switch rapid.IntRange(0, 9).Draw(t, "another law") {
	case 0:
		at = rome2021
	case 1:
		at = rome2026
	case 2:
		at = romeLast
	}
	return a, at
}

// rome2021 lies before DPR 26/2022 and the Code of conduct, rome2026 within the
// law on energy, romeLast on the last day of the stage's consultation.
var (
	rome2021 = events.NewDate(2021, 3, 10).In(events.Rome) + 11*hour
	rome2026 = events.NewDate(2026, 6, 24).In(events.Rome) + 11*hour
	romeLast = events.NewDate(2026, 3, 18).In(events.Rome) + 11*hour
)
