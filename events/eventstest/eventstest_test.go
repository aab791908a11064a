package eventstest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/assenso/assenso/events"
)

func TestEqualSeedsGiveEqualBytes(t *testing.T) {
	a, b, other := NewGenerator(1), NewGenerator(1), NewGenerator(2)
	differ := false
	for range 200 {
		typ := a.Type()
		if b.Type() != typ {
			t.Fatal("equal seeds, two types")
		}
		other.Type()
		x, y := a.Submission(typ), b.Submission(typ)
		if !bytes.Equal(x, y) {
			t.Fatalf("equal seeds, two submissions:\n%s\n%s", x, y)
		}
		differ = differ || !bytes.Equal(x, other.Submission(typ))
	}
	if !differ {
		t.Error("another seed gives the same submissions")
	}
}

// Whatever is made is valid, alone and among others, in every filling.
func TestEverythingMadeIsValid(t *testing.T) {
	gen := NewGenerator(3)
	seen := map[events.Identity]bool{}
	for range 30 {
		for _, info := range events.Types {
			for _, env := range []map[string]any{gen.Envelope(info.Type), gen.Full(info.Type), gen.Minimal(info.Type)} {
				body, err := json.Marshal(env)
				if err != nil {
					t.Fatal(err)
				}
				s, faults := events.Validate(body, events.ValidateOptions{Family: info.Family, Normalise: Normalise})
				if len(faults) > 0 {
					t.Fatalf("%v\n%s", faults, body)
				}
				if seen[s.Identity()] || len(s.Dropped) > 0 {
					t.Fatalf("identity made twice, or fields dropped %v: %s", s.Dropped, body)
				}
				seen[s.Identity()] = true
				if s.Time < gen.Start || s.Time > gen.Start+events.Instant(gen.Span)+70_000_000 {
					t.Fatalf("time %s lies outside the span", s.Time)
				}
			}
		}
	}
}

func TestFullAndMinimal(t *testing.T) {
	gen := NewGenerator(4)
	for _, info := range events.Types {
		full := gen.Full(info.Type)["data"].(map[string]any)
		least := gen.Minimal(info.Type)["data"].(map[string]any)
		for _, f := range info.Type.Fields() {
			if full[f.Name] == nil {
				t.Errorf("%s: the full submission lacks %s", info.Type, f.Name)
			}
			if _, given := least[f.Name]; given && !f.Required && !f.Grant && info.Type != events.TypeEventCorrected {
				t.Errorf("%s: the minimal submission bears %s", info.Type, f.Name)
			}
		}
		if _, given := least["phone"]; given != (info.Contact == events.Required) {
			t.Errorf("%s: the minimal submission's contact: %v", info.Type, given)
		}
	}
}

func TestRecordedBearsTheContact(t *testing.T) {
	gen := NewGenerator(5)
	gen.Contacts = 1
	key := Key(gen.Phone())
	for _, info := range events.Types {
		e, body := gen.Recorded(info.Type)
		if e.Type != info.Type || e.Recorded <= e.Time || e.Recorded <= e.Received {
			t.Errorf("%s: clocks %s %s %s", info.Type, e.Time, e.Received, e.Recorded)
		}
		if want := info.Contact == events.Required; want && e.Subject != key || info.Contact == events.Absent && !e.Subject.IsZero() {
			t.Errorf("%s: subject %s", info.Type, e.Subject)
		}
		if bytes.Contains(body, []byte("+39340")) {
			t.Errorf("%s: a contact's number stands in the record: %s", info.Type, body)
		}
	}
}

func TestNormalise(t *testing.T) {
	cases := []struct{ phone, country, e164, code, line string }{
		{"+393401234567", "", "+393401234567", "", "mobile"},
		{"3401234567", "IT", "+393401234567", "", "mobile"},
		{"0612345678", "IT", "+390612345678", "", "fixed"},
		{"+39800123456", "", "+39800123456", "", "other_it"},
		{"+441632960001", "", "+441632960001", "", "foreign"},
		{"3401234567", "", "", "country_missing", ""},
		{"+39", "", "", "phone_invalid", ""},
		{"+3934012345678901", "", "", "phone_invalid", ""},
	}
	for _, c := range cases {
		p, code := Normalise(c.phone, c.country)
		if p.E164() != c.e164 || code != c.code || string(p.Line()) != c.line {
			t.Errorf("%s %s: %s %s %s", c.phone, c.country, p.E164(), p.Line(), code)
		}
	}
}
