package boundaries

import (
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func repository(t *testing.T) *graph {
	t.Helper()
	g, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.owned) < 10 {
		t.Fatalf("only %d packages of the repository were listed: the check looks at the wrong place", len(g.owned))
	}
	return g
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func TestPackagesKeepTheirBoundaries(t *testing.T) {
	report(t, repository(t).check(Table, Everywhere))
}

func TestEveryRuleIsAlive(t *testing.T) {
	required, err := modules(root)
	if err != nil {
		t.Fatal(err)
	}
	report(t, repository(t).alive(Table, Everywhere, Planned, required, PlannedModules))
}

func TestNoTestCodeInTheBinary(t *testing.T) {
	report(t, repository(t).linked(binary))
}

func TestNoPackageIsADrawer(t *testing.T) {
	report(t, repository(t).names())
}

func TestEveryPackageIsExplained(t *testing.T) {
	for _, p := range repository(t).owned {
		if p.Error != nil && !strings.Contains(p.Error.Err, "no non-test Go files") && !strings.Contains(p.Error.Err, "build constraints exclude") {
			t.Errorf("%s does not load: %s", p.short(), p.Error.Err)
		}
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment: say in one sentence what it is for", p.short())
		}
	}
}

// sample builds a graph from "package: import import …" lines; paths with a
// dot belong to others, those with a slash to the repository.
func sample(lines ...string) *graph {
	g := &graph{packages: map[string]*pkg{}}
	add := func(path string) *pkg {
		full := path
		if strings.Contains(path, "/") && !strings.Contains(path, ".") {
			full = module + path
		}
		if p := g.packages[full]; p != nil {
			return p
		}
		p := &pkg{ImportPath: full, Name: path[strings.LastIndex(path, "/")+1:], Standard: !strings.Contains(path, "/"), Doc: "Package x."}
		g.add(p)
		return p
	}
	for _, line := range lines {
		path, imports, _ := strings.Cut(line, ":")
		p := add(path)
		for _, imp := range strings.Fields(imports) {
			p.Imports = append(p.Imports, add(imp).ImportPath)
		}
	}
	return g
}

func TestTheCheckFindsWhatItForbids(t *testing.T) {
	table := []Rule{
		{Package: "services/rules", Not: []Ban{{Module: zap, Why: "pure"}, {Standard: []string{"os"}, Why: "pure"}, {Packages: []string{"services/ledger"}, Why: "pure"}}},
		{Package: "services/ledger"}, {Package: "services/worker"},
	}
	everywhere := []Ban{{Module: watermill, Direct: true, Except: []string{"services/worker"}, Why: "one importer"}}
	for _, c := range []struct {
		name  string
		lines []string
		want  string // "" = no fault
	}{
		{"clean", []string{"services/rules: fmt", "fmt: os"}, ""},
		{"direct module", []string{"services/rules: go.uber.org/zap"}, "must not import go.uber.org/zap: pure"},
		{"module below", []string{"services/rules: go.uber.org/zap/zapcore"}, "go.uber.org/zap/zapcore"},
		{"module with a like name", []string{"services/rules: go.uber.org/zapper"}, ""},
		{"through another", []string{"services/rules: services/worker", "services/worker: services/ledger/natsledger"}, "services/rules → services/worker → services/ledger/natsledger"},
		{"own code imports os", []string{"services/rules: os"}, "must not import os"},
		{"watermill elsewhere", []string{"services/ledger: " + watermill + "/message"}, "one importer"},
		{"watermill behind worker", []string{"services/ledger: services/worker", "services/worker: " + watermill + "/message"}, ""},
		{"no row", []string{"services/newcomer: fmt"}, "has no row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := sample(c.lines...).check(table, everywhere)
			found := slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, c.want) })
			if c.want == "" && len(faults) > 0 || c.want != "" && !found {
				t.Errorf("faults %q, want one that says %q", faults, c.want)
			}
		})
	}
}

func TestARuleCannotDieSilently(t *testing.T) {
	table := []Rule{{Package: "services/rules", Not: []Ban{{Packages: []string{"services/gone"}, Why: "w"}, {Module: "example.org/gone", Why: "w"}}}}
	g := sample("services/rules: fmt", "services/gate: fmt")
	faults := strings.Join(g.alive(table, nil, []string{"services/gate"}, nil, nil), "\n")
	for _, want := range []string{"names services/gone", "names example.org/gone", "services/gate exists"} {
		if !strings.Contains(faults, want) {
			t.Errorf("faults %q do not say %q", faults, want)
		}
	}
	if got := g.alive(table, nil, []string{"services/gone"}, []string{"example.org/gone"}, nil); len(got) > 0 {
		t.Errorf("planned and required names are faults all the same: %q", got)
	}
}

func TestTestCodeInTheBinaryIsFound(t *testing.T) {
	g := sample("services/cmd/assenso: services/ledger/ledgertest services/house", "services/house: testing")
	faults := strings.Join(g.linked(binary), "\n")
	for _, want := range []string{"must not link services/ledger/ledgertest", "must not link testing through services/house"} {
		if !strings.Contains(faults, want) {
			t.Errorf("faults %q do not say %q", faults, want)
		}
	}
}
