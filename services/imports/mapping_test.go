package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
)

// Every error of a mapping names the file and the line.
func TestMappingErrors(t *testing.T) {
	head := "version: 1\ntype: list.contact_added\nsource: crm\nconstants: {controller: A, data.list: L}\ncolumns:\n"
	tests := map[string]struct{ text, want string }{
		"unknown key":      {"version: 1\ntypo: x\n", `test.yaml: [2:1] unknown field "typo"`},
		"not yaml":         {"version: [1\n", "test.yaml: [1:"},
		"version":          {"version: 2\ntype: list.activated\nsource: s\nconstants: {controller: A, time: 2026-11-02 09:00}\n", "test.yaml:1: version 2"},
		"unknown type":     {"version: 1\ntype: list.bought\nsource: s\n", `test.yaml:2: type "list.bought" is not in the contract`},
		"unknown field":    {head + "  - {column: x, field: data.phone}\n  - {column: t, field: time}\n  - {column: y, field: data.colour}\n", `test.yaml:8: "data.colour" is no field`},
		"derived field":    {head + "  - {column: x, field: data.phone}\n  - {column: t, field: time}\n  - {column: y, field: data.line}\n", `test.yaml:8: "data.line" is no field`},
		"twice":            {head + "  - {column: x, field: data.phone}\n  - {column: t, field: time}\n  - {column: y, field: data.list}\n", "test.yaml:8: data.list is filled twice"},
		"no column":        {head + "  - {column: x, field: data.phone}\n  - {column: t, field: time}\n  - {column: ' ', field: data.source}\n", "test.yaml:8: column is missing"},
		"no phone":         {head + "  - {column: t, field: time}\n", "needs data.phone"},
		"no time":          {head + "  - {column: x, field: data.phone}\n", "needs a time"},
		"format":           {head + "  - {column: x, field: data.phone}\n  - {column: t, field: time, formats: [HH]}\n", "test.yaml:7: format \"HH\" has no day"},
		"format of a text": {head + "  - {column: x, field: data.phone, formats: [YYYY-MM-DD]}\n  - {column: t, field: time}\n", "test.yaml:6: formats are for dates"},
		"zone":             {"version: 1\ntype: list.activated\nsource: s\ntimezone: Rome\nconstants: {controller: A, time: 2026-11-02 09:00}\n", `test.yaml:4: time zone "Rome" is not known`},
		"constant":         {"version: 1\ntype: list.activated\nsource: s\nconstants:\n  controller: A\n  time: soon\n", "test.yaml:6: constant time"},
		"bad id":           {"version: 1\ntype: list.activated\nid: same\nsource: s\nconstants: {controller: A, time: 2026-11-02 09:00}\n", "test.yaml:3: id has no placeholder"},
		"number in id":     {strings.Replace(head, "source", "id: '{x}'\nsource", 1) + "  - {column: x, field: data.phone}\n  - {column: t, field: time}\n", "may not hold data.phone"},
		"object":           {"version: 1\ntype: consent.granted\nsource: s\nconstants: {controller: A}\ncolumns:\n  - {column: x, field: data.proof}\n", "test.yaml:6: data.proof is an object"},
		"member and whole": {"version: 1\ntype: consent.granted\nsource: s\nconstants: {controller: A, data.notice: {id: N}}\ncolumns:\n  - {column: x, field: data.notice.id}\n", "data.notice and its member data.notice.id are both filled"},
		"encoding":         {"version: 1\ntype: list.activated\nsource: s\ncsv: {encoding: utf-16}\nconstants: {controller: A, time: 2026-11-02 09:00}\n", "csv.encoding is none of"},
		"no source":        {"version: 1\ntype: list.activated\nconstants: {controller: A, time: 2026-11-02 09:00}\n", "source is missing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseMapping("test.yaml", []byte(tc.text))
			if !errors.Is(err, ErrMapping) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant %q", err, tc.want)
			}
		})
	}
	if _, err := ReadMapping(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing mapping gave %v", err)
	}
}

const callMapping = `version: 1
type: call.concluded.v1
source: dialer.p1.example
id: "{Call}"
constants: {controller: A, data.channel: operator_call, data.purpose: marketing, data.country: IT}
columns:
  - {column: Call, field: data.decision}
  - {column: Camp, field: campaign}
  - {column: Num, field: data.phone}
  - {column: Start, field: data.dialled_at, formats: ["DD/MM/YYYY HH:mm:ss", unix]}
  - {column: Answer, field: data.answered_at, formats: ["DD/MM/YYYY HH:mm:ss.SSS"]}
  - {column: Result, field: data.disposition, strict: true, values: {ok: sale, nix: not_interested}}
  - {column: Said, field: data.statements, separator: "+", values: {chi: identity, perche: purpose}}
  - {column: Reserved, field: data.agent_reserved}
  - {column: Seq, field: sourceseq, decimal: ","}
  - {column: Mode, field: data.mode, default: manual}
`

func convertOne(t *testing.T, m *Mapping, header, cells []string) (map[string]any, []Problem) {
	t.Helper()
	c, err := m.bind("f.csv", header)
	if err != nil {
		t.Fatal(err)
	}
	body, problems := c.convert(&row{number: 2, cells: cells})
	if problems != nil {
		return nil, problems
	}
	var ev map[string]any
	if err := json.Unmarshal(body, &ev); err != nil {
		t.Fatal(err)
	}
	return ev, nil
}

func TestConversion(t *testing.T) {
	m := mapping(t, callMapping)
	header := []string{"CALL", " camp ", "Num", "Start", "Answer", "Result", "Said", "Reserved", "Seq", "Mode", "ignored"}
	ev, problems := convertOne(t, m, header, []string{"c1", "K", "3330000001", "02/11/2026 09:30:05", "02/11/2026 09:30:09.250", "ok", "chi+ perche +rights+", "SI", "1.204,00", "", "zzz"})
	if problems != nil {
		t.Fatal(problems)
	}
	want := map[string]any{"specversion": "1.0", "type": "call.concluded.v1", "id": "c1", "source": "dialer.p1.example", "controller": "A", "campaign": "K", "sourceseq": 1204.0,
		"time": "2026-11-02T08:30:09.250Z",
		"data": map[string]any{"channel": "operator_call", "purpose": "marketing", "country": "IT", "phone": "3330000001", "decision": "c1", "dialled_at": "2026-11-02T08:30:05.000Z",
			"answered_at": "2026-11-02T08:30:09.250Z", "disposition": "sale", "statements": []any{"identity", "purpose", "rights"}, "agent_reserved": true, "mode": "manual"}}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("submission (-want +got):\n%s", diff)
	}
	_, problems = convertOne(t, m, header, []string{"", "K", "3330000001", "yesterday", "", "maybe", "", "perhaps", "1,5", "", ""})
	got := []string{}
	for _, p := range problems {
		got = append(got, p.Column+" "+p.Code+" "+p.Field)
	}
	wantProblems := []string{"Start value_unreadable data.dialled_at", "Result value_unreadable data.disposition", "Reserved value_unreadable data.agent_reserved", "Seq value_unreadable sourceseq"}
	if diff := cmp.Diff(wantProblems, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if s := problems[0].Error(); s != `row 2, column "Start": value_unreadable at data.dialled_at: the value cannot be read: expected an instant in one of the formats of the mapping` {
		t.Errorf("message %q", s)
	}
}

// Wall-clock times that exist twice or not at all are the later instant
// (rules.md 3.4).
func TestLocalTimes(t *testing.T) {
	rome := events.Rome
	for text, want := range map[string]string{
		"2026-07-01 09:00:00": "2026-07-01T07:00:00.000Z",
		"2026-01-01 09:00:00": "2026-01-01T08:00:00.000Z",
		"2026-10-25 02:30:00": "2026-10-25T01:30:00.000Z", // twice: second pass, winter time
		"2026-10-25 01:59:59": "2026-10-24T23:59:59.000Z",
		"2026-10-25 03:00:00": "2026-10-25T02:00:00.000Z",
		"2026-03-29 02:30:00": "2026-03-29T01:30:00.000Z", // missing: as if the clock had not been put forward
		"2026-03-29 03:00:00": "2026-03-29T01:00:00.000Z",
		"2026-03-29 01:59:59": "2026-03-29T00:59:59.000Z",
	} {
		got, ok := instantIn(text, defaultLayouts(kindInstant), rome)
		if !ok || got.String() != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for text, l := range map[string]layout{"1762072205": layoutUnix, "1762072205000": layoutUnixMS} {
		got, ok := instantIn(text, []layout{l}, rome)
		if want := events.InstantOf(time.Unix(1762072205, 0)); !ok || got != want {
			t.Errorf("%s %s is %s", l, text, got)
		}
	}
	for _, text := range []string{"-1", "253402300800000", "x", "99999999999999999999"} {
		if got, ok := instantIn(text, []layout{layoutUnix, layoutUnixMS}, rome); ok {
			t.Errorf("%s was read as %s", text, got)
		}
	}
}

// {hash} does not depend on what lies in the vault only.
func TestHashHoldsNoNumber(t *testing.T) {
	text := strings.Replace(rowsMapping, `id: "{code}"`, `id: "r-{hash}"`, 1)
	m := mapping(t, text)
	header := []string{"number", "added", "origin", "got"}
	id := func(phone, origin string) any {
		ev, problems := convertOne(t, m, header, []string{phone, "02/11/2026 09:30", origin, "01/10/2026"})
		if problems != nil {
			t.Fatal(problems)
		}
		return ev["id"]
	}
	if id("+393330000001", "a") != id("+393330000002", "a") {
		t.Error("the id depends on the number")
	}
	if id("+393330000001", "a") == id("+393330000001", "b") {
		t.Error("the id does not depend on the row's contents")
	}
}

// Importing a file twice gives the same identities, whatever it holds.
func TestImportTwiceIsOneImport(t *testing.T) {
	ids := []string{`"{code}"`, `"{hash}"`, `"{file}-{row}"`}
	rapid.Check(t, func(rt *rapid.T) {
		m := mapping(t, strings.Replace(rowsMapping, `"{code}"`, rapid.SampledFrom(ids).Draw(rt, "id"), 1))
		var b strings.Builder
		b.WriteString("code;number;added;origin;got\n")
		n := rapid.IntRange(1, 30).Draw(rt, "rows")
		cell := rapid.StringMatching(`[a-z;"\n]{0,6}`)
		for i := range n {
			fmt.Fprintf(&b, "r%d;+39333%07d;02/11/2026 09:%02d;\"%s\";01/10/2026\n", i, rapid.IntRange(0, 3).Draw(rt, "n"), rapid.IntRange(0, 70).Draw(rt, "m"),
				strings.ReplaceAll(cell.Draw(rt, "cell"), `"`, `""`))
		}
		path := write(t, "a.csv", []byte(b.String()))
		d := newDoor(t)
		o := Options{Path: path, Mapping: m, Sink: d, BatchSize: rapid.IntRange(1, 7).Draw(rt, "batch"), StateDir: t.TempDir()}
		first := run(t, o)
		stored := len(d.stored)
		second := run(t, o)
		if len(d.stored) != stored || second.Recorded != 0 || second.Duplicates != first.Recorded+first.Duplicates || second.Rejected != first.Rejected || second.Conflicts != 0 {
			rt.Fatalf("first %+v\nsecond %+v", first, second)
		}
	})
}

// The published examples are valid mappings.
func TestPublishedMappings(t *testing.T) {
	files, err := filepath.Glob("../../schemas/mappings/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples (%v)", len(files), err)
	}
	for _, f := range files {
		if _, err := ReadMapping(f); err != nil {
			t.Error(err)
		}
	}
}

// FuzzMapping: a mapping is refused with ErrMapping or converts any row without
// a panic into one line of JSON.
func FuzzMapping(f *testing.F) {
	f.Add(rowsMapping, "r1", "+393330000001", "02/11/2026 09:30")
	f.Add(callMapping, "c1", "K", "02/11/2026 09:30:05")
	f.Add("version: 1\ntype: list.activated\nsource: s\nconstants: {controller: A, data.list: L, time: 2026-11-02}\n", "", "", "")
	f.Add("version: 1\ntype: consent.granted\nid: '{row}'\nsource: s\nconstants: {controller: A, data.proof: {kind: x}}\ncolumns: [{column: a, field: data.notice.id}]\n", "1", "2", "3")
	f.Fuzz(func(t *testing.T, text, a, b, c string) {
		m, err := ParseMapping("f.yaml", []byte(text))
		if err != nil {
			if !errors.Is(err, ErrMapping) {
				t.Fatalf("error %v does not wrap ErrMapping", err)
			}
			return
		}
		header := []string{}
		for _, f := range m.fields {
			header = append(header, f.title)
		}
		for _, p := range m.id {
			if p.column != "" {
				header = append(header, p.column)
			}
		}
		conv, err := m.bind("f.csv", header)
		if err != nil {
			return
		}
		cells := make([]string, len(header))
		for i := range cells {
			cells[i] = []string{a, b, c}[i%3]
		}
		body, problems := conv.convert(&row{number: 2, cells: cells})
		if problems == nil && (!json.Valid(body) || strings.ContainsRune(string(body), '\n')) {
			t.Fatalf("the submission is not one line of JSON")
		}
	})
}
