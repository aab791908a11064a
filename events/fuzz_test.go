package events

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{validGrant, `[1e21,1e-7,0.1,-0,333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]`, `{"\u20ac":1,"\r":2,"\ud83d\ude00":3,"ö":4,"1":5,"\ufb33":6}`, `"\u0000\b\"\\/"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := CanonicalJSON(raw)
		if err != nil {
			return
		}
		if !json.Valid(c) {
			t.Fatalf("canonical form is no JSON: %q", c)
		}
		again, err := CanonicalJSON(c)
		if err != nil || !bytes.Equal(again, c) {
			t.Fatalf("canonical form is not stable: %q then %q, %v", c, again, err)
		}
	})
}

func FuzzValidate(f *testing.F) {
	for _, s := range []string{validGrant, `{"specversion":"1.0","type":"event.corrected.v1","data":{"target":{},"action":"amend"}}`, `{"type":"call.concluded.v1","data":{"dialled_at":"x","cli":null}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, faults := Validate(body, ValidateOptions{Now: testNow, Normalise: testNormalise})
		for _, fault := range faults {
			if fault.Code == "" || fault.Hint == "" {
				t.Fatalf("fault without code or hint: %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		r, fault := s.Record(ContactKey{1}, ContactKey{})
		if fault != nil {
			return
		}
		stored := r.Stamp(testNow)
		c, err := CanonicalJSON(stored)
		if err != nil || !bytes.Equal(c, stored) {
			t.Fatalf("stored bytes are not canonical: %q, %v", stored, err)
		}
		e, err := Decode(stored)
		if err != nil {
			t.Fatalf("an accepted event does not decode: %v\n%s", err, stored)
		}
		if d, err := PayloadDigest(stored); err != nil || d != r.Digest || e.Identity() != r.Identity {
			t.Fatalf("digest or identity differ after storing: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"data":{"grant":"g","reason":"fake"},"id":"i","source":"s","time":"2026-03-04T08:00:00.000Z","type":"consent.invalidated.v1"}`))
	f.Add([]byte(`{"data":{"Channels":["sms"],"channelſ":[],"\\u0063hannels":["*"]},"id":"i","source":"s","time":"2026-03-04T08:00:00.000Z","type":"consent.revoked.v1"}`))
	f.Add([]byte(`{"data":{"purposes":[7]},"id":"i","source":"s","time":"2026-03-04T08:00:00.000Z","type":"consent.granted.v1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Decode(body)
		if err == nil && (e.Data == nil || e.Data.EventType() != e.Type || e.Time == 0 || e.Received == 0) {
			t.Fatalf("half-decoded event: %+v", e)
		}
	})
}

func FuzzSubjectToken(f *testing.F) {
	for _, s := range []string{"", "_", "crm.a.example/node 3", "%41", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token := SubjectToken(s)
		for i := range len(token) {
			if !tokenByte(token[i]) && token[i] != '%' {
				t.Fatalf("byte %q in token", token[i])
			}
		}
		back, err := ParseSubjectToken(token)
		if err != nil || back != s {
			t.Fatalf("%q -> %q -> %q, %v", s, token, back, err)
		}
	})
}

func FuzzParseInstant(f *testing.F) {
	for _, s := range []string{"2026-01-10T12:00:00+01:00", "2026-01-10T12:00:00.123456789Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sameAsStandardLibrary(t, s)
		i, err := ParseInstant(s)
		if err != nil {
			return
		}
		if i == 0 {
			t.Fatal("an absent instant was read without an error")
		}
		back, err := ParseInstant(i.String())
		if err != nil || back != i {
			t.Fatalf("%s -> %s -> %d, want %d: %v", s, i, back, i, err)
		}
	})
}

// The door and the recorder see one identity and one type in any bytes.
func FuzzPeek(f *testing.F) {
	for _, s := range []string{validGrant, `{"source":"a","Source":"b","\u0073ource":"c","type":7}`, `{"id":"\ud800","source":"` + "\xff" + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		id, typ, err := Peek(body)
		s, faults := Validate(body, ValidateOptions{Normalise: testNormalise})
		if err != nil {
			if len(faults) == 0 || faults[0].Code != "json_invalid" {
				t.Fatalf("the door refuses what the recorder reads: %v, %v", err, faults)
			}
			return
		}
		if len(faults) == 0 && (id != s.Identity() || typ != s.Type) {
			t.Fatalf("the door sees %v %s, the recorder %v %s", id, typ, s.Identity(), s.Type)
		}
	})
}

func FuzzFromBinary(f *testing.F) {
	f.Add("ce-sourceseq", "7", []byte(`{"list":"L"}`))
	f.Add("CE-Source", "a b", []byte(` [1] `))
	f.Add("content-type", "x", []byte(``))
	f.Fuzz(func(t *testing.T, name, value string, body []byte) {
		got, err := FromBinary(map[string]string{name: value}, body)
		if err != nil {
			return
		}
		if c, err := CanonicalJSON(got); err != nil || !bytes.Equal(c, got) {
			t.Fatalf("structured mode is not canonical: %q, %v", got, err)
		}
	})
}

// What ExactNames leaves holds no twin of a name, and it takes nothing else.
func FuzzExactNames(f *testing.F) {
	for _, s := range []string{`{"Channels":[],"channels":["sms"]}`, `{"proof":{"KIND":1,"kind":"x"},"x":{"KIND":1}}`, `{"\u0063hannels":[]}`, `{"a":"Channels"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ExactNames(TypeConsentGranted, data)
		if err != nil || !json.Valid(data) {
			return
		}
		again, err := ExactNames(TypeConsentGranted, got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("not stable: %q then %q, %v", got, again, err)
		}
		var loose ConsentGranted
		var names map[string]json.RawMessage
		if json.Unmarshal(got, &names) != nil || json.Unmarshal(got, &loose) != nil {
			return
		}
		if _, exact := names["channels"]; !exact && loose.Channels != 0 {
			t.Fatalf("a twin of channels was read: %q", got)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-02-28", "0000-12-31", "9999-12-31", "2026-2-28"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err == nil && (d <= 0 || d.String() != s) {
			t.Fatalf("%q was read as %s", s, d)
		}
	})
}
