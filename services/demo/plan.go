package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// plan is one contact on one list: what is known of it, the calls it gets, and
// what a report must find in them. It starts clean; a plant changes it.
type plan struct {
	w    *writer
	k    *campaign
	c    *listed
	proc string

	row    *event // on the list; nil = on none
	grant  *event // nil = none
	answer *event // of the register; nil = not consulted for it
	calls  []*event
	facts  []*event // of the CRM and the call centres
	late   []*event // recorded after the day's files

	want    map[*event][]string // findings of a call: "IT-RPO-14 POTENTIAL"
	noBasis bool                // energy calls then break IT-ENE-01 too
}

// newPlan makes the clean contact without a call.
func (w *writer) newPlan(k *campaign, c *listed) *plan {
	p := &plan{w: w, k: k, c: c, proc: []string{nord, sud}[w.rng.IntN(2)], want: map[*event][]string{}}
	p.row = p.newRow()
	if k.bought {
		p.grant = p.newDisclosure()
		p.answer = p.newAnswer(dayScreened, "clear", 0)
		return p
	}
	p.grant = p.newGrant(w.someDay(-600, -30))
	p.answer = p.newAnswer(dayScreened, "clear", 0)
	switch r := w.rng.IntN(100); {
	case r < 14: // entered before it consented: the consent lives
		p.answer = p.newAnswer(dayScreened, "opposed", events.DateOf(events.InstantOf(p.grant.time), events.Rome)-events.Date(10+w.rng.IntN(300)))
	case r < 17: // lifted toward the controller
		p.answer = p.newAnswer(dayScreened, "selective", events.DateOf(events.InstantOf(p.grant.time), events.Rome)-events.Date(10+w.rng.IntN(300))).
			with("selective_from", w.cal.date(-40))
	}
	return p
}

func (p *plan) newRow() *event {
	k := p.k
	e := &event{id: fmt.Sprintf("r-%s-%06d", k.list, p.c.index), source: crm(k.controller), typ: events.TypeListContactAdded, controller: k.controller,
		time: p.w.cal.at(dayOpened, "09:30")}
	e.phone(p.c.number).with("list", k.list)
	if k.bought {
		return e.with("vendor", vendor).with("source", "concorso-estate.example").with("collector", vendor).with("acquired_on", p.w.cal.date(-40))
	}
	return e.with("source", "modulo-web").with("collector", k.controller).with("acquired_on", p.w.cal.date(-30))
}

// newGrant is a demonstrable consent to the controller's own operator calls.
func (p *plan) newGrant(at time.Time) *event {
	c := p.k.controller
	n := noticeAt(at)
	e := &event{id: fmt.Sprintf("g-%s-%06d", c, p.c.index), source: crm(c), typ: events.TypeConsentGranted, controller: c, time: at}
	e.phone(p.c.number).with("purposes", []string{"marketing"}).with("channels", []string{"operator_call"}).
		with("notice.id", noticeID(c)).with("notice.version", n.version).with("notice.sha256", digest(c+n.version)).
		with("source_ref", "https://"+c+".example/consensi").
		with("proof.kind", "double_opt_in").with("proof.sha256", digest(e.id)).with("proof.immutable", true).with("proof.confirmed_at", at.Add(4*time.Minute))
	return e
}

// newDisclosure is the vendor's consent to hand the number to telecom companies.
func (p *plan) newDisclosure() *event {
	at := p.w.someDay(-300, -45)
	e := &event{id: fmt.Sprintf("v-%06d", p.c.index), source: srcVendor, typ: events.TypeConsentGranted, controller: vendor, time: at}
	return e.phone(p.c.number).with("purposes", []string{"third_party_disclosure"}).with("channels", []string{"operator_call"}).
		with("recipients.sectors", []string{"telecom"}).
		with("notice.id", "informativa-"+vendor).with("notice.version", "1").with("notice.sha256", digest(vendor)).
		with("source_ref", "https://concorso-estate.example/partecipa").
		with("proof.kind", "signed_form").with("proof.sha256", digest(e.id)).with("proof.immutable", true)
}

// newAnswer is the register's answer of the consultation made on that day.
func (p *plan) newAnswer(offset int, answer string, opposed events.Date) *event {
	c := p.k.controller
	e := &event{id: fmt.Sprintf("s-%s-%06d", batchID(p.k, offset), p.c.index), source: srcRegister, typ: events.TypeRegisterScreened, controller: c,
		time: p.w.cal.at(offset, "18:00")}
	e.phone(p.c.number).with("batch", batchID(p.k, offset)).with("snapshot_at", p.w.cal.at(offset, "10:00")).with("answer", answer)
	if opposed != 0 {
		e.with("opposition_date", opposed)
	}
	return e
}

// dial adds an unanswered call.
func (p *plan) dial(at time.Time, disposition string) *event {
	w := p.w
	e := &event{id: w.callID(p.proc), source: dialer(p.proc), typ: events.TypeCallConcluded, controller: p.k.controller, campaign: p.k.id}
	cli := p.k.cli[p.proc]
	if cli == "" {
		cli = p.k.cli[nord]
	}
	basis := "consent"
	if p.k.bought {
		basis = "third_party"
	}
	e.phone(p.c.number).with("dialled_at", at).with("purpose", "marketing").with("channel", "operator_call").with("processor", p.proc).
		with("cli", cli).with("mode", "progressive").with("agent_reserved", true).with("basis", basis).with("batch", batchID(p.k, dayScreened)).
		with("disposition", disposition)
	e.time = at
	p.calls = append(p.calls, e)
	return e
}

var allStatements = []string{"identity", "purpose", "origin", "rights", "notice"}

// talk adds an answered call with everything said that must be said.
func (p *plan) talk(at time.Time, disposition string) *event {
	w := p.w
	e := p.dial(at, disposition)
	answered := at.Add(time.Duration(6+w.rng.IntN(14)) * time.Second)
	length := 20 + w.rng.IntN(120)
	if disposition == "sale" {
		length += 300
	}
	e.with("answered_at", answered).with("agent_connected_at", answered.Add(time.Second)).with("released_at", answered.Add(time.Duration(length)*time.Second)).
		with("agent", fmt.Sprintf("%s-%02d", p.proc, w.rng.IntN(agentsEach))).with("statements", allStatements)
	if p.k.bought {
		e.with("consent_before_pitch", true)
	}
	return e.close()
}

// silent adds an answered call that no agent took, dropped after hold seconds.
func (p *plan) silent(at time.Time, hold int) {
	e := p.dial(at, "silent")
	answered := at.Add(time.Duration(6+p.w.rng.IntN(14)) * time.Second)
	e.with("answered_at", answered).with("released_at", answered.Add(time.Duration(hold)*time.Second)).close()
}

// oppose makes the opposition that the person spoke, complete as IT-OPP-03 asks.
func (p *plan) oppose(at time.Time, receivedBy, medium string) *event {
	e := &event{id: p.w.nextID("o"), source: dialer(receivedBy), typ: events.TypeOppositionRegistered, controller: p.k.controller, time: at}
	return e.phone(p.c.number).with("medium", medium).with("received_by", receivedBy).with("refused_at", at).with("inserted_at", at.Add(20*time.Second)).
		with("entry_source", "agent-desk").with("recorded_by", receivedBy+"-00")
}

// opposedIn is the opposition spoken at the end of a call.
func (p *plan) opposedIn(call *event) *event {
	o := p.oppose(call.instant("released_at").Add(-5*time.Second), p.proc, "in_call")
	return o.with("call", call.id).with("recorded_by", call.text("agent"))
}

func (p *plan) crmFact(prefix string, typ events.Type, at time.Time) *event {
	return (&event{id: p.w.nextID(prefix), source: crm(p.k.controller), typ: typ, controller: p.k.controller, time: at}).phone(p.c.number)
}

func (p *plan) revoke(at time.Time) *event {
	return p.crmFact("w", events.TypeConsentRevoked, at).with("medium", "web").with("applied_at", at.Add(time.Minute))
}

// sale adds the contract that a call led to.
func (p *plan) sale(call *event) *event {
	at := call.time.Add(time.Minute)
	id := "C-" + strings.TrimPrefix(call.id, "c-")
	e := p.crmFact("k", events.TypeContractConcluded, at).with("contract", id).with("product", p.k.product).with("sector", p.k.sector).
		with("continuous", true).with("started_on", p.w.cal.date(0)).with("channel", "phone").with("origin", call.id).with("brought_by", p.proc)
	if p.k.sector == "energy" {
		e.with("durable_medium_confirmed_on", p.w.cal.date(0)).with("activated_on", p.w.cal.date(0))
	}
	p.facts = append(p.facts, e)
	return e
}

// commission pays the call centre for a contract.
func (p *plan) commission(contract *event) *event {
	e := &event{id: p.w.nextID("m"), source: crm(p.k.controller), typ: events.TypeCommissionPaid, controller: p.k.controller, time: p.w.cal.at(0, "21:00")}
	e.with("contract", contract.text("contract")).with("processor", p.proc)
	p.facts = append(p.facts, e)
	return e
}

// expect notes what must be found in a call.
func (p *plan) expect(call *event, rules ...string) {
	p.want[call] = append(p.want[call], rules...)
}

// emit writes the plan to its files and its findings to the manifest.
func (p *plan) emit() {
	w := p.w
	for _, e := range []*event{p.row, p.grant, p.answer} {
		if e != nil {
			w.put(e)
		}
	}
	for _, e := range p.facts {
		w.put(e)
	}
	for _, e := range p.late {
		w.putLate(e)
	}
	for _, e := range p.calls {
		rules := p.want[e]
		if p.noBasis && len(rules) > 0 && p.k.sector == "energy" {
			rules = append(rules, "IT-ENE-01")
		}
		if w.decided(rules) {
			w.decide(e, p.k)
		} else {
			w.apart("LED-05", e.id, "", p.k)
		}
		if e.text("agent") == uncertified {
			w.apart("AGT-01", e.id, "", p.k)
		}
		for _, r := range rules {
			w.found(r, e.id, p.k)
		}
		w.put(e)
	}
	w.tally(p)
}

// warnOnly are the rules for which a gate lets a call pass (rules.md 4).
var warnOnly = map[string]bool{"IT-CDC-04": true, "IT-LST-05": true, "IT-OPP-02": true, "IT-CDC-06": true, "IT-SIL-02": true, "IT-SIL-05": true,
	"IT-LST-06 POTENTIAL": true, "IT-CON-08 POTENTIAL": true, "IT-CLI-03 POTENTIAL": true, "IT-CDC-01 POTENTIAL": true, "IT-CDC-04 POTENTIAL": true}

// decided reports whether a gate would have let the call pass: then the dialer
// asked it. A call that a gate would have blocked was made without asking.
func (w *writer) decided(rules []string) bool {
	for _, r := range rules {
		if !warnOnly[r] && !strings.HasSuffix(r, string(events.KindHindsight)) {
			return false
		}
	}
	return true
}

// decide adds the gate's decision that the call cites.
func (w *writer) decide(call *event, k *campaign) {
	at := call.instant("dialled_at").Add(-2 * time.Second)
	d := &event{id: "d-" + call.id, source: srcGate, typ: events.TypeDecisionIssued, controller: k.controller, campaign: k.id, time: at}
	d.phone(call.text("phone")).with("attempt", call.id).with("pack", "it").with("expires_at", at.Add(time.Minute)).with("positions", map[string]int{})
	if k.bought {
		d.with("verdict", "warn").with("reasons", []map[string]string{{"rule": "IT-CON-07", "effect": "warn"}})
	} else {
		d.with("verdict", "allow").with("reasons", []map[string]string{})
	}
	call.with("decision", d.id)
	w.put(d)
}
