package rules

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Engine evaluates. It is safe for concurrent use as long as nobody adds to
// the Reference at the same time.
type Engine struct {
	packs  *Packs
	rules  []attemptRule
	sorted []*attemptRule // by id
	spare  sync.Pool      // *evaluation
	object map[string]*Rule
}

// attemptRule is one row of section 4: its id, its condition, its metadata.
type attemptRule struct {
	id   string
	test func(*evaluation) (hit, bool)
	meta *Rule
}

// attemptRules are the rows of section 4 in an order in which a rule that
// looks at another's hit comes after it.
var attemptRules = []attemptRule{
	{id: "IT-RPO-01", test: rpo01}, {id: "IT-RPO-02", test: rpo02}, {id: "IT-RPO-03", test: rpo03},
	{id: "IT-RPO-05", test: rpo05}, {id: "IT-RPO-06", test: rpo06}, {id: "IT-RPO-08", test: rpo08},
	{id: "IT-RPO-09", test: rpo09}, {id: "IT-RPO-10", test: rpo10}, {id: "IT-RPO-11", test: rpo11},
	{id: "IT-RPO-12", test: rpo12}, {id: "IT-RPO-13", test: rpo13}, {id: "IT-RPO-14", test: rpo14},
	{id: "IT-RPO-15", test: rpo15},
	{id: "IT-CON-01", test: con01}, {id: "IT-CON-02", test: con02}, {id: "IT-CON-03", test: con03},
	{id: "IT-CON-04", test: con04}, {id: "IT-CON-05", test: con05}, {id: "IT-CON-06", test: con06},
	{id: "IT-CON-07", test: con07}, {id: "IT-CON-08", test: con08}, {id: "IT-CON-09", test: con09},
	{id: "IT-CON-10", test: con10}, {id: "IT-CON-11", test: con11}, {id: "IT-CON-13", test: con13},
	{id: "IT-OPP-01", test: opp01}, {id: "IT-OPP-02", test: opp02}, {id: "IT-OPP-04", test: opp04},
	{id: "IT-OPP-07", test: opp07},
	{id: "IT-CDC-01", test: hoursOf(ordinaryDay)}, {id: "IT-CDC-02", test: hoursOf(shortDay)},
	{id: "IT-CDC-03", test: hoursOf(closedDay)}, {id: "IT-CDC-04", test: cdc04}, {id: "IT-CDC-05", test: cdc05},
	{id: "IT-CDC-06", test: cdc06},
	{id: "IT-CLI-01", test: cli01}, {id: "IT-CLI-02", test: cli02}, {id: "IT-CLI-03", test: cli03},
	{id: "IT-CLI-04", test: cli04}, {id: "IT-CLI-05", test: cli05}, {id: "IT-CLI-06", test: cli06},
	{id: "IT-CLI-07", test: cli07},
	{id: "IT-SIL-02", test: sil02}, {id: "IT-SIL-03", test: sil03}, {id: "IT-SIL-04", test: sil04},
	{id: "IT-SIL-05", test: sil05},
	{id: "IT-LST-01", test: lst01}, {id: "IT-LST-02", test: lst02}, {id: "IT-LST-03", test: lst03},
	{id: "IT-LST-04", test: lst04}, {id: "IT-LST-05", test: lst05}, {id: "IT-LST-06", test: lst06},
	{id: "IT-ORD-01", test: ord01}, {id: "IT-ENE-01", test: ene01},
	{id: "LED-01", test: led01}, {id: "LED-05", test: led05}, {id: "AGT-01", test: agt01},
}

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
	e := &Engine{packs: p, rules: slices.Clone(attemptRules), object: map[string]*Rule{}}
	for i := range e.rules {
		e.rules[i].meta = p.byID[e.rules[i].id]
	}
	for i := range e.rules {
		e.sorted = append(e.sorted, &e.rules[i])
	}
	slices.SortFunc(e.sorted, func(a, b *attemptRule) int { return cmp.Compare(a.id, b.id) })
	for _, id := range objectRules {
		e.object[id] = p.byID[id]
	}
	e.spare.New = func() any { return new(evaluation) }
	return e
}

// Packs returns the law that the engine applies.
func (e *Engine) Packs() *Packs { return e.packs }

// begin takes an evaluation for one attempt.
func (e *Engine) begin(h *contact.History, ref *Reference, a Attempt, t events.Instant) *evaluation {
	ev := e.spare.Get().(*evaluation)
	ev.engine, ev.history, ev.ref = e, h, ref
	ev.a, ev.t, ev.pack = a.Normalised(), t, e.packs.At(t)
	return ev
}

// end gives it back; nothing that was handed out refers to its buffers.
func (e *Engine) end(ev *evaluation) {
	ev.engine, ev.history, ev.ref, ev.sense, ev.a = nil, nil, nil, nil, Attempt{}
	e.spare.Put(ev)
}

// run evaluates every rule at one cut; the hits are in ev.hits.
func (ev *evaluation) run(cut contact.Cut, sense *contact.Sensitivity) {
	ev.prepare(cut, sense)
	for i := range ev.engine.rules {
		r := &ev.engine.rules[i]
		if ev.a.Purpose == events.PurposeService && !r.meta.Service {
			continue
		}
		h, ok := r.test(ev)
		if !ok {
			continue
		}
		h.rule, h.severity = r, r.meta.Severity
		if h.effect == events.VerdictWarn && r.meta.WarnSeverity != "" {
			h.severity = r.meta.WarnSeverity
		}
		ev.hits = append(ev.hits, h)
	}
}

// found reports whether a rule evaluated before is a finding.
func (ev *evaluation) found(id string) bool {
	return slices.ContainsFunc(ev.hits, func(h hit) bool { return h.rule.id == id && h.kind != "" })
}

// The forms of a hit.

func block(ev *evidence) hit {
	return hit{effect: events.VerdictBlock, kind: events.KindConfirmed, evidence: ev.done()}
}

func warn(ev *evidence) hit {
	return hit{effect: events.VerdictWarn, kind: events.KindPotential, evidence: ev.done()}
}

func finding(ev *evidence) hit { return hit{kind: events.KindConfirmed, evidence: ev.done()} }

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
	ev := e.begin(h, ref, a, at)
	defer e.end(ev)
	ev.asOf = asOf
	ev.run(cut, nil)
	d := Decision{Verdict: events.VerdictAllow, Pack: ev.pack.Name, Proof: ev.proof(), ValidUntil: ev.validUntil()}
	for _, h := range ev.hits {
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
		d.Reasons = append(d.Reasons, Reason{
			Rule: h.rule.id, Effect: h.effect, Clause: h.rule.meta.Clause, Sentence: sentence(&h), Evidence: h.evidence,
		})
	}
	slices.SortFunc(d.Reasons, func(x, y Reason) int { return cmp.Compare(x.Rule, y.Rule) })
	d.Passed = ev.passed(d.Reasons)
	return d
}

// sentence says in English what the rule found.
func sentence(h *hit) string {
	verb := "the call must not be made"
	if h.effect == events.VerdictWarn {
		verb = "the call may be made, with care"
	}
	return fmt.Sprintf("%s: %s (%s).", h.rule.meta.Title.EN, verb, h.rule.meta.Clause)
}

func (ev *evaluation) passed(reasons []Reason) []string {
	out := make([]string, 0, len(ev.engine.rules))
	for _, r := range ev.engine.sorted {
		if ev.a.Purpose == events.PurposeService && !r.meta.Service {
			continue
		}
		if !slices.ContainsFunc(reasons, func(q Reason) bool { return q.Rule == r.id }) {
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
	ev := e.begin(h, ref, a, a.DialledAt)
	defer e.end(ev)
	ev.asOf = asOf
	var sense contact.Sensitivity
	ev.run(contact.Finding(ev.t, asOf), &sense)
	out := Assessment{Findings: ev.findings(), Proof: ev.proof(), Pack: ev.pack.Name}
	if sense.Disputed {
		ev.run(contact.KnownThen(ev.t, asOf), nil)
		for i := range out.Findings {
			f := &out.Findings[i]
			if f.Kind != events.KindBestPractice && !ev.found(f.Rule) {
				f.Kind = events.KindPotential
			}
		}
	}
	if sense.Late {
		ev.run(contact.Hindsight(ev.t, asOf), nil)
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
	for _, h := range ev.hits {
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
