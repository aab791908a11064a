package demo

import (
	"time"

	"github.com/assenso/assenso/events"
)

// plant is one way to break the rules: how often, in which campaigns, and what
// it changes in a clean contact, unknown to the register, that gets one answered call. It must say what
// is to be found.
type plant struct {
	name  string
	on    string // campaigns: F fibra, M mobile (bought list), L luce, S auto
	times int    // in each
	apply func(p *plan, call *event)
}

// plants is the catalogue. Its order fixes which contacts are taken.
func plants() []plant {
	var all []plant
	for _, part := range [][]plant{registerPlants, basisPlants, consentPlants, oppositionPlants, conductPlants, callerPlants, silentPlants, listPlants, cleanPlants, contractPlants} {
		all = append(all, part...)
	}
	return all
}

// opposedAfter is the date of an entry in the register that ends the consent.
func opposedAfter(p *plan) events.Date {
	return events.DateOf(events.InstantOf(p.grant.time), events.Rome) + 5
}

func dead(p *plan, answer string) {
	p.answer = p.newAnswer(dayScreened, answer, opposedAfter(p))
	p.noBasis = true
}

// move puts the call at another instant, its parts included.
func move(e *event, at time.Time) {
	shift := at.Sub(e.instant("dialled_at"))
	for _, path := range []string{"dialled_at", "answered_at", "agent_connected_at", "released_at"} {
		if t := e.instant(path); !t.IsZero() {
			e.with(path, t.Add(shift))
		}
	}
	e.close()
}

// registerPlants: rules.md 4.1.
var registerPlants = []plant{
	{"opposed number, consent older than the entry", "FLS", 3, func(p *plan, call *event) {
		dead(p, "opposed")
		p.expect(call, "IT-RPO-01", "IT-RPO-05")
	}},
	{"number left out of the consultation", "FL", 3, func(p *plan, call *event) {
		p.answer = nil
		p.expect(call, "IT-RPO-02", "IT-RPO-11")
	}},
	{"the register could not read the number", "FS", 2, func(p *plan, call *event) {
		p.facts = append(p.facts, p.newAnswer(dayFirst, "invalid", 0))
		p.answer = p.newAnswer(dayScreened, "invalid", 0)
		p.expect(call, "IT-RPO-02")
	}},
	{"first call before the first consultation", "S", 1, func(p *plan, call *event) {
		move(call, p.w.cal.at(dayFirst, "09:40"))
		p.expect(call, "IT-RPO-02", "IT-RPO-03")
	}},
	{"contract consent declared, no contract", "F", 2, func(p *plan, call *event) {
		call.with("basis", "contract_consent")
		p.expect(call, "IT-RPO-06")
	}},
	{"consultation of another controller", "F", 2, func(p *plan, call *event) {
		call.with("batch", batchID(p.w.campaigns[2], dayScreened))
		p.expect(call, "IT-RPO-08")
	}},
	{"automated call to an opposed number", "F", 2, func(p *plan, call *event) {
		p.grant.with("channels", []string{"operator_call", "automated_call"})
		dead(p, "opposed")
		call.with("channel", "automated_call").with("mode", "automated")
		p.expect(call, "IT-RPO-10", "IT-RPO-05")
	}},
	{"selective revocation that has lapsed", "S", 2, func(p *plan, call *event) {
		dead(p, "selective")
		p.answer.with("selective_from", p.w.cal.date(-60)).with("selective_to", p.w.cal.date(-2))
		p.expect(call, "IT-RPO-01", "IT-RPO-05", "IT-RPO-12")
	}},
	{"one request, two calls", "F", 2, func(p *plan, call *event) {
		p.grant = nil
		move(call, p.w.cal.at(0, "10:15"))
		p.facts = append(p.facts, p.crmFact("q", events.TypeCallbackRequested, p.w.cal.at(0, "09:20")).with("medium", "web"))
		call.with("basis", "request")
		p.expect(p.talk(p.w.cal.at(0, "15:20"), "not_interested").with("basis", "request"), "IT-RPO-13")
	}},
	{"request declared that nobody made", "S", 1, func(p *plan, call *event) {
		call.with("basis", "request")
		p.expect(call, "IT-RPO-13 POTENTIAL")
	}},
	{"entry without date: before or after the consent", "FS", 2, func(p *plan, call *event) {
		p.answer = p.newAnswer(dayScreened, "opposed", 0)
		p.expect(call, "IT-RPO-14 POTENTIAL")
	}},
	{"directory declared, number in none", "S", 2, func(p *plan, call *event) {
		call.with("basis", "directory")
		p.expect(call, "IT-RPO-15")
	}},
}

// basisPlants and consentPlants: rules.md 4.2.
var basisPlants = []plant{
	{"no consent at all", "FL", 3, func(p *plan, call *event) {
		p.grant, p.noBasis = nil, true
		p.expect(call, "IT-CON-01")
	}},
	{"automated call, consent to operators", "S", 2, func(p *plan, call *event) {
		call.with("channel", "automated_call").with("mode", "automated")
		p.expect(call, "IT-CON-02")
	}},
	{"legitimate interest", "S", 2, func(p *plan, call *event) {
		call.with("basis", "legitimate_interest")
		p.expect(call, "IT-CON-10")
	}},
	{"bought number, offer before the own notice", "M", 4, func(p *plan, call *event) {
		call.without("consent_before_pitch")
		p.expect(call, "IT-CON-07")
	}},
	{"bought number, vendor may not disclose to this sector", "M", 2, func(p *plan, call *event) {
		p.grant.with("recipients.sectors", []string{"insurance"})
		p.expect(call, "IT-CON-07")
	}},
	{"number passed to another person", "F", 2, func(p *plan, call *event) {
		p.facts = append(p.facts, p.crmFact("n", events.TypeNumberReassigned, p.w.cal.at(-3, "00:00")))
		p.expect(call, "IT-CON-01", "IT-CON-13")
	}},
}

// unproven takes the basis away and names the defect that the report gives.
func unproven(rule string, change func(p *plan)) func(p *plan, call *event) {
	return func(p *plan, call *event) {
		p.noBasis = true
		change(p)
		p.expect(call, rule)
	}
}

var consentPlants = []plant{
	{"consent without proof", "FL", 2, unproven("IT-CON-03", func(p *plan) { p.grant.without("proof") })},
	{"box ticked beforehand", "F", 2, unproven("IT-CON-04", func(p *plan) { p.grant.with("pre_ticked", true) })},
	{"consent withdrawn", "FLS", 2, unproven("IT-CON-05", func(p *plan) { p.facts = append(p.facts, p.revoke(p.w.cal.at(-3, "12:10"))) })},
	{"consent withdrawn, uploaded late", "F", 2, unproven("IT-CON-05", func(p *plan) { p.late = append(p.late, p.revoke(p.w.cal.at(-2, "18:05"))) })},
	{"consent withdrawn, known only the day after", "F", 2, func(p *plan, call *event) {
		e := p.revoke(p.w.cal.at(-1, "16:00")).without("applied_at")
		e.received = p.w.cal.at(1, "09:00")
		p.late = append(p.late, e.with("applied_at", p.w.cal.at(1, "09:30")))
		p.expect(call, "IT-CON-05 HINDSIGHT")
	}},
	{"consent to market research", "FS", 2, unproven("IT-CON-06", func(p *plan) { p.grant.with("purposes", []string{"market_research"}) })},
	{"consent older than two years", "F", 3, func(p *plan, call *event) {
		p.grant = p.newGrant(p.w.cal.at(-800, "11:00"))
		p.expect(call, "IT-CON-08 POTENTIAL")
	}},
	{"consent of before the GDPR", "S", 2, unproven("IT-CON-08", func(p *plan) {
		p.grant = p.newGrant(time.Date(2017, time.March, 14, 10, 0, 0, 0, events.Rome))
	})},
	{"consent given in an unlawful call", "F", 2, unproven("IT-CON-09", func(p *plan) {
		p.facts = append(p.facts, p.crmFact("i", events.TypeConsentInvalidated, p.w.cal.at(-3, "15:00")).with("grant", p.grant.id).with("reason", "tainted"))
	})},
	{"consent to another text of the notice", "L", 2, unproven("IT-CON-11", func(p *plan) { p.grant.with("notice.sha256", digest("another text")) })},
	{"two variants of one consent", "F", 1, func(p *plan, call *event) {
		variant := clone(p.grant).with("channels", []string{"operator_call", "sms"})
		variant.received = p.w.cal.at(0, "21:30")
		p.late = append(p.late, variant)
		p.w.conflicts++
		p.w.apart("LED-02", "", p.grant.id, p.k)
		p.expect(call, "IT-CON-01 POTENTIAL")
	}},
}

// oppositionPlants: rules.md 4.3.
var oppositionPlants = []plant{
	{"called after an opposition", "FLS", 2, func(p *plan, call *event) {
		p.noBasis = true
		p.facts = append(p.facts, p.oppose(p.w.cal.at(-4, "11:00"), p.proc, "in_call"))
		p.expect(call, "IT-OPP-01")
	}},
	{"opposition told to the other call centre", "F", 2, func(p *plan, call *event) {
		other := map[string]string{nord: sud, sud: nord}[p.proc]
		p.facts = append(p.facts, p.oppose(p.w.cal.at(-4, "12:00"), other, "in_call"))
		p.expect(call, "IT-OPP-01", "IT-OPP-04")
	}},
	{"opposition uploaded late", "FS", 3, func(p *plan, call *event) {
		p.late = append(p.late, p.oppose(p.w.cal.at(-1, "17:30"), p.proc, "in_call"))
		p.expect(call, "IT-OPP-01")
	}},
	{"opposition by post, known only the day after", "FS", 2, func(p *plan, call *event) {
		e := p.oppose(p.w.cal.at(-2, "00:00"), p.proc, "post").with("inserted_at", p.w.cal.at(1, "10:00"))
		e.received = p.w.cal.at(1, "09:00")
		p.late = append(p.late, e)
		p.expect(call, "IT-OPP-01 HINDSIGHT")
	}},
	{"opposed in the morning, called in the afternoon", "F", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(0, "10:40"))
		call.with("disposition", "asked_removal")
		p.facts = append(p.facts, p.opposedIn(call))
		p.expect(p.talk(p.w.cal.at(0, "15:45"), "not_interested"), "IT-OPP-01", "IT-CDC-04 POTENTIAL")
	}},
	{"removal asked, nothing recorded", "FS", 2, func(p *plan, call *event) {
		call.with("disposition", "asked_removal")
		p.expect(call, "IT-OPP-02")
	}},
	{"sent to a web form to oppose", "L", 2, func(p *plan, call *event) {
		call.with("deflected", true)
		p.expect(call, "IT-OPP-02")
	}},
	{"on the list again after an opposition", "F", 2, func(p *plan, call *event) {
		p.facts = append(p.facts, p.oppose(p.w.cal.at(dayOpened-5, "11:00"), p.proc, "in_call"))
		p.expect(call, "IT-OPP-01", "IT-OPP-07")
	}},
}
