package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

func sortFindings(f []Finding) {
	slices.SortFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Kind, b.Kind))
	})
}

// Difference is one expectation that was not met.
type Difference struct {
	Attempt  string // "" for objects and for the scenario as a whole
	Key      string // gate, reasons, findings, objects, events
	Expected string
	Actual   string
}

// String is one readable line.
func (d Difference) String() string {
	where := d.Key
	if d.Attempt != "" {
		where = d.Attempt + " " + d.Key
	}
	return fmt.Sprintf("%s: expected %s, got %s", where, d.Expected, d.Actual)
}

// Compare returns what of the result differs from the expectations; absent
// expectations are not checked, LED-* and AGT-* only where they are expected.
func Compare(s *Scenario, r *Result) []Difference {
	var out []Difference
	for _, reason := range r.Rejected {
		out = append(out, Difference{Key: "events", Expected: "every event to be recorded", Actual: reason})
	}
	if len(r.Rejected) > 0 {
		return out
	}
	for _, a := range r.Attempts {
		want, ok := s.Expect.Attempts[a.ID]
		if !ok {
			continue
		}
		if want.Gate != "" && want.Gate != a.Gate {
			out = append(out, Difference{a.ID, "gate", string(want.Gate), string(a.Gate)})
		}
		if want.Reasons != nil && !slices.Equal(want.Reasons, a.Reasons) {
			out = append(out, Difference{a.ID, "reasons", list(want.Reasons), list(a.Reasons)})
		}
		if d, ok := compareFindings(want.Findings, a.Findings); want.Findings != nil && !ok {
			d.Attempt, d.Key = a.ID, "findings"
			out = append(out, d)
		}
	}
	if d, ok := compareFindings(s.Expect.Objects, r.Objects); s.Expect.Objects != nil && !ok {
		d.Key = "objects"
		out = append(out, d)
	}
	return out
}

func compareFindings(want, have []Finding) (Difference, bool) {
	var counted []Finding
	for _, f := range have {
		technical := strings.HasPrefix(f.Rule, "LED-") || strings.HasPrefix(f.Rule, "AGT-")
		if !technical || slices.ContainsFunc(want, func(g Finding) bool { return g.Rule == f.Rule }) {
			counted = append(counted, f)
		}
	}
	return Difference{Expected: names(want), Actual: names(counted)}, slices.Equal(want, counted)
}

func names(f []Finding) string {
	out := make([]string, len(f))
	for i := range f {
		out[i] = f[i].String()
	}
	return list(out)
}

func list(s []string) string { return "[" + strings.Join(s, ", ") + "]" }

// verdictOrNull serves the machine-readable lines.
func verdictOrNull(v events.Verdict) *events.Verdict {
	if v == "" {
		return nil
	}
	return &v
}
