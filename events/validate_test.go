package events

import (
	"slices"
	"strings"
	"testing"
)

// testNormalise accepts any +number and Italian national numbers.
func testNormalise(phone, country string) (Phone, string) {
	if strings.HasPrefix(phone, "+") {
		if !e164Form.MatchString(phone) {
			return Phone{}, "phone_invalid"
		}
		return NewPhone(phone, LineMobile), ""
	}
	if country == "" {
		return Phone{}, "country_missing"
	}
	return NewPhone("+39"+phone, LineMobile), ""
}

var testNow, _ = ParseInstant("2026-03-10T12:00:00Z")

func validateText(t *testing.T, body string) (*Submission, []string) {
	t.Helper()
	s, faults := Validate([]byte(body), ValidateOptions{Now: testNow, Normalise: testNormalise})
	var codes []string
	for _, f := range faults {
		codes = append(codes, strings.TrimSuffix(f.Code+" "+f.Field, " "))
		if f.Hint == "" {
			t.Errorf("fault %s at %s has no hint", f.Code, f.Field)
		}
	}
	return s, codes
}

const validGrant = `{"specversion":"1.0","id":"g-100","source":"crm.a.example","type":"consent.granted.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","sourceseq":41,
 "data":{"phone":"+393401234567","purposes":["marketing"],"channels":["operator_call"],"evidence":{"ip":"192.0.2.7"}}}`

func TestRecordedForm(t *testing.T) {
	s, codes := validateText(t, validGrant)
	if len(codes) > 0 {
		t.Fatalf("faults: %v", codes)
	}
	r, fault := s.Record(ContactKey{1, 2, 3}, ContactKey{})
	if fault != nil {
		t.Fatal(fault)
	}
	got := string(r.Stamp(testNow))
	want := `{"controller":"A","data":{"channels":["operator_call"],"evidence_sha256":"55136bb5e87c1ad4b7ac5bd5a7d3f4cb0bafe5ea5ab9e82a0a6b21b4e9b3b3b3","line":"mobile","purposes":["marketing"]},"id":"g-100","receivedtime":"2026-01-10T11:00:00.000Z","recordedtime":"2026-03-10T12:00:00.000Z","source":"crm.a.example","sourceseq":41,"specversion":"1.0","subject":"01020300000000000000000000000000","time":"2026-01-10T11:00:00.000Z","type":"consent.granted.v1"}`
	i := strings.Index(want, `"evidence_sha256":"`) + len(`"evidence_sha256":"`)
	if got[:i] != want[:i] || got[i+64:] != want[i+64:] {
		t.Errorf("recorded form\n got %s\nwant %s", got, want)
	}
	if strings.Contains(got, "340123") || strings.Contains(got, "192.0.2.7") {
		t.Error("personal data in the recorded form")
	}
	if c, err := CanonicalJSON([]byte(got)); err != nil || string(c) != got {
		t.Errorf("not canonical: %v", err)
	}
	if d, err := PayloadDigest([]byte(got)); err != nil || d != r.Digest {
		t.Errorf("digest of the stored bytes %v differs from the recorder's %v: %v", d, r.Digest, err)
	}
	e, err := Decode([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	if g := e.Data.(*ConsentGranted); !g.Purposes.Has(PurposeMarketing) || g.Channels != ChannelOperatorCall.Bit() || g.Line != LineMobile || e.Recorded != testNow {
		t.Errorf("decoded %+v", g)
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"not json", `{"id":`, "json_invalid"},
		{"not an object", `[1]`, "json_invalid"},
		{"empty", `{}`, "specversion_unsupported specversion,id_missing id,source_missing source,type_missing type,time_missing time"},
		{"unknown type", strings.Replace(validGrant, "consent.granted.v1", "consent.given.v1", 1), "type_unknown type"},
		{"later version", strings.Replace(validGrant, "granted.v1", "granted.v2", 1), "version_unsupported type"},
		{"wide grant and bad number", strings.Replace(strings.Replace(validGrant, `["marketing"]`, `["*"]`, 1), "+393401234567", "+39", 1), "phone_invalid data.phone,scope_too_wide data.purposes[0]"},
		{"future", strings.Replace(validGrant, "2026-01-10T12:00:00+01:00", "2026-03-10T12:15:01Z", 1), "time_in_future time"},
		{"no country", strings.Replace(validGrant, "+39340", "340", 1), "country_missing data.country"},
		{"mail in the log", strings.Replace(validGrant, `"purposes"`, `"source_ref":"a@b.it","purposes"`, 1), "personal_data_in_log data.source_ref"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, codes := validateText(t, c.body)
			if got := strings.Join(codes, ","); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRestrictiveTypesAreRecordedIllFilled(t *testing.T) {
	s, codes := validateText(t, `{"specversion":"1.0","id":"w","source":"s","type":"consent.revoked.v1","time":"2027-01-01T00:00:00Z","receivedtime":"x","controller":"A",
	 "data":{"phone":"3401234567","country":"IT","purposes":"all","channels":["fax"],"medium":"pigeon","applied_at":7,"evidence":"none"}}`)
	if len(codes) > 0 {
		t.Fatalf("faults: %v", codes)
	}
	want := []string{"applied_at", "channels", "evidence", "medium", "purposes", "receivedtime", "time"}
	if !slices.Equal(s.Dropped, want) || !s.Future {
		t.Errorf("dropped %v, future %v; want %v, true", s.Dropped, s.Future, want)
	}
	r, fault := s.Record(ContactKey{1}, ContactKey{})
	if fault != nil {
		t.Fatal(fault)
	}
	e, err := Decode(r.Stamp(testNow))
	if err != nil {
		t.Fatal(err)
	}
	if w := e.Data.(*ConsentRevoked); w.Purposes.Restrictive() != AllPurposes || w.Channels.Restrictive() != AllChannels {
		t.Errorf("unreadable scope is not everything: %+v", w)
	}
}

func TestTableMatchesStructs(t *testing.T) {
	for _, info := range Types {
		if info.Type.Fields() == nil {
			t.Errorf("%s has no field table", info.Type)
		}
	}
}
