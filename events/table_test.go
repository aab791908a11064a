package events

import (
	"fmt"
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
		{"source_invalid", "source", strings.Replace(env("list.activated", "", `"list":"L"`), `"source":"s"`, `"source":"società"`, 1)},
		{"id_invalid", "id", strings.Replace(env("list.activated", "", `"list":"L"`), `"id":"i"`, `"id":"a\u0000"`, 1)},
		{"field_type", "id", strings.Replace(env("list.activated", "", `"list":"L"`), `"id":"i"`, `"id":7`, 1)},
		{"time_invalid", "time", strings.Replace(env("list.activated", "", `"list":"L"`), `10:00:00Z`, `10:00:00,5Z`, 1)},
		{"cli_invalid", "data.cli", env("call.concluded", "", call+`,"cli":""`)},
		{"cli_invalid", "data.clis[1]", env("caller_id.declared", "", `"holder":"P","from":"2026-01-01","clis":["+390844100100","x@example.org"]`)},
		{"field_type", "data.removed", env("list.screened", "", `"list":"L","removed":1.5`)},
		{"field_type", "data.positions", env("decision.batch_issued", "", `"batch":"B","count":0,"root":"`+strings.Repeat("a", 64)+`","allow":0,"warn":0,"block":0,"pack":"p","expires_at":"2026-03-01T10:00:00Z","positions":{"LEDGER_00":-1}`)},
		{"count_mismatch", "data", env("decision.batch_issued", "", `"batch":"B","count":1,"root":"`+strings.Repeat("a", 64)+`","allow":0,"warn":0,"block":0,"pack":"p","expires_at":"2026-03-01T10:00:00Z","positions":{}`)},
		{"personal_data_in_log", "data.recipient", env("list.transferred", "", `"list":"L","recipient":"192.0.2.1"`)},
		{"personal_data_in_log", "data.cli", env("list.activated", "", `"list":"L","cli":"x@example.org"`)},
		{"personal_data_in_log", "data.extra[0].deep", env("list.activated", "", `"list":"L","extra":[{"deep":"+393401234567"}]`)},
		{"personal_data_in_log", "data", env("list.activated", "", `"list":"L","x@example.org":true`)},
		{"personal_data_in_log", "data.vetting", env("list.acquired", "", `"list":"L","vetting":{"x@example.org":true}`)},
		{"personal_data_in_log", "campaign", strings.Replace(env("list.activated", "", `"list":"L"`), `"K"`, `"2001:db8::1"`, 1)},
		{"personal_data_in_log", "controller", strings.Replace(env("list.activated", "", `"list":"L"`), `"A"`, `"192.0.2.1"`, 1)},
		{"personal_data_in_log", "data.data.evidence", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"amend","reason":"r","data":{"evidence":{"name":"Rossi"}}`)},
		{"personal_data_in_log", "data.data.note", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"amend","reason":"r","data":{"cli":"+390844100100","note":"x@example.org"}`)},
		{"personal_data_in_log", "data.reason", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"void","reason":"+393401234567"`)},
		{"field_missing", "data.lists[0]", strings.Replace(env("campaign.opened", "", `"purpose":"marketing","channels":["sms"],"sector":"energy","lists":[""],"clis":[]`), "x", "x", 1)},
		{"field_missing", "data.target.id", env("event.corrected", "", `"target":{"source":"s"},"action":"void","reason":"r"`)},
		{"correction_invalid", "data.data", env("event.corrected", "", `"target":{"source":"s","id":"i"},"action":"amend","reason":"r","data":{}`)},
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

// What the contract accepts though it looks odd.
func TestAccepted(t *testing.T) {
	bodies := []string{
		strings.Replace(validGrant, `"sourceseq":41`, `"sourceseq":4.1e1`, 1),
		strings.Replace(validGrant, `"purposes"`, `"purposes_in_control":2.0,"purposes"`, 1),
		strings.Replace(validGrant, `"purposes"`, `"from":"2026-02-02","to":"2026-02-01","purposes"`, 1),
		strings.Replace(validGrant, `"purposes"`, `"cli":"+390844100100","Purposes":7,"purposes"`, 1),
		strings.Replace(validGrant, `"g-100"`, `"`+strings.Repeat("é", 128)+`"`, 1),
		strings.Replace(validGrant, "2026-01-10T12:00:00+01:00", "2026-03-10T12:15:00Z", 1),
		strings.Replace(validGrant, `"purposes"`, `"valid_to":"2026-01-10","notice":null,"purposes"`, 1),
		strings.Replace(validGrant, `"sourceseq":41`, `"subject":"nonsense","recordedtime":"x","targetsubject":7`, 1),
	}
	for _, body := range bodies {
		s, codes := validateText(t, body)
		if len(codes) > 0 {
			t.Errorf("faults %v\n%s", codes, body)
			continue
		}
		r, fault := s.Record(ContactKey{1}, ContactKey{})
		if fault != nil {
			t.Fatal(fault)
		}
		if e, err := Decode(r.Stamp(testNow)); err != nil || e.Data.(*ConsentGranted).Purposes != PurposeMarketing.Bit() {
			t.Errorf("%v: %s", err, r.Stamp(testNow))
		}
	}
}

// Faults stand in the order of events.md 6: envelope, type, family, contact,
// fields, cross-field.
func TestOrderOfFaults(t *testing.T) {
	body := `{"specversion":"2","id":"x@example.org","source":" ","type":"call.concluded.v1","time":"2027-03-01T10:00:00Z","receivedtime":"2027-02-01T10:00:00Z","controller":"-","sourceseq":-1,
	 "data":{"phone":"340","dialled_at":"2027-03-01T10:00:00Z","released_at":"2026-03-01T09:00:00Z","purpose":"profiling","channel":"*","cli":"12","grant":7,"note":"192.0.2.1"}}`
	_, faults := Validate([]byte(body), ValidateOptions{Now: testNow, Family: FamilyGrants, Normalise: testNormalise})
	want := "specversion_unsupported specversion,source_invalid source,received_before_time receivedtime,time_in_future time,time_in_future receivedtime,controller_invalid controller,campaign_missing campaign,sequence_invalid sourceseq,personal_data_in_log id," +
		"family_mismatch type,country_missing data.country," +
		"value_unknown data.purpose,value_unknown data.channel,cli_invalid data.cli,field_type data.grant,field_missing data.disposition,personal_data_in_log data.note," +
		"sequence_of_call_invalid data.released_at"
	var got []string
	for _, f := range faults {
		got = append(got, f.Code+" "+f.Field)
		if f.Error() != f.Code+" at "+f.Field+": "+f.Hint {
			t.Errorf("error text %q", f.Error())
		}
	}
	if strings.Join(got, ",") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ","), want)
	}
}

// Services of the ledger send the contact key; for everybody else subject is an
// ignored attribute.
func TestSubjectInsteadOfPhone(t *testing.T) {
	body := []byte(`{"specversion":"1.0","id":"a","source":"feed","type":"suppression.acknowledged.v1","time":"2026-03-01T10:00:00Z","controller":"A","subject":"3f0c9a5d1e7744b2a0c6d2f1908b7e55","data":{"opposition":"o-12","processor":"P1"}}`)
	s, faults := Validate(body, ValidateOptions{Normalise: testNormalise, AllowSubject: true})
	if len(faults) > 0 || s.Subject.String() != "3f0c9a5d1e7744b2a0c6d2f1908b7e55" {
		t.Errorf("subject %s, %v", s.Subject, faults)
	}
	if s, faults = Validate(body, ValidateOptions{Normalise: testNormalise}); len(faults) > 0 || !s.Subject.IsZero() {
		t.Errorf("a stranger's subject was taken: %s, %v", s.Subject, faults)
	}
	bad := []byte(strings.Replace(string(body), "3f0c", "+39 3", 1))
	if _, faults = Validate(bad, ValidateOptions{Normalise: testNormalise, AllowSubject: true}); len(faults) != 1 || faults[0].Field != "subject" || faults[0].Code != "field_type" {
		t.Errorf("a bad subject: %v", faults)
	}
}

// A number never comes out of a Phone by printing.
func TestPhoneHidesItsNumber(t *testing.T) {
	p := NewPhone("+393401234567", LineMobile)
	s := &Submission{Phone: p, Evidence: []byte("+393401234567"), data: map[string]any{"phone": "+393401234567"}}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v %s %q", p, p, p, p, p), fmt.Sprintf("%v %+v %#v %+v %#v", s, s, s, *s, *s), fmt.Sprintf("%x", p)} {
		if strings.Contains(text, "340123") || strings.Contains(text, "333430") {
			t.Errorf("the number shows: %s", text)
		}
	}
	if p.E164() != "+393401234567" || p.Line() != LineMobile {
		t.Error("the accessors lie")
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
