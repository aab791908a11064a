package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

// spell writes v as JSON with members in random order, random white space and
// escaped letters: another spelling of the same value.
func spell(rnd *rand.Rand, b *strings.Builder, v any) {
	space := func() { b.WriteString([]string{"", " ", "\n\t"}[rnd.IntN(3)]) }
	space()
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			spell(rnd, b, k)
			b.WriteByte(':')
			spell(rnd, b, x[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteByte(',')
			}
			spell(rnd, b, e)
		}
		b.WriteByte(']')
	case string:
		b.WriteByte('"')
		for _, r := range x {
			if r < 0x80 && rnd.IntN(5) == 0 {
				fmt.Fprintf(b, `\u%04X`, r)
			} else {
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	default:
		raw, err := json.Marshal(x)
		if err != nil {
			panic(err) // a number, a truth value or null
		}
		b.Write(raw)
	}
	space()
}

// Spelling never matters: the recorded bytes, the digest and the message id are
// those of the value.
func TestSpellingNeverMatters(t *testing.T) {
	gen := eventstest.NewGenerator(3)
	rnd := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		for _, info := range events.Types {
			body := gen.Submission(info.Type)
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			var other strings.Builder
			spell(rnd, &other, v)
			a, b := record(t, body), record(t, []byte(other.String()))
			if !bytes.Equal(a.Stamp(recordedAt), b.Stamp(recordedAt)) || a.Digest != b.Digest || a.MessageID != b.MessageID {
				t.Fatalf("two spellings, two records:\n%s\n%s", a.Stamp(recordedAt), b.Stamp(recordedAt))
			}
		}
	}
}

// The clocks outside the digest do not make a conflict, everything within does.
func TestWhatTheDigestCovers(t *testing.T) {
	gen := eventstest.NewGenerator(4)
	for _, info := range events.Types {
		env := gen.Full(info.Type)
		base := record(t, marshal(t, env))
		change := func(name string, value any) events.Digest {
			old, had := env[name]
			env[name] = value
			d := record(t, marshal(t, env)).Digest
			if had {
				env[name] = old
			} else {
				delete(env, name)
			}
			return d
		}
		if change("receivedtime", "2027-01-01T00:00:00Z") != base.Digest || change("sourceseq", 999) != base.Digest || change("id", "other") != base.Digest {
			t.Errorf("%s: the digest covers more than the payload", info.Type)
		}
		if change("campaign", "K-B") == base.Digest {
			t.Errorf("%s: the digest leaves out the campaign", info.Type)
		}
		if env["controller"] != nil && change("controller", "Z") == base.Digest {
			t.Errorf("%s: the digest leaves out the controller", info.Type)
		}
		data := env["data"].(map[string]any)
		data["a_later_field"] = true
		if record(t, marshal(t, env)).Digest == base.Digest {
			t.Errorf("%s: the digest leaves out unknown fields", info.Type)
		}
		target := events.ContactKey{9}
		s, _ := events.Validate(marshal(t, env), events.ValidateOptions{Normalise: eventstest.Normalise})
		r1, _ := s.Record(events.ContactKey{1}, events.ContactKey{})
		r2, _ := s.Record(events.ContactKey{1}, target)
		r3, _ := s.Record(events.ContactKey{2}, target)
		if r1.Digest != r2.Digest || r2.Digest == r3.Digest || !bytes.Contains(r2.Stamp(recordedAt), []byte(target.String())) {
			t.Errorf("%s: targetsubject is outside the digest, subject within", info.Type)
		}
	}
}

// canaries are values that must never come back in a fault.
var canaries = []any{"+393409998887", "canary@example.org", "2001:db8::cafe", "canary\u0000", "", -7.5, true, nil, []any{"canary"}, map[string]any{"inner": "+393409998887"}, map[string]any{"canary@example.org": 1}}

// Whatever one field holds, validation does not panic, quotes nothing, and what
// it accepts is canonical, decodes and holds nothing personal.
func TestAnyValueInAnyField(t *testing.T) {
	gen := eventstest.NewGenerator(5)
	for _, info := range events.Types {
		env := gen.Full(info.Type)
		data := env["data"].(map[string]any)
		for _, holder := range []map[string]any{env, data} {
			for _, name := range keysOf(holder) {
				old := holder[name]
				for _, canary := range canaries {
					holder[name] = canary
					judge(t, info, name, marshal(t, env))
				}
				holder[name] = old
			}
		}
	}
}

func keysOf(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func judge(t *testing.T, info events.TypeInfo, name string, body []byte) {
	t.Helper()
	s, faults := events.Validate(body, events.ValidateOptions{Now: recordedAt, Normalise: eventstest.Normalise})
	text := string(marshal(t, faults))
	for _, secret := range []string{"393409998887", "canary", "cafe"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s.%s: a fault quotes the value: %s", info.Type, name, text)
		}
	}
	if len(faults) > 0 {
		return
	}
	r, fault := s.Record(events.ContactKey{1}, events.ContactKey{})
	if fault != nil {
		t.Fatalf("%s.%s: %v", info.Type, name, fault)
	}
	stored := r.Stamp(recordedAt)
	if c, err := events.CanonicalJSON(stored); err != nil || !bytes.Equal(c, stored) {
		t.Errorf("%s.%s: not canonical, %v: %s", info.Type, name, err, stored)
	}
	if _, err := events.Decode(stored); err != nil {
		t.Errorf("%s.%s: accepted, but does not decode: %v\n%s", info.Type, name, err, stored)
	}
	caller := name == "cli" || name == "clis" || name == "called_number"
	if (bytes.Contains(stored, []byte("393409998887")) && !caller) || bytes.Contains(stored, []byte("canary@")) || bytes.Contains(stored, []byte("2001:db8")) {
		t.Errorf("%s.%s: personal data in the log: %s", info.Type, name, stored)
	}
}

// Nobody stays callable because a form was ill-filled (events.md 6): no value
// whatever of an optional field refuses a restrictive event.
func TestNoOptionalFieldRefusesARestriction(t *testing.T) {
	gen := eventstest.NewGenerator(6)
	for _, info := range events.Types {
		if !info.Type.Lenient() {
			continue
		}
		for _, f := range append(info.Type.Fields(), events.Field{Name: "a_later_field"}, events.Field{Name: "to"}, events.Field{Name: "dropped"}) {
			if f.Required {
				continue
			}
			for _, canary := range canaries {
				env := gen.Full(info.Type)
				data := env["data"].(map[string]any)
				data[f.Name], data["from"] = canary, "2026-02-02"
				if f.Name == "to" {
					data["to"] = "2026-02-01"
				}
				s, faults := events.Validate(marshal(t, env), events.ValidateOptions{Now: recordedAt, Normalise: eventstest.Normalise})
				if len(faults) > 0 {
					t.Errorf("%s with %s = %v: %v", info.Type, f.Name, canary, faults)
					continue
				}
				for _, d := range s.Dropped {
					if d != f.Name {
						t.Errorf("%s with %s = %v: dropped %v", info.Type, f.Name, canary, s.Dropped)
					}
				}
			}
		}
	}
}

// A restrictive event that is too large is recorded with less; the scope it
// names survives where it is not what makes it too large.
func TestTooLargeRestrictionsAreRecorded(t *testing.T) {
	gen := eventstest.NewGenerator(8)
	long := strings.Repeat("x", 200)
	many := make([]any, 30_000)
	unknown := map[string]any{}
	for i := range many {
		many[i] = "sms"
		if i < 500 {
			unknown[fmt.Sprintf("%s%d", long, i)] = "more"
		}
	}
	for _, info := range events.Types {
		if !info.Type.Lenient() {
			continue
		}
		for _, fill := range []func(data map[string]any){
			func(data map[string]any) { data["note"] = strings.Repeat("\u0001", events.MaxRecord/6) },
			func(data map[string]any) {
				for k, v := range unknown {
					data[k] = v
				}
			},
			func(data map[string]any) { data["channels"] = many },
			func(data map[string]any) {
				for i := range 3000 {
					data[fmt.Sprintf("%s%d", long[:50], i)] = "x@example.org"
				}
			},
			func(data map[string]any) { data["exact"] = json.Number("1e400") },
		} {
			env := gen.Full(info.Type)
			data := env["data"].(map[string]any)
			want := data["purposes"]
			fill(data)
			body := marshal(t, env)
			s, faults := events.Validate(body, events.ValidateOptions{Normalise: eventstest.Normalise})
			if len(faults) > 0 {
				t.Fatalf("%s: %v", info.Type, faults)
			}
			r, fault := s.Record(events.ContactKey{1}, events.ContactKey{})
			if fault != nil {
				t.Errorf("%s: refused for its size: %v", info.Type, fault)
				continue
			}
			if len(s.Dropped) == 0 {
				t.Errorf("%s: %d bytes and nothing dropped", info.Type, r.Size())
			}
			e, err := events.Decode(r.Stamp(recordedAt))
			if err != nil {
				t.Fatal(err)
			}
			kept := map[string]any{}
			if err := json.Unmarshal(marshal(t, e.Data), &kept); err != nil {
				t.Fatal(err)
			}
			if want != nil && !slices.Contains(s.Dropped, "purposes") && kept["purposes"] == nil {
				t.Errorf("%s: the scope was lost without a word: %v", info.Type, s.Dropped)
			}
		}
	}
}

// A report of faults stays small whatever was sent.
func TestFaultsAreBounded(t *testing.T) {
	gen := eventstest.NewGenerator(9)
	env := gen.Minimal(events.TypeCallerIDDeclared)
	wrong := make([]any, 20_000)
	for i := range wrong {
		wrong[i] = 7
	}
	var deep any = "x@example.org"
	for range 3000 {
		deep = map[string]any{"deeper and deeper": deep}
	}
	env["data"].(map[string]any)["clis"] = wrong
	env["data"].(map[string]any)["deep"] = deep
	env["data"].(map[string]any)[strings.Repeat("long", 1000)] = "x@example.org"
	_, faults := events.Validate(marshal(t, env), events.ValidateOptions{Normalise: eventstest.Normalise})
	if len(faults) != events.MaxFaults {
		t.Errorf("%d faults, want %d", len(faults), events.MaxFaults)
	}
	delete(env["data"].(map[string]any), "clis")
	_, faults = events.Validate(marshal(t, env), events.ValidateOptions{Normalise: eventstest.Normalise})
	if len(faults) != 3 {
		t.Fatalf("faults %v", faults)
	}
	for _, f := range faults {
		if len(f.Field) > 300 {
			t.Errorf("a path of %d bytes", len(f.Field))
		}
	}
}
