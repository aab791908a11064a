// Package boundaries checks that the drawing of the layers and the code agree:
// the package table of the design is its data, the build's own import graph
// what it is held against. Each rule bears the reason it prints.
//
//	go test ./scripts/boundaries
//
//	services/rules must not import go.uber.org/zap: it is pure: the same
//	arguments give the same answer for ever, on every machine
//	(services/rules → services/telemetry → go.uber.org/zap)
//
// A rule cannot die silently: the test fails also when a package or module that
// a rule names exists no longer and is not listed as planned, when one that is
// listed as planned exists, and when a package has no row.
package boundaries
