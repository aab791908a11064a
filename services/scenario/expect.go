package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

var kinds = []events.Kind{events.KindConfirmed, events.KindPotential, events.KindHindsight, events.KindBestPractice}

// expect reads the expectations.
func (b *builder) expect(raw located[fields]) error {
	b.out.Expect.Attempts = map[string]ExpectAttempt{}
	for _, key := range slices.Sorted(maps.Keys(raw.Value)) {
		v := raw.Value[key]
		var err error
		switch key {
		case "as_of":
			b.out.AsOf, _, err = instant(raw.Value, key)
		case "objects":
			b.out.Expect.Objects, err = findings(v, true)
		default:
			var e ExpectAttempt
			e, err = b.expectAttempt(key, v)
			e.Line = raw.Line
			b.out.Expect.Attempts[key] = e
		}
		if err != nil {
			return &FileError{b.file, raw.Line, fmt.Sprintf("expect: %s: %v", key, err)}
		}
	}
	return nil
}

func (b *builder) expectAttempt(id string, v any) (ExpectAttempt, error) {
	var e ExpectAttempt
	if !slices.ContainsFunc(b.out.Attempts, func(a Attempt) bool { return a.ID == id }) {
		return e, fmt.Errorf("no such attempt")
	}
	f, ok := v.(fields)
	if !ok {
		return e, fmt.Errorf("want {gate, reasons, findings}")
	}
	if err := onlyKeys(f, []string{"gate", "reasons", "findings"}); err != nil {
		return e, err
	}
	r := reader{f: f}
	e.Gate = events.Verdict(r.text("gate"))
	r.member("gate", string(e.Gate), "verdict")
	if r.err != nil {
		return e, r.err
	}
	if f["reasons"] != nil {
		list, ok := f["reasons"].([]any)
		e.Reasons = []string{}
		for _, v := range list {
			s, isText := v.(string)
			ok = ok && isText
			e.Reasons = append(e.Reasons, s)
		}
		if !ok {
			return e, fmt.Errorf("reasons: want a list of rule ids")
		}
		slices.Sort(e.Reasons)
	}
	var err error
	if f["findings"] != nil {
		e.Findings, err = findings(f["findings"], false)
	}
	return e, err
}

// findings reads a list of expected findings, as text or as objects.
func findings(v any, object bool) ([]Finding, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("want a list of findings")
	}
	out := []Finding{}
	for _, e := range list {
		f := Finding{Kind: events.KindConfirmed}
		switch e := e.(type) {
		case string:
			parts := strings.Fields(e)
			if object && len(parts) > 1 {
				f.Object = parts[1]
				parts = slices.Delete(parts, 1, 2)
			}
			if len(parts) == 0 || len(parts) > 2 || (object && f.Object == "") {
				return nil, fmt.Errorf("cannot read %q", e)
			}
			f.Rule = parts[0]
			if len(parts) == 2 {
				f.Kind = events.Kind(parts[1])
			}
		case fields:
			r := reader{f: e}
			f.Rule, f.Object = r.text("rule"), r.text("object")
			if k := r.text("kind"); k != "" {
				f.Kind = events.Kind(k)
			}
			if err := onlyKeys(e, []string{"rule", "object", "kind"}); err != nil {
				return nil, err
			}
			if r.err != nil {
				return nil, r.err
			}
			if f.Rule == "" || object != (f.Object != "") {
				return nil, fmt.Errorf("want rule and kind, and of an object rule the object")
			}
		default:
			return nil, fmt.Errorf("want a text or an object")
		}
		if !slices.Contains(kinds, f.Kind) {
			return nil, fmt.Errorf("unknown kind %q", f.Kind)
		}
		out = append(out, f)
	}
	sortFindings(out)
	return out, nil
}
