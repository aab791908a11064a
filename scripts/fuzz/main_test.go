package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestFunctionsFindsFuzzTargetsOnly(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "x_test.go", `package x
func FuzzDecode(f *testing.F) {}
func FuzzyMatch() bool { return true }
func TestDecode(t *testing.T) {}
func (s suite) FuzzMethod(f *testing.F) {}
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := functions(file); !slices.Equal(got, []string{"FuzzDecode"}) {
		t.Errorf("targets %q, want FuzzDecode alone", got)
	}
}

func FuzzLength(f *testing.F) {
	f.Add("x")
	f.Fuzz(func(t *testing.T, s string) {
		if len(strings.Repeat(s, 2)) != 2*len(s) {
			t.Errorf("%q repeated has another length", s)
		}
	})
}

func TestRunRunsTheTargetsOfThisPackage(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-time=1s", "-total=10ms", "."}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "FuzzLength for 10ms") || !strings.Contains(out.String(), "1 targets, 10ms each") {
		t.Errorf("output %q does not tell of FuzzLength for its share of the time", out.String())
	}
}

func TestRunFailsWithoutTargets(t *testing.T) {
	if err := run(t.Context(), []string{"../boundaries"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "no fuzz target") {
		t.Errorf("error %v, want one that says that there is no fuzz target", err)
	}
}

// A deadline of the engine is no finding; a finding that also ran into one is.
func TestDeadlineOnly(t *testing.T) {
	const head = "fuzz: elapsed: 6s, execs: 69355 (4852/sec), new interesting: 6 (total: 247)\n"
	for name, c := range map[string]struct {
		said string
		want bool
	}{
		"the engine's deadline":   {head + "--- FAIL: FuzzCanonical (5.85s)\n    context deadline exceeded\nFAIL\nexit status 1\nFAIL\tx\t5.861s\n", true},
		"a failing input":         {head + "--- FAIL: FuzzCanonical (1.20s)\n    --- FAIL: FuzzCanonical (0.00s)\n        x_test.go:9: differs\n\n    Failing input written to testdata/fuzz/FuzzCanonical/ab\nFAIL\n", false},
		"a failing input in time": {head + "--- FAIL: FuzzCanonical (5.85s)\n    context deadline exceeded\nFAIL\n    Failing input written to testdata/fuzz/FuzzCanonical/ab\n", false},
		"a seed that fails":       {"--- FAIL: FuzzCanonical (0.00s)\n    --- FAIL: FuzzCanonical/seed#0 (0.00s)\n        x_test.go:9: context deadline exceeded\nFAIL\n", false},
		"no build":                {"FAIL\tx [build failed]\n", false},
	} {
		if got := deadlineOnly([]byte(c.said)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
