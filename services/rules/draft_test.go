package rules

import (
	"errors"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
)

func draft(text string) (*Packs, error) {
	return LoadDraft(it.Files, Draft{Name: "draft.yaml", Text: []byte(text)})
}

func TestADraftReplacesWhatItNames(t *testing.T) {
	p, err := draft(`parameters:
  screening.phone_days:
    - {value: 15, to: "2026-12-31", tag: V, source: "as it is"}
    - {value: 7, from: "2027-01-01", tag: U, source: "bill"}
`)
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) *Pack {
		d, err := events.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return p.On(d)
	}
	if got := day("2026-12-31").PhoneDays; got != 15 {
		t.Errorf("before: %d days", got)
	}
	if k := day("2027-01-01"); k.PhoneDays != 7 || k.PaperDays != 30 || k.Name != "it-draft/2027-01" {
		t.Errorf("after: %+v", k)
	}
}

func TestABadDraftIsRefusedWithLineAndReason(t *testing.T) {
	for text, want := range map[string]PackError{
		"parameters:\n  no.such:\n    - {value: 1, tag: V, source: x}\n":                             {"draft.yaml", 3, "no such parameter"},
		"parameters:\n  pressure.warn:\n    - {value: many, tag: V, source: x}\n":                    {"draft.yaml", 3, "whole number"},
		"parameters:\n  pressure.warn:\n    - {value: 1, tag: V}\n":                                  {"draft.yaml", 3, "source missing"},
		"parameters:\n  pressure.warn:\n    - {value: 1, from: \"2027-01-01\", tag: V, source: x}\n": {"draft.yaml", 3, "must begin"},
		"parameters:\n  pressure.warn:\n    - {value: 1, tag: V, source: x, unknown: 2}\n":           {"draft.yaml", 3, "unknown"},
		"pack: mine\n":                      {"draft.yaml", 0, "none is named"},
		"parameters:\n  pressure.warn: [\n": {"draft.yaml", 0, ""},
	} {
		_, err := draft(text)
		var p *PackError
		if !errors.As(err, &p) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if p.File != want.File || (want.Line != 0 && p.Line != want.Line) || !strings.Contains(p.Reason, want.Reason) {
			t.Errorf("%q: %+v, want %+v", text, p, want)
		}
	}
}
