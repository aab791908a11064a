package demo

import (
	"time"

	"github.com/assenso/assenso/events"
)

// conductPlants: rules.md 4.4.
var conductPlants = []plant{
	{"called after eight in the evening", "FS", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(0, "20:10:00"))
		p.expect(call, "IT-CDC-01")
	}},
	{"dialled before eight, answered after", "F", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(0, "19:59:57"))
		p.expect(call, "IT-CDC-01 POTENTIAL")
	}},
	{"Saturday before ten", "F", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(p.w.cal.last(time.Saturday), "09:20"))
		p.expect(call, "IT-CDC-02")
	}},
	{"Sunday", "L", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(p.w.cal.last(time.Sunday), "11:00"))
		p.expect(call, "IT-CDC-03")
	}},
	{"two conversations in a month", "FL", 3, func(p *plan, call *event) {
		move(call, p.w.cal.at(0, "09:30"))
		p.expect(p.talk(p.w.cal.at(0, "16:05"), "not_interested"), "IT-CDC-04 POTENTIAL")
	}},
	{"call centre that took over no script", "F", 2, func(p *plan, call *event) {
		by(p, call, ovest)
		p.expect(call, "IT-CDC-05")
	}},
	{"notice not given", "FLS", 3, func(p *plan, call *event) {
		call.with("statements", []string{"identity", "purpose"})
		p.expect(call, "IT-CDC-06")
	}},
}

// by gives the call to another call centre.
func by(p *plan, call *event, processor string) {
	call.source = dialer(processor)
	call.id = p.w.callID(processor)
	call.with("processor", processor).without("agent")
}

// callerPlants: rules.md 4.5.
var callerPlants = []plant{
	{"number withheld", "FL", 2, func(p *plan, call *event) {
		call.without("cli")
		p.expect(call, "IT-CLI-01")
	}},
	{"caller number nobody declared", "FS", 2, func(p *plan, call *event) {
		call.with("cli", cliUndeclared)
		p.expect(call, "IT-CLI-02")
	}},
	{"caller number not tested", "F", 2, func(p *plan, call *event) {
		call.with("cli", cliUntested)
		p.expect(call, "IT-CLI-03 POTENTIAL")
	}},
	{"caller number that cannot be called back", "F", 2, func(p *plan, call *event) {
		call.with("cli", cliFailed)
		p.expect(call, "IT-CLI-03")
	}},
	{"Italian number from abroad", "S", 2, func(p *plan, call *event) {
		call.with("origin_country", "AL")
		p.expect(call, "IT-CLI-04")
	}},
	{"number of market research used to sell", "F", 2, func(p *plan, call *event) {
		call.with("cli", cliResearch)
		p.expect(call, "IT-CLI-05")
	}},
	{"energy sold from a call centre's own number", "L", 2, func(p *plan, call *event) {
		by(p, call, nord)
		call.with("cli", cliOfNord)
		p.expect(call, "IT-CLI-06")
	}},
	{"number that is not the campaign's", "F", 2, func(p *plan, call *event) {
		call.with("cli", cliOther)
		p.expect(call, "IT-CLI-07")
	}},
}

// hush makes a silent call of an answered one.
func hush(call *event, hold time.Duration) {
	call.without("agent").without("agent_connected_at").without("statements").with("disposition", "silent").
		with("released_at", call.instant("answered_at").Add(hold)).close()
}

// silentPlants and listPlants: rules.md 4.6.
var silentPlants = []plant{
	{"silent call held too long", "F", 2, func(p *plan, call *event) {
		hush(call, 5*time.Second)
		p.expect(call, "IT-SIL-02")
	}},
	{"silent call without comfort noise", "S", 2, func(p *plan, call *event) {
		hush(call, 2*time.Second)
		call.with("comfort_noise", false)
		p.expect(call, "IT-SIL-05")
	}},
	{"called again the day of a silent call", "F", 2, func(p *plan, call *event) {
		move(call, p.w.cal.at(0, "15:10"))
		p.silent(p.w.cal.at(0, "10:05"), 2)
		p.expect(call, "IT-SIL-03")
	}},
	{"called again without an agent at hand", "L", 2, func(p *plan, call *event) {
		p.silent(p.w.cal.at(dayBefore, "10:05"), 2)
		call.with("agent_reserved", false).with("mode", "predictive")
		p.expect(call, "IT-SIL-04")
	}},
}

var listPlants = []plant{
	{"number of no list", "F", 2, func(p *plan, call *event) {
		p.row = nil
		p.expect(call, "IT-LST-01")
	}},
	{"number of unknown origin", "L", 2, func(p *plan, call *event) {
		p.row.without("source").without("collector")
		p.expect(call, "IT-LST-02")
	}},
	{"call centre nobody appointed", "F", 2, func(p *plan, call *event) {
		by(p, call, ombra)
		p.expect(call, "IT-LST-03")
	}},
	{"call centre not in the operators' register", "FS", 2, func(p *plan, call *event) {
		by(p, call, est)
		p.expect(call, "IT-LST-04")
	}},
	{"call centre outside the Union, not notified", "S", 2, func(p *plan, call *event) {
		call.with("agent_country", "AL")
		p.expect(call, "IT-LST-05")
	}},
	{"nine attempts in a day", "F", 2, func(p *plan, call *event) {
		p.calls = nil
		for i := range 8 {
			p.dial(p.w.cal.at(0, "09:10").Add(time.Duration(i)*time.Hour), "no_answer")
		}
		p.expect(p.dial(p.w.cal.at(0, "17:40"), "no_answer"), "IT-LST-06 POTENTIAL")
	}},
	{"row of a source under order", "F", 2, func(p *plan, call *event) {
		p.row.with("source", orderedSource)
		p.expect(call, "IT-ORD-01")
	}},
}

// orderedSource is the source whose rows an authority has forbidden.
const orderedSource = "vinci-facile.example"

// cleanPlants are lawful in unusual ways: nothing is to be found.
var cleanPlants = []plant{
	{"consent within a running contract, opposed later", "F", 3, func(p *plan, call *event) {
		dead(p, "opposed")
		withinContract(p, call)
	}},
	{"the same in energy: not enough there", "L", 2, func(p *plan, call *event) {
		dead(p, "opposed")
		p.noBasis = false
		withinContract(p, call)
		p.expect(call, "IT-ENE-01")
	}},
	{"in the directory, not in the register", "F", 3, func(p *plan, call *event) {
		p.grant = nil
		p.facts = append(p.facts, p.crmFact("e", events.TypeDirectoryExtracted, p.w.cal.at(-20, "00:00")).with("in_directory", true).
			with("directory", "elenco-abbonati").with("extracted_on", p.w.cal.date(-20)))
		call.with("basis", "directory")
	}},
	{"asked to be called back", "S", 3, func(p *plan, call *event) {
		p.grant = nil
		p.answer = p.newAnswer(dayScreened, "opposed", p.w.cal.date(-100))
		p.facts = append(p.facts, p.crmFact("q", events.TypeCallbackRequested, p.w.cal.at(-2, "09:20")).with("medium", "web"))
		call.with("basis", "request")
	}},
	{"withdrew, then consented again", "F", 3, func(p *plan, call *event) {
		p.facts = append(p.facts, p.revoke(p.grant.time.Add(-48*time.Hour)))
	}},
}

// withinContract makes the consent part of a running contract.
func withinContract(p *plan, call *event) {
	id := "C-" + p.grant.id
	at := p.grant.time.Add(-time.Hour)
	p.facts = append(p.facts, p.crmFact("k", events.TypeContractConcluded, at).with("contract", id).with("continuous", true).
		with("started_on", events.DateOf(events.InstantOf(at), events.Rome)).with("channel", "web"))
	p.grant.with("contract", id)
	call.with("basis", "contract_consent")
}

// contractPlants lead to contracts: rules.md 5.
var contractPlants = []plant{
	{"contract and commission from a call after an opposition", "F", 2, func(p *plan, call *event) {
		p.facts = append(p.facts, p.oppose(p.w.cal.at(-4, "14:00"), p.proc, "in_call"))
		call.with("disposition", "sale")
		p.expect(call, "IT-OPP-01")
		contract := p.sale(call)
		p.w.object("IT-CDC-10", contract.text("contract"), events.KindConfirmed, p.k.controller)
		p.w.object("IT-CDC-09", p.commission(contract).id, events.KindConfirmed, p.k.controller)
	}},
	{"energy contract from a call without consent", "L", 2, func(p *plan, call *event) {
		p.grant, p.noBasis = nil, true
		call.with("disposition", "sale")
		p.expect(call, "IT-CON-01")
		id := p.sale(call).text("contract")
		p.w.object("IT-CDC-10", id, events.KindConfirmed, p.k.controller)
		p.w.object("IT-ENE-02", id, events.KindConfirmed, p.k.controller)
	}},
	{"energy contract without a durable medium", "L", 2, func(p *plan, call *event) {
		call.with("disposition", "sale")
		contract := p.sale(call).without("durable_medium_confirmed_on")
		p.w.object("IT-ENE-03", contract.text("contract"), events.KindConfirmed, p.k.controller)
	}},
}

// objects plants what concerns no call.
func (w *writer) objects(free func(k *campaign) *plan) {
	c := w.cal
	fibra, luce := w.campaigns[0], w.campaigns[2]
	order := w.fact("order-1", events.TypeOrderIssued, c.at(-30, "00:00"), aurora).with("authority", "garante").with("number", "2026/411").
		with("kind", "limitation").with("from", c.date(-30)).with("scope", map[string]any{"all": false, "sources": []string{orderedSource}})
	w.office(order)

	incomplete := free(fibra)
	o := incomplete.oppose(c.at(-6, "10:00"), nord, "post").without("inserted_at").without("recorded_by")
	incomplete.facts = append(incomplete.facts, o)
	w.object("IT-OPP-03", o.id, events.KindConfirmed, aurora)
	incomplete.emit()

	slow := free(fibra)
	r := slow.revoke(c.at(-9, "10:00")).with("applied_at", c.at(-7, "10:00"))
	slow.facts = append(slow.facts, r)
	w.object("IT-CON-12", r.id, events.KindConfirmed, aurora)
	slow.emit()

	caller := free(fibra)
	in := caller.crmFact("u", events.TypeCallInbound, c.at(0, "11:11")).with("notice_given", false)
	caller.facts = append(caller.facts, in, caller.crmFact("u", events.TypeCallInbound, c.at(0, "12:12")))
	w.object("IT-CDC-13", in.id, events.KindConfirmed, aurora)
	caller.emit()

	for i, closed := range []bool{false, true} {
		asks := free(luce)
		id := []string{"R-2026-031", "R-2026-032"}[i]
		asks.facts = append(asks.facts, asks.crmFact("h", events.TypeRightsRequested, c.at(-68, "10:00")).with("right", "access").with("request", id))
		if closed {
			asks.facts = append(asks.facts, asks.crmFact("h", events.TypeRightsClosed, c.at(-50, "10:00")).with("request", id).with("outcome", "answered"))
		} else {
			w.object("IT-OPP-05", id, events.KindConfirmed, lumen)
		}
		asks.emit()
		complains := free(luce)
		e := complains.crmFact("p", events.TypeComplaintReceived, c.at(-18, "10:00")).with("via", "subject")
		complains.facts = append(complains.facts, e)
		if closed {
			v := w.fact(w.nextID("p"), events.TypeComplaintVerified, c.at(-12, "10:00"), lumen).with("complaint", e.id).with("result", "unfounded")
			w.office(v)
		} else {
			w.object("IT-CDC-07", e.id, events.KindConfirmed, lumen)
		}
		complains.emit()
	}
	w.oldList()
}

// oldList is a list that was bought and never looked after.
func (w *writer) oldList() {
	const list = "L-AUR-VECCHIA"
	c := w.cal
	w.office(w.fact("acquired-"+list, events.TypeListAcquired, c.at(-126, "09:00"), aurora).with("list", list).with("vendor", vendor))
	for _, offset := range []int{-125, -60} {
		e := w.fact("b-"+list+c.date(offset).String(), events.TypeRegisterScreeningCompleted, c.at(offset, "18:00"), aurora).
			with("batch", "B-AUR-VECCHIA-"+c.date(offset).String()).with("list", list).with("snapshot_at", c.at(offset, "10:00"))
		e.source = srcRegister
		w.office(e)
	}
	w.office(w.fact("active-"+list, events.TypeListActivated, c.at(-120, "09:00"), aurora).with("list", list))
	w.office(w.fact("retired-"+list, events.TypeListRetired, c.at(-30, "09:00"), aurora).with("list", list))
	for _, rule := range []string{"IT-RPO-04", "IT-OPP-06", "IT-CDC-07"} {
		w.object(rule, list, events.KindConfirmed, aurora)
	}
}
