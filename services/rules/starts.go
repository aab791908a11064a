package rules

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
)

// Start is one call of a campaign as IT-RPO-03 sees it: when it was dialled
// and since when it counts.
type Start struct {
	Call     events.IdentityHash `json:"call"`
	Dialled  events.Instant      `json:"dialled"`
	Time     events.Instant      `json:"time"`
	Received events.Instant      `json:"received"`
	Recorded events.Instant      `json:"recorded"`
}

// Starts answers whether a campaign had an earlier call at any cut-offs, from
// a few of its calls: those that fewer than startsDepth others precede in all
// four instants. It is a join-semilattice under Join, so that a projection may
// build it call by call, in any order, and store it. The zero Starts is empty;
// the order of its elements is canonical.
type Starts []Start

// startsDepth is how many calls may be struck out by corrections before Starts
// must be built again from all calls of the campaign.
const startsDepth = 16

// Join returns the Starts of both sets of calls.
func (s Starts) Join(t Starts) Starts {
	all := slices.Concat(s, t)
	slices.SortFunc(all, compareStarts)
	all = slices.Compact(all)
	out := all[:0:0]
	for _, c := range all {
		before := 0
		for _, d := range out {
			if d.precedes(c) {
				before++
			}
		}
		if before < startsDepth {
			out = append(out, c)
		}
	}
	return out
}

// Covers reports whether joining one more call would change nothing.
func (s Starts) Covers(c Start) bool {
	before := 0
	for _, d := range s {
		if d == c {
			return true
		}
		if d.precedes(c) && compareStarts(d, c) < 0 {
			before++
		}
	}
	return before >= startsDepth
}

func (s Start) precedes(t Start) bool {
	return s.Dialled <= t.Dialled && s.Time <= t.Time && s.Received <= t.Received && s.Recorded <= t.Recorded
}

// compareStarts is a linear order that contains precedes.
func compareStarts(a, b Start) int {
	return cmp.Or(cmp.Compare(a.Dialled, b.Dialled), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received),
		cmp.Compare(a.Recorded, b.Recorded), bytes.Compare(a.Call[:], b.Call[:]))
}
