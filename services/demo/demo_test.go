package demo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/demo"
)

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

// The same options give the same bytes, another seed gives others.
func TestSameOptionsSameBytes(t *testing.T) {
	generate := func(o demo.Options) map[string]string {
		dir := t.TempDir()
		if _, err := demo.Generate(dir, o); err != nil {
			t.Fatal(err)
		}
		return readAll(t, dir)
	}
	first := generate(demo.Options{Contacts: 700})
	again := generate(demo.Options{Contacts: 700, Seed: 1, Day: demo.DefaultDay})
	for name, text := range first {
		if again[name] != text {
			t.Errorf("%s differs", name)
		}
	}
	if len(first) != len(again) || len(first) < 25 {
		t.Errorf("%d and %d files", len(first), len(again))
	}
	other := generate(demo.Options{Contacts: 700, Seed: 2})
	if other["09-chiamate-cc-nord.csv"] == first["09-chiamate-cc-nord.csv"] {
		t.Error("another seed gives the same calls")
	}
}

// The plants cover the catalogue as far as calls and objects can break it.
func TestPlantedRules(t *testing.T) {
	m, err := demo.Generate(t.TempDir(), demo.Options{Contacts: 2000})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[events.Kind]int{}
	attempt, object := map[string]bool{}, map[string]bool{}
	for _, f := range m.Findings {
		kinds[f.Kind]++
		attempt[f.Rule] = true
	}
	for _, f := range m.Objects {
		object[f.Rule] = true
	}
	for _, want := range []string{
		"RPO-01", "RPO-02", "RPO-03", "RPO-05", "RPO-06", "RPO-08", "RPO-10", "RPO-11", "RPO-12", "RPO-13", "RPO-14", "RPO-15",
		"CON-01", "CON-02", "CON-03", "CON-04", "CON-05", "CON-06", "CON-07", "CON-08", "CON-09", "CON-10", "CON-11", "CON-13",
		"OPP-01", "OPP-02", "OPP-04", "OPP-07", "CDC-01", "CDC-02", "CDC-03", "CDC-04", "CDC-05", "CDC-06",
		"CLI-01", "CLI-02", "CLI-03", "CLI-04", "CLI-05", "CLI-06", "CLI-07", "SIL-02", "SIL-03", "SIL-04", "SIL-05",
		"LST-01", "LST-02", "LST-03", "LST-04", "LST-05", "LST-06", "ORD-01", "ENE-01",
	} {
		if !attempt["IT-"+want] {
			t.Errorf("no call breaks IT-%s", want)
		}
	}
	for _, want := range []string{"RPO-04", "CON-12", "OPP-03", "OPP-05", "OPP-06", "CDC-07", "CDC-08", "CDC-09", "CDC-10", "CDC-13", "SIL-01", "ENE-02", "ENE-03"} {
		if !object["IT-"+want] {
			t.Errorf("no object breaks IT-%s", want)
		}
	}
	for _, k := range []events.Kind{events.KindConfirmed, events.KindPotential, events.KindHindsight, events.KindBestPractice} {
		if kinds[k] == 0 {
			t.Errorf("no finding is %s", k)
		}
	}
}

// The default day has the size that the demonstration promises.
func TestDefaultSize(t *testing.T) {
	m, err := demo.Generate(t.TempDir(), demo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	duplicates, rejected, conflicts := 0, 0, 0
	for _, f := range m.Files {
		duplicates, rejected, conflicts = duplicates+f.Duplicates, rejected+f.Rejected, conflicts+f.Conflicts
	}
	if m.Contacts != 20000 || m.Events < 110_000 || m.Events > 180_000 || m.Attempts < 20_000 || duplicates < 500 || rejected != 10 || conflicts != 1 {
		t.Errorf("%d contacts, %d events, %d attempts, %d duplicates, %d rejected, %d conflicts", m.Contacts, m.Events, m.Attempts, duplicates, rejected, conflicts)
	}
	if m.Day.Weekday() != time.Tuesday {
		t.Errorf("the default day is a %s", m.Day.Weekday())
	}
}

func TestRefusedOptions(t *testing.T) {
	for want, o := range map[string]demo.Options{
		"too few":   {Contacts: 100},
		"Tuesday":   {Day: events.NewDate(2026, time.November, 21)},
		"holiday":   {Day: events.NewDate(2026, time.December, 8)},
		"too early": {Day: events.NewDate(2026, time.July, 14)},
	} {
		if _, err := demo.Generate(t.TempDir(), o); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "demo generate: ") {
			t.Errorf("%+v gave %v, want %q", o, err, want)
		}
	}
}

func TestCompare(t *testing.T) {
	a := demo.Finding{Rule: "IT-OPP-01", Kind: events.KindConfirmed, Campaign: "K", Attempt: "c1"}
	b := demo.Finding{Rule: "IT-CDC-10", Kind: events.KindConfirmed, Object: "C-1"}
	led := demo.Finding{Rule: "LED-05", Kind: events.KindConfirmed, Attempt: "c1"}
	late := demo.Finding{Rule: "LED-01", Kind: events.KindConfirmed, Object: "g-1"}
	m := demo.Manifest{Findings: []demo.Finding{a}, Objects: []demo.Finding{b}, Apart: []demo.Finding{led}}
	wrongKind := a
	wrongKind.Kind = events.KindPotential
	bare := a
	bare.Campaign = ""
	tests := map[string]struct{ found, missing, unexpected []demo.Finding }{
		"equal":      {[]demo.Finding{a, b, led, late}, nil, nil},
		"bare":       {[]demo.Finding{bare, bare, b}, nil, nil},
		"nothing":    {nil, []demo.Finding{b, a}, nil},
		"wrong kind": {[]demo.Finding{wrongKind, b}, []demo.Finding{a}, []demo.Finding{wrongKind}},
	}
	for name, tc := range tests {
		missing, unexpected := demo.Compare(m, tc.found)
		if diff := cmp.Diff([][]demo.Finding{tc.missing, tc.unexpected}, [][]demo.Finding{missing, unexpected}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if missing, unexpected := demo.CompareAttempts(m, []demo.Finding{b, led}); len(missing) != 1 || len(unexpected) != 0 {
		t.Errorf("attempts: missing %v, unexpected %v", missing, unexpected)
	}
	if missing, unexpected := demo.CompareApart(m, []demo.Finding{a, late}); len(missing) != 1 || len(unexpected) != 0 {
		t.Errorf("apart: missing %v, unexpected %v", missing, unexpected)
	}
}
