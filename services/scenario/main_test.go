package scenario_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/schemas/scenarios"
	"github.com/assenso/assenso/services/scenario"
)

// write puts a scenario file beside the fixtures in a folder of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	fixtures, err := scenarios.Files.ReadFile("fixtures.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "x.yaml")
	for name, b := range map[string][]byte{file: []byte(text), filepath.Join(dir, "fixtures.yaml"): fixtures} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = scenario.Main(context.Background(), args, &out, &errs, newEngine(t), nil)
	return code, out.String(), errs.String()
}

const two = `
scenarios:
  - id: one
    attempts: [{at: "2026-03-19 11:00", agent: a}]
    expect: {a1: {gate: block, reasons: [IT-CON-01, IT-RPO-02], findings: [IT-RPO-02, IT-CON-01]}}
  - id: two
    title: wrong on purpose
    events: [{id: c, type: campaign.closed, at: "2026-03-06 18:00"}]
    attempts: [{at: "2026-03-10 11:00"}]
    expect: {a1: {gate: warn, reasons: [IT-RPO-01]}, objects: []}
`

func TestRunPrintsALineAScenarioAndTheDifferences(t *testing.T) {
	code, out, errs := command(t, "run", write(t, two))
	want := `ok one
FAIL two  wrong on purpose
  a1 gate: expected warn, got block
  a1 reasons: expected [IT-RPO-01], got [IT-CON-01, IT-LST-01]
  objects: expected [], got [IT-SIL-06 K-A]
2 scenarios, 1 ok, 1 failed
`
	if code != scenario.ExitFailed || out != want || errs != "" {
		t.Errorf("code %d, stderr %q, stdout\n%s\nwant\n%s", code, errs, out, want)
	}
}

func TestJSONLinesHaveTheKeyOrderOfTheFormat(t *testing.T) {
	code, out, _ := command(t, "run", "--json", write(t, two))
	want := `{"scenario":"one","attempt":"a1","gate":"block","reasons":["IT-CON-01","IT-RPO-02"],"findings":[{"rule":"AGT-01","kind":"CONFIRMED"},{"rule":"IT-CON-01","kind":"CONFIRMED"},{"rule":"IT-RPO-02","kind":"CONFIRMED"}],"objects":[]}
{"scenario":"one","attempt":null,"gate":null,"reasons":[],"findings":[],"objects":[]}
{"scenario":"two","attempt":"a1","gate":"block","reasons":["IT-CON-01","IT-LST-01"],"findings":[{"rule":"IT-CON-01","kind":"CONFIRMED"},{"rule":"IT-LST-01","kind":"CONFIRMED"}],"objects":[]}
{"scenario":"two","attempt":null,"gate":null,"reasons":[],"findings":[],"objects":[{"rule":"IT-SIL-06","object":"K-A","kind":"CONFIRMED"}]}
`
	if code != scenario.ExitFailed || out != want {
		t.Errorf("code %d, stdout\n%s\nwant\n%s", code, out, want)
	}
}

func TestAsOfReplacesEveryR(t *testing.T) {
	file := write(t, two)
	_, early, _ := command(t, "run", file, "--json", "--as-of", "2026-03-06 17:00")
	if strings.Contains(early, "IT-SIL-06") {
		t.Errorf("as of an hour before the closing the campaign counts as closed:\n%s", early)
	}
}

func TestExitCodes(t *testing.T) {
	good := write(t, "scenarios:\n  - id: a\n    attempts: [{at: \"2026-03-10 11:00\", phone: F, basis: directory}]\n    expect: {a1: {gate: allow}}\n")
	for _, c := range []struct {
		want int
		args []string
		says string
	}{
		{scenario.ExitPassed, []string{"run", good}, ""},
		{scenario.ExitPassed, []string{"run", good, "--shuffle", "-7"}, ""},
		{scenario.ExitUnusable, []string{"run", good + ".gone"}, "cannot be read"},
		{scenario.ExitUnusable, []string{"run", write(t, "scenarios: [")}, "line 1"},
		{scenario.ExitUnusable, []string{"run", good, "--pipeline"}, "no pipeline"},
		{scenario.ExitUnusable, []string{"run", "--sideways"}, "unknown flag"},
		{scenario.ExitUnusable, []string{"run"}, "no file"},
		{scenario.ExitUnusable, nil, "usage"},
	} {
		code, _, errs := command(t, c.args...)
		if code != c.want || !strings.Contains(errs, c.says) {
			t.Errorf("%q: code %d, stderr %q, want %d and %q", c.args, code, errs, c.want, c.says)
		}
	}
}

func TestARejectedSubmissionFailsItsScenario(t *testing.T) {
	file := write(t, "scenarios:\n  - id: a\n    events: [{type: consent.granted, at: \"2026-03-01\", data: {channels: [\"*\"]}}]\n")
	code, out, _ := command(t, "run", file)
	if code != scenario.ExitFailed || !strings.Contains(out, "event e1 (line 3) is rejected: scope_too_wide") {
		t.Errorf("code %d, stdout\n%s", code, out)
	}
}
