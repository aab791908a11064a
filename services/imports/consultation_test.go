package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/numbers"
)

// contactOf is the contact that the fake door tells for a number.
func contactOf(phone string) (k events.ContactKey) {
	for i, c := range []byte(phone) {
		k[i%len(k)] = k[i%len(k)]*31 + c
	}
	return k
}

// registerMapping is the published one, with the constants of one consultation.
func registerMapping(t *testing.T) *Mapping {
	t.Helper()
	text, err := schemas.Mappings.ReadFile("mappings/register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMappingWith("register.yaml", text, map[string]string{"controller": "B", "data.batch": "B-9", "data.snapshot_at": "2026-03-03T10:00:00+01:00", "time": "2026-03-03T18:00:00+01:00"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func consultation() *Consultation {
	return &Consultation{Controller: "B", Batch: "B-9", List: "L-B", Register: events.RegisterPhone, SetRoot: listcheck.SetRoot,
		SnapshotAt: events.InstantFromUnixMicro(1_772_528_400_000_000), AnsweredAt: events.InstantFromUnixMicro(1_772_557_200_000_000)}
}

// answerFile has rows answers; row 4 bears a word that nobody knows, row 9 a
// number that nobody can read, row 12 the number of row 11.
func answerFile(rows int) []byte {
	var b strings.Builder
	b.WriteString("Numero,Esito,iscritto dal\n")
	for i := 1; i <= rows; i++ {
		number, answer, since := fmt.Sprintf("34012345%02d", i), []string{"contattabile", "iscritto", "revoca selettiva", "non valido"}[i%4], ""
		switch {
		case i == 4:
			answer = "forse"
		case i == 9:
			number = "x"
		case i == 12:
			number = "3401234511"
		}
		if i%4 == 1 && i != 9 {
			since = "01/02/2026"
		}
		fmt.Fprintf(&b, "%s,%s,%s\n", number, answer, since)
	}
	return []byte(b.String())
}

// completion returns the one completion that was stored.
func completion(t *testing.T, d *door) (n int, sub *events.Submission, data events.RegisterScreeningCompleted) {
	t.Helper()
	for id, body := range d.stored {
		if !strings.Contains(body, string(events.TypeRegisterScreeningCompleted)) {
			continue
		}
		n++
		s, faults := events.Validate([]byte(body), events.ValidateOptions{Family: events.FamilyOppositions, Normalise: numbers.Normalise})
		if len(faults) > 0 {
			t.Fatalf("%v: %v", id, faults)
		}
		var raw struct{ Data json.RawMessage }
		if err := json.Unmarshal([]byte(body), &raw); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw.Data, &data); err != nil {
			t.Fatal(err)
		}
		sub = s
	}
	return n, sub, data
}

// The register's answer file becomes one answer a number and one completion
// whose counts add up, however often and wherever the import breaks off, and
// however often the file is imported.
func TestConsultationIsCompletedOnce(t *testing.T) {
	const rows, size = 23, 4
	known := func(d *door) {
		d.tell = func(ev map[string]any) events.ContactKey {
			phone, _ := ev["data"].(map[string]any)["phone"].(string)
			return contactOf(phone)
		}
		d.reject = func(ev map[string]any) []events.Fault {
			if ev["type"] == string(events.TypeRegisterScreeningCompleted) {
				return nil
			}
			return phoneFault(ev)
		}
	}
	options := func(path string, d *door) Options {
		return Options{Path: path, Mapping: registerMapping(t), Sink: d, BatchSize: size, InFlight: 2, Consultation: consultation()}
	}
	whole := newDoor(t)
	known(whole)
	path := write(t, "answers.csv", answerFile(rows))
	sum := run(t, options(path, whole))
	c := sum.Consultation
	if sum.Rejected != 2 || c == nil || c.Result != Recorded || c.Submitted != rows-2 || c.Clear+c.Opposed+c.Selective+c.Invalid != c.Submitted || c.Contacts != rows-3 {
		t.Fatalf("summary %+v, completion %+v", sum, c)
	}
	n, sub, data := completion(t, whole)
	if n != 1 || sub.Controller != "B" || data.Batch != "B-9" || data.List != "L-B" || *data.Submitted != rows-2 || data.SetRoot != c.SetRoot || data.SetRoot.IsZero() {
		t.Fatalf("%d completions: %+v", n, data)
	}
	if again := run(t, options(path, whole)); again.Duplicates != rows-2 || again.Consultation.Result != Duplicate {
		t.Errorf("imported again: %+v, %+v", again, again.Consultation)
	}
	for _, mode := range []string{"absent", "stored", "late"} {
		for at := 1; at <= rows/size+2; at++ {
			d := newDoor(t)
			known(d)
			d.fault = func(send int) string { return map[int]string{at: mode}[send] }
			o := options(write(t, "answers.csv", answerFile(rows)), d)
			if _, err := Run(t.Context(), o); err == nil {
				if at <= rows/size+1 && mode != "late" {
					t.Fatalf("batch %d %s: no error", at, mode)
				}
				continue
			}
			if sum := run(t, o); sum.Consultation == nil || sum.Consultation.SetRoot != c.SetRoot {
				t.Fatalf("batch %d %s: completed with %+v, want the root %s", at, mode, sum.Consultation, c.SetRoot)
			}
			if n, _, got := completion(t, d); n != 1 || *got.Clear != *data.Clear || *got.Invalid != *data.Invalid || len(d.stored) != len(whole.stored) {
				t.Fatalf("batch %d %s: %d completions, %+v", at, mode, n, got)
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(o.Path), ".*")); err != nil || len(left) > 0 {
				t.Fatalf("batch %d %s: files are left over: %v (%v)", at, mode, left, err)
			}
		}
	}
}

// A dry run completes nothing; an answer without its contact stops the import.
func TestConsultationNeedsContacts(t *testing.T) {
	path := write(t, "answers.csv", answerFile(3))
	if sum := run(t, Options{Path: path, Mapping: registerMapping(t), DryRun: true, Normalise: numbers.Normalise, Consultation: consultation()}); sum.Valid != 3 || sum.Consultation != nil {
		t.Errorf("dry run: %+v", sum)
	}
	if _, err := Run(t.Context(), Options{Path: path, Mapping: registerMapping(t), Sink: newDoor(t), Consultation: consultation()}); !errors.Is(err, ErrSink) {
		t.Errorf("without contacts: error %v, want ErrSink", err)
	}
}

// A table gives every row, readable or not.
func TestTable(t *testing.T) {
	path := write(t, "list.csv", []byte("Name;Numero\nA;340\n\nB\n\"C;1\n"))
	table, err := OpenTable(path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if table.Format != CSV || table.Delimiter != ';' || table.Column(" NUMERO ") != 1 || table.Column("x") != -1 || table.Size == 0 {
		t.Errorf("table %+v, header %q", table, table.Header())
	}
	var got []string
	for {
		r, err := table.Next()
		if err != nil {
			break
		}
		got = append(got, fmt.Sprintf("%d %q %v", r.Number, r.Cells, r.Problem != nil))
	}
	if want := `2 ["A" "340"] false|4 ["B"] false|5 [] true`; strings.Join(got, "|") != want {
		t.Errorf("rows %s\nwant %s", strings.Join(got, "|"), want)
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
	m := registerMapping(t)
	if m.ColumnOf("data.phone") != "numero" || m.ColumnOf("data.list") != "" || m.Constant("data.country") != "IT" || m.Constant("data.batch") != "B-9" {
		t.Errorf("mapping: %q %q", m.ColumnOf("data.phone"), m.Constant("data.batch"))
	}
}

// A file is replaced whole or stays.
func TestReplaceFile(t *testing.T) {
	path := write(t, "out.csv", []byte("old"))
	broken := errors.New("broken")
	if err := ReplaceFile(path, func(f *os.File) error { _, _ = f.WriteString("half"); return broken }); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after a fault the file holds %q", got)
	}
	if err := ReplaceFile(path, func(f *os.File) error { _, err := f.WriteString("new"); return err }); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("the file holds %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
