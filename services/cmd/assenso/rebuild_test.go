package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// positions takes the ledger positions out of a report in a file into a
// variable, as --as-of reads them, and a contract of which no commission may
// be paid into UNLAWFUL: "positions VARIABLE FILE".
func positions(ts *testscript.TestScript, _ bool, args []string) {
	var report struct {
		Header    struct{ Positions map[string]uint64 }
		Contracts struct {
			Withhold []string `json:"commissions_to_withhold"`
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &report))
	var list []string
	for stream, n := range report.Header.Positions {
		list = append(list, fmt.Sprintf("%s:%d", stream, n))
	}
	if len(list) == 0 {
		ts.Fatalf("%s names no positions", args[1])
	}
	if len(report.Contracts.Withhold) == 0 {
		ts.Fatalf("%s names no contract without lawful origin", args[1])
	}
	ts.Setenv("UNLAWFUL", report.Contracts.Withhold[0])
	slices.Sort(list)
	ts.Setenv(args[0], strings.Join(list, ","))
}
