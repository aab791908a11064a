package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// The invented companies.
const (
	aurora = "aurora-telecomunicazioni" // telecom, adheres to the Code of conduct
	lumen  = "lumen-energia"            // energy, adheres
	scudo  = "scudo-assicurazioni"      // insurance, does not adhere
	vendor = "listabuona"               // sells lists

	nord  = "cc-nord"  // call centre
	sud   = "cc-sud"   // call centre
	ovest = "cc-ovest" // took over no script
	est   = "cc-est"   // appointed without an entry in the operators' register
	ombra = "cc-ombra" // nobody appointed it
)

// Sources of the events.
const (
	srcRegister = "rpo.example"
	srcVendor   = "listabuona.example"
	srcGate     = "gate"
	srcOffice   = "compliance.example"
	srcResearch = "agents.example"
)

func crm(controller string) string { return "crm." + controller + ".example" }

func dialer(processor string) string { return "dialer." + processor + ".example" }

// Caller ids. 0844 numbers need no test call; the others do.
const (
	cliResearch   = "+390843700700" // prefix of market research
	cliUntested   = "+390200000701"
	cliFailed     = "+390200000702"
	cliUndeclared = "+390844700799"
	cliOfNord     = "+390844700788" // declared by the call centre alone
	cliOther      = "+390844700777" // declared, of no campaign
)

// campaign is one of the four.
type campaign struct {
	id, controller, list string
	sector, product      string
	cli                  map[string]string // by processor
	bought               bool
	rows                 []*listed // contacts of its list, in order
	share                int       // percent of the contacts
}

// listed is a contact on a list.
type listed struct {
	number string
	index  int
}

func newCampaigns() []*campaign {
	clis := func(n int) map[string]string {
		return map[string]string{nord: fmt.Sprintf("+3908441%02d100", n), sud: fmt.Sprintf("+3908441%02d200", n)}
	}
	return []*campaign{
		{id: "K-AUR-FIBRA", controller: aurora, list: "L-AUR-CLIENTI", sector: "telecom", product: "fibra", cli: clis(11), share: 40},
		{id: "K-AUR-MOBILE", controller: aurora, list: "L-AUR-COMPRATA", sector: "telecom", product: "mobile", cli: clis(12), bought: true, share: 18},
		{id: "K-LUM-LUCE", controller: lumen, list: "L-LUM-PROSPECT", sector: "energy", product: "luce", cli: clis(21), share: 25},
		{id: "K-SCU-AUTO", controller: scudo, list: "L-SCU-AUTO", sector: "insurance", product: "rc-auto", cli: clis(31), share: 17},
	}
}

// Days of the story, relative to the day.
const (
	dayOpened    = -15 // campaigns opened, lists acquired, rows added
	dayFirst     = -14 // first consultation, for a few numbers
	dayActivated = -13
	dayScreened  = -8 // the consultation that the calls rely on
	dayBefore    = -7
)

func digest(seed string) string { return fmt.Sprintf("%064x", fnv(seed)) }

// fnv spreads a text over 64 bits: digests of the story prove nothing, they
// must only be equal or different.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// notice versions by the time of the consent.
type noticeVersion struct {
	version  string
	from, to events.Date
}

var notices = []noticeVersion{
	{"1", events.NewDate(2016, time.January, 1), events.NewDate(2018, time.May, 24)},
	{"2", events.NewDate(2018, time.May, 25), events.NewDate(2024, time.December, 31)},
	{"3", events.NewDate(2025, time.January, 1), 0},
}

func noticeID(controller string) string { return "informativa-" + controller }

func noticeAt(t time.Time) noticeVersion {
	d := events.DateOf(events.InstantOf(t), events.Rome)
	for _, n := range notices {
		if d >= n.from && (n.to == 0 || d <= n.to) {
			return n
		}
	}
	return notices[0]
}

// fact makes an event of the compliance office.
func (w *writer) fact(id string, typ events.Type, at time.Time, controller string) *event {
	return &event{id: id, source: srcOffice, typ: typ, time: at, controller: controller}
}

// reference writes what every call is judged against.
func (w *writer) reference() {
	c := w.cal
	for _, controller := range []string{aurora, lumen, scudo} {
		if controller != scudo {
			w.office(w.fact("code-"+controller, events.TypeCodeAdhered, c.at(-700, "09:00"), controller).with("from", events.NewDate(2024, time.October, 1)))
		}
		w.appointments(controller)
		for _, n := range notices {
			e := w.fact("notice-"+controller+"-"+n.version, events.TypeNoticePublished, midnight(n.from), controller).
				with("notice", noticeID(controller)).with("version", n.version).with("sha256", digest(controller+n.version)).with("effective_from", n.from)
			if n.to != 0 {
				e.with("effective_to", n.to)
			}
			w.office(e)
		}
		clis := []string{}
		for _, k := range w.campaigns {
			if k.controller == controller {
				clis = append(clis, k.cli[nord], k.cli[sud])
			}
		}
		if controller == aurora {
			clis = append(clis, cliResearch, cliUntested, cliFailed, cliOther)
		}
		w.declare(controller, clis)
	}
	w.declare(nord, []string{cliOfNord})
	w.office(w.fact("test-failed", events.TypeCallerIDTested, c.at(-5, "08:00"), "").with("cli", cliFailed).with("ok", false))
	w.office(w.fact("test-research", events.TypeCallerIDTested, c.at(-5, "08:05"), "").with("cli", cliResearch).with("ok", true))
	for _, k := range w.campaigns {
		w.campaignFacts(k)
	}
	w.agents()
}

// midnight is 00:00 Rome of d: the time of a fact known by date only.
func midnight(d events.Date) time.Time {
	y, m, day := d.Civil()
	return time.Date(y, m, day, 0, 0, 0, 0, events.Rome)
}

func (w *writer) declare(holder string, clis []string) {
	w.office(w.fact("cli-"+holder, events.TypeCallerIDDeclared, w.cal.at(-400, "09:00"), "").
		with("holder", holder).with("clis", clis).with("from", w.cal.date(-400)))
}

func (w *writer) appointments(controller string) {
	at := w.cal.at(-400, "09:00")
	from := w.cal.date(-400)
	appoint := func(processor, roc string) *event {
		e := w.fact("app-"+controller+"-"+processor, events.TypeProcessorAppointed, at, controller).
			with("processor", processor).with("from", from).with("penalty_clause", true)
		if roc != "" {
			e.with("roc.number", roc).with("roc.from", from)
		}
		return e
	}
	w.office(appoint(nord, "24001"))
	w.office(appoint(sud, "24002"))
	w.office(appoint(ovest, "24003").with("by", nord))
	e := appoint(est, "")
	if controller == lumen { // planted: an appointment without penalty clause
		e.with("penalty_clause", false)
		w.object("IT-CDC-08", e.id, events.KindConfirmed, controller)
	}
	w.office(e)
}

func (w *writer) campaignFacts(k *campaign) {
	c := w.cal
	opened := c.at(dayOpened, "09:00")
	clis := []string{k.cli[nord], k.cli[sud], cliOfNord, cliUndeclared}
	if k.controller == aurora {
		clis = append(clis, cliResearch, cliUntested, cliFailed)
	}
	open := w.fact("open-"+k.id, events.TypeCampaignOpened, opened, k.controller).with("purpose", "marketing").
		with("channels", []string{"operator_call"}).with("sector", k.sector).with("product", k.product).with("lists", []string{k.list}).with("clis", clis)
	open.campaign = k.id
	w.office(open)
	script := w.fact("script-"+k.id, events.TypeScriptPublished, c.at(dayOpened, "09:10"), k.controller).with("script", "S-"+k.id).with("sha256", digest("script"+k.id))
	script.campaign = k.id
	if k.bought {
		script.with("third_party_intro", true)
	}
	w.office(script)
	for i, p := range []string{nord, sud, est, ombra} {
		ack := w.fact("ack-"+k.id+"-"+p, events.TypeScriptAcknowledged, c.at(dayOpened, fmt.Sprintf("10:%02d", i)), k.controller).with("script", "S-"+k.id).with("processor", p)
		ack.campaign = k.id
		w.office(ack)
	}
	acquired := w.fact("acquired-"+k.list, events.TypeListAcquired, c.at(dayOpened, "09:15"), k.controller).with("list", k.list)
	if k.bought {
		acquired.with("vendor", vendor).with("price_cents", 450000).
			with("vetting", map[string]any{"notice": true, "ux": true, "revocability": true, "traceability": true}).
			with("sample", map[string]any{"size": 200, "failures": 1, "method": "random"})
	}
	w.office(acquired)
	w.office(w.fact("screened-"+k.list, events.TypeListScreened, c.at(dayActivated, "08:00"), k.controller).with("list", k.list).with("removed", 0))
	activated := c.at(dayActivated, "18:00")
	if k.controller == scudo { // its first call is a planted one, before any consultation
		activated = c.at(dayOpened, "17:00")
	}
	w.office(w.fact("active-"+k.list, events.TypeListActivated, activated, k.controller).with("list", k.list))
	w.office(w.fact("retired-"+k.list, events.TypeListRetired, c.at(0, "22:00"), k.controller).with("list", k.list))
	closed := w.fact("close-"+k.id, events.TypeCampaignClosed, c.at(0, "22:30"), k.controller).with("silent_report", "SR-"+k.id)
	closed.campaign = k.id
	w.office(closed)
}

func batchID(k *campaign, offset int) string {
	return fmt.Sprintf("B-%s-%02d", strings.TrimPrefix(k.list, "L-"), -offset)
}

// agents certifies the agents of both call centres, but for one.
const (
	agentsEach  = 30
	uncertified = nord + "-07"
)

func (w *writer) agents() {
	for _, p := range []string{nord, sud} {
		for i := range agentsEach {
			name := fmt.Sprintf("%s-%02d", p, i)
			if name == uncertified {
				continue
			}
			e := w.fact("cert-"+name, events.TypeAgentCertified, w.cal.at(-300, "09:00"), "").with("agent", name).with("from", w.cal.date(-300))
			e.source = srcResearch
			w.office(e)
		}
	}
}
