package house

import (
	"io/fs"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assenso/assenso/schemas/scenarios"
	"github.com/assenso/assenso/services/scenario"
)

// TestThePipelineAnswersLikeThePureFunctions plays every worked scenario
// through intake, recorders, ledger and projections, in the order of the file
// and shuffled, and compares with the pure evaluation.
func TestThePipelineAnswersLikeThePureFunctions(t *testing.T) {
	engine, err := LoadEngine(LawConfig{})
	if err != nil {
		t.Fatal(err)
	}
	pure := scenario.NewPure(engine)
	files, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for i, file := range files {
		if path.Base(file) == "fixtures.yaml" {
			continue
		}
		all, err := scenario.LoadFS(scenarios.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		player := &Player{Engine: engine}
		if i%2 == 1 {
			seed := uint64(i)
			player.Shuffle = &seed
		}
		for _, s := range all {
			played++
			t.Run(s.ID, func(t *testing.T) {
				t.Parallel()
				want, err := pure.Play(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				got, err := player.Play(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("pipeline differs from pure (-pure +pipeline):\n%s", d)
				}
				for _, d := range scenario.Compare(s, got) {
					t.Error(d)
				}
			})
		}
	}
	if played == 0 {
		t.Error("no scenario was played")
	}
}
