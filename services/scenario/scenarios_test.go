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
		if f == "fixtures.yaml" {
			continue
		}
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
