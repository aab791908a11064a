package report

import (
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
)

// Conduct is part 6: hours, caller identity, silent calls, mandatory
// statements.
type Conduct struct {
	// Hours counts attempts by hour of day in Rome (0 to 23) and Outside those
	// found under IT-CDC-01 to IT-CDC-03.
	Hours     [24]int    `json:"attempts_by_hour"`
	Outside   int        `json:"outside_hours"`
	CallerIDs []CallerID `json:"caller_ids"`
	Silent    Silent     `json:"silent"`
	Statement []Count    `json:"statements"`
	Spoken    int        `json:"human_answered"`
	Complete  int        `json:"with_all_statements"`
	Outcomes  []Count    `json:"dispositions"`
}

// CallerID is one presented number; "" = withheld.
type CallerID struct {
	CLI      string         `json:"cli"`
	Attempts int            `json:"attempts"`
	Findings map[string]int `json:"findings"` // IT-CLI rules, confirmed or potential
}

// Silent is the test of Garante 83/2014: silent calls among those answered.
type Silent struct {
	Answered     int    `json:"answered"`
	Silent       int    `json:"silent"`
	PerMille     int    `json:"per_mille"`
	LimitPercent int    `json:"limit_percent"`
	Within       bool   `json:"within_limit"`
	Dropped      Spread `json:"answered_to_released"`
}

type conduct struct {
	hours            [24]int
	callers          map[string]*CallerID
	statements, ends map[string]int
	answered, silent int
	spoken, complete int
	drops            []int64
	limit            int
}

func (p *conduct) begin(b *builder) {
	p.callers, p.statements, p.ends = map[string]*CallerID{}, map[string]int{}, map[string]int{}
	p.limit = b.source.Packs.At(b.question.AsOf).SilentRatioPercent
}

func (p *conduct) call(c *call) {
	p.hours[c.attempt.DialledAt.Time().In(events.Rome).Hour()]++
	p.ends[string(c.data.Disposition)]++
	id := p.callers[c.attempt.CLI]
	if id == nil {
		id = &CallerID{CLI: c.attempt.CLI, Findings: map[string]int{}}
		p.callers[c.attempt.CLI] = id
	}
	id.Attempts++
	for _, f := range c.result.Findings {
		if len(f.Rule) > 7 && f.Rule[:7] == "IT-CLI-" && (f.Kind == events.KindConfirmed || f.Kind == events.KindPotential) {
			id.Findings[f.Rule]++
		}
	}
	p.outcome(c)
}

func (p *conduct) outcome(c *call) {
	o := c.attempt.Outcome
	if o == nil || o.AnsweredAt.IsZero() {
		return
	}
	p.answered++
	if o.Silent {
		p.silent++
		if !o.ReleasedAt.IsZero() {
			p.drops = append(p.drops, millis(o.AnsweredAt, o.ReleasedAt))
		}
	}
	if !o.HumanAnswered() {
		return
	}
	p.spoken++
	said := slices.Clone(o.Statements)
	slices.Sort(said)
	said = slices.Compact(said)
	for _, s := range said {
		p.statements[string(s)]++
	}
	if len(said) == 5 {
		p.complete++
	}
}

func (p *conduct) finish(f *Findings) Conduct {
	out := Conduct{Hours: p.hours, Outside: f.attemptsWith("IT-CDC-01", "IT-CDC-02", "IT-CDC-03"), CallerIDs: []CallerID{},
		Statement: countsOf(p.statements), Spoken: p.spoken, Complete: p.complete, Outcomes: countsOf(p.ends)}
	for _, k := range slices.Sorted(maps.Keys(p.callers)) {
		out.CallerIDs = append(out.CallerIDs, *p.callers[k])
	}
	out.Silent = Silent{Answered: p.answered, Silent: p.silent, PerMille: perMille(p.silent, p.answered), LimitPercent: p.limit,
		Within: p.silent*100 <= p.limit*p.answered, Dropped: spreadOf(p.drops)}
	return out
}
