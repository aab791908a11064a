package scenario_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/schemas/scenarios"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/scenario"
)

func newEngine(t testing.TB) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}

// all reads every scenario of the repository.
func all(t testing.TB) []*scenario.Scenario {
	t.Helper()
	files, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []*scenario.Scenario
	for _, f := range files {
		list, err := scenario.LoadFS(scenarios.Files, f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, list...)
	}
	return out
}

func check(t *testing.T, p scenario.Player, s *scenario.Scenario) {
	t.Helper()
	r, err := p.Play(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range scenario.Compare(s, r) {
		t.Errorf("%s (%s line %d): %s", s.ID, s.File, s.Line, d)
	}
}

func TestEveryScenarioMeetsItsExpectations(t *testing.T) {
	p := scenario.NewPure(newEngine(t))
	for _, s := range all(t) {
		t.Run(s.ID, func(t *testing.T) { check(t, p, s) })
	}
}

// Results must not depend on the order of events.
func TestShuffledScenariosMeetTheSameExpectations(t *testing.T) {
	engine := newEngine(t)
	for seed := range uint64(4) {
		p := scenario.NewPure(engine)
		p.Shuffle = &seed
		for _, s := range all(t) {
			if len(s.Events) < 500 || seed < 2 {
				check(t, p, s)
			}
		}
	}
}

// Every rule of the catalogue is hit by some scenario, and spared either by
// another attempt of a scenario that hits it or by one that names it in law.
func TestEveryRuleIsHitAndSparedBySomeScenario(t *testing.T) {
	engine := newEngine(t)
	p := scenario.NewPure(engine)
	hit, spared := map[string]bool{}, map[string]bool{}
	for _, s := range all(t) {
		r, err := p.Play(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		here := map[string]int{} // attempts of this scenario that hit a rule
		note := func(rules map[string]bool) {
			for id := range rules {
				hit[id] = true
				here[id]++
			}
			for _, id := range s.Law {
				spared[id] = spared[id] || !rules[id]
			}
		}
		for _, a := range r.Attempts {
			found := map[string]bool{}
			for _, f := range a.Findings {
				found[f.Rule] = true
			}
			for _, id := range a.Reasons {
				found[id] = true
			}
			note(found)
		}
		for id, n := range here {
			spared[id] = spared[id] || n < len(r.Attempts)
		}
		objects := map[string]bool{}
		for _, f := range r.Objects {
			objects[f.Rule] = true
		}
		note(objects)
	}
	for _, rule := range engine.Packs().Rules() {
		if rules.NotEvaluated[rule.ID] != "" {
			continue
		}
		if !hit[rule.ID] {
			t.Errorf("%s: no scenario hits it", rule.ID)
		}
		if !spared[rule.ID] {
			t.Errorf("%s: no scenario that names it in law spares it", rule.ID)
		}
	}
}
