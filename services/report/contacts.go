package report

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// Contacts returns the contacts that the report names in findings and
// contracts, each once, by key.
func (r *Report) Contacts() []events.ContactKey {
	var out []events.ContactKey
	add := func(k events.ContactKey) {
		if !k.IsZero() {
			out = append(out, k)
		}
	}
	for _, list := range [][]*Found{r.Findings.Attempts, r.Findings.Hindsight, r.Findings.BestPractice} {
		for i := range list {
			add(list[i].Contact)
		}
	}
	for i := range r.Findings.Objects {
		add(r.Findings.Objects[i].Contact)
	}
	for i := range r.Gaps.Conflicts {
		add(r.Gaps.Conflicts[i].Contact)
	}
	for i := range r.Contracts.Contracts {
		add(r.Contracts.Contracts[i].Contact)
	}
	compare := func(a, b events.ContactKey) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(out, compare)
	return slices.Compact(out)
}
