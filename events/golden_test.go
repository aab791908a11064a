package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// record validates and records a submission with the test pepper.
func record(t *testing.T, body []byte) *events.Recordable {
	t.Helper()
	s, faults := events.Validate(body, events.ValidateOptions{Normalise: eventstest.Normalise})
	if len(faults) > 0 {
		t.Fatalf("refused: %v\n%s", faults, body)
	}
	var key events.ContactKey
	if n := s.Phone.E164(); n != "" {
		key = eventstest.Key(n)
	}
	r, fault := s.Record(key, events.ContactKey{})
	if fault != nil {
		t.Fatal(fault)
	}
	return r
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var recordedAt, _ = events.ParseInstant("2026-04-01T00:00:00.123456Z")

// The recorded form of every type with every field is pinned: what changes here
// changes the bytes of every ledger and asks for a new major version.
func TestGoldenRecordedForms(t *testing.T) {
	gen := eventstest.NewGenerator(1)
	for _, info := range events.Types {
		body := marshal(t, gen.Full(info.Type))
		r := record(t, body)
		got := fmt.Appendf(nil, "%s\n%s\n%s %s\n", body, r.Stamp(recordedAt), r.Digest, r.MessageID)
		path := filepath.Join("testdata", "golden", string(info.Type)+".txt")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs (%v): got\n%s\nwant\n%s", path, err, got, want)
		}
	}
}

// What is in the golden files must decode for ever, every field must reach the
// reader, and nothing personal may stand there.
func TestGoldenFormsDecode(t *testing.T) {
	for _, info := range events.Types {
		raw, err := os.ReadFile(filepath.Join("testdata", "golden", string(info.Type)+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(raw, []byte("\n"))
		stored := lines[1]
		e, err := events.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != info.Type || e.Recorded != recordedAt || e.SourceSeq == 0 || e.Campaign != "K-A" {
			t.Errorf("envelope %+v", e)
		}
		if (e.Subject == events.ContactKey{}) != (info.Contact == events.Absent) {
			t.Errorf("%s: subject %s", info.Type, e.Subject)
		}
		var seen map[string]any
		if err := json.Unmarshal(marshal(t, e.Data), &seen); err != nil {
			t.Fatal(err)
		}
		for _, f := range info.Type.Fields() {
			if seen[f.Name] == nil {
				t.Errorf("%s: %s does not reach the reader", info.Type, f.Name)
			}
		}
		d, err := events.PayloadDigest(stored)
		if err != nil || string(lines[2]) != d.String()+" "+events.MessageID(e.Identity(), d) {
			t.Errorf("%s: digest or message id differ: %s, %v", info.Type, d, err)
		}
		for _, private := range []string{"+3934", "192.0.2.7", "x@example.org"} {
			if bytes.Contains(stored, []byte(private)) {
				t.Errorf("%s: %s stands in the log", info.Type, private)
			}
		}
	}
}

// The smallest submissions are valid too, and their recorded form adds only what
// the recorder derives.
func TestMinimalForms(t *testing.T) {
	gen := eventstest.NewGenerator(2)
	for _, info := range events.Types {
		stored := record(t, marshal(t, gen.Minimal(info.Type))).Stamp(recordedAt)
		var e struct {
			Received, Time string
			Data           map[string]any
		}
		if err := json.Unmarshal(bytes.Replace(stored, []byte("receivedtime"), []byte("received"), 1), &e); err != nil {
			t.Fatal(err)
		}
		if e.Received != e.Time {
			t.Errorf("%s: received %s, time %s", info.Type, e.Received, e.Time)
		}
		for _, f := range info.Type.Fields() {
			delete(e.Data, f.Name)
		}
		delete(e.Data, "line")
		if len(e.Data) > 0 {
			t.Errorf("%s: recorded data has more than its fields: %v", info.Type, e.Data)
		}
		if strings.Contains(string(stored), "dropped") || bytes.Contains(stored, []byte("evidence_sha256")) {
			t.Errorf("%s: something was derived from nothing: %s", info.Type, stored)
		}
	}
}
