package report

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// sampleReport has something in every part.
func sampleReport(t *testing.T) *Report {
	t.Helper()
	at, err := events.ParseInstant("2026-03-10T10:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	one, price := 1, int64(125_000)
	day := events.DateOf(at, events.Rome)
	f := rules.Finding{Rule: "IT-OPP-01", Kind: events.KindConfirmed, Severity: events.SeverityCritical, Clause: "GDPR 21(2)-(3)", Attempt: "c-1",
		Contact: events.ContactKey{1}, Controller: "A", Processor: "P1", Campaign: "K", At: at,
		Evidence: rules.Evidence{Events: []events.Identity{{Source: "dialer", ID: "o-1"}}, Details: []rules.Detail{{Name: "opposed_at", Value: "2026-03-05"}}}}
	r := &Report{
		Format: Format,
		Header: Header{Controller: "A", Campaign: "K", Purpose: "marketing", Channels: []events.Channel{"operator_call"}, ListIDs: []string{"L"}, Attempts: 2, Contacts: 1, First: at, Last: at,
			Processors: []Processor{{"P1", 2, []Appointment{{From: day, ROC: "100", Penalty: true}}}}, AsOf: at, Positions: view.Positions{"LEDGER_00": 7, "LEDGER_REF": 3}, Packs: []string{"it/2026-01"}},
		Register:    Register{Batches: []Consultation{{Batch: "B", SnapshotAt: at, AnsweredAt: at, LastDay: day + 15, Submitted: &one}}, Attempts: 2, Opposed: 1, OpposedPerMille: 500, OpposedByBasis: []Count{{"none", 1}}},
		Bases:       Bases{Mix: []BasisLine{{"consent", "none", 1}, {"consent", "consent", 1}}, Ages: []Count{{"0-90", 1}}},
		Oppositions: Oppositions{Lines: []OppositionLine{{"opposition", "in_call", "P1", 1}}, ToRecord: Spread{1, 1500, 1500, 1500}, CallsAfter: 1},
		Lists:       Lists{Lists: []List{{List: "L", Vendor: "V", Chain: []string{"W", "V"}, PriceCents: &price, Called: 1, CentsPerCalled: &price, Vetting: &events.Vetting{Notice: true}}}},
		Conduct:     Conduct{CallerIDs: []CallerID{{"+390844100100", 2, map[string]int{"IT-CLI-02": 1}}, {"", 1, map[string]int{}}}, Silent: Silent{Answered: 2, Silent: 1, PerMille: 500, LimitPercent: 3}},
		Pressure:    Pressure{WindowDays: 30, Numbers: 1, Max: 2, Histogram: []Count{{"1", 0}, {"2", 1}}},
		Contracts:   Contracts{Weeks: []ContractWeek{{"2026-W11", "phone", 0, 1}}, Contracts: []Contract{{Contract: "C-1", At: at, Broken: []string{"IT-CDC-10"}}}, Withhold: []string{"C-1"}},
		Findings: Findings{Totals: []RuleTotal{{Rule: "IT-OPP-01", Severity: "critical", Confirmed: 1}}, ByDay: []DayTotal{{day, "IT-OPP-01", 1, 0}},
			Attempts: []*Found{{Finding: f, Source: "dialer", Stream: "LEDGER_00", Sequence: 7}}},
		Gaps:        Gaps{Late: []LateLine{{"=cmd", day, 1, 70_000, 70_000}}, Sources: []string{"dialer"}},
		NonFindings: NonFindings{Clean: []string{"IT-RPO-01"}, NotEvaluated: []NotEvaluated{{"IT-LST-07", "needs numbers"}}},
	}
	r.Header.Controller = `A<script>`
	if r.Digest, err = r.digest(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDigestLeavesItselfOut(t *testing.T) {
	r := sampleReport(t)
	again, err := r.digest()
	if err != nil || again != r.Digest {
		t.Errorf("digest %s, then %s: %v", r.Digest, again, err)
	}
	r.Header.Attempts++
	if other, err := r.digest(); err != nil || other == r.Digest {
		t.Errorf("another report has the same digest: %v", err)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	c, err := events.CanonicalJSON(bytes.TrimSpace(out.Bytes()))
	if err != nil || !bytes.Equal(append(c, '\n'), out.Bytes()) {
		t.Errorf("the JSON form is not canonical: %v", err)
	}
}

func TestPageInBothLanguages(t *testing.T) {
	r := sampleReport(t)
	for lang, words := range languages {
		var out, again bytes.Buffer
		if err := r.WriteHTML(&out, lang); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteHTML(&again, lang); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
			t.Errorf("%s: two renderings differ: %v", lang, err)
		}
		page := out.String()
		for i := 1; i <= 11; i++ {
			if !strings.Contains(page, words[fmt.Sprintf("part_%d", i)]) {
				t.Errorf("%s: part %d is missing", lang, i)
			}
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "http://") && !strings.Contains(page, "http://www.w3.org/") {
			t.Errorf("%s: the page runs a script or needs something from elsewhere", lang)
		}
		if !strings.Contains(page, r.Digest.String()) || !strings.Contains(page, words["nothing"]) || !strings.Contains(page, "<svg") {
			t.Errorf("%s: digest, charts or the sentence for empty parts are missing", lang)
		}
	}
	if err := r.WriteHTML(&bytes.Buffer{}, "de"); err == nil {
		t.Error("a language that is not there was rendered")
	}
}

// Every heading and column has an Italian word.
func TestItalianIsComplete(t *testing.T) {
	r := sampleReport(t)
	for _, tab := range r.tables() {
		for _, key := range append([]string{tab.name}, tab.columns...) {
			if _, ok := languages["it"][key]; !ok {
				t.Errorf("no Italian word for %q", key)
			}
		}
	}
	for _, c := range r.charts() {
		for _, key := range slices.Concat([]string{c.title, c.unit}, c.series) {
			if _, ok := languages["it"][key]; !ok {
				t.Errorf("no Italian word for %q", key)
			}
		}
	}
	for key := range languages["en"] {
		if _, ok := languages["it"][key]; !ok {
			t.Errorf("no Italian word for %q", key)
		}
	}
}

func TestArchiveHoldsEveryTable(t *testing.T) {
	r := sampleReport(t)
	var one, two bytes.Buffer
	if err := r.WriteZip(&one); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteZip(&two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("two archives differ: %v", err)
	}
	z, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(r.tables()) {
		t.Errorf("%d files for %d tables", len(z.File), len(r.tables()))
	}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(in).ReadAll()
		if err != nil || len(rows) == 0 {
			t.Errorf("%s: %d rows, %v", f.Name, len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.HasPrefix(cell, "=") {
					t.Errorf("%s: a cell is a formula: %s", f.Name, cell)
				}
			}
		}
	}
}

func TestSpreadIsNearestRank(t *testing.T) {
	var ms []int64
	for i := int64(20); i >= 1; i-- {
		ms = append(ms, i)
	}
	if got, want := spreadOf(ms), (Spread{20, 10, 19, 20}); got != want {
		t.Errorf("spread %+v, want %+v", got, want)
	}
	if got := spreadOf([]int64{7}); got != (Spread{1, 7, 7, 7}) {
		t.Errorf("spread of one: %+v", got)
	}
	if got := spreadOf(nil); got != (Spread{}) {
		t.Errorf("spread of none: %+v", got)
	}
}

func TestWithheldCallerIsNamed(t *testing.T) {
	for _, tab := range sampleReport(t).conductTables() {
		if tab.name == "caller_ids" && (tab.rows[1][0] != "withheld" || tab.rows[0][2] != "IT-CLI-02: 1") {
			t.Errorf("caller ids %v", tab.rows)
		}
	}
}

func TestWorkbookHoldsEveryTable(t *testing.T) {
	r := sampleReport(t)
	var out bytes.Buffer
	if err := r.WriteXLSX(&out); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	tables := r.tables()
	sheets := book.GetSheetList()
	if len(sheets) != len(tables) {
		t.Fatalf("%d sheets for %d tables", len(sheets), len(tables))
	}
	for i, sheet := range sheets {
		rows, err := book.GetRows(sheet)
		if err != nil || len(rows) != len(tables[i].rows)+1 {
			t.Errorf("sheet %s has %d rows, want %d and a heading: %v", sheet, len(rows), len(tables[i].rows), err)
		}
	}
	if err := book.Close(); err != nil {
		t.Error(err)
	}
}
