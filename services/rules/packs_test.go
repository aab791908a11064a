package rules_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
)

func loadPacks(t testing.TB) *rules.Packs {
	t.Helper()
	p, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacksAreNamedByTheLatestChange(t *testing.T) {
	packs := loadPacks(t)
	for at, want := range map[string]string{
		"2012-05-01T10:00:00Z": "it/initial",
		"2022-07-26T21:59:59Z": "it/2018-05",
		"2022-07-26T22:00:00Z": "it/2022-07",
		"2026-03-05T10:00:00Z": "it/2025-11",
		"2026-06-18T22:00:00Z": "it/2026-06",
	} {
		i, err := events.ParseInstant(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := packs.At(i).Name; got != want {
			t.Errorf("pack at %s = %s, want %s", at, got, want)
		}
	}
}

// broken is the pack with one file changed.
func broken(t *testing.T, file, old, changed string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"parameters.yaml", "calendar.yaml", "catalogue.yaml"} {
		b, err := it.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == file {
			if !strings.Contains(string(b), old) {
				t.Fatalf("%s does not hold %q", name, old)
			}
			b = []byte(strings.Replace(string(b), old, changed, 1))
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	return files
}

// A bad pack stops the start with file, line and reason.
func TestABadPackNamesLineAndReason(t *testing.T) {
	for name, c := range map[string]struct{ file, old, changed, reason string }{
		"a gap between two values":    {"parameters.yaml", `from: "2022-07-27", tag: V, source: "DPR 26/2022, art. 8(2)"`, `from: "2022-07-28", tag: V, source: "DPR 26/2022, art. 8(2)"`, "begin where the value before it ends"},
		"a value of another kind":     {"parameters.yaml", "silent.drop_ms:\n    - {value: 3000", "silent.drop_ms:\n    - {value: \"3000\"", "whole number"},
		"a date that is none":         {"parameters.yaml", `value: "2024-09-28"`, `value: "2024-09-31"`, "quoted date"},
		"an hour that is none":        {"parameters.yaml", `value: "09:00"`, `value: "9 o'clock"`, "wall-clock"},
		"an unknown parameter":        {"parameters.yaml", "energy.from:", "energy.since:", "no such parameter"},
		"an unknown tag":              {"parameters.yaml", `tag: policy, source: "clocks`, `tag: maybe, source: "clocks`, "tag must be"},
		"no source":                   {"parameters.yaml", `source: "clocks may differ by five seconds"`, `source: ""`, "source missing"},
		"an unknown key":              {"parameters.yaml", "pack: it", "pack: it\nsize: 3", "size"},
		"a rule that stands twice":    {"catalogue.yaml", "- id: IT-RPO-02", "- id: IT-RPO-01", "stands twice"},
		"a rule that nobody knows":    {"catalogue.yaml", "- id: LED-04", "- id: LED-99", "does not know it"},
		"an unknown severity":         {"catalogue.yaml", "severity: critical", "severity: awful", "unknown severity"},
		"an unknown effect":           {"catalogue.yaml", "effects: [block]", "effects: [shout]", "effects are"},
		"a holiday without a name":    {"calendar.yaml", `name: "Natale"`, `name: ""`, "name missing"},
		"a holiday in the 13th month": {"calendar.yaml", "month: 12, day: 25", "month: 13, day: 25", "month and day"},
		"a country of three letters":  {"calendar.yaml", "code: AT", "code: AUT", "two letters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rules.LoadPacks(broken(t, c.file, c.old, c.changed))
			var located *rules.PackError
			if !errors.As(err, &located) || located.File != c.file || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("error = %v, want one of %s about %q", err, c.file, c.reason)
			}
			if located.Line == 0 && c.reason != "does not know it" && c.reason != "stands twice" {
				t.Errorf("error %q names no line", err)
			}
		})
	}
}

func TestEveryRuleHasItsWords(t *testing.T) {
	packs := loadPacks(t)
	for _, r := range packs.Rules() {
		got, ok := packs.Rule(r.ID)
		if !ok || got.Title.IT == "" || got.Explain.IT == "" || got.Explain.EN == "" || got.Clause == "" {
			t.Errorf("%s: incomplete: %+v", r.ID, got)
		}
	}
	if _, ok := packs.Rule("IT-NO-00"); ok {
		t.Error("an unknown rule is known")
	}
	if n := len(packs.Parameters()); n < 40 {
		t.Errorf("%d dated values, want every parameter of the catalogue", n)
	}
}
