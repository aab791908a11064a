package codec

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
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

// The codec reads what the recorder writes; on other bytes both must refuse or
// agree. Canonical input is what the log holds, so the fuzzer canonicalises.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
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
