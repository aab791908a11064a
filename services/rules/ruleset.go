package rules

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// SetOf returns the set that holds one attempt-level rule, empty for any other
// id: the doubts of the system are in no set.
func SetOf(rule string) RuleSet {
	if i, known := slices.BinarySearch(ruleOrder, rule); known {
		return 1 << i
	}
	return 0
}

// Ruled returns the short form of a Decision, but for RegisterUntil, which a
// Decision does not bear.
func Ruled(d *Decision) Ruling {
	r := Ruling{Verdict: d.Verdict, ValidUntil: d.ValidUntil}
	for i := range d.Reasons {
		set := SetOf(d.Reasons[i].Rule)
		if d.Reasons[i].Effect == events.VerdictBlock {
			r.Blocks |= set
		} else {
			r.Warns |= set
		}
	}
	return r
}
