package events

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fields checks data against the table of the type and looks through whatever
// else stands there for personal data.
func (v *validation) fields() {
	table := v.info.Type.Fields()
	for i := range table {
		v.topField(&table[i])
	}
	var unknown []string
	for name := range v.s.data {
		known := slices.ContainsFunc(table, func(f Field) bool { return f.Name == name })
		if !known && (v.info.Contact != Absent || name != "phone") {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		v.scan(name, v.s.data[name])
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

// scan looks for personal data in a field of data that the contract does not
// know.
func (v *validation) scan(name string, raw any) {
	before := len(v.faults)
	v.scanMember("data", name, raw)
	if len(v.faults) > before && v.lenient {
		v.faults = v.faults[:before]
		delete(v.s.data, name)
		v.drop(name)
	}
}

// pathName is name as a part of a path: "*" where it is too long or holds
// control characters, for the sender chose it.
func pathName(name string) string {
	if len(name) > 64 || strings.ContainsFunc(name, isControl) {
		return "*"
	}
	return name
}

// member and item extend a path, to a length that a report can bear.
func member(path, name string) string {
	if len(path) > 200 {
		return path
	}
	return path + "." + pathName(name)
}

func item(path string, i int) string {
	if len(path) > 200 {
		return path
	}
	return path + "[" + strconv.Itoa(i) + "]"
}

// scanMember looks for personal data in the name and the value of a member.
func (v *validation) scanMember(path, name string, raw any) {
	if personal(name) {
		v.fault("personal_data_in_log", path, "a member's name is personal data: move it under data.evidence")
		return
	}
	if callerNumbers[name] {
		v.scanValue(member(path, name), raw, mailOrIP)
		return
	}
	v.scanValue(member(path, name), raw, personal)
}

// callerNumbers are the fields in which a number in E.164 may stand: numbers of
// callers and called lines, never the contact's.
var callerNumbers = map[string]bool{"cli": true, "clis": true, "called_number": true}

func (v *validation) scanValue(path string, raw any, found func(string) bool) {
	switch x := raw.(type) {
	case string:
		if found(x) {
			v.faultPersonal(path)
		}
	case []any:
		for i, e := range x {
			v.scanValue(item(path, i), e, found)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			v.scanMember(path, k, x[k])
		}
	}
}

func (v *validation) faultPersonal(path string) {
	v.fault("personal_data_in_log", path, "personal data belong under data.evidence only")
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
		v.checkCLI(path, raw)
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
			v.scanMember(path, k, obj[k])
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
		} else if personal(s) {
			v.faultPersonal(path)
		}
	case KindCountry:
		if !countryForm.MatchString(s) {
			v.fault("value_unknown", path, "send ISO 3166-1 alpha-2 in capitals")
		}
	default:
		if s == "" && f.Required {
			v.fault("field_missing", path, "required for this type")
		}
		if personal(s) {
			v.faultPersonal(path)
		}
	}
	return raw
}

func (v *validation) checkInt(f *Field, path string, raw any) {
	if i, ok := wholeNumber(raw); !ok || i < f.Min {
		v.fault("field_type", path, fmt.Sprintf("send a whole number from %d on", f.Min))
	}
}

func (v *validation) checkCLI(path string, raw any) {
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", path, "send a string")
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
		at := item(path, i)
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
		out[i] = v.check(&elem, item(path, i), e)
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
			v.scanMember(path, k, obj[k])
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
		if i, ok := wholeNumber(obj[k]); !ok || i < 0 {
			v.fault("field_type", path, "send an object of whole numbers")
			return
		}
		if personal(k) {
			v.faultPersonal(path)
		}
	}
}

// cross checks fields against one another.
func (v *validation) cross() {
	v.intervals(v.info.Type.Fields(), "data", v.s.data)
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

// intervals compares the pairs …from, …to of the contract's fields.
func (v *validation) intervals(fields []Field, path string, obj map[string]any) {
	for i := range fields {
		f := &fields[i]
		if f.Kind == KindObject {
			inner, _ := obj[f.Name].(map[string]any)
			v.intervals(f.Fields, path+"."+f.Name, inner)
		}
		prefix, ok := strings.CutSuffix(f.Name, "to")
		if f.Kind != KindDate || !ok {
			continue
		}
		to, _ := obj[f.Name].(string)
		from, _ := obj[prefix+"from"].(string)
		last, err := ParseDate(to)
		first, err2 := ParseDate(from)
		if err == nil && err2 == nil && last < first {
			v.fault("interval_inverted", path+"."+f.Name, "the last day lies before the first")
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
	read := func(n string) (int64, bool) { return wholeNumber(v.s.data[n]) }
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
	data, object := v.s.data["data"].(map[string]any)
	if (v.s.data["data"] == nil || (object && len(data) == 0)) && v.s.data["new_time"] == nil {
		v.fault("correction_invalid", "data.data", "an amendment names the fields that change, or new_time")
	}
	for _, k := range []string{"phone", "country", "subject", "line"} {
		if _, given := data[k]; given {
			v.fault("correction_invalid", "data.data."+k, "the contact cannot be amended: void the event and publish it again")
		}
	}
	if _, given := data["evidence"]; given {
		v.fault("personal_data_in_log", "data.data.evidence", "send new evidence as data.evidence of the correction itself")
	}
}
