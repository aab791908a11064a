package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

var seeds = []string{
	`{"campaign":"K-A","controller":"A","data":{"answered_at":"2026-03-05T10:00:12.000Z","basis":"consent","batch":"B-9","channel":"operator_call","cli":"+390844100100","dialled_at":"2026-03-05T10:00:00.000Z","disposition":"asked_removal","line":"mobile","processor":"P1","purpose":"marketing","released_at":"2026-03-05T10:03:10.000Z","statements":["identity","purpose"]},"id":"c-881","receivedtime":"2026-03-05T10:03:10.000Z","recordedtime":"2026-03-05T10:03:11.000Z","source":"dialer.p1.example","sourceseq":7,"specversion":"1.0","subject":"3f0c9a5d1e7744b2a0c6d2f1908b7e55","time":"2026-03-05T10:03:10.000Z","type":"call.concluded.v1"}`,
	`{"controller":"A","data":{"channels":["*","fax"],"dropped":["medium"],"purposes":["marketing"]},"id":"w\u0007","receivedtime":"2026-03-04T08:00:00.000Z","recordedtime":"2026-03-04T08:00:00.123456Z","source":"à","specversion":"1.0","subject":"3f0c9a5d1e7744b2a0c6d2f1908b7e55","time":"2026-03-04T08:00:00.000Z","type":"consent.revoked.v1"}`,
	`{"data":{"action":"amend","data":{"cli":null,"x":{"y":[1,2.5]}},"reason":"}\"{","target":{"id":"g","source":"s"}},"id":"x","receivedtime":"2026-03-04T08:00:00.000Z","recordedtime":"2026-03-04T08:00:00.000Z","source":"s","specversion":"1.0","targetsubject":"3f0c9a5d1e7744b2a0c6d2f1908b7e55","time":"2026-03-04T08:00:00.000Z","type":"event.corrected.v1"}`,
	`{"data":{},"id":"x","source":"s","specversion":"1.0","time":"2026-03-04T08:00:00.000Z","type":"consent.dreamt.v1"}`,
	`{}`, `{"data":{"a":1}`, ``,
}

func compare(t *testing.T, body []byte) {
	t.Helper()
	want, wantErr := events.Decode(body)
	got, gotErr := Decode(body)
	if (wantErr == nil) != (gotErr == nil) || errors.Is(wantErr, events.ErrTypeUnknown) != errors.Is(gotErr, events.ErrTypeUnknown) {
		t.Fatalf("errors differ: contract %v, codec %v\n%s", wantErr, gotErr, body)
	}
	if wantErr != nil {
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events differ (-contract +codec):\n%s\n%s", d, body)
	}
}

func TestEqualsContract(t *testing.T) {
	for _, s := range seeds {
		compare(t, []byte(s))
		want, wantErr := events.PayloadDigest([]byte(s))
		got, gotErr := Digest([]byte(s))
		if (wantErr == nil) != (gotErr == nil) || got != want {
			t.Errorf("digests differ: %v %v, %v %v\n%s", want, wantErr, got, gotErr, s)
		}
	}
}

// What the recorder writes takes the fast path, of every type and with every
// field, and a twin of a name in another letter case is no field.
func TestRecordedEventsOfEveryType(t *testing.T) {
	gen := eventstest.NewGenerator(11)
	for _, info := range events.Types {
		for range 50 {
			want, body := gen.Recorded(info.Type)
			if _, ok := scan(body); !ok {
				t.Fatalf("the recorder's form takes the slow path: %s", body)
			}
			got, err := Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("events differ (-contract +codec):\n%s\n%s", d, body)
			}
			compare(t, bytes.Replace(body, []byte(`"data":{`), []byte(`"data":{"CHANNELS":["sms"],"Line":"x",`), 1))
			wantDigest, err := events.PayloadDigest(body)
			if gotDigest, err2 := Digest(body); err != nil || err2 != nil || gotDigest != wantDigest {
				t.Fatalf("digests differ: %v %v\n%s", err, err2, body)
			}
		}
	}
}

// One damaged byte gives the same answer as the contract, whatever it is.
func TestDamagedBytes(t *testing.T) {
	gen := eventstest.NewGenerator(12)
	rnd := rand.New(rand.NewPCG(12, 12))
	for range 4000 {
		_, body := gen.Recorded(gen.Type())
		c, err := events.CanonicalJSON(damage(rnd, body))
		if err != nil {
			continue
		}
		compare(t, c)
	}
}

func damage(rnd *rand.Rand, body []byte) []byte {
	out := bytes.Clone(body)
	for range 1 + rnd.IntN(3) {
		i := rnd.IntN(len(out))
		switch rnd.IntN(3) {
		case 0:
			out[i] = "0:,[]{}\"\\Aaé"[rnd.IntN(12)]
		case 1:
			out = append(out[:i], out[i+1:]...)
		default:
			out = append(out[:i], append([]byte{out[i]}, out[i:]...)...)
		}
	}
	return out
}

// The event must not change when the reader's buffer is used again.
func TestSharesNoMemory(t *testing.T) {
	body := []byte(seeds[0])
	e, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	want, err := events.Decode([]byte(seeds[0]))
	if d := cmp.Diff(want, e); d != "" || err != nil {
		t.Errorf("the event changed with the buffer: %v\n%s", err, d)
	}
}

// A reader at work allocates little: the event, its payload and its strings.
func TestAllocations(t *testing.T) {
	body := []byte(seeds[0])
	decode := testing.AllocsPerRun(200, func() {
		if _, err := Decode(body); err != nil {
			t.Fatal(err)
		}
	})
	digest := testing.AllocsPerRun(200, func() {
		if _, err := Digest(body); err != nil {
			t.Fatal(err)
		}
	})
	if decode > 20 || digest > 0 {
		t.Errorf("decode allocates %v times, digest %v times", decode, digest)
	}
}

// The codec reads what the recorder writes; on other bytes both must refuse or
// agree. Canonical input is what the log holds, so the fuzzer canonicalises.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	gen := eventstest.NewGenerator(13)
	for _, info := range events.Types {
		_, body := gen.Recorded(info.Type)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := events.CanonicalJSON(body)
		if err != nil {
			return
		}
		compare(t, c)
		want, wantErr := events.PayloadDigest(c)
		got, gotErr := Digest(c)
		if (wantErr == nil) != (gotErr == nil) || (wantErr == nil && got != want) {
			t.Errorf("digests differ: %v %v, %v %v\n%s", want, wantErr, got, gotErr, c)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(seeds[0])
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeContract(b *testing.B) {
	body := []byte(seeds[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	body := []byte(seeds[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Digest(body); err != nil {
			b.Fatal(err)
		}
	}
}
