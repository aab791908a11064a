package scenario

import (
	"testing"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
)

// benchWorld is the fixtures "base" and "consented" with three earlier calls:
// a contact of six events.
const benchScenario = `
scenarios:
  - id: bench
    use: [base, consented]
    events:
      - {id: c1, type: call.concluded, at: "2026-03-06 10:00"}
      - {id: c2, type: call.concluded, at: "2026-03-07 10:00"}
      - {id: c3, type: call.concluded, at: "2026-03-09 10:00"}
    attempts: [{at: "2026-03-10 11:00", outcome: {disposition: no_answer}}]
    expect: {}
`

func benchmarkWorld(b *testing.B) (*rules.Engine, *world, *Scenario) {
	b.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		b.Fatal(err)
	}
	engine := rules.NewEngine(packs)
	s := loadText(b, benchScenario)[0]
	facts, rejected, err := (&Pure{engine: engine}).record(s)
	if err != nil || len(rejected) > 0 {
		b.Fatal(err, rejected)
	}
	return engine, newWorld(facts), s
}

func BenchmarkAssess(b *testing.B) {
	engine, w, s := benchmarkWorld(b)
	h := w.history(s.Attempts[0].Contact)
	b.ReportAllocs()
	for b.Loop() {
		if got := engine.Assess(h, w.ref, s.Attempts[0].Attempt, s.AsOf); len(got.Findings) != 0 {
			b.Fatal(got.Findings)
		}
	}
}

func BenchmarkGate(b *testing.B) {
	engine, w, s := benchmarkWorld(b)
	h := w.history(s.Attempts[0].Contact)
	b.ReportAllocs()
	for b.Loop() {
		if d := engine.Gate(h, w.ref, s.Attempts[0].Attempt, s.Attempts[0].GateAt); d.Verdict != "allow" {
			b.Fatal(d.Reasons)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	_, w, s := benchmarkWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if h := w.history(s.Attempts[0].Contact); h == nil {
			b.Fatal("no history")
		}
	}
}
