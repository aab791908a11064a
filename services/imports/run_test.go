package imports

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/assenso/assenso/events"
)

const goodRow = `{"controller":"A","data":{"acquired_on":"2026-10-01","list":"L-A","phone":"+393330000001","source":"shop, \"north\""},"id":"r1","source":"crm.a.example","specversion":"1.0","time":"2026-11-02T08:30:00.000Z","type":"list.contact_added.v1"}`

// One row in every form gives the same submission.
func TestFormatsRoundTrip(t *testing.T) {
	csv := "Code;Number;Added;Origin;Got\r\nr1;+393330000001;02/11/2026 09:30;\"shop, \"\"north\"\"\";01/10/2026\r\n"
	latin := strings.ReplaceAll(csv, "shop", "caff\xe8")
	files := map[string]struct {
		name    string
		content []byte
		edit    func(string) string
		mapping string
	}{
		"csv":          {"a.csv", []byte(csv), nil, rowsMapping},
		"csv, BOM":     {"a.csv", []byte("\ufeff" + csv), nil, rowsMapping},
		"csv, gzip":    {"a.csv.gz", gz(t, []byte(csv)), nil, rowsMapping},
		"csv, guessed": {"a.txt", []byte(csv), nil, strings.Replace(rowsMapping, `csv: {delimiter: ";"}`, "", 1)},
		"csv, 1252": {"a.csv", []byte(latin), func(s string) string { return strings.ReplaceAll(s, "shop", "caffè") },
			strings.Replace(rowsMapping, `delimiter: ";"`, `delimiter: ";", encoding: windows-1252`, 1)},
		"csv, 8859-1": {"a.csv", []byte(latin), func(s string) string { return strings.ReplaceAll(s, "shop", "caffè") },
			strings.Replace(rowsMapping, `delimiter: ";"`, `encoding: iso-8859-1`, 1)},
		"csv, BOM beats encoding": {"a.csv", []byte("\ufeff" + csv), nil, strings.Replace(rowsMapping, `delimiter: ";"`, `encoding: windows-1252`, 1)},
		"csv, quoted line feed":   {"a.csv", []byte(strings.Replace(csv, "shop,", "\nshop,", 1)), nil, rowsMapping},
		"ndjson":                  {"a.ndjson", []byte(goodRow + "\n\n"), nil, ""},
		"ndjson, gzip":            {"a.jsonl.gz", gz(t, []byte(goodRow)), nil, ""},
	}
	for name, f := range files {
		t.Run(name, func(t *testing.T) {
			o := Options{Path: write(t, f.name, f.content), Sink: newDoor(t)}
			if f.mapping != "" {
				o.Mapping = mapping(t, f.mapping)
			}
			sum := run(t, o)
			want := goodRow
			if f.edit != nil {
				want = f.edit(want)
			}
			if diff := cmp.Diff(map[events.Identity]string{{Source: "crm.a.example", ID: "r1"}: want}, o.Sink.(*door).stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			if sum.Rows != 1 || sum.Recorded != 1 || ExitCode(sum, nil) != 0 {
				t.Errorf("summary %+v", sum)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Path), ".*")); left != nil {
				t.Errorf("a complete import leaves %v", left)
			}
		})
	}
}

func workbook(t *testing.T, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	style, err := f.NewStyle(&excelize.Style{NumFmt: 22})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetColStyle("Sheet1", "C:C", style); err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &r); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.xlsx")
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Dates in a workbook are numbers, and phones may be.
func TestWorkbook(t *testing.T) {
	d := newDoor(t)
	d.reject = phoneFault
	path := workbook(t, []any{"Code", "Number", "Added", "Origin", "Got"},
		[]any{"r1", "+393330000001", time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC), `shop, "north"`, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)},
		[]any{},
		[]any{"r2", 393330000002, "02/11/2026 09:30", "", "01/10/2026"},
		[]any{"r3", "none", time.Date(2026, 11, 2, 9, 31, 0, 0, time.UTC)},
		[]any{"r4", "+393330000004", "02/11/2026 09:30", "x", "01/10/2026", "beyond"})
	sum := run(t, Options{Path: path, Mapping: mapping(t, rowsMapping), Sink: d})
	if got := d.stored[events.Identity{Source: "crm.a.example", ID: "r1"}]; got != goodRow {
		t.Errorf("row 2 became\n%s\nwant\n%s", got, goodRow)
	}
	if got := d.stored[events.Identity{Source: "crm.a.example", ID: "r2"}]; !strings.Contains(got, `"phone":"393330000002"`) || strings.Contains(got, `"source":""`) {
		t.Errorf("row 4 became %s", got)
	}
	want := []Problem{
		{Row: 5, Column: "Number", Fault: events.Fault{Code: "phone_invalid", Field: "data.phone", Hint: "send E.164, or national format with a country"}},
		{Row: 6, Fault: events.Fault{Code: CodeColumns, Hint: "the row has 6 cells, the header 5: check delimiters and quotes"}},
	}
	if diff := cmp.Diff(want, sum.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(sum.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "r3;none;02/11/2026 09:31;;;5;Number;phone_invalid;data.phone;") {
		t.Errorf("rejects of a workbook are not readable text:\n%s", text)
	}
	mended := strings.Replace(string(text), ";none;", ";+393330000003;", 1)
	sum = run(t, Options{Path: write(t, "mended.csv", []byte(mended)), Mapping: mapping(t, rowsMapping), Sink: d})
	if got := d.stored[events.Identity{Source: "crm.a.example", ID: "r3"}]; !strings.Contains(got, `"time":"2026-11-02T08:31:00.000Z"`) || sum.Recorded != 1 || sum.Rejected != 1 {
		t.Errorf("mended rows: %+v, r3 = %s", sum, got)
	}
}

// table makes n good rows; every row of bad has no usable number.
func table(n int, bad ...int) []byte {
	var b strings.Builder
	b.WriteString("code;number;added;origin;got\n")
	for i := 1; i <= n; i++ {
		phone := "+39333" + fmt.Sprintf("%07d", i)
		for _, x := range bad {
			if x == i {
				phone = "unknown" + strconv.Itoa(i)
			}
		}
		fmt.Fprintf(&b, "r%d;%s;02/11/2026 09:%02d;form;01/10/2026\n", i, phone, i%60)
	}
	return []byte(b.String())
}

// An import that breaks off at any batch, with the batch absent or stored,
// goes on after the last acknowledged row: at most InFlight batches are sent
// again, the ledger and the rejects file are those of an unbroken import.
func TestResumeAtEveryBatch(t *testing.T) {
	const rows, size = 53, 5
	content := table(rows, 3, 17, 18, 53)
	whole := newDoor(t)
	whole.reject = phoneFault
	ref := run(t, Options{Path: write(t, "a.csv", content), Mapping: mapping(t, rowsMapping), Sink: whole, BatchSize: size})
	wantRejects, err := os.ReadFile(ref.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	for _, inFlight := range []int{1, 3} {
		for _, mode := range []string{"absent", "stored"} {
			for at := 1; at <= whole.sends; at++ {
				d := newDoor(t)
				d.reject = phoneFault
				d.fault = func(send int) string {
					if send == at {
						return mode
					}
					return ""
				}
				o := Options{Path: write(t, "a.csv", content), Mapping: mapping(t, rowsMapping), Sink: d, BatchSize: size, InFlight: inFlight, StateDir: t.TempDir()}
				_, err := Run(t.Context(), o)
				if err == nil || ExitCode(Summary{}, err) != 2 {
					t.Fatalf("a broken sink gave %v", err)
				}
				sum := run(t, o)
				if diff := cmp.Diff(whole.stored, d.stored); diff != "" {
					t.Fatalf("in flight %d, batch %d %s: stored (-want +got):\n%s", inFlight, at, mode, diff)
				}
				got, err := os.ReadFile(sum.Rejects)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(wantRejects), string(got)); diff != "" {
					t.Fatalf("in flight %d, batch %d %s: rejects (-want +got):\n%s", inFlight, at, mode, diff)
				}
				if sum.Rows != rows || sum.Rejected != 4 || sum.Recorded+sum.Duplicates != rows-4 || sum.Conflicts != 0 {
					t.Fatalf("in flight %d, batch %d %s: summary %+v", inFlight, at, mode, sum)
				}
				if repeated := d.sends - whole.sends; repeated > inFlight {
					t.Fatalf("in flight %d, batch %d %s: %d batches were sent again", inFlight, at, mode, repeated)
				}
			}
		}
	}
}

// What was written to the rejects file after the last acknowledged row, before
// a crash, is not there twice after the resumption.
func TestCrashBetweenRejectsAndState(t *testing.T) {
	d := newDoor(t)
	d.reject = phoneFault
	d.fault = func(send int) string { return map[int]string{2: "absent"}[send] }
	o := Options{Path: write(t, "a.csv", table(20, 2, 8, 14)), Mapping: mapping(t, rowsMapping), Sink: d, BatchSize: 5}
	if _, err := Run(t.Context(), o); err == nil {
		t.Fatal("a broken sink gave no error")
	}
	rejects := filepath.Join(filepath.Dir(o.Path), "a.rejects.csv")
	f, err := os.OpenFile(rejects, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("r8;half a ro"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	sum := run(t, o)
	text, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != 4 || strings.Contains(string(text), "half") || sum.Rejected != 3 {
		t.Errorf("%d lines after the crash, summary %v:\n%s", n, sum, text)
	}
}

// Rejects of each form can be mended and imported with the same mapping.
func TestRejectsMendedAndImportedAgain(t *testing.T) {
	d := newDoor(t)
	d.reject = phoneFault
	content := string(table(4, 2)) + "r5;+393330000005;31/02/2026 09:00;form;01/10/2026\nr6;\"open;+393330000006;x;y;z\nr7;+393330000007;02/11/2026 10:00;form\n"
	sum := run(t, Options{Path: write(t, "a.csv", []byte(content)), Mapping: mapping(t, rowsMapping), Sink: d})
	wantCodes := map[string]int{"phone_invalid": 1, CodeValue: 1, CodeRow: 1, CodeColumns: 1}
	if diff := cmp.Diff(wantCodes, sum.Codes); diff != "" || sum.Recorded != 3 || ExitCode(sum, nil) != 1 {
		t.Fatalf("codes (-want +got):\n%s%+v", diff, sum)
	}
	text, err := os.ReadFile(sum.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "31/02/2026") || !strings.Contains(string(text), `"r6;""open;`) {
		t.Fatalf("rejects do not hold the rows:\n%s", text)
	}
	// imported unmended, the same rows are refused again and the raw text survives
	again := run(t, Options{Path: sum.Rejects, Mapping: mapping(t, rowsMapping), Sink: d})
	second, err := os.ReadFile(again.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	if again.Rejected != 4 || !strings.Contains(string(second), `"r6;""open;`) || strings.Count(string(second), "reject_code") != 1 {
		t.Fatalf("second rejects, %v:\n%s", again, second)
	}
	lines := strings.Split(string(second), "\n")
	lines[1] = strings.Replace(lines[1], "unknown2", "+393330000002", 1)
	lines[2] = strings.Replace(lines[2], "31/02/2026", "28/02/2026", 1)
	lines[3] = "r6;+393330000006;02/11/2026 10:00;form;01/10/2026" + strings.Repeat(";", 6)
	lines[4] = "r7;+393330000007;02/11/2026 10:00;form;01/10/2026" + strings.Repeat(";", 6)
	mended := run(t, Options{Path: write(t, "mended.csv", []byte(strings.Join(lines, "\n"))), Mapping: mapping(t, rowsMapping), Sink: d})
	if mended.Recorded != 4 || mended.Rejected != 0 || len(d.stored) != 7 {
		t.Fatalf("mended: %+v, %d stored", mended, len(d.stored))
	}
}

func TestNDJSONRejectsMended(t *testing.T) {
	d := newDoor(t)
	d.reject = phoneFault
	bad := strings.Replace(goodRow, "+393330000001", "x", 1)
	content := goodRow + "\n" + bad + "\n{\"id\": \n[1]\n\xff\n"
	sum := run(t, Options{Path: write(t, "a.ndjson", []byte(content)), Sink: d})
	if sum.Recorded != 1 || sum.Rejected != 4 || sum.Codes["json_invalid"] != 3 {
		t.Fatalf("summary %+v", sum)
	}
	text, err := os.ReadFile(sum.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	var first rejectLine
	if err := json.Unmarshal([]byte(strings.Split(string(text), "\n")[0]), &first); err != nil {
		t.Fatal(err)
	}
	if string(first.Original) != bad || first.Reject.Row != 2 || first.Reject.Errors[0].Code != "phone_invalid" {
		t.Errorf("first reject %s", text)
	}
	again := run(t, Options{Path: sum.Rejects, Sink: d})
	if again.Rejected != 4 {
		t.Fatalf("unmended rejects gave %+v", again)
	}
	mended := strings.Replace(string(text), `"phone":"x"`, `"phone":"+393330000009"`, 1)
	mended = strings.Replace(mended, `"id":"r1"`, `"id":"r9"`, 1)
	sum = run(t, Options{Path: write(t, "b.ndjson", []byte(mended)), Sink: d})
	if sum.Recorded != 1 || sum.Rejected != 3 {
		t.Errorf("mended line gave %+v", sum)
	}
}

// A dry run sends nothing, leaves nothing, and finds what the contract finds.
func TestDryRun(t *testing.T) {
	content := string(table(3, 2)) + "r4;+393330000004;02/11/2027 09:00;form;01/10/2026\n"
	o := Options{Path: write(t, "a.csv", []byte(content)), Mapping: mapping(t, rowsMapping), DryRun: true, Normalise: normalise,
		Clock: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }}
	sum := run(t, o)
	if diff := cmp.Diff(map[string]int{"phone_invalid": 1, "time_in_future": 1}, sum.Codes); diff != "" || sum.Valid != 2 || sum.Rejected != 2 {
		t.Errorf("codes (-want +got):\n%s%+v", diff, sum)
	}
	left, err := os.ReadDir(filepath.Dir(o.Path))
	if err != nil || len(left) != 1 {
		t.Errorf("a dry run leaves %v (%v)", left, err)
	}
	o.RejectsPath = filepath.Join(t.TempDir(), "r.csv")
	if sum = run(t, o); sum.Rejects != o.RejectsPath {
		t.Errorf("a dry run with a rejects file says %+v", sum)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("an existing rejects file was overwritten: %v", err)
	}
}

// Neither problems, errors nor state hold a number.
func TestNoNumbersOutside(t *testing.T) {
	d := newDoor(t)
	d.reject = phoneFault
	d.fault = func(send int) string { return map[int]string{3: "absent"}[send] }
	content := strings.ReplaceAll(string(table(12, 2)), "unknown2", "tel 3330000002") + "x;+393330000077;never;a;b\n"
	o := Options{Path: write(t, "a.csv", []byte(content)), Mapping: mapping(t, rowsMapping), Sink: d, BatchSize: 5}
	sum, err := Run(t.Context(), o)
	if err == nil {
		t.Fatal("a broken sink gave no error")
	}
	st, readErr := os.ReadFile(filepath.Join(filepath.Dir(o.Path), ".a.csv.import.json"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	all := fmt.Sprintf("%v %+v %s", err, sum, regexp.MustCompile(`"[0-9a-f]{64}"`).ReplaceAllString(string(st), ""))
	if m := regexp.MustCompile(`333\d{4,}`).FindString(all); m != "" {
		t.Errorf("a number shows in %s", all)
	}
}

func TestOneImportOfAFileAtATime(t *testing.T) {
	path := write(t, "a.csv", table(3))
	m := mapping(t, rowsMapping)
	d := newDoor(t)
	d.fault = func(int) string {
		if _, err := Run(t.Context(), Options{Path: path, Mapping: m, Sink: newDoor(t)}); err == nil || !strings.Contains(err.Error(), ErrBusy.Error()) {
			t.Errorf("a second import of the file gave %v", err)
		}
		return ""
	}
	run(t, Options{Path: path, Mapping: m, Sink: d})
	if d.sends != 1 {
		t.Errorf("%d batches", d.sends)
	}
}
