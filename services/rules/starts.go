package rules

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
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

// Disputes reports whether the call is held in full, because it is corrected or
// in conflict (Dispute): the starts of its campaign pass over it.
func (r *Reference) Disputes(call events.IdentityHash) bool { return r.contested[call] }

// ExhaustedStarts reports whether so many of the first calls of a campaign are
// disputed that those kept may not speak for the rest any more: RestartCalls is
// due.
func (r *Reference) ExhaustedStarts(controller, campaign string) bool {
	disputed := 0
	for _, s := range r.starts[campaignKey{controller, campaign}] {
		if r.contested[s.Call] {
			disputed++
		}
	}
	return disputed >= startsDepth
}

// Preceded reports whether another call of the campaign that is not disputed
// counts for every question for which this one does, so that it makes no
// difference whether this one does.
func (r *Reference) Preceded(call *contact.Fact) bool {
	d, ok := call.Data.(*events.CallConcluded)
	if !ok {
		return false
	}
	c := startOf(call, d)
	return slices.ContainsFunc(r.starts[campaignKey{call.Controller, call.Campaign}], func(s Start) bool {
		return s.Call != c.Call && s.precedes(c) && !r.contested[s.Call]
	})
}

func startOf(f *contact.Fact, d *events.CallConcluded) Start {
	return Start{Call: f.Identity().Hash(), Dialled: d.DialledAt, Time: f.Time, Received: f.Received, Recorded: f.Recorded}
}

// RestartCalls replaces the starts of a campaign by those of all its calls that
// are not disputed.
func (r *Reference) RestartCalls(controller, campaign string, undisputed Starts) {
	r.starts[campaignKey{controller, campaign}] = undisputed
}

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
