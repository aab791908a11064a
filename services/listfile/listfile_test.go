package listfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/xuri/excelize/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byDigits answers by the last digit of a number: 0 allow, 1 opposed, 2 without
// an answer of the register, 3 without one and revoked; the tens are the days
// for which the answer holds.
type byDigits struct{ fail error }

func (b byDigits) Answer(_ context.Context, keys []events.ContactKey, out []listcheck.Answer) error {
	for i, k := range keys {
		a := listcheck.Answer{Ruling: rules.Ruling{Verdict: events.VerdictAllow, ValidUntil: testDay.In(events.Rome)}}
		a.RegisterUntil = (testDay + events.Date(k[12]-'0')).In(events.Rome)
		switch k[13] {
		case '1':
			a.Verdict, a.Blocks = events.VerdictBlock, rules.SetOf("IT-OPP-01")
		case '2':
			a.Verdict, a.Blocks, a.RegisterUntil = events.VerdictBlock, rules.SetOf("IT-RPO-02"), 0
		case '3':
			a.Verdict, a.Blocks, a.RegisterUntil = events.VerdictBlock, rules.SetOf("IT-RPO-02")|rules.SetOf("IT-CON-05"), 0
		case '4':
			a.RegisterUntil = 0
		}
		out[i] = a
	}
	return b.fail
}

var testDay = events.NewDate(2026, 3, 20)

// keyed is the number itself, so that the test's gate can read it.
func keyed(p events.Phone) (k events.ContactKey) {
	copy(k[1:], p.E164())
	return k
}

// doorTo answers as the gateway does; cut ends the answer after so many lines.
func doorTo(list listcheck.List, cut int) Door {
	return func(ctx context.Context, body io.Reader) (io.ReadCloser, error) {
		in := bufio.NewReader(body)
		first, err := in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		q, _, faults := listcheck.ParseQuestion(first)
		if len(faults) > 0 {
			return io.NopCloser(strings.NewReader(`{"problem":{"title":"the question","detail":"cannot be understood","status":400}}` + "\n")), nil
		}
		answers, out := io.Pipe()
		go func() {
			a := listcheck.Attempt(&q)
			head := listcheck.Head{Asked: listcheck.Asked(&a), Begun: 5, Instant: 5, Pack: "it/2026-03", Positions: map[string]uint64{"LEDGER_00": 1}}
			written := 0
			run := listcheck.Run{List: list, Normalise: numbers.Normalise, Key: keyed, Country: q.Country, At: 5,
				Read: func(c *listcheck.Chunk) error {
					text, err := in.ReadBytes('\n')
					if text = bytes.TrimSpace(text); len(text) > 0 {
						c.Add(text)
					}
					return err
				},
				Write: func(lines []byte) error {
					if written++; cut > 0 && written > cut {
						return io.ErrUnexpectedEOF
					}
					_, err := out.Write(lines)
					return err
				}}
			totals, err := run.Do(ctx)
			if err == nil {
				var sum listcheck.Summary
				if sum, err = listcheck.Summarise(&head, &totals, head.Positions); err == nil {
					err = json.NewEncoder(out).Encode(sum)
				}
			}
			_ = out.CloseWithError(err)
		}()
		return answers, nil
	}
}

func options(path string) Options {
	return Options{Path: path, Question: events.Question{Controller: "A", Campaign: "K", Country: "IT"}, Door: doorTo(byDigits{}, 0)}
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// verified recomputes what a check has written.
func verified(t *testing.T, path string) *listcheck.Summary {
	t.Helper()
	recount, sum, err := Read(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := recount.Check(sum); err != nil {
		t.Fatal(err)
	}
	return sum
}

// A CSV keeps its rows, order and columns, readable or not, and gains the
// answers; checked again, it is the same.
func TestCSVKeepsItsColumns(t *testing.T) {
	path := file(t, "list.csv", "Nome;Telefono;Città\n\"Rossi; M\";340 123 4500;Roma\nB;3401234501;Milano\nC;x;\nD\n\"E;3401234500\nF;+393401234512;Bari;zu viel\n")
	r, err := Run(t.Context(), options(path))
	if err != nil {
		t.Fatal(err)
	}
	want := `Nome;Telefono;Città;verdict;reasons;valid_until;register_until;contact;errors
"Rossi; M";340 123 4500;Roma;allow;;2026-03-19T23:00:00.000Z;2026-03-19T23:00:00.000Z;002b3339333430313233343530300000;
B;3401234501;Milano;block;IT-OPP-01:block;2026-03-19T23:00:00.000Z;2026-03-19T23:00:00.000Z;002b3339333430313233343530310000;
C;x;;block;SYS-NUMBER:block;1970-01-01T00:00:00.000005Z;;;phone_invalid
D;;;block;SYS-NUMBER:block;1970-01-01T00:00:00.000005Z;;;phone_missing
"""E;3401234500";;;block;SYS-NUMBER:block;1970-01-01T00:00:00.000005Z;;;phone_missing
F;+393401234512;Bari;block;IT-RPO-02:block;2026-03-19T23:00:00.000Z;;002b3339333430313233343531320000;
`
	got := text(t, r.Answers)
	stamp := events.Instant(5).String()
	if want = strings.ReplaceAll(want, "1970-01-01T00:00:00.000005Z", stamp); got != want {
		t.Errorf("answers\n%s\nwant\n%s", got, want)
	}
	if r.Count != 6 || r.Allow != 1 || r.Block != 5 || filepath.Base(r.Answers) != "list.answers.csv" {
		t.Errorf("result %+v", r)
	}
	if sum := verified(t, r.Answers); sum.Root != r.Root {
		t.Errorf("root %s, want %s", sum.Root, r.Root)
	}
	again := options(r.Answers)
	again.Out = r.Answers
	if _, err := Run(t.Context(), again); err != nil || text(t, r.Answers) != want {
		t.Errorf("checked again (%v):\n%s", err, text(t, r.Answers))
	}
	for name, change := range map[string][2]string{"verdict": {";allow;", ";warn;"}, "reason": {"IT-OPP-01:block", "IT-OPP-01:warn"}, "row": {"D;;;block;SYS-NUMBER:block;" + stamp + ";;;phone_missing\n", ""}} {
		if err := os.WriteFile(r.Answers, []byte(strings.Replace(want, change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		recount, sum, err := Read(r.Answers, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := recount.Check(sum); !errors.Is(err, listcheck.ErrAnswers) {
			t.Errorf("a changed %s: error %v", name, err)
		}
	}
}

// A list without a header, one of NDJSON and a workbook.
func TestFormsOfLists(t *testing.T) {
	bare := options(file(t, "numbers.txt", "3401234500\n3401234501\n"))
	r, err := Run(t.Context(), bare)
	if err != nil || r.Count != 2 || !strings.HasPrefix(text(t, r.Answers), "number,verdict") {
		t.Errorf("a list without a header: %+v (%v)\n%s", r, err, text(t, r.Answers))
	}
	objects := options(file(t, "list.ndjson", `{"telefono":"3401234500","name":"x"}`+"\n"+`{"phone":"+393401234501","decision":{"old":1}}`+"\n"+`{"contact":"`+keyed(events.NewPhone("+393401234500", "")).String()+`"}`+"\n"+`{}`+"\n"))
	if r, err = Run(t.Context(), objects); err != nil || r.Count != 4 || r.Allow != 2 {
		t.Fatalf("NDJSON: %+v (%v)", r, err)
	}
	lines := strings.Split(text(t, r.Answers), "\n")
	if !strings.HasPrefix(lines[0], `{"telefono":"3401234500","name":"x","decision":{"contact":"`) || strings.Contains(lines[1], "old") || !strings.HasPrefix(lines[3], `{"decision":{"errors"`) || !strings.HasPrefix(lines[4], `{"summary":`) {
		t.Errorf("answers\n%s", strings.Join(lines, "\n"))
	}
	for _, l := range lines[:5] {
		if !json.Valid([]byte(l)) {
			t.Errorf("no JSON: %s", l)
		}
	}
	verified(t, r.Answers)
	book := excelize.NewFile()
	for i, row := range [][]any{{"Nome", "Numero"}, {"A", 3401234500}, {"B", "3401234501"}} {
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "list.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	if r, err = Run(t.Context(), options(path)); err != nil || r.Count != 2 || r.Allow != 1 || !strings.HasSuffix(r.Answers, "list.answers.csv") {
		t.Errorf("workbook: %+v (%v)", r, err)
	}
	verified(t, r.Answers)
	if _, err := Run(t.Context(), options(file(t, "list.csv", "a,b\n1,2\n"))); !errors.Is(err, ErrColumn) {
		t.Errorf("no column: %v", err)
	}
	m, err := imports.ParseMapping("m.yaml", []byte("version: 1\ntype: list.contact_added\nsource: s\ncsv: {delimiter: \"|\"}\nconstants: {controller: A, data.list: L, time: 2026-01-01, data.country: IT}\ncolumns:\n  - {column: b, field: data.phone}\n"))
	if err != nil {
		t.Fatal(err)
	}
	mapped := options(file(t, "list.csv", "a|b\n1|3401234500\n"))
	mapped.Mapping, mapped.Question.Country = m, ""
	if r, err = Run(t.Context(), mapped); err != nil || r.Allow != 1 {
		t.Errorf("with a mapping: %+v (%v)", r, err)
	}
}

// An answer that breaks off, or ends with a problem, leaves the files as they were.
func TestBrokenCheckWritesNothing(t *testing.T) {
	path := file(t, "list.csv", "number\n"+strings.Repeat("3401234500\n", 40_000))
	for name, c := range map[string]struct {
		door Door
		want error
	}{
		"broken off": {doorTo(byDigits{}, 300), ErrBroken},
		"at once":    {func(context.Context, io.Reader) (io.ReadCloser, error) { return nil, io.ErrClosedPipe }, io.ErrClosedPipe},
		"no answer": {func(context.Context, io.Reader) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("")), nil
		}, ErrBroken},
		"no JSON": {func(context.Context, io.Reader) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("<html>")), nil
		}, ErrBroken},
		"a problem": {func(context.Context, io.Reader) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(`{"problem":{"title":"in doubt","status":503}}` + "\n")), nil
		}, ErrRefused},
	} {
		o := options(path)
		o.Door, o.Out = c.door, file(t, "out.csv", "old")
		o.Plan = &Plan{Before: testDay, Submit: file(t, "submit.csv", "old")}
		if _, err := Run(t.Context(), o); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		if text(t, o.Out) != "old" || text(t, o.Plan.Submit) != "old" {
			t.Errorf("%s: a file was changed", name)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Out), "*")); len(left) != 1 {
			t.Errorf("%s: left over: %v", name, left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, options(path)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}

// The plan tells which answers are missing or expire, and writes each number once.
func TestPlanWritesWhatToSubmit(t *testing.T) {
	list := "number\n" + strings.Join([]string{
		"3401234500",                // valid until the 20th begins: its last day is the 19th
		"3401234520",                // the 22nd begins
		"3401234560",                // the 26th begins: later than the date
		"3401234502", "340 1234502", // missing, twice
		"3401234503",   // missing, and revoked
		"3401234504",   // needs none
		"3401234541",   // opposed, expires
		"+33142685302", // foreign: expires on the 21st, and the register has none such
		"x",
	}, "\n") + "\n"
	for _, skip := range []bool{false, true} {
		o := options(file(t, "list.csv", list))
		o.Plan = &Plan{Before: testDay + 5, Submit: filepath.Join(filepath.Dir(o.Path), "submit.csv"), SkipBlocked: skip}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		p := r.Plan
		want := "3401234500\n3401234520\n3401234502\n3401234503\n3401234541\n"
		if skip {
			want = "3401234500\n3401234520\n3401234502\n"
		}
		if got := text(t, p.Submit); got != want || p.Submitted != strings.Count(want, "\n") {
			t.Errorf("skip %v: to submit %q, want %q", skip, got, want)
		}
		days := fmt.Sprint(p.Days)
		if p.Missing != 3 || p.Expiring != 4 || p.Later != 1 || p.NotNeeded != 1 || p.Unreadable != 1 || p.Foreign != 1 || (p.Skipped > 0) != skip ||
			!strings.HasPrefix(days, "[{2026-03-19 1} {2026-03-21 2} {2026-03-23 1}]") {
			t.Errorf("skip %v: plan %+v, days %s", skip, p, days)
		}
	}
}
