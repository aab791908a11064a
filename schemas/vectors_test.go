package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

// vector is one worked example of the contract: what was submitted, and the
// exact bytes, digest and ids that every implementation must derive.
type vector struct {
	Submission json.RawMessage `json:"submission"`
	Recorded   string          `json:"recorded"`
	Digest     events.Digest   `json:"payload_digest"`
	MessageID  string          `json:"message_id"`
	Intake     string          `json:"intake_subject"`
	Ledger     string          `json:"ledger_subject"`
}

type vectorFile struct {
	Pepper  string   `json:"pepper"`
	Vectors []vector `json:"vectors"`
}

func makeVectors(t *testing.T) vectorFile {
	t.Helper()
	gen := eventstest.NewGenerator(2026)
	out := vectorFile{Pepper: string(eventstest.Pepper)}
	for _, info := range events.Types {
		out.Vectors = append(out.Vectors, vectorOf(t, gen.Submission(info.Type), 2_113_000_000))
	}
	return out
}

// vectorOf records a submission under the published pepper, in a ledger of four
// partitions, delay after its time.
func vectorOf(t *testing.T, body []byte, delay time.Duration) vector {
	t.Helper()
	s, faults := events.Validate(body, events.ValidateOptions{Normalise: eventstest.Normalise})
	if len(faults) > 0 {
		t.Fatalf("%v\n%s", faults, body)
	}
	var key events.ContactKey
	partition := "ref"
	if n := s.Phone.E164(); n != "" {
		key = eventstest.Key(n)
		partition = "0" + string(rune('0'+key.Partition(4)))
	}
	r, fault := s.Record(key, events.ContactKey{})
	if fault != nil {
		t.Fatal(fault)
	}
	return vector{
		Submission: body, Recorded: string(r.Stamp(s.Time.Add(delay))), Digest: r.Digest, MessageID: r.MessageID,
		Intake: events.IntakeSubject(s.Type.Family(), s.Source, s.Type), Ledger: events.LedgerSubject(partition, s.Type, s.Controller),
	}
}

// The vectors pin the stored bytes: a change here changes every digest of every
// ledger and needs a new major version.
func TestVectors(t *testing.T) {
	pin(t, "vectors/events.json", makeVectors(t))
}

// pin compares a file of vectors with what the contract derives now.
func pin(t *testing.T, path string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, buf.Bytes()) {
		t.Errorf("%s differs from what the contract derives (%v): run go generate if that is meant", path, err)
	}
}

// Every recorded form is canonical, decodes, and bears its digest.
func TestVectorsReadBack(t *testing.T) {
	var vectors []vector
	for _, name := range []string{"vectors/events.json", "vectors/examples.json"} {
		raw, err := Vectors.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file vectorFile
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, file.Vectors...)
	}
	for _, v := range vectors {
		c, err := events.CanonicalJSON([]byte(v.Recorded))
		if err != nil || string(c) != v.Recorded {
			t.Errorf("not canonical (%v): %s", err, v.Recorded)
		}
		e, err := events.Decode([]byte(v.Recorded))
		if err != nil {
			t.Errorf("decode: %v", err)
			continue
		}
		d, err := events.PayloadDigest([]byte(v.Recorded))
		if err != nil || d != v.Digest || events.MessageID(e.Identity(), d) != v.MessageID {
			t.Errorf("%s: digest or message id differ: %v", e.Type, err)
		}
	}
}
