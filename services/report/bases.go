package report

import (
	"cmp"
	"maps"
	"slices"
)

// Bases is part 3: on what basis people were called, and on what basis the
// callers said so.
type Bases struct {
	Mix []BasisLine `json:"mix"`
	// Ages are the calls on consent by the age of the consent, in days since
	// the grant or its re-verification.
	Ages []Count `json:"consent_ages"`
}

// BasisLine counts the attempts with one declared and one proven basis; "none"
// stands for no basis, "undeclared" for none declared.
type BasisLine struct {
	Declared string `json:"declared"`
	Proven   string `json:"proven"`
	Attempts int    `json:"attempts"`
}

type bases struct {
	mix  map[[2]string]int
	ages [6]int
}

// ageBands name the bands of consent age by their upper bound in days.
var ageBands = []struct {
	name string
	days int
}{{"0-90", 90}, {"91-180", 180}, {"181-365", 365}, {"366-730", 730}, {"731-1095", 1095}, {"1096-", 1 << 30}}

func (p *bases) begin() { p.mix = map[[2]string]int{} }

func (p *bases) call(c *call) {
	declared := string(c.attempt.Basis)
	if declared == "" {
		declared = "undeclared"
	}
	proof := c.result.Proof
	p.mix[[2]string{declared, basisName(proof.Basis)}]++
	if proof.Basis == "consent" || proof.Basis == "contract_consent" {
		for i, band := range ageBands {
			if proof.AgeDays <= band.days {
				p.ages[i]++
				break
			}
		}
	}
}

func (p *bases) finish() Bases {
	out := Bases{Mix: []BasisLine{}, Ages: []Count{}}
	keys := slices.SortedFunc(maps.Keys(p.mix), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	for _, k := range keys {
		out.Mix = append(out.Mix, BasisLine{k[0], k[1], p.mix[k]})
	}
	for i, band := range ageBands {
		out.Ages = append(out.Ages, Count{band.name, p.ages[i]})
	}
	return out
}
