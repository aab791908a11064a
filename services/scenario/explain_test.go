package scenario

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
)

//go:generate go test -count=1 -run ^TestTheWorkedExampleIsWhatIsPrinted$ -update .

var updateExample = flag.Bool("update", false, "write the worked example of schemas/scenarios/README.md anew")

const (
	exampleFile  = "../../schemas/scenarios/README.md"
	exampleBegin = "    $ assenso scenario explain T06 schemas/scenarios/*.yaml\n"
	exampleEnd   = "\n## Format"
)

func explained(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = Main(context.Background(), append([]string{"explain"}, args...), &out, &errs, rules.NewEngine(packs), nil)
	return code, out.String(), errs.String()
}

func scenarioFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../schemas/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario files: %v", err)
	}
	return files
}

func TestTheWorkedExampleIsWhatIsPrinted(t *testing.T) {
	code, printed, errs := explained(t, append([]string{"T06"}, scenarioFiles(t)...)...)
	if code != ExitPassed || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var block strings.Builder
	for line := range strings.Lines(printed) {
		if line == "\n" {
			block.WriteString("\n")
			continue
		}
		block.WriteString("    " + line)
	}
	page, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), exampleBegin)
	if !ok {
		t.Fatal("the page has no worked example")
	}
	_, after, ok := strings.Cut(rest, exampleEnd)
	if !ok {
		t.Fatal("the worked example has no end")
	}
	want := before + exampleBegin + "\n" + block.String() + exampleEnd + after
	if *updateExample {
		if err := os.WriteFile(exampleFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(string(page), want); d != "" {
		t.Errorf("the worked example is not what is printed: run go generate ./services/scenario:\n%s", d)
	}
}

// Every scenario can be explained, and the explanation names every reason and
// finding that the scenario expects.
func TestEveryScenarioIsExplained(t *testing.T) {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	engine := rules.NewEngine(packs)
	for _, file := range scenarioFiles(t) {
		all, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			var out bytes.Buffer
			met, err := Explain(context.Background(), &out, s, engine)
			if err != nil || !met {
				t.Errorf("%s: met %v, %v", s.ID, met, err)
			}
			for i := range s.Attempts {
				if strings.Contains(out.String(), s.Attempts[i].Phone) {
					t.Errorf("%s: the explanation shows the number of %s", s.ID, s.Attempts[i].ID)
				}
			}
			for id, want := range s.Expect.Attempts {
				for _, rule := range want.Reasons {
					if !strings.Contains(out.String(), rule) {
						t.Errorf("%s %s: %s is not explained", s.ID, id, rule)
					}
				}
			}
		}
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	files := scenarioFiles(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "usage"}, {[]string{"T06"}, "usage"}, {append([]string{"T00-NONE"}, files...), `no scenario "T00-NONE"`}, {[]string{"T06", "no-such.yaml"}, "no-such.yaml"},
	} {
		if code, _, errs := explained(t, c.args...); code != ExitUnusable || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %q", c.args, code, errs)
		}
	}
}
