package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// sortFacts orders by time, then identity: never by arrival.
func sortFacts(list []*contact.Fact) {
	slices.SortFunc(list, compareFacts)
}

func compareFacts(a, b *contact.Fact) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID), slices.Compare(a.Digest[:], b.Digest[:]))
}

// Count is one line of a count by name.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// countsOf lists a map by name.
func countsOf(m map[string]int) []Count {
	out := make([]Count, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Count{k, m[k]})
	}
	return out
}

// Spread sums up a set of durations in milliseconds by nearest rank; all zero
// and Count 0 where nothing was measured.
type Spread struct {
	Count int   `json:"count"`
	P50   int64 `json:"p50_ms"`
	P95   int64 `json:"p95_ms"`
	Max   int64 `json:"max_ms"`
}

func spreadOf(ms []int64) Spread {
	if len(ms) == 0 {
		return Spread{}
	}
	slices.Sort(ms)
	rank := func(percent int) int64 { return ms[(len(ms)*percent+99)/100-1] }
	return Spread{Count: len(ms), P50: rank(50), P95: rank(95), Max: ms[len(ms)-1]}
}

// perMille is part in thousandths of whole, rounded down; 0 of nothing.
func perMille(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return part * 1000 / whole
}

func millis(from, to events.Instant) int64 { return to.Sub(from).Milliseconds() }
