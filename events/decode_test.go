package events

import (
	"errors"
	"strings"
	"testing"
)

func stored(typ, data string) []byte {
	return []byte(`{"controller":"A","data":` + data + `,"id":"i","receivedtime":"2026-03-04T08:00:00.000Z","recordedtime":"2026-03-04T08:00:01.000Z","source":"s","specversion":"1.0","subject":"3f0c9a5d1e7744b2a0c6d2f1908b7e55","time":"2026-03-04T08:00:00.000Z","type":"` + typ + `.v1"}`)
}

// Unknown fields are ignored, and a name in another letter case is an unknown
// field: it must not narrow a revocation.
func TestNamesAreExact(t *testing.T) {
	cases := []string{
		`{"Channels":["sms"],"PURPOSES":["service"]}`,
		"{\"channel\u017f\":[\"sms\"],\"purpose\u017f\":[\"service\"]}",
		`{"\u0043hannels":["sms"]}`,
		`{"CHANNELS" : ["sms"], "nested":{"Channels":"A:\"b\""}}`,
	}
	for _, data := range cases {
		e, err := Decode(stored("consent.revoked", data))
		if err != nil {
			t.Fatal(err)
		}
		if w := e.Data.(*ConsentRevoked); w.Channels != 0 || w.Purposes != 0 {
			t.Errorf("%s was read as %v %v", data, w.Channels.List(), w.Purposes.List())
		}
	}
	e, err := Decode(stored("consent.revoked", `{"Channels":["sms"],"\u0063hannels":["email"]}`))
	if err != nil || e.Data.(*ConsentRevoked).Channels != ChannelEmail.Bit() {
		t.Errorf("an escaped name is the name: %+v, %v", e.Data, err)
	}
	e, err = Decode(stored("consent.granted", `{"Proof":{"kind":"signed_form"},"notice":{"ID":"x","id":"N","version":"1"},"purposes":["marketing"]}`))
	if g := e.Data.(*ConsentGranted); err != nil || g.Proof != nil || g.Notice.ID != "N" || g.Purposes != PurposeMarketing.Bit() {
		t.Errorf("nested: %+v, %v", e.Data, err)
	}
	e, err = Decode(stored("decision.issued", `{"positions":{"LEDGER_00":4},"reasons":[{"RULE":"X","rule":"IT-RPO-02"}]}`))
	if d := e.Data.(*DecisionIssued); err != nil || d.Positions["LEDGER_00"] != 4 || d.Reasons[0].Rule != "IT-RPO-02" {
		t.Errorf("lists and maps: %+v, %v", e.Data, err)
	}
	for _, names := range knownNames {
		for _, n := range names {
			if n != strings.ToLower(n) {
				t.Errorf("the contract's name %s is not lower-case: hasLookalike would miss its twins", n)
			}
		}
	}
}

func TestDecodeIsLenient(t *testing.T) {
	e, err := Decode(stored("consent.revoked", `{"purposes":["marketing","telepathy"],"channels":["*"],"medium":"dream","later":{"a":[1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	w := e.Data.(*ConsentRevoked)
	if w.Purposes.Restrictive() != AllPurposes || w.Purposes.Has(PurposeService) || w.Channels != AllChannels || w.Medium != "dream" {
		t.Errorf("unknown values: %+v", w)
	}
	e, err = Decode(stored("consent.granted", `{"purposes":["marketing","telepathy"],"channels":["sms"]}`))
	if g := e.Data.(*ConsentGranted); err != nil || g.Purposes.Has(PurposeProfiling) || len(g.Purposes.List()) != 1 {
		t.Errorf("a grant's unknown value is absent: %+v, %v", g, err)
	}
	noReceived := strings.Replace(string(stored("list.activated", `{"list":"L"}`)), `"receivedtime":"2026-03-04T08:00:00.000Z",`, "", 1)
	if e, err = Decode([]byte(noReceived)); err != nil || e.Received != e.Time {
		t.Errorf("received defaults to time: %+v, %v", e, err)
	}
}

func TestDecodeErrors(t *testing.T) {
	good := string(stored("list.activated", `{"list":"L"}`))
	cases := []struct {
		body string
		want error
	}{
		{strings.Replace(good, "list.activated.v1", "list.burnt.v1", 1), ErrTypeUnknown},
		{strings.Replace(good, "list.activated.v1", "list.activated.v2", 1), ErrTypeUnknown},
		{"", ErrRecord},
		{"[]", ErrRecord},
		{good[:len(good)-1], ErrRecord},
		{strings.Replace(good, `"id":"i"`, `"id":""`, 1), ErrRecord},
		{strings.Replace(good, `"source":"s",`, ``, 1), ErrRecord},
		{strings.Replace(good, `{"list":"L"}`, `[]`, 1), ErrRecord},
		{strings.Replace(good, `"data":{"list":"L"},`, ``, 1), ErrRecord},
		{strings.Replace(good, `"time":"2026-03-04T08:00:00.000Z"`, `"time":"today"`, 1), ErrRecord},
		{strings.Replace(good, `"subject":"3f`, `"subject":"3F`, 1), ErrRecord},
		{strings.Replace(good, `"L"`, `7`, 1), ErrRecord},
		{strings.Replace(good, `"list":"L"`, `"LIST":1,"x":1e999`, 1), ErrRecord},
	}
	for _, c := range cases {
		e, err := Decode([]byte(c.body))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.body, err, c.want)
		}
		if e.ID != "" || e.Data != nil {
			t.Errorf("%s: a half-read event beside the error: %+v", c.body, e)
		}
	}
	for _, bad := range []string{"", "[]", `{"data":7x}`, `{"type":7}`} {
		if _, err := PayloadDigest([]byte(bad)); !errors.Is(err, ErrRecord) {
			t.Errorf("digest of %q: %v", bad, err)
		}
	}
}

func TestFromBinary(t *testing.T) {
	got, err := FromBinary(map[string]string{
		"Ce-Specversion": "1.0", "CE-ID": "i", "ce-source": "s", "ce-type": "list.activated.v1", "ce-time": "2026-03-01T10:00:00Z", "ce-controller": "A", "ce-sourceseq": "7", "ce-data": "no", "Content-Type": "application/json",
	}, []byte(` {"list":"L"} `))
	want := `{"controller":"A","data":{"list":"L"},"id":"i","source":"s","sourceseq":7,"specversion":"1.0","time":"2026-03-01T10:00:00Z","type":"list.activated.v1"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if _, codes := validateText(t, string(got)); len(codes) > 0 {
		t.Errorf("faults %v", codes)
	}
	for seq, code := range map[string]string{"0": "sequence_invalid sourceseq", "0x10": "sequence_invalid sourceseq", "1e400": "sequence_invalid sourceseq", "-1": "sequence_invalid sourceseq"} {
		body, err := FromBinary(map[string]string{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "list.activated.v1", "ce-time": "2026-03-01T10:00:00Z", "ce-controller": "A", "ce-sourceseq": seq}, []byte(`{"list":"L"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, codes := validateText(t, string(body)); len(codes) != 1 || codes[0] != code {
			t.Errorf("sourceseq %s: %v, want %s", seq, codes, code)
		}
	}
	if body, err := FromBinary(map[string]string{"ce-id": "i"}, nil); err != nil || string(body) != `{"id":"i"}` {
		t.Errorf("no body: %s, %v", body, err)
	}
	if _, err := FromBinary(nil, []byte("text")); err == nil {
		t.Error("a body that is not JSON was read")
	}
}

// The door and the recorder must see one and the same source: the door compares
// it with the credential.
func TestPeekReadsWhatValidateReads(t *testing.T) {
	for _, body := range []string{
		validGrant,
		`{"source":"victim","Source":"me","SOURCE":"me","id":"i","ID":"j","type":"a","Type":"b"}`,
		`{"source":"a","source":"b","type":["list.activated.v1"],"id":7}`,
		`{"\u0073ource":"escaped","source\u0000":"no"}`,
		`{}`,
	} {
		id, typ, err := Peek([]byte(body))
		s, _ := Validate([]byte(body), ValidateOptions{Normalise: testNormalise})
		if err != nil || id != s.Identity() || typ != s.Type {
			t.Errorf("%s: the door sees %v %s, the recorder %v %s: %v", body, id, typ, s.Identity(), s.Type, err)
		}
	}
	for _, body := range []string{"", "7", "[]", "{", `{} {}`} {
		if _, _, err := Peek([]byte(body)); err == nil {
			t.Errorf("%q was read", body)
		}
	}
}
