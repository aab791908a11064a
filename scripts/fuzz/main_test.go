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
