package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Oppositions is part 4: what the called persons said, and how fast it bound.
type Oppositions struct {
	Lines []OppositionLine `json:"lines"`
	// ToRecord is received → recorded in the ledger; ToAcknowledge is
	// received → acknowledged by a processor, per acknowledgement.
	ToRecord      Spread `json:"received_to_recorded"`
	ToAcknowledge Spread `json:"received_to_acknowledged"`
	// CallsAfter counts attempts found under IT-OPP-01 or IT-CON-05, confirmed
	// or potential.
	CallsAfter int `json:"calls_after_opposition"`
}

// OppositionLine counts by medium and by who took the refusal.
type OppositionLine struct {
	Kind       string `json:"kind"` // opposition, withdrawal, refusal
	Medium     string `json:"medium"`
	ReceivedBy string `json:"received_by"`
	Count      int    `json:"count"`
}

type oppositions struct {
	controller     string
	lines          map[[3]string]int
	record, acknow []int64
}

func (o *oppositions) begin(controller string) {
	o.controller, o.lines = controller, map[[3]string]int{}
}

func (o *oppositions) person(p *person) {
	for _, f := range p.facts {
		if f.Controller != o.controller {
			continue
		}
		var line [3]string
		switch d := f.Data.(type) {
		case *events.OppositionRegistered:
			line = [3]string{"opposition", string(d.Medium), d.ReceivedBy}
			o.acknowledged(p.facts, f)
		case *events.ConsentRevoked:
			line = [3]string{"withdrawal", string(d.Medium), d.ReceivedBy}
		case *events.ConsentRefused:
			line = [3]string{"refusal", string(d.Medium), ""}
		default:
			continue
		}
		line[1], line[2] = cmp.Or(line[1], "unknown"), cmp.Or(line[2], o.controller)
		o.lines[line]++
		o.record = append(o.record, max(0, millis(f.Received, f.Recorded)))
	}
}

func (o *oppositions) acknowledged(facts []*contact.Fact, opposition *contact.Fact) {
	for _, f := range facts {
		if d, ok := f.Data.(*events.SuppressionAcknowledged); ok && f.Controller == o.controller && d.Opposition == opposition.ID {
			o.acknow = append(o.acknow, max(0, millis(opposition.Received, f.Time)))
		}
	}
}

func (o *oppositions) finish(f *Findings) Oppositions {
	out := Oppositions{Lines: []OppositionLine{}, ToRecord: spreadOf(o.record), ToAcknowledge: spreadOf(o.acknow),
		CallsAfter: f.attemptsWith("IT-OPP-01", "IT-CON-05")}
	keys := slices.SortedFunc(maps.Keys(o.lines), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		out.Lines = append(out.Lines, OppositionLine{k[0], k[1], k[2], o.lines[k]})
	}
	return out
}
