package scenario

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
)

// What was known in time is what the gate saw, where all was recorded by then.
func TestTheGateInTimeIsTheGateWhereNothingWasLate(t *testing.T) {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPure(rules.NewEngine(packs))
	asked := 0
	for _, file := range scenarioFiles(t) {
		all, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			facts, _, err := p.record(s)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(facts)
			for i := range s.Attempts {
				a := &s.Attempts[i]
				h := w.history(a.Contact)
				if d := cmp.Diff(p.engine.Gate(h, w.ref, a.Attempt, a.GateAt), p.engine.GateInTime(h, w.ref, a.Attempt, a.GateAt, a.GateAt)); d != "" {
					t.Errorf("%s %s: gate and gate in time differ:\n%s", s.ID, a.ID, d)
				}
				asked++
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d attempts were asked about", asked)
	}
}
