package report

import (
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

func TestTheFirstMissingLinkIsNamed(t *testing.T) {
	off := rules.Finding{Rule: "IT-LST-01", Kind: events.KindConfirmed}
	later := rules.Finding{Rule: "IT-LST-01", Kind: events.KindHindsight}
	for _, c := range []struct {
		agent    string
		basis    events.Basis
		findings []rules.Finding
		want     string
	}{
		{"a", events.BasisConsent, nil, ""}, {"a", events.BasisConsent, []rules.Finding{later}, ""},
		{"", "", []rules.Finding{off}, "operator"}, {"a", "", []rules.Finding{off}, "list"}, {"a", "", nil, "consent"},
	} {
		x := call{attempt: rules.Attempt{Agent: c.agent}, result: rules.Assessment{Findings: c.findings, Proof: rules.Proof{Basis: c.basis}}}
		if got := missingLink(&x); got != c.want {
			t.Errorf("agent %q, basis %q, %d findings: %q, want %q", c.agent, c.basis, len(c.findings), got, c.want)
		}
	}
}
