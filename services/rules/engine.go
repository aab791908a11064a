package rules

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Engine evaluates. It is safe for concurrent use as long as nobody adds to
// the Reference at the same time.
type Engine struct {
	packs   *Packs
	rules   []attemptRule
	usual   selection
	service selection // of service attempts
	spare   sync.Pool // *evaluation
	object  map[string]*Rule
	days    [keptDays]atomic.Pointer[lawDay]
}

// selection is the rules that run for one kind of attempt.
type selection struct {
	all    []*attemptRule // in the order of attemptRules
	gate   []*attemptRule // those that can speak before the dial
	sorted []*attemptRule // all, by id
	ids    []string       // of sorted
}

func (s *selection) add(r *attemptRule) {
	s.all = append(s.all, r)
	if !r.mute {
		s.gate = append(s.gate, r)
	}
}

func (s *selection) sort() {
	s.sorted = slices.SortedFunc(slices.Values(s.all), func(a, b *attemptRule) int { return cmp.Compare(a.id, b.id) })
	for _, r := range s.sorted {
		s.ids = append(s.ids, r.id)
	}
	s.ids = slices.Clip(s.ids)
}

// attemptRule is one row of section 4: its id, its condition, its metadata.
type attemptRule struct {
	id string
	// One of two is the condition: aside looks at everything but the contact, so
	// that a prepared question has its answer once for all contacts.
	aside func(*setting) (hit, bool)
	test  func(*evaluation) (hit, bool)
	mute  bool // never has an effect at the gate
	meta  *Rule
	bit   RuleSet
	block string // the sentences of its effects
	warn  string
}

// attemptRules are the rows of section 4 in an order in which a rule that
// looks at another's hit comes after it.
var attemptRules = [...]attemptRule{
	{id: "IT-RPO-01", test: rpo01}, {id: "IT-RPO-02", test: rpo02}, {id: "IT-RPO-03", test: rpo03},
	{id: "IT-RPO-05", test: rpo05}, {id: "IT-RPO-06", test: rpo06}, {id: "IT-RPO-08", test: rpo08},
	{id: "IT-RPO-09", test: rpo09}, {id: "IT-RPO-10", test: rpo10}, {id: "IT-RPO-11", test: rpo11},
	{id: "IT-RPO-12", test: rpo12}, {id: "IT-RPO-13", test: rpo13}, {id: "IT-RPO-14", test: rpo14},
	{id: "IT-RPO-15", test: rpo15},
	{id: "IT-CON-01", test: con01}, {id: "IT-CON-02", test: con02}, {id: "IT-CON-03", test: con03},
	{id: "IT-CON-04", test: con04}, {id: "IT-CON-05", test: con05}, {id: "IT-CON-06", test: con06},
	{id: "IT-CON-07", test: con07}, {id: "IT-CON-08", test: con08}, {id: "IT-CON-09", test: con09},
	{id: "IT-CON-10", aside: con10}, {id: "IT-CON-11", test: con11}, {id: "IT-CON-13", test: con13},
	{id: "IT-OPP-01", test: opp01}, {id: "IT-OPP-02", test: opp02, mute: true}, {id: "IT-OPP-04", test: opp04, mute: true},
	{id: "IT-OPP-07", test: opp07},
	{id: "IT-CDC-01", test: hoursOf(ordinaryDay)}, {id: "IT-CDC-02", test: hoursOf(shortDay)},
	{id: "IT-CDC-03", test: hoursOf(closedDay)}, {id: "IT-CDC-04", test: cdc04}, {id: "IT-CDC-05", aside: cdc05},
	{id: "IT-CDC-06", aside: cdc06, mute: true},
	{id: "IT-CLI-01", aside: cli01}, {id: "IT-CLI-02", aside: cli02}, {id: "IT-CLI-03", aside: cli03},
	{id: "IT-CLI-04", aside: cli04}, {id: "IT-CLI-05", aside: cli05}, {id: "IT-CLI-06", aside: cli06},
	{id: "IT-CLI-07", aside: cli07},
	{id: "IT-SIL-02", aside: sil02, mute: true}, {id: "IT-SIL-03", test: sil03}, {id: "IT-SIL-04", test: sil04},
	{id: "IT-SIL-05", aside: sil05, mute: true},
	{id: "IT-LST-01", test: lst01}, {id: "IT-LST-02", test: lst02}, {id: "IT-LST-03", aside: lst03},
	{id: "IT-LST-04", aside: lst04}, {id: "IT-LST-05", aside: lst05}, {id: "IT-LST-06", test: lst06},
	{id: "IT-ORD-01", test: ord01}, {id: "IT-ENE-01", test: ene01},
	{id: "LED-01", aside: led01, mute: true}, {id: "LED-05", test: led05, mute: true}, {id: "AGT-01", aside: agt01, mute: true},
}

// A RuleSet has a bit for each of them.
const _ = uint(64 - len(attemptRules))

// objectRules are the rows of section 5.
var objectRules = []string{
	"IT-RPO-04", "IT-RPO-07", "IT-CON-12", "IT-OPP-03", "IT-OPP-05", "IT-OPP-06", "IT-CDC-07", "IT-CDC-08",
	"IT-CDC-09", "IT-CDC-10", "IT-CDC-11", "IT-CDC-12", "IT-CDC-13", "IT-CDC-14", "IT-SIL-01", "IT-SIL-06",
	"IT-ENE-02", "IT-ENE-03", "LED-01", "LED-02", "LED-03",
}

// implemented lists every rule id that the program evaluates.
func implemented() []string {
	var out []string
	for _, r := range attemptRules {
		out = append(out, r.id)
	}
	return append(out, objectRules...)
}

// NewEngine returns an engine under the packs.
func NewEngine(p *Packs) *Engine {
	e := &Engine{packs: p, rules: slices.Clone(attemptRules[:]), object: map[string]*Rule{}}
	for i := range e.rules {
		r := &e.rules[i]
		r.meta, r.bit = p.byID[r.id], bitOf(r.id)
		r.block, r.warn = r.sentence("the call must not be made"), r.sentence("the call may be made, with care")
		e.usual.add(r)
		if r.meta.Service {
			e.service.add(r)
		}
	}
	e.usual.sort()
	e.service.sort()
	for _, id := range objectRules {
		e.object[id] = p.byID[id]
	}
	e.spare.New = func() any { return new(evaluation) }
	return e
}

// sentence says in English what the rule found.
func (r *attemptRule) sentence(verdict string) string {
	return fmt.Sprintf("%s: %s (%s).", r.meta.Title.EN, verdict, r.meta.Clause)
}

// Packs returns the law that the engine applies.
func (e *Engine) Packs() *Packs { return e.packs }

// PackAt returns the name of the pack that decides at an instant.
func (e *Engine) PackAt(t events.Instant) string {
	return e.packs.on(dateOf(t)).Name
}

// take takes an evaluation for one attempt to the contact with that history.
func (e *Engine) take(h *contact.History, ref *Reference, a Attempt, t, asOf events.Instant) *evaluation {
	ev := e.spare.Get().(*evaluation)
	ev.setting, ev.history, ev.doubt = &ev.own, h, false
	ev.place(e, ref, a, t, asOf)
	return ev
}

// end gives it back; nothing that was handed out refers to its buffers.
func (e *Engine) end(ev *evaluation) {
	ev.history, ev.settled = nil, nil
	ev.own.engine, ev.own.ref, ev.own.sense, ev.own.a = nil, nil, nil, Attempt{}
	e.spare.Put(ev)
}

// selected are the rules for the attempt; service attempts run a few only.
func (s *setting) selected() *selection {
	if s.a.Purpose == events.PurposeService {
		return &s.engine.service
	}
	return &s.engine.usual
}

// run evaluates the rules; the hits are in ev.hits.
func (ev *evaluation) run(rules []*attemptRule) {
	for _, r := range rules {
		var h hit
		var ok bool
		if r.aside != nil {
			h, ok = r.aside(ev.setting)
		} else {
			h, ok = r.test(ev)
		}
		if !ok {
			continue
		}
		severity := r.meta.Severity
		if h.effect == events.VerdictWarn && r.meta.WarnSeverity != "" {
			severity = r.meta.WarnSeverity
		}
		ev.hits = append(ev.hits, spoken{r, h.effect, h.kind, severity, h.evidence.done()})
	}
}

// runAt prepares at one cut and evaluates every rule.
func (ev *evaluation) runAt(cut contact.Cut, sense *contact.Sensitivity) {
	ev.prepare(cut, sense)
	ev.run(ev.selected().all)
}

// found reports whether a rule evaluated before is a finding.
func (ev *evaluation) found(id string) bool {
	for i := range ev.hits {
		if h := &ev.hits[i]; h.rule.id == id && h.kind != "" {
			return true
		}
	}
	return false
}

// The forms of a hit.

func block(ev *evidence) hit {
	return hit{events.VerdictBlock, events.KindConfirmed, ev}
}

func warn(ev *evidence) hit {
	return hit{events.VerdictWarn, events.KindPotential, ev}
}

func finding(ev *evidence) hit { return hit{kind: events.KindConfirmed, evidence: ev} }

// Gate answers the question "may this attempt be made at t?" from View(t, t, t).
// at stands for the attempt's own instant; its outcome, if any, is not looked
// at. The answer is a pure function of its arguments.
func (e *Engine) Gate(h *contact.History, ref *Reference, a Attempt, at events.Instant) Decision {
	return e.ask(h, ref, a, at, contact.Gate(at), at)
}

// GateInTime answers like Gate what the gate would have said at had everything
// that is recorded by asOf been recorded when it was known: View(at, at, asOf).
// It is for replays of logs that were written later.
func (e *Engine) GateInTime(h *contact.History, ref *Reference, a Attempt, at, asOf events.Instant) Decision {
	return e.ask(h, ref, a, at, contact.Finding(at, asOf), asOf)
}

func (e *Engine) ask(h *contact.History, ref *Reference, a Attempt, at events.Instant, cut contact.Cut, asOf events.Instant) Decision {
	a.Outcome, a.DialledAt = nil, at
	ev := e.take(h, ref, a, at, asOf)
	defer e.end(ev)
	ev.prepare(cut, nil)
	return ev.decide()
}

// decide evaluates every rule that can speak before the dial.
func (ev *evaluation) decide() Decision {
	ev.run(ev.selected().gate)
	d := Decision{Verdict: events.VerdictAllow, Pack: ev.pack.Name, Proof: ev.proof(), ValidUntil: ev.validUntil()}
	var reasons RuleSet
	for i := range ev.hits {
		h := &ev.hits[i]
		switch h.effect {
		case events.VerdictBlock:
			d.Verdict = events.VerdictBlock
		case events.VerdictWarn:
			if d.Verdict == events.VerdictAllow {
				d.Verdict = events.VerdictWarn
			}
		default:
			continue
		}
		reasons |= h.rule.bit
	}
	d.Passed = ev.passed(reasons)
	if reasons == 0 {
		return d
	}
	d.Reasons = make([]Reason, 0, reasons.Len())
	for i := range ev.hits {
		if h := &ev.hits[i]; h.effect != "" {
			d.Reasons = append(d.Reasons, h.reason())
		}
	}
	slices.SortFunc(d.Reasons, func(x, y Reason) int { return cmp.Compare(x.Rule, y.Rule) })
	return d
}

func (h *spoken) reason() Reason {
	r := Reason{Rule: h.rule.id, Effect: h.effect, Clause: h.rule.meta.Clause, Sentence: h.rule.block, Evidence: h.evidence}
	if h.effect == events.VerdictWarn {
		r.Sentence = h.rule.warn
	}
	return r
}

// passed lists the rules that were evaluated and are no reason, sorted. A
// question without reasons shares its list with all others.
func (ev *evaluation) passed(reasons RuleSet) []string {
	s := ev.selected()
	if reasons == 0 {
		return s.ids
	}
	out := make([]string, 0, len(s.ids))
	for _, r := range s.sorted {
		if reasons&r.bit == 0 {
			out = append(out, r.id)
		}
	}
	return out
}

// Assess returns what the attempt broke, as of ledger time asOf: the finding
// evaluation with k = ∞ and k = t, and the hindsight evaluation (rules.md 1,
// 1.1). It evaluates once where no fact could make the others differ.
func (e *Engine) Assess(h *contact.History, ref *Reference, a Attempt, asOf events.Instant) Assessment {
	if a.Purpose == events.PurposeService && a.Outcome != nil && a.Outcome.Upsell {
		a.Purpose = events.PurposeMarketing // reclassified by content
	}
	ev := e.take(h, ref, a, a.DialledAt, asOf)
	defer e.end(ev)
	var sense contact.Sensitivity
	ev.runAt(contact.Finding(ev.t, asOf), &sense)
	out := Assessment{Findings: ev.findings(), Proof: ev.proof(), Pack: ev.pack.Name}
	if sense.Disputed {
		ev.runAt(contact.KnownThen(ev.t, asOf), nil)
		for i := range out.Findings {
			f := &out.Findings[i]
			if f.Kind != events.KindBestPractice && !ev.found(f.Rule) {
				f.Kind = events.KindPotential
			}
		}
	}
	if sense.Late {
		ev.runAt(contact.Hindsight(ev.t, asOf), nil)
		for _, f := range ev.findings() {
			if f.Kind == events.KindBestPractice || slices.ContainsFunc(out.Findings, func(g Finding) bool { return g.Rule == f.Rule }) {
				continue
			}
			f.Kind = events.KindHindsight
			out.Findings = append(out.Findings, f)
		}
	}
	sortFindings(out.Findings)
	return out
}

// findings turns the hits of the last run into findings.
func (ev *evaluation) findings() []Finding {
	var out []Finding
	for i := range ev.hits {
		h := &ev.hits[i]
		if h.kind == "" {
			continue
		}
		f := Finding{
			Rule: h.rule.id, Kind: h.kind, Severity: h.severity, Clause: h.rule.meta.Clause,
			Attempt: ev.a.ID, Contact: ev.a.Contact, Controller: ev.a.Controller, Campaign: ev.a.Campaign,
			At: ev.t, Evidence: h.evidence,
		}
		if ev.a.Processor != ev.a.Controller {
			f.Processor = ev.a.Processor
		}
		out = append(out, f)
	}
	return out
}

// tainting returns the first of taintingRules that the call broke as a
// CONFIRMED finding as of w; "" for none.
func (e *Engine) tainting(h *contact.History, ref *Reference, call *contact.Fact, w events.Instant) string {
	a, ok := AttemptOf(call)
	if !ok {
		return ""
	}
	for _, f := range e.Assess(h, ref, a, w).Findings {
		if f.Kind == events.KindConfirmed && slices.Contains(taintingRules, f.Rule) {
			return f.Rule
		}
	}
	return ""
}
