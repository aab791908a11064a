package rules

import (
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/google/go-cmp/cmp"
)

// Many evaluations may read one engine, history and reference at once.
func TestEvaluationsRunSideBySide(t *testing.T) {
	s := newStage(t)
	s.add("o", "A", "2026-03-08", &events.OppositionRegistered{ReceivedBy: "P1"})
	s.called("c", "2026-03-09 11:00")
	s.add("g2", "A", "2026-03-09 11:00:30", grant(func(g *events.ConsentGranted) { g.CollectionAttempt = "c" }))
	h, ref := build(s.facts)
	e := testEngine(t)
	want := e.Assess(h, ref, s.attempt, noon)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if d := cmp.Diff(want, e.Assess(h, ref, s.attempt, noon)); d != "" {
					t.Errorf("assessments side by side differ:\n%s", d)
				}
				if d := e.Gate(h, ref, s.attempt, s.attempt.DialledAt); len(d.Reasons) != 2 {
					t.Errorf("reasons = %v, want taint and opposition", d.Reasons)
				}
			}
		})
	}
	wg.Wait()
}
