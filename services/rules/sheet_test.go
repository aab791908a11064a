package rules

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
)

//go:generate go test -count=1 -run ^TestThePageOfThePackIsCurrent$ -update .

var updatePage = flag.Bool("update", false, "write schemas/packs/it/README.md anew")

const pageFile = "../../schemas/packs/it/README.md"

func italianPacks(t *testing.T) *Packs {
	t.Helper()
	p, err := LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestThePageOfThePackIsCurrent(t *testing.T) {
	var page bytes.Buffer
	if err := italianPacks(t).WritePage(&page); err != nil {
		t.Fatal(err)
	}
	if *updatePage {
		if err := os.WriteFile(pageFile, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(file), page.String()); d != "" {
		t.Errorf("the page is not that of the pack: run go generate ./services/rules:\n%s", d)
	}
	for section := range sectionTitles {
		if !strings.Contains(page.String(), sectionTitles[section]) {
			t.Errorf("section %s is empty", section)
		}
	}
}

func TestEveryParameterIsReadBySomeRule(t *testing.T) {
	p := italianPacks(t)
	used := map[string]bool{}
	for _, s := range p.Sheets(0) {
		if _, ok := sectionTitles[s.Section]; !ok {
			t.Errorf("%s stands in section %q, which has no heading", s.ID, s.Section)
		}
		for _, v := range s.Parameters {
			used[v.Name] = true
		}
	}
	for name := range parameterTable {
		if !used[name] {
			t.Errorf("no rule names parameter %s", name)
		}
	}
}

func TestASheetShowsTheValuesOfItsDay(t *testing.T) {
	p := italianPacks(t)
	valid := func(day string) []string {
		d, err := events.ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := p.Sheet("IT-RPO-02", d)
		if !ok {
			t.Fatal("no sheet of IT-RPO-02")
		}
		var out []string
		for _, v := range s.Parameters {
			if v.Name == "screening.phone_days" {
				out = append(out, v.Source)
			}
		}
		return out
	}
	before, after := valid("2022-07-26"), valid("2022-07-27")
	if len(before) != 1 || len(after) != 1 || !strings.Contains(before[0], "178/2010") || !strings.Contains(after[0], "26/2022") {
		t.Errorf("before %v, after %v", before, after)
	}
	all, _ := p.Sheet("IT-RPO-02", 0)
	if n := len(all.Parameters); n != 4 {
		t.Errorf("%d values in all, want 4", n)
	}
	if _, ok := p.Sheet("IT-NON-99", 0); ok {
		t.Error("an unknown rule has a sheet")
	}
	if got := (Parameter{From: 1, To: 2}).Validity("it"); !strings.HasPrefix(got, "dal ") {
		t.Errorf("validity %q", got)
	}
}

func TestACatalogueThatNamesWhatIsNotThereDoesNotLoad(t *testing.T) {
	for _, r := range []Rule{
		{Kinds: nil}, {Kinds: []events.Kind{events.KindHindsight}}, {Kinds: []events.Kind{events.KindConfirmed}, Parameters: []string{"no.such"}},
	} {
		full := italianPacks(t).catalogue[0]
		full.Kinds, full.Parameters = r.Kinds, r.Parameters
		if full.check() == "" {
			t.Errorf("kinds %v, parameters %v pass", r.Kinds, r.Parameters)
		}
	}
	if r := slices.Clone(italianPacks(t).catalogue)[0]; r.check() != "" {
		t.Errorf("a sound rule fails: %s", r.check())
	}
}
