package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// Findings is part 9: which rule was broken, by whom, on what evidence.
// CONFIRMED and POTENTIAL are counted apart; HINDSIGHT (nobody knew) and
// BEST_PRACTICE (the controller is not bound) are annexes and never violations.
type Findings struct {
	Totals       []RuleTotal     `json:"totals"`
	ByDay        []DayTotal      `json:"by_day"`
	Attempts     []*Found        `json:"attempts"`
	Objects      []rules.Finding `json:"objects"`
	Hindsight    []*Found        `json:"hindsight"`
	BestPractice []*Found        `json:"best_practice"`
}

// Found is a finding on an attempt. Proof is its inclusion proof, null until a
// notary signs the log.
type Found struct {
	rules.Finding
	Source   string  `json:"source"`
	Stream   string  `json:"stream"`
	Sequence uint64  `json:"sequence"`
	Proof    *string `json:"inclusion_proof"`
}

// RuleTotal counts one rule.
type RuleTotal struct {
	Rule         string          `json:"rule"`
	Severity     events.Severity `json:"severity"`
	Clause       string          `json:"clause"`
	Confirmed    int             `json:"confirmed"`
	Potential    int             `json:"potential"`
	Hindsight    int             `json:"hindsight"`
	BestPractice int             `json:"best_practice"`
}

// DayTotal counts confirmed and potential findings of one Rome day.
type DayTotal struct {
	Day       events.Date `json:"day"`
	Rule      string      `json:"rule"`
	Confirmed int         `json:"confirmed"`
	Potential int         `json:"potential"`
}

// findings holds every finding once: a ledger that no gate has guarded has some
// on each attempt. They lie apart, so that growing lists copy no findings.
type findings struct {
	attempts, hindsight, bestPractice []*Found
	totals                            map[string]*RuleTotal
	days                              map[DayTotal]*DayTotal
}

func (p *findings) begin() {
	p.attempts, p.hindsight, p.bestPractice = []*Found{}, []*Found{}, []*Found{}
	p.totals, p.days = map[string]*RuleTotal{}, map[DayTotal]*DayTotal{}
}

// ledgerRule reports whether a rule speaks of the log and not of the call:
// part 10 sums these up.
func ledgerRule(id string) bool { return strings.HasPrefix(id, "LED-") && id != "LED-05" }

func (p *findings) call(c *call) {
	for _, f := range c.result.Findings {
		p.count(&f)
		found := &Found{Finding: f, Source: c.fact.Source, Stream: c.fact.Stream, Sequence: c.fact.Sequence}
		switch f.Kind {
		case events.KindHindsight:
			p.hindsight = append(p.hindsight, found)
		case events.KindBestPractice:
			p.bestPractice = append(p.bestPractice, found)
		default:
			p.attempts = append(p.attempts, found)
		}
	}
}

func (p *findings) count(f *rules.Finding) {
	tally(p.totals, f)
	tallyDay(p.days, f)
}

func (p *findings) finish(b *builder, objects []rules.Finding) Findings {
	out := Findings{Totals: []RuleTotal{}, ByDay: []DayTotal{}, Attempts: p.attempts, Objects: []rules.Finding{}, Hindsight: p.hindsight, BestPractice: p.bestPractice}
	for _, f := range objects {
		if !b.concerns(&f) || ledgerRule(f.Rule) {
			continue
		}
		p.count(&f)
		if f.Kind == events.KindBestPractice {
			out.BestPractice = append(out.BestPractice, &Found{Finding: f})
			continue
		}
		out.Objects = append(out.Objects, f)
	}
	for _, list := range [][]*Found{out.Attempts, out.Hindsight, out.BestPractice} {
		slices.SortFunc(list, func(a, b *Found) int {
			return cmp.Or(compareFindings(a.Finding, b.Finding), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
		})
	}
	slices.SortFunc(out.Objects, compareFindings)
	for _, id := range slices.Sorted(maps.Keys(p.totals)) {
		out.Totals = append(out.Totals, *p.totals[id])
	}
	for _, d := range p.days {
		out.ByDay = append(out.ByDay, *d)
	}
	slices.SortFunc(out.ByDay, func(a, b DayTotal) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Rule, b.Rule)) })
	return out
}

func compareFindings(a, b rules.Finding) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.At, b.At), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Attempt, b.Attempt),
		slices.Compare(a.Contact[:], b.Contact[:]), cmp.Compare(a.Kind, b.Kind))
}

func tally(totals map[string]*RuleTotal, f *rules.Finding) {
	t := totals[f.Rule]
	if t == nil {
		t = &RuleTotal{Rule: f.Rule, Severity: f.Severity, Clause: f.Clause}
		totals[f.Rule] = t
	}
	if graver(f.Severity, t.Severity) {
		t.Severity = f.Severity
	}
	switch f.Kind {
	case events.KindConfirmed:
		t.Confirmed++
	case events.KindPotential:
		t.Potential++
	case events.KindHindsight:
		t.Hindsight++
	case events.KindBestPractice:
		t.BestPractice++
	}
}

func tallyDay(days map[DayTotal]*DayTotal, f *rules.Finding) {
	if f.Kind != events.KindConfirmed && f.Kind != events.KindPotential {
		return
	}
	key := DayTotal{Day: events.DateOf(f.At, events.Rome), Rule: f.Rule}
	d := days[key]
	if d == nil {
		fresh := key
		d = &fresh
		days[key] = d
	}
	if f.Kind == events.KindConfirmed {
		d.Confirmed++
	} else {
		d.Potential++
	}
}

var severities = []events.Severity{events.SeverityInfo, events.SeverityLow, events.SeverityMedium, events.SeverityHigh, events.SeverityCritical}

func graver(a, b events.Severity) bool {
	return slices.Index(severities, a) > slices.Index(severities, b)
}

// concerns reports whether an object-level finding belongs in this campaign's
// report: one of the campaign, of its lists, of its controller at large, or of
// a contact that the campaign called.
func (b *builder) concerns(f *rules.Finding) bool {
	q := b.question.Campaign
	if f.Controller != "" && f.Controller != q.Controller {
		return false
	}
	if f.Campaign != "" && f.Campaign != q.Campaign {
		return false
	}
	if !f.Contact.IsZero() {
		_, called := slices.BinarySearchFunc(b.contacts, f.Contact, func(x, y events.ContactKey) int { return slices.Compare(x[:], y[:]) })
		return called
	}
	if listRules[f.Rule] && b.isList(f.Object) {
		return slices.Contains(b.campaign().Lists, f.Object)
	}
	return true
}

// listRules have a list id as their object, at least in one of their forms.
var listRules = map[string]bool{"IT-RPO-04": true, "IT-OPP-06": true, "IT-CDC-07": true}

// isList reports whether any list of that id was acquired or activated.
func (b *builder) isList(id string) bool {
	for _, f := range b.facts {
		switch d := f.Data.(type) {
		case *events.ListAcquired:
			if d.List == id {
				return true
			}
		case *events.ListActivated:
			if d.List == id {
				return true
			}
		}
	}
	return false
}

// attemptsWith counts the attempts with a confirmed or potential finding of one
// of the rules.
func (f *Findings) attemptsWith(ids ...string) int {
	type place struct {
		stream string
		seq    uint64
	}
	seen := map[place]bool{}
	for i := range f.Attempts {
		if slices.Contains(ids, f.Attempts[i].Rule) {
			seen[place{f.Attempts[i].Stream, f.Attempts[i].Sequence}] = true
		}
	}
	return len(seen)
}
