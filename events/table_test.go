package events

import (
	"reflect"
	"strings"
	"testing"
)

// jsonFields lists the JSON names of a struct, embedded ones included.
func jsonFields(t reflect.Type, out map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			jsonFields(f.Type, out)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = f.Type
	}
}

// derived are the fields that the recorder adds.
var derived = map[string]bool{"line": true, "evidence_sha256": true, "dropped": true}

func checkStruct(t *testing.T, where string, st reflect.Type, fields []Field) {
	t.Helper()
	have := map[string]reflect.Type{}
	jsonFields(st, have)
	for _, f := range fields {
		ft, ok := have[f.Name]
		if !ok {
			t.Errorf("%s: the struct lacks %s", where, f.Name)
			continue
		}
		delete(have, f.Name)
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch f.Kind {
		case KindObject:
			if ft != reflect.TypeFor[Identity]() {
				checkStruct(t, where+"."+f.Name, ft, f.Fields)
			}
		case KindObjects:
			checkStruct(t, where+"."+f.Name, ft.Elem(), f.Fields)
		case KindBool:
			if ft.Kind() != reflect.Bool {
				t.Errorf("%s.%s is %s", where, f.Name, ft)
			}
		case KindInstant:
			if ft != reflect.TypeFor[Instant]() {
				t.Errorf("%s.%s is %s", where, f.Name, ft)
			}
		case KindDate:
			if ft != reflect.TypeFor[Date]() {
				t.Errorf("%s.%s is %s", where, f.Name, ft)
			}
		case KindHash:
			if ft != reflect.TypeFor[Digest]() {
				t.Errorf("%s.%s is %s", where, f.Name, ft)
			}
		}
	}
	for name := range have {
		if !derived[name] {
			t.Errorf("%s: the table lacks %s", where, name)
		}
	}
}

func TestTablesMatchStructs(t *testing.T) {
	for _, info := range Types {
		p := info.New()
		if p.EventType() != info.Type {
			t.Errorf("%s makes a payload of %s", info.Type, p.EventType())
		}
		checkStruct(t, string(info.Type), reflect.TypeOf(p).Elem(), info.Type.Fields())
	}
}

func TestClosedSetsMatchConstants(t *testing.T) {
	for i, p := range Purposes {
		if ClosedSets["purpose"][i] != string(p) || PurposeSet(1<<i) != p.Bit() {
			t.Errorf("purpose %d is %s", i, p)
		}
	}
	for i, c := range Channels {
		if ClosedSets["channel"][i] != string(c) || ChannelSet(1<<i) != c.Bit() {
			t.Errorf("channel %d is %s", i, c)
		}
	}
	human := 0
	for _, d := range ClosedSets["disposition"] {
		if Disposition(d).Human() {
			human++
		}
	}
	if human != 8 || !Disposition("sale").Human() || Disposition("silent").Human() {
		t.Errorf("%d dispositions are human, want the last eight", human)
	}
	if got := AllPurposes.List(); len(got) != len(Purposes) {
		t.Errorf("all purposes: %v", got)
	}
	if got := AllChannels.List(); len(got) != len(Channels) {
		t.Errorf("all channels: %v", got)
	}
}

// Every code of events.md 6 that validation can raise is raised by a case.
func TestEveryCode(t *testing.T) {
	env := func(typ, more, data string) string {
		return `{"specversion":"1.0","id":"i","source":"s","type":"` + typ + `.v1","time":"2026-03-01T10:00:00Z","controller":"A","campaign":"K"` + more + `,"data":{` + data + `}}`
	}
	call := `"phone":"+393401234567","dialled_at":"2026-03-01T10:00:00Z","purpose":"marketing","channel":"operator_call","disposition":"busy"`
	long := strings.Repeat("x", 300)
	cases := []struct{ code, field, body string }{
		{"json_invalid", "", `"text"`},
		{"json_invalid", "", `{} {}`},
		{"specversion_unsupported", "specversion", strings.Replace(env("list.activated", "", `"list":"L"`), `"1.0"`, `"0.3"`, 1)},
		{"id_missing", "id", strings.Replace(env("list.activated", "", `"list":"L"`), `"id":"i"`, `"id":""`, 1)},
		{"id_invalid", "id", strings.Replace(env("list.activated", "", `"list":"L"`), `"id":"i"`, `"id":"`+long+`"`, 1)},
		{"source_missing", "source", strings.Replace(env("list.activated", "", `"list":"L"`), `"source":"s",`, ``, 1)},
		{"source_invalid", "source", strings.Replace(env("list.activated", "", `"list":"L"`), `"source":"s"`, `"source":"a b"`, 1)},
		{"type_missing", "type", strings.Replace(env("list.activated", "", `"list":"L"`), `"type":"list.activated.v1",`, ``, 1)},
		{"type_unknown", "type", env("list.burnt", "", `"list":"L"`)},
		{"version_unsupported", "type", strings.Replace(env("list.activated", "", `"list":"L"`), ".v1", ".v3", 1)},
		{"time_missing", "time", strings.Replace(env("list.activated", "", `"list":"L"`), `"time":"2026-03-01T10:00:00Z",`, ``, 1)},
		{"time_invalid", "time", strings.Replace(env("list.activated", "", `"list":"L"`), `10:00:00Z`, `10:00:00`, 1)},
		{"time_invalid", "data.snapshot_at", env("register.screening_completed", "", `"batch":"B","snapshot_at":"yesterday"`)},
		{"time_in_future", "receivedtime", env("list.activated", `,"receivedtime":"2026-03-10T12:16:00Z"`, `"list":"L"`)},
		{"received_before_time", "receivedtime", env("list.activated", `,"receivedtime":"2026-02-01T12:16:00Z"`, `"list":"L"`)},
		{"date_invalid", "data.from", env("code.adhered", "", `"from":"2026-02-30"`)},
		{"controller_missing", "controller", strings.Replace(env("list.activated", "", `"list":"L"`), `"controller":"A",`, ``, 1)},
		{"controller_invalid", "controller", strings.Replace(env("list.activated", "", `"list":"L"`), `"A"`, `"-A"`, 1)},
		{"controller_invalid", "data.recipient", env("list.transferred", "", `"list":"L","recipient":"B B"`)},
		{"campaign_missing", "campaign", strings.Replace(env("script.published", "", `"script":"S","sha256":"`+strings.Repeat("a", 64)+`"`), `,"campaign":"K"`, ``, 1)},
		{"sequence_invalid", "sourceseq", env("list.activated", `,"sourceseq":0`, `"list":"L"`)},
		{"phone_missing", "data.phone", env("register.delisted", "", `"delisted_on":"2026-01-01"`)},
		{"phone_invalid", "data.phone", env("register.delisted", "", `"phone":"+0","delisted_on":"2026-01-01"`)},
		{"country_missing", "data.country", env("register.delisted", "", `"phone":"340","delisted_on":"2026-01-01"`)},
		{"field_missing", "data.list", env("list.activated", "", ``)},
		{"field_missing", "data", `{"specversion":"1.0","id":"i","source":"s","type":"list.activated.v1","time":"2026-03-01T10:00:00Z","controller":"A"}`},
		{"field_type", "data.list", env("list.activated", "", `"list":7`)},
		{"field_type", "data.scope.lists", env("order.issued", "", `"authority":"g","number":"1","kind":"fine","from":"2026-01-01","scope":{"lists":"L"}`)},
		{"value_unknown", "data.disposition", strings.Replace(env("call.concluded", "", call), "busy", "bored", 1)},
		{"scope_missing", "data.channels", env("consent.granted", "", `"phone":"+393401234567","purposes":["marketing"],"channels":[]`)},
		{"scope_too_wide", "data.channels[0]", env("consent.granted", "", `"phone":"+393401234567","purposes":["marketing"],"channels":["*"]`)},
		{"hash_invalid", "data.sha256", env("script.published", "", `"script":"S","sha256":"AA"`)},
		{"interval_inverted", "data.to", env("code.adhered", "", `"from":"2026-02-02","to":"2026-02-01"`)},
		{"interval_inverted", "data.roc.to", env("processor.appointed", "", `"processor":"P","from":"2026-02-02","roc":{"number":"1","from":"2026-02-02","to":"2026-02-01"}`)},
		{"interval_inverted", "data.valid_to", env("consent.granted", "", `"phone":"+393401234567","purposes":["marketing"],"channels":["sms"],"valid_to":"2026-02-28"`)},
		{"sequence_of_call_invalid", "data.answered_at", env("call.concluded", "", call+`,"answered_at":"2026-03-01T09:59:59Z"`)},
		{"sequence_of_call_invalid", "time", env("call.concluded", "", call+`,"released_at":"2026-03-01T10:01:00Z"`)},
		{"count_mismatch", "data", env("register.screening_completed", "", `"batch":"B","snapshot_at":"2026-03-01T10:00:00Z","submitted":3,"clear":1,"opposed":1,"selective":0,"invalid":0`)},
		{"cli_invalid", "data.cli", env("call.concluded", "", call+`,"cli":"0844"`)},
		{"personal_data_in_log", "data.note", env("list.activated", "", `"list":"L","note":"192.0.2.1"`)},
		{"personal_data_in_log", "data.phone", env("list.activated", "", `"list":"L","phone":"+393401234567"`)},
		{"personal_data_in_log", "id", strings.Replace(env("list.activated", "", `"list":"L"`), `"id":"i"`, `"id":"a@b.it"`, 1)},
		{"correction_invalid", "data.data", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"amend","reason":"r"`)},
		{"correction_invalid", "data.data.phone", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"amend","reason":"r","data":{"phone":"340"}`)},
	}
	for _, c := range cases {
		_, codes := validateText(t, c.body)
		want := strings.TrimSuffix(c.code+" "+c.field, " ")
		if len(codes) != 1 || codes[0] != want {
			t.Errorf("got %v, want [%s]\n%s", codes, want, c.body)
		}
	}
}

func TestFamilyMismatchAndSize(t *testing.T) {
	_, faults := Validate([]byte(validGrant), ValidateOptions{Now: testNow, Family: FamilyOutcomes, Normalise: testNormalise})
	if len(faults) != 1 || faults[0].Code != "family_mismatch" {
		t.Errorf("faults %v", faults)
	}
	big := strings.Replace(validGrant, `"purposes"`, `"source_ref":"`+strings.Repeat("x", MaxRecord)+`","purposes"`, 1)
	s, codes := validateText(t, big)
	if len(codes) > 0 {
		t.Fatal(codes)
	}
	if _, fault := s.Record(ContactKey{1}, ContactKey{}); fault == nil || fault.Code != "record_too_large" {
		t.Errorf("fault %v", fault)
	}
	huge := strings.Replace(validGrant, `"purposes"`, `"source_ref":"`+strings.Repeat("x", MaxSubmission)+`","purposes"`, 1)
	if _, codes := validateText(t, huge); len(codes) != 1 || codes[0] != "json_invalid" {
		t.Error(codes)
	}
	evidence := strings.Replace(validGrant, `{"ip":"192.0.2.7"}`, `{"scan":"`+strings.Repeat("x", 100_000)+`"}`, 1)
	s, codes = validateText(t, evidence)
	if len(codes) > 0 {
		t.Fatal(codes)
	}
	if r, fault := s.Record(ContactKey{1}, ContactKey{}); fault != nil || r.Size() > 2000 {
		t.Error("evidence counts toward the recorded form")
	}
}
