package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// sayings are the methods by which rules note a detail; a word written in the
// source stands in the first only.
var sayings = []string{"say", "at", "on", "lag", "count", "digest"}

// saidByRules reads off the rules' source what evidence they say: the names of
// details, and the values that are written there as words.
func saidByRules(t *testing.T) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob("../rules/*.go")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files of rules: %v", len(paths), err)
	}
	said := map[string][]string{}
	text := func(e ast.Expr) string {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return ""
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(sayings, sel.Sel.Name) && len(n.Args) == 2 {
					if name := text(n.Args[0]); name != "" {
						said[name] = append(said[name], text(n.Args[1]))
					}
				}
			case *ast.CompositeLit: // Detail{"notice", …}
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Detail" && len(n.Elts) == 2 {
					if name := text(n.Elts[0]); name != "" {
						said[name] = append(said[name], "")
					}
				}
			}
			return true
		})
	}
	return said
}

// Every detail that a rule says has an Italian name, and every word that it
// says an Italian one.
func TestEvidenceInItalian(t *testing.T) {
	said := saidByRules(t)
	if len(said) < 90 {
		t.Fatalf("only %d names of details found", len(said))
	}
	it := languages["it"]
	for name, values := range said {
		if _, ok := it[evidenceKey+name]; !ok {
			t.Errorf("no Italian name for the detail %q", name)
		}
		for _, v := range values {
			if v == "" || strings.HasPrefix(v, "IT-") {
				continue
			}
			if got := it.evidence(rules.Detail{Name: name, Value: v}); got == v {
				t.Errorf("%s: %q stays English", name, v)
			}
		}
	}
	for name, set := range map[string]string{
		"declared": "basis", "basis": "basis", "channel": "channel", "mode": "dialler mode", "medium": "medium", "outcome": "disposition", "verdict": "verdict",
		"answer": "register answer", "status": "register answer", "not_said": "statement", "invalidated": "invalidation reason",
	} {
		for _, v := range events.ClosedSets[set] {
			if got := it.evidence(rules.Detail{Name: name, Value: v}); got == v && v != "web" && v != "app" {
				t.Errorf("%s: %q of the closed set %s stays English", name, v, set)
			}
		}
	}
}

func TestEvidenceForPeople(t *testing.T) {
	details := []rules.Detail{
		{Name: "grant", Value: "g:1: void IT-CON-03"}, {Name: "grant", Value: "g-2:"}, {Name: "granted", Value: "2026-01-10T11:00:00.000Z"}, {Name: "lag", Value: "26h0m0s"},
		{Name: "missing", Value: "notice"}, {Name: "missing", Value: "acknowledgement of the script by P_1"}, {Name: "batch", Value: "operator_call"}, {Name: "answer", Value: "opposed"},
		{Name: "gap", Value: "2026-01-01 to 2026-02-20"}, {Name: "ended_on", Value: "2026-01-01"}, {Name: "cli", Value: "withheld"}, {Name: "campaign", Value: "K_1"},
	}
	for lang, want := range map[string]string{
		"en": "grant: g:1 (void, IT-CON-03), g-2 (no defect); granted: 2026-01-10 12:00:00 +0100; lag: 26 hours; missing: notice, acknowledgement of the script by P_1; batch: operator_call; " +
			"answer: opposed; gap: 2026-01-01 → 2026-02-20; ended on: 2026-01-01; caller number: withheld; campaign: K_1",
		"it": "consenso: g:1 (nullo, IT-CON-03), g-2 (senza vizi); dato: 2026-01-10 12:00:00 +0100; ritardo: 26 ore; manca: informativa, conferma del testo da parte di P_1; consultazione: operator_call; " +
			"risposta: iscritto; intervallo: 2026-01-01 → 2026-02-20; cessato il: 2026-01-01; numero chiamante: nascosto; campagna: K_1",
	} {
		if got := languages[lang].details(details); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", lang, got, want)
		}
	}
	if got, want := languages["it"].clause("Code of conduct, arts 16-17; Garante, decision 83/2014"), "Codice di condotta, artt. 16-17; Garante, provvedimento 83/2014"; got != want {
		t.Errorf("clause %q, want %q", got, want)
	}
}

// Machines read names and values as the rules say them, in every language.
func TestTablesKeepWordsOfTheContract(t *testing.T) {
	for _, tab := range sampleReport(t).tables() {
		if tab.name == "findings" && tab.rows[0][len(tab.columns)-1] != "opposed_at=2026-03-05" {
			t.Errorf("details in tables: %v", tab.rows[0])
		}
	}
}
