package scenario

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/assenso/assenso/schemas/scenarios"
)

// files puts a scenario text beside the repository's fixtures.
func files(t testing.TB, text string) fstest.MapFS {
	t.Helper()
	fixtures, err := scenarios.Files.ReadFile("fixtures.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"x.yaml": {Data: []byte(text)}, "fixtures.yaml": {Data: fixtures}}
}

func loadText(t testing.TB, text string) []*Scenario {
	t.Helper()
	list, err := LoadFS(files(t, text), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnIllFormedFileNamesFileLineAndReason(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		line   int
		reason string
	}{
		"unknown key of a scenario":  {"scenarios:\n  - id: a\n    evnts: []\n", 3, "evnts"},
		"unknown key of an event":    {"scenarios:\n  - id: a\n    events:\n      - {type: list.retired, at: \"2026-03-01\", dat: {}}\n", 4, "dat"},
		"unknown type":               {"scenarios:\n  - id: a\n    events:\n      - {type: list.burnt, at: \"2026-03-01\"}\n", 4, "list.burnt"},
		"unknown fixture":            {"scenarios:\n  - id: a\n    use: [nothing]\n", 2, "nothing"},
		"missing time":               {"scenarios:\n  - id: a\n    events:\n      - {type: list.retired}\n", 4, "at: missing"},
		"ill time":                   {"scenarios:\n  - id: a\n    attempts:\n      - {at: \"2026-03-01 25:00\"}\n", 4, "at:"},
		"expectation of no attempt":  {"scenarios:\n  - id: a\n    expect:\n      a1: {gate: allow}\n", 4, "no such attempt"},
		"unknown kind":               {"scenarios:\n  - id: a\n    expect: {objects: [\"LED-02 o SURE\"]}\n", 3, "SURE"},
		"twice the same id":          {"scenarios:\n  - id: a\n  - id: a\n", 3, "twice"},
		"unknown value of a channel": {"scenarios:\n  - id: a\n    attempts: [{at: \"2026-03-01\", channel: pigeon}]\n", 3, "pigeon"},
		"alias of no anchor":         {"scenarios:\n  - id: a\n    attempts:\n      - {at: *noon}\n", 4, "&noon"},
		"no YAML at all":             {"scenarios: [", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadFS(files(t, c.text), "x.yaml")
			var located *FileError
			if !errors.As(err, &located) {
				t.Fatalf("error = %v, want a FileError", err)
			}
			if located.File != "x.yaml" || located.Line != c.line || !strings.Contains(located.Reason, c.reason) {
				t.Errorf("error = %v, want x.yaml line %d about %q", err, c.line, c.reason)
			}
		})
	}
}

// Editors of other systems write a byte order mark and their own line ends.
func TestForeignEditors(t *testing.T) {
	const plain = "scenarios:\n  - id: a\n    attempts:\n      - {at: \"2026-03-10 11:00\"}\n"
	for _, text := range []string{"\uFEFF" + plain, strings.ReplaceAll(plain, "\n", "\r\n")} {
		if list := loadText(t, text); len(list) != 1 || len(list[0].Attempts) != 1 {
			t.Errorf("%q: %d scenarios", text, len(list))
		}
	}
}

// Anchors may stand anywhere in a file, also in another scenario; the later one
// of a name counts from there on.
func TestAnchors(t *testing.T) {
	list := loadText(t, `
scenarios:
  - id: a
    events:
      - &late {type: list.retired, at: &noon "2026-03-01", data: &which {list: L-A}}
    attempts: [&call {at: *noon, processor: P2}]
  - id: b
    use: &none []
    events:
      - *late
      - {type: list.activated, at: "2026-03-02", data: *which}
    attempts:
      - &call {at: "2026-03-03 11:00", phone: "+393401234567"}
      - <<: *call
        id: again
        channel: sms
  - {id: c, use: *none, attempts: [*call]}
`)
	if len(list) != 3 || len(list[1].Events) != 2 || len(list[1].Attempts) != 2 || len(list[2].Attempts) != 1 {
		t.Fatalf("%d scenarios: %+v", len(list), list[1])
	}
	if a, b := list[0].Events[len(list[0].Events)-1], list[1].Events[0]; a.Time != b.Time || a.Type != b.Type {
		t.Errorf("the alias is %v at %v, its anchor %v at %v", b.Type, b.Time, a.Type, a.Time)
	}
	again := list[1].Attempts[1]
	if again.ID != "again" || again.Channel != "sms" || again.DialledAt != list[1].Attempts[0].DialledAt || list[2].Attempts[0].DialledAt != again.DialledAt {
		t.Errorf("merged attempt %+v", again)
	}
	if list[0].Attempts[0].Processor != "P2" || list[0].Attempts[0].DialledAt != list[0].Events[len(list[0].Events)-1].Time {
		t.Errorf("attempt %+v", list[0].Attempts[0])
	}
}
