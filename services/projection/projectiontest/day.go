package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

// dayStart is 08:00 of a Thursday in Rome.
const dayStart = DayStart

const (
	second = events.Instant(1_000_000)
	minute = 60 * second
	day    = 24 * 60 * minute
)

func key(i int) events.ContactKey { return eventstest.Key(fmt.Sprintf("+39340%07d", i)) }

// envelope returns the common members; the payload joins under data.
func envelope(id, source, typ, controller, campaign string, at events.Instant, data map[string]any) map[string]any {
	e := map[string]any{"id": id, "source": source, "type": typ + ".v1", "time": at.String(), "receivedtime": at.String(), "data": data}
	if controller != "" {
		e["controller"] = controller
	}
	if campaign != "" {
		e["campaign"] = campaign
	}
	return e
}

// reference puts the facts without a contact that one campaign needs.
func (b *builder) reference(controller, campaign string, lists []string, at events.Instant) {
	from := events.DateOf(at-30*day, time.UTC).String()
	put := func(id, typ, camp string, data map[string]any) {
		b.put(envelope(id+"-"+campaign, "crm."+controller, typ, controller, camp, at, data), events.ContactKey{})
	}
	put("k", "campaign.opened", campaign, map[string]any{"purpose": "marketing", "channels": []string{"operator_call"}, "sector": "telecom", "product": "fibre",
		"lists": lists, "clis": []string{"+390844100100"}})
	for _, l := range lists {
		put("a-"+l, "list.acquired", "", map[string]any{"list": l, "vendor": "V1", "price_cents": 900,
			"vetting": map[string]any{"notice": true, "ux": true, "revocability": true, "traceability": true}, "sample": map[string]any{"size": 20, "failures": 0}})
		put("v-"+l, "list.activated", "", map[string]any{"list": l})
	}
	put("n", "notice.published", "", map[string]any{"notice": "N-" + controller, "version": "3", "sha256": hash, "effective_from": from})
	put("s", "script.published", campaign, map[string]any{"script": "S1", "sha256": hash})
	put("sa", "script.acknowledged", campaign, map[string]any{"script": "S1", "processor": "P1"})
	put("p", "processor.appointed", "", map[string]any{"processor": "P1", "from": from, "penalty_clause": true, "roc": map[string]any{"number": "77", "from": from}})
	put("c", "code.adhered", "", map[string]any{"from": from})
	b.put(envelope("cli-"+campaign, "crm."+controller, "caller_id.declared", "", "", at, map[string]any{"holder": controller, "clis": []string{"+390844100100"}, "from": from}), events.ContactKey{})
	put("sc", "register.screening_completed", "", map[string]any{"batch": "B-" + campaign, "list": lists[0], "snapshot_at": at.String(), "submitted": 3, "clear": 3})
}

const hash = "a3f0c9a5d1e7744b2a0c6d2f1908b7e55c0ffee0badc0de00112233445566778"

func (b *builder) grant(rnd *rand.Rand, id, controller string, at events.Instant, k events.ContactKey) {
	b.put(envelope(id, "crm."+controller, "consent.granted", controller, "", at, map[string]any{"line": "mobile", "purposes": []string{"marketing"},
		"channels": []string{"operator_call", "sms"}, "notice": map[string]any{"id": "N-" + controller, "version": "3", "sha256": hash},
		"source_ref": fmt.Sprintf("https://%s.example/form/%d", controller, rnd.IntN(90)), "evidence_sha256": hash,
		"proof": map[string]any{"kind": "double_opt_in", "sha256": hash, "immutable": true, "confirmed_at": (at + minute).String()}}), k)
}

func (b *builder) call(rnd *rand.Rand, id, controller, campaign string, at events.Instant, k events.ContactKey) {
	dispositions := []string{"no_answer", "busy", "voicemail", "not_interested", "refused_contact", "asked_removal", "sale", "callback_agreed", "silent"}
	d := dispositions[rnd.IntN(len(dispositions))]
	data := map[string]any{"line": "mobile", "dialled_at": at.String(), "purpose": "marketing", "channel": "operator_call", "processor": "P1", "cli": "+390844100100",
		"mode": "preview", "agent": fmt.Sprintf("agent-%d", rnd.IntN(40)), "basis": "consent", "batch": "B-" + campaign, "disposition": d}
	end := at
	if d != "no_answer" && d != "busy" {
		end = at + 90*second
		data["answered_at"], data["agent_connected_at"], data["released_at"] = (at + 9*second).String(), (at + 10*second).String(), end.String()
		data["statements"] = []string{"identity", "purpose", "origin", "rights", "notice"}
	}
	b.put(envelope(id, "dialer.p1.example", "call.concluded", controller, campaign, end, data), k)
}

// Day is about n events of one call centre's day over as many contacts as
// given: list rows, register answers, grants, calls, oppositions. Its entries
// have some 600 bytes.
func Day(seed uint64, contacts, n int) *Log {
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := newBuilder(dayStart - 2*day)
	controllers := []string{"A", "B", "C"}
	for _, c := range controllers {
		b.reference(c, "K-"+c, []string{"L-" + c}, dayStart-2*day)
	}
	for i := range n {
		b.clock = dayStart + events.Instant(i)*12*60*minute/events.Instant(n)
		at := b.clock - events.Instant(rnd.IntN(20))*second
		c := controllers[rnd.IntN(len(controllers))]
		k := key(rnd.IntN(contacts))
		id := fmt.Sprintf("e-%08d", i)
		switch p := float64(i) / float64(n); {
		case p < 0.2:
			b.put(envelope(id, "crm."+c, "list.contact_added", c, "", at, map[string]any{"line": "mobile", "list": "L-" + c, "vendor": "V1",
				"source": "web form of a price comparison", "collector": "C1", "acquired_on": "2026-01-15", "holder": "natural"}), k)
		case p < 0.4:
			b.put(envelope(id, "rpo.example", "register.screened", c, "", at, map[string]any{"line": "mobile", "batch": "B-K-" + c,
				"snapshot_at": (at - minute).String(), "answer": []string{"clear", "clear", "clear", "opposed"}[rnd.IntN(4)]}), k)
		case p < 0.5:
			b.grant(rnd, id, c, at, k)
		case rnd.IntN(20) == 0:
			b.put(envelope(id, "dialer.p1.example", "opposition.registered", c, "", at, map[string]any{"line": "mobile", "medium": "in_call", "received_by": "P1",
				"refused_at": at.String(), "inserted_at": at.String(), "entry_source": "call", "recorded_by": "agent-7"}), k)
		default:
			b.call(rnd, id, c, "K-"+c, at-2*minute, k)
		}
	}
	return b.log
}

// Chaos is n events over few contacts in which everything happens that must
// not depend on the order of arrival: copies, conflicts within and across
// partitions, corrections of all kinds before and after their targets, late
// and skewed facts, reference facts after the calls that they concern.
func Chaos(seed uint64, n int) *Log {
	rnd := rand.New(rand.NewPCG(seed, 2))
	b := newBuilder(dayStart)
	b.keep = true
	c := &chaos{builder: b, rnd: rnd}
	b.reference("A", "K-A", []string{"L-A"}, dayStart-day)
	for i := range n {
		b.clock += events.Instant(rnd.IntN(200)-20) * second // stamps may step back
		c.step(fmt.Sprintf("e-%04d", i))
	}
	return b.log
}

type chaos struct {
	*builder
	rnd *rand.Rand
	ids []string
}

func (c *chaos) step(id string) {
	at := c.clock - events.Instant(c.rnd.IntN(7200))*second + 60*second
	k := key(c.rnd.IntN(6))
	if len(c.ids) > 0 && c.rnd.IntN(6) == 0 {
		id = c.ids[c.rnd.IntN(len(c.ids))] // a conflict, or nearly a copy
	}
	c.ids = append(c.ids, id)
	controller := []string{"A", "A", "B"}[c.rnd.IntN(3)]
	switch c.rnd.IntN(14) {
	case 0:
		c.grant(c.rnd, id, controller, at, k)
	case 1, 2, 3, 4:
		c.call(c.rnd, id, controller, "K-"+controller, at, k)
	case 5:
		c.put(envelope(id, "dialer.p1.example", "opposition.registered", controller, "", at, map[string]any{"medium": "in_call"}), k)
	case 6:
		c.put(envelope(id, "rpo.example", "register.screened", controller, "", at, map[string]any{"batch": "B-K-" + controller,
			"snapshot_at": at.String(), "answer": []string{"clear", "opposed"}[c.rnd.IntN(2)]}), k)
	case 7:
		e := envelope(id, "crm."+controller, "list.contact_added", controller, "", at, map[string]any{"list": "L-" + controller, "source": "web", "collector": "C1", "acquired_on": "2026-01-15"})
		e["sourceseq"] = c.rnd.IntN(50) + 1
		c.put(e, k)
	case 8:
		c.correct(id, at)
	case 9:
		c.late(id, controller, at)
	case 10:
		c.put(envelope(id, "crm."+controller, "consent.revoked", controller, "", at, map[string]any{"medium": "web", "purposes": []string{"marketing"}}), k)
	case 11, 12:
		c.object(id, controller, at, k)
	default:
		c.copy()
	}
}

// object puts a fact that the object rules judge, half of them of contacts that
// are hardly called.
func (c *chaos) object(id, controller string, at events.Instant, k events.ContactKey) {
	origin := fmt.Sprintf("e-%04d", c.rnd.IntN(2*len(c.ids)))
	if c.rnd.IntN(2) == 0 {
		k = key(6 + c.rnd.IntN(4))
	}
	switch c.rnd.IntN(6) {
	case 0:
		c.put(envelope(id, "crm."+controller, "contract.concluded", controller, "", at, map[string]any{"contract": fmt.Sprintf("C-%d", c.rnd.IntN(12)), "channel": "phone",
			"sector": "telecom", "origin": origin, "brought_by": "P1", "continuous": true, "started_on": "2026-03-20"}), k)
	case 1:
		c.put(envelope(id, "pbx."+controller, "call.inbound", controller, "", at, map[string]any{"origin_attempt": origin, "notice_given": c.rnd.IntN(2) == 0}), k)
	case 2:
		c.put(envelope(id, "crm."+controller, "complaint.received", controller, "", at, map[string]any{"via": "subject", "cli": "+390844100100"}), k)
	case 3:
		c.right(id, controller, at, k)
	case 4:
		c.put(envelope(id, "crm."+controller, "commission.paid", controller, "", at, map[string]any{"contract": fmt.Sprintf("C-%d", c.rnd.IntN(12)), "processor": "P1"}), events.ContactKey{})
	default:
		c.put(envelope(id, "crm."+controller, "list.contact_added", controller, "", at, map[string]any{"list": "L-" + controller, "source": "web"}), k)
		c.put(envelope(id+"t", "crm."+controller, "list.transferred", controller, "", at+minute, map[string]any{"list": "L-" + controller, "recipient": "Z"}), events.ContactKey{})
	}
}

// right puts a request of a person or what answers it, with a contact or
// without; requests are months old, so that some are overdue.
func (c *chaos) right(id, controller string, at events.Instant, k events.ContactKey) {
	at -= events.Instant(c.rnd.IntN(120)) * day
	request := fmt.Sprintf("R-%d", c.rnd.IntN(8))
	if c.rnd.IntN(3) == 0 {
		k = events.ContactKey{}
	}
	switch c.rnd.IntN(4) {
	case 0:
		c.put(envelope(id, "crm."+controller, "rights.closed", controller, "", at, map[string]any{"request": request}), k)
	case 1:
		c.put(envelope(id, "crm."+controller, "rights.extended", controller, "", at, map[string]any{"request": request}), k)
	default:
		c.put(envelope(id, "crm."+controller, "rights.requested", controller, "", at, map[string]any{"request": request, "right": "access"}), k)
	}
}

// correct voids or amends an event that is there, will come, or never does.
func (c *chaos) correct(id string, at events.Instant) {
	sources := []string{"crm.A", "dialer.p1.example", "rpo.example", "officer"}
	target := map[string]any{"source": sources[c.rnd.IntN(len(sources))], "id": fmt.Sprintf("e-%04d", c.rnd.IntN(2*len(c.ids)))}
	data := map[string]any{"target": target, "action": "void", "reason": "typing error"}
	if c.rnd.IntN(3) == 0 {
		data = map[string]any{"target": target, "action": "amend", "data": map[string]any{"medium": "web"}, "new_time": (at - 30*minute).String(), "reason": "wrong hour"}
	}
	c.put(envelope(id, "officer", "event.corrected", "", "", at, data), events.ContactKey{})
}

// late puts a reference fact after the calls that it concerns.
func (c *chaos) late(id, controller string, at events.Instant) {
	from := "2026-03-01"
	switch c.rnd.IntN(4) {
	case 0:
		c.put(envelope(id, "crm."+controller, "campaign.opened", controller, "K-"+controller, at, map[string]any{"purpose": "marketing", "channels": []string{"operator_call"},
			"sector": "telecom", "lists": []string{"L-" + controller}, "clis": []string{"+390844100100"}}), events.ContactKey{})
	case 1:
		c.put(envelope(id, "crm."+controller, "processor.appointed", controller, "", at, map[string]any{"processor": "P1", "from": from}), events.ContactKey{})
	case 2:
		c.put(envelope(id, "crm."+controller, "list.activated", controller, "", at, map[string]any{"list": "L-" + controller}), events.ContactKey{})
	default:
		c.put(envelope(id, "crm."+controller, "register.screening_completed", controller, "", at, map[string]any{"batch": "B-K-" + controller, "list": "L-" + controller,
			"snapshot_at": at.String()}), events.ContactKey{})
	}
}

// copy stores an entry again under another stamp.
func (c *chaos) copy() {
	if len(c.last) == 0 {
		return
	}
	s := c.last[c.rnd.IntN(len(c.last))]
	c.append(events.Restamp(s.body, c.clock), s.key)
}

// Busy is few contacts with very long histories, as test numbers, switchboards
// and load tests have: n events over a year, most of them calls of two
// controllers that nobody answers, stored in an order that has nothing to do
// with the one in which they happened, so that nearly each arrives late. A
// fourth contact gave consents in calls.
func Busy(seed uint64, contacts, n int) *Log {
	b := &busy{builder: newBuilder(dayStart + 400*day), rnd: rand.New(rand.NewPCG(seed, 4)), contacts: contacts}
	for _, c := range []string{"A", "B"} {
		b.reference(c, "K-"+c, []string{"L-" + c}, dayStart-2*day)
	}
	for range n {
		b.clock += second / 100
		b.step()
	}
	return b.log
}

type busy struct {
	*builder
	rnd      *rand.Rand
	contacts int
	last     string // id of the last call that somebody may have answered
}

func (b *busy) step() {
	at := dayStart + events.Instant(b.rnd.IntN(365))*day + events.Instant(b.rnd.IntN(9*3600))*second
	who, c := b.rnd.IntN(b.contacts), []string{"A", "B"}[b.rnd.IntN(2)]
	k, id := key(who), fmt.Sprintf("e-%08d", b.rnd.IntN(1<<26))
	of := func(source, typ, campaign string, data map[string]any) {
		data["line"] = "mobile"
		b.put(envelope(id, source, typ, c, campaign, at, data), k)
	}
	call := map[string]any{"dialled_at": at.String(), "purpose": "marketing", "channel": "operator_call", "processor": "P1", "cli": "+390844100100",
		"mode": "preview", "basis": "consent", "batch": "B-K-" + c, "disposition": "no_answer"}
	switch p := b.rnd.IntN(100); {
	case p < 2:
		b.grant(b.rnd, id, c, at, k)
	case p < 3 && who == 3:
		of("crm."+c, "consent.granted", "", map[string]any{"purposes": []string{"marketing"}, "channels": []string{"operator_call"}, "collection_attempt": b.last})
	case p < 4:
		of("dialer.p1.example", "opposition.registered", "", map[string]any{"medium": "in_call", "received_by": "P1"})
	case p < 5:
		of("crm."+c, "consent.revoked", "", map[string]any{"medium": "web"})
	case p < 6:
		of("crm."+c, "callback.requested", "", map[string]any{"product": "fibre"})
	case p < 11:
		b.call(b.rnd, id, c, "K-"+c, at, k)
		b.last = id
	case p < 20:
		call["decision"] = "d-" + id
		of("dialer.p1.example", "call.concluded", "K-"+c, call)
		b.put(envelope("d-"+id, "gate", "decision.issued", c, "K-"+c, at-events.Instant(b.rnd.IntN(3))*minute, map[string]any{"line": "mobile", "attempt": id,
			"verdict": "allow", "reasons": []any{}, "pack": "it/2026-07", "positions": map[string]any{"LEDGER_REF": 41}, "expires_at": (at + 10*minute).String()}), k)
	default:
		of("dialer.p1.example", "call.concluded", "K-"+c, call)
	}
}
