package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/scenario"
)

// scenarioCommand hands its arguments to the scenario package, which owns the
// format of the command as of the files.
func (a *app) scenarioCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario run FILE… | scenario explain ID FILE…",
		Short: "Play scenario files and compare with what they expect, or explain one",
		Long: `Play scenario files (schemas/scenarios/README.md) against the pure functions, or with
--pipeline through the running system with a simulated clock.

  --json           one compact JSON line for each attempt and for the objects of a scenario
  --as-of TIME     judge everything as of this ledger time
  --shuffle SEED   play the events in a random order; the results must not change
  --pipeline       through intake, recorders, ledger and projections

"explain" prints of one scenario the timeline, the state of the contact, and each rule's
verdict at the gate and in the report, and why.

Exits with 1 if any scenario failed, with 2 if a file is unreadable or ill-formed.`,
		Example: `  assenso scenario run schemas/scenarios/*.yaml
  assenso scenario run consent.yaml --json --shuffle 7
  assenso scenario run consent.yaml --pipeline
  assenso scenario explain T06 schemas/scenarios/*.yaml`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
				return cmd.Help()
			}
			return a.scenario(cmd.Context(), args)
		},
	}
	return cmd
}

func (a *app) scenario(ctx context.Context, args []string) error {
	cfg, err := house.Load(a.config, a.environ, nil)
	if err != nil {
		return usage(err)
	}
	engine, err := house.LoadEngine(cfg.Law)
	if err != nil {
		return usage(err)
	}
	pipeline := func(_ context.Context, shuffle *uint64) (scenario.Player, error) {
		return &house.Player{Shuffle: shuffle, Engine: engine}, nil
	}
	if code := scenario.Main(ctx, args, a.out, a.err, engine, pipeline); code != 0 {
		return &exitError{code: code}
	}
	return nil
}
