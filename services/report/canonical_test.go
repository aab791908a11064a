package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/assenso/assenso/events"
)

// The form that is written piece by piece is the RFC 8785 form of the whole.
func TestStreamedFormIsCanonical(t *testing.T) {
	full := sampleReport(t)
	for name, r := range map[string]*Report{"full": full, "empty": {}, "without digest": {Header: full.Header, Findings: full.Findings, Gaps: full.Gaps}} {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := events.CanonicalJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := r.WriteJSON(&got); err != nil || !bytes.Equal(got.Bytes(), append(want, '\n')) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got.Bytes(), want)
		}
	}
}

// full is a disk without room.
type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestJSONSaysWhenItCannotBeWritten(t *testing.T) {
	var all bytes.Buffer
	r := sampleReport(t)
	if err := r.WriteJSON(&all); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < all.Len(); room += 211 {
		if err := r.WriteJSON(&full{room}); !errors.Is(err, errFull) {
			t.Fatalf("room for %d of %d bytes: %v", room, all.Len(), err)
		}
	}
}
