package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
)

func onPage(t *testing.T, r *Report, lang, name string) pageTable {
	t.Helper()
	for _, tab := range r.tables() {
		if tab.name == name {
			return tab.page(languages[lang])
		}
	}
	t.Fatalf("no table %s", name)
	return pageTable{}
}

func TestGravestFindingsComeFirst(t *testing.T) {
	r := sampleReport(t)
	for _, f := range []struct {
		rule     string
		severity events.Severity
	}{{"AGT-01", "info"}, {"IT-CDC-01", "high"}, {"IT-CLI-01", "critical"}, {"IT-SIL-05", "low"}} {
		one := *r.Findings.Attempts[0]
		one.Rule, one.Severity = f.rule, f.severity
		r.Findings.Attempts = append(r.Findings.Attempts, &one)
	}
	tab := onPage(t, r, "it", "findings")
	var got []string
	for _, row := range tab.Rows {
		got = append(got, row[0])
		if len(row) != len(tab.Columns) {
			t.Fatalf("%d cells under %d columns", len(row), len(tab.Columns))
		}
	}
	if want := []string{"IT-OPP-01", "IT-CLI-01", "IT-CDC-01", "IT-SIL-05", "AGT-01"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	first := strings.Join(tab.Rows[0], "|")
	for _, want := range []string{"accertata", "critica", "2026-03-10\n11:00:00+01:00", "c-1\n0100", "A\nP1", "dialer o-1"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is not in %q", want, first)
		}
	}
}

func TestContractsOnPage(t *testing.T) {
	r := sampleReport(t)
	r.Contracts.Contracts = append(r.Contracts.Contracts, Contract{Contract: "C-2"}, Contract{Contract: "C-3", Channel: "phone", Missing: "consent"})
	tab := onPage(t, r, "it", "contracts")
	if len(tab.Rows) != 2 || tab.Rows[1][0] != "C-3" || tab.Rows[1][3] != "telefono" || tab.Rows[1][6] != "consenso" || tab.Note == "" {
		t.Errorf("%+v", tab)
	}
	for _, all := range r.contractTables() {
		if all.name == "contracts" && (len(all.rows) != 3 || all.rows[2][6] != "consent") {
			t.Errorf("machines read %v", all.rows)
		}
	}
}

// A long and narrow table stands in blocks side by side, read column by column,
// and loses no row.
func TestFold(t *testing.T) {
	for n := range 40 {
		tab := pageTable{Columns: []string{"a", "b"}, Numeric: []bool{false, true}}
		for i := range n {
			tab.Rows = append(tab.Rows, []string{fmt.Sprint(i), "x"})
		}
		tab.fold()
		var read []string
		for block := 0; block < len(tab.Columns); block += 2 {
			for _, row := range tab.Rows {
				if len(row) != len(tab.Columns) || len(tab.Numeric) != len(row) {
					t.Fatalf("%d rows: %d cells under %d columns", n, len(row), len(tab.Columns))
				}
				if row[block] != "" {
					read = append(read, row[block])
				}
			}
		}
		for i := range n {
			if i >= len(read) || read[i] != fmt.Sprint(i) {
				t.Fatalf("%d rows are read as %v", n, read)
			}
		}
		if folded := len(tab.Columns) > 2; folded != (n > foldRows) {
			t.Errorf("%d rows folded: %v", n, folded)
		}
	}
}

func TestNumbersInItalian(t *testing.T) {
	r := sampleReport(t)
	if tab := onPage(t, r, "it", "silent_calls"); tab.Rows[0][2] != "50,0 %" {
		t.Errorf("share %v", tab.Rows[0])
	}
	if tab := onPage(t, r, "en", "silent_calls"); tab.Rows[0][2] != "50.0 %" {
		t.Errorf("share %v", tab.Rows[0])
	}
	if tab := onPage(t, r, "it", "lists"); tab.Rows[0][4] != "1250,00" {
		t.Errorf("price %v", tab.Rows[0])
	}
	if got := languages["it"].span("90061.000"); got != "25 ore" {
		t.Errorf("span %q", got)
	}
	if got := languages["it"].value(2.5); got != "2,5" {
		t.Errorf("value %q", got)
	}
}
