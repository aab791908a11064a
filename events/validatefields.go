package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// fields checks data against the table of the type and looks through whatever
// else stands there for personal data.
func (v *validation) fields() {
	table := v.info.Type.Fields()
	for i := range table {
		v.topField(&table[i])
	}
	known := func(n string) bool {
		return slices.ContainsFunc(table, func(f Field) bool { return f.Name == n })
	}
	for _, name := range slices.Sorted(maps.Keys(v.s.data)) {
		if known(name) || (v.info.Contact == Absent && name == "phone") {
			continue
		}
		if name == "cli" || name == "clis" || name == "called_number" {
			continue
		}
		v.scan(name, "data."+name, v.s.data[name])
	}
}

// topField checks one field of data; an invalid optional one of a restrictive
// type is dropped, and an unreadable scope thereby means everything.
func (v *validation) topField(f *Field) {
	raw, given := v.s.data[f.Name]
	if !given || raw == nil {
		delete(v.s.data, f.Name)
		if f.Grant {
			v.fault("scope_missing", "data."+f.Name, "name at least one value: a grant covers only what it names")
		} else if f.Required {
			v.fault("field_missing", "data."+f.Name, "required for this type")
		}
		return
	}
	before := len(v.faults)
	norm := v.check(f, "data."+f.Name, raw)
	if len(v.faults) > before && v.lenient && !f.Required {
		v.faults = v.faults[:before]
		v.drop(f.Name)
		delete(v.s.data, f.Name)
		return
	}
	v.s.data[f.Name] = norm
}

// scan looks for personal data in a field that the contract does not know.
func (v *validation) scan(top, path string, raw any) {
	before := len(v.faults)
	v.scanValue(path, raw)
	if len(v.faults) > before && v.lenient {
		v.faults = v.faults[:before]
		v.drop(top)
		delete(v.s.data, top)
	}
}

func (v *validation) scanValue(path string, raw any) {
	switch x := raw.(type) {
	case string:
		v.checkPersonal(path, x)
	case []any:
		for i, e := range x {
			v.scanValue(fmt.Sprintf("%s[%d]", path, i), e)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if personal(k) {
				v.fault("personal_data_in_log", path, "a member's name is personal data: move it under data.evidence")
				continue
			}
			v.scanValue(path+"."+k, x[k])
		}
	}
}

func (v *validation) checkPersonal(path, s string) {
	if personal(s) {
		v.fault("personal_data_in_log", path, "personal data belong under data.evidence only")
	}
}

var countryForm = regexp.MustCompile(`^[A-Z]{2}$`)

// check returns the recorded form of raw.
func (v *validation) check(f *Field, path string, raw any) any {
	switch f.Kind {
	case KindBool:
		if _, ok := raw.(bool); !ok {
			v.fault("field_type", path, "send true or false")
		}
	case KindInt:
		v.checkInt(f, path, raw)
	case KindCLI, KindNumber:
		v.checkCLI(f, path, raw)
	case KindScope:
		v.checkScope(f, path, raw)
	case KindEnums, KindStrings, KindNumbers, KindNames, KindCountries, KindObjects:
		return v.checkList(f, path, raw)
	case KindObject:
		return v.checkObject(f, path, raw)
	case KindPositions:
		v.checkPositions(path, raw)
	case KindFree:
		obj, ok := raw.(map[string]any)
		if !ok {
			v.fault("field_type", path, "send an object")
		}
		for _, k := range slices.Sorted(maps.Keys(obj)) {
			if k != "cli" && k != "clis" && k != "called_number" {
				v.scanValue(path+"."+k, obj[k])
			}
		}
	default:
		return v.checkText(f, path, raw)
	}
	return raw
}

func (v *validation) checkText(f *Field, path string, raw any) any {
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", path, "send a string")
		return raw
	}
	switch f.Kind {
	case KindInstant:
		i, err := ParseInstant(s)
		if err != nil {
			v.fault("time_invalid", path, "send RFC 3339 with offset, such as 2026-01-10T12:00:00+01:00")
			return raw
		}
		return i.String()
	case KindDate:
		if _, err := ParseDate(s); err != nil {
			v.fault("date_invalid", path, "send a civil date YYYY-MM-DD")
		}
	case KindHash:
		if _, err := ParseDigest(s); err != nil {
			v.fault("hash_invalid", path, "send a SHA-256 as 64 lower-case hex digits")
		}
	case KindEnum:
		if !slices.Contains(ClosedSets[f.Set], s) {
			v.fault("value_unknown", path, "send one of: "+strings.Join(ClosedSets[f.Set], ", "))
		}
	case KindName:
		if !controllerForm.MatchString(s) {
			v.fault("controller_invalid", path, "send 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit")
		}
	case KindCountry:
		if !countryForm.MatchString(s) {
			v.fault("value_unknown", path, "send ISO 3166-1 alpha-2 in capitals")
		}
	default:
		if s == "" && f.Required {
			v.fault("field_missing", path, "required for this type")
		}
		v.checkPersonal(path, s)
	}
	return raw
}

func (v *validation) checkInt(f *Field, path string, raw any) {
	n, ok := raw.(json.Number)
	i, err := n.Int64()
	if !ok || err != nil || i < f.Min || i >= 1<<53 {
		v.fault("field_type", path, fmt.Sprintf("send a whole number from %d on", f.Min))
	}
}

func (v *validation) checkCLI(f *Field, path string, raw any) {
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", path, "send a string")
		return
	}
	if f.Kind == KindCLI && (s == "" || cliShort.MatchString(s)) {
		return
	}
	if !e164Form.MatchString(s) && !cliShort.MatchString(s) {
		v.fault("cli_invalid", path, "send E.164, three digits, or null for a withheld number")
	}
}

func (v *validation) checkScope(f *Field, path string, raw any) {
	list, ok := raw.([]any)
	if !ok {
		v.fault("field_type", path, "send a list")
		return
	}
	if len(list) == 0 && f.Grant {
		v.fault("scope_missing", path, "name at least one value: a grant covers only what it names")
	}
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		s, ok := e.(string)
		switch {
		case !ok:
			v.fault("field_type", at, "send a string")
		case s == "*" && !f.Star:
			v.fault("scope_too_wide", at, "name each value: * is for refusals and withdrawals only")
		case s != "*" && !slices.Contains(ClosedSets[f.Set], s):
			v.fault("value_unknown", at, "send one of: "+strings.Join(ClosedSets[f.Set], ", "))
		}
	}
}

func (v *validation) checkList(f *Field, path string, raw any) any {
	list, ok := raw.([]any)
	if !ok {
		v.fault("field_type", path, "send a list")
		return raw
	}
	elem := Field{Required: true, Set: f.Set, Fields: f.Fields}
	switch f.Kind {
	case KindEnums:
		elem.Kind = KindEnum
	case KindNumbers:
		elem.Kind = KindNumber
	case KindNames:
		elem.Kind = KindName
	case KindCountries:
		elem.Kind = KindCountry
	case KindObjects:
		elem.Kind = KindObject
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = v.check(&elem, fmt.Sprintf("%s[%d]", path, i), e)
	}
	return out
}

func (v *validation) checkObject(f *Field, path string, raw any) any {
	obj, ok := raw.(map[string]any)
	if !ok {
		v.fault("field_type", path, "send an object")
		return raw
	}
	out := make(map[string]any, len(obj))
	for _, k := range slices.Sorted(maps.Keys(obj)) {
		i := slices.IndexFunc(f.Fields, func(g Field) bool { return g.Name == k })
		switch {
		case i < 0:
			v.scanValue(path+"."+k, obj[k])
			out[k] = obj[k]
		case obj[k] != nil:
			out[k] = v.check(&f.Fields[i], path+"."+k, obj[k])
		}
	}
	for i := range f.Fields {
		if g := &f.Fields[i]; g.Required && obj[g.Name] == nil {
			v.fault("field_missing", path+"."+g.Name, "required for this type")
		}
	}
	return out
}

func (v *validation) checkPositions(path string, raw any) {
	obj, ok := raw.(map[string]any)
	if !ok {
		v.fault("field_type", path, "send an object of whole numbers")
		return
	}
	for _, k := range slices.Sorted(maps.Keys(obj)) {
		n, ok := obj[k].(json.Number)
		if i, err := n.Int64(); !ok || err != nil || i < 0 {
			v.fault("field_type", path, "send an object of whole numbers")
			return
		}
	}
}

// cross checks fields against one another.
func (v *validation) cross() {
	v.intervals("data", v.s.data)
	switch v.s.Type {
	case TypeConsentGranted:
		v.validTo()
	case TypeCallConcluded:
		v.callSequence()
	case TypeRegisterScreeningCompleted:
		v.counts("submitted", "clear", "opposed", "selective", "invalid")
	case TypeDecisionBatchIssued:
		v.counts("count", "allow", "warn", "block")
	case TypeEventCorrected:
		v.correction()
	}
}

// intervals compares every pair …from, …to of an object and of those within.
func (v *validation) intervals(path string, obj map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(obj)) {
		if inner, ok := obj[k].(map[string]any); ok {
			v.intervals(path+"."+k, inner)
			continue
		}
		prefix, ok := strings.CutSuffix(k, "to")
		if !ok || (prefix != "" && !strings.HasSuffix(prefix, "_")) {
			continue
		}
		to, _ := obj[k].(string)
		from, _ := obj[prefix+"from"].(string)
		t, err1 := ParseDate(to)
		f, err2 := ParseDate(from)
		if err1 == nil && err2 == nil && t < f {
			v.fault("interval_inverted", path+"."+k, "the last day lies before the first")
		}
	}
}

func (v *validation) validTo() {
	s, _ := v.s.data["valid_to"].(string)
	if d, err := ParseDate(s); err == nil && v.s.Time != 0 && d < DateOf(v.s.Time, Rome) {
		v.fault("interval_inverted", "data.valid_to", "the last day of validity lies before the grant")
	}
}

func (v *validation) instantOf(name string) Instant {
	s, _ := v.s.data[name].(string)
	i, err := ParseInstant(s)
	if err != nil {
		return 0
	}
	return i
}

func (v *validation) callSequence() {
	names := []string{"dialled_at", "answered_at", "agent_connected_at", "released_at"}
	var last Instant
	for _, n := range names {
		i := v.instantOf(n)
		if i == 0 {
			continue
		}
		if i < last {
			v.fault("sequence_of_call_invalid", "data."+n, "the instants of a call run dialled, answered, agent connected, released")
		}
		last = max(last, i)
	}
	if last != 0 && v.s.Time != 0 && v.s.Time != last && (v.instantOf("released_at") != 0 || v.s.Time != v.instantOf("answered_at")) {
		v.fault("sequence_of_call_invalid", "time", "time is the last instant of the call")
	}
}

func (v *validation) counts(total string, parts ...string) {
	read := func(n string) (int64, bool) {
		x, ok := v.s.data[n].(json.Number)
		i, err := x.Int64()
		return i, ok && err == nil
	}
	sum, complete := int64(0), true
	for _, p := range parts {
		n, ok := read(p)
		complete = complete && ok
		sum += n
	}
	if want, ok := read(total); ok && (sum > want || (complete && sum != want)) {
		v.fault("count_mismatch", "data", "the counts do not add up to "+total)
	}
}

func (v *validation) correction() {
	if v.s.data["action"] != "amend" {
		return
	}
	data, _ := v.s.data["data"].(map[string]any)
	if v.s.data["data"] == nil && v.s.data["new_time"] == nil {
		v.fault("correction_invalid", "data.data", "an amendment names the fields that change, or new_time")
	}
	for _, k := range []string{"phone", "country", "subject", "line"} {
		if _, given := data[k]; given {
			v.fault("correction_invalid", "data.data."+k, "the contact cannot be amended: void the event and publish it again")
		}
	}
}
