// Package scenario reads scenario files and plays them: against the pure functions, or through the whole pipeline.
//
// A scenario is a small history, some call attempts and the expected results;
// schemas/scenarios/README.md describes the format. Load reads files, a Player
// answers what became of one scenario, Compare says what differs:
//
//	scenarios, err := scenario.Load("consent.yaml")
//	result, err := scenario.NewPure(engine).Play(ctx, scenarios[0])
//	differences := scenario.Compare(scenarios[0], result)
//
// Pure plays against the functions of contact and rules, over the same stored
// bytes that the pipeline would record. A player through the pipeline is made
// by whoever owns the pipeline; this package knows no backend.
package scenario
