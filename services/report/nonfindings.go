package report

import (
	"maps"
	"slices"

	"github.com/assenso/assenso/services/rules"
)

// NonFindings is part 11: what was looked for and not found, and what could not
// be looked for.
type NonFindings struct {
	Clean        []string       `json:"rules_without_a_hit"`
	NotEvaluated []NotEvaluated `json:"not_evaluated"`
}

// NotEvaluated says why a rule was not run.
type NotEvaluated struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

func (b *builder) nonFindings(f *Findings) NonFindings {
	out := NonFindings{Clean: []string{}, NotEvaluated: []NotEvaluated{}}
	hit := map[string]bool{}
	for _, t := range f.Totals {
		hit[t.Rule] = true
	}
	for _, r := range b.source.Rules {
		if !hit[r.ID] && rules.NotEvaluated[r.ID] == "" && !ledgerRule(r.ID) {
			out.Clean = append(out.Clean, r.ID)
		}
	}
	slices.Sort(out.Clean)
	for _, id := range slices.Sorted(maps.Keys(rules.NotEvaluated)) {
		out.NotEvaluated = append(out.NotEvaluated, NotEvaluated{id, rules.NotEvaluated[id]})
	}
	return out
}
