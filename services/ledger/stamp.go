package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/assenso/assenso/events"
)

// maxStamp is the length of the longest recorded time, with six digits.
const maxStamp = len("2006-01-02T15:04:05.000000Z")

// Check says whether e can be stored in a log of p partitions: nil, or an error
// that wraps ErrTooLarge or ErrMalformed. Backends call it first.
func (e *Entry) Check(p int) error {
	if e.MessageID == "" {
		return fmt.Errorf("append: %w: it has no message id", ErrMalformed)
	}
	stream := StreamOf(e.Contact, p)
	if prefix := SubjectPrefix(stream); !strings.HasPrefix(e.Subject, prefix) || len(e.Subject) == len(prefix) {
		return fmt.Errorf("append to %s: %w: its subject does not begin with %q", stream, ErrMalformed, prefix)
	}
	if n := len(e.Head) + maxStamp + len(e.Tail); n > MaxEntry {
		return fmt.Errorf("append to %s: %w: %d bytes, at most %d", stream, ErrTooLarge, n, MaxEntry)
	}
	return nil
}

// SubjectPrefix is what the subjects of a stream begin with: "ledger.03." or
// "ledger.ref.".
func SubjectPrefix(s Stream) string {
	return "ledger." + strings.ToLower(strings.TrimPrefix(string(s), "LEDGER_")) + "."
}

// Stamped returns the stored bytes of e with recorded time at.
func (e *Entry) Stamped(at events.Instant) []byte {
	b := make([]byte, 0, len(e.Head)+maxStamp+len(e.Tail))
	b = append(b, e.Head...)
	b = at.AppendFormat(b)
	return append(b, e.Tail...)
}

// ErrNoStamp: the bytes hold no recorded time, so they are no record of this
// log.
var ErrNoStamp = fmt.Errorf("%w: it bears no recorded time", ErrMalformed)

var stampKey = []byte(`"recordedtime":"`)

// RecordedAt reads the stamp from the stored bytes of a record, without
// decoding the rest: the last member of that name, since after the top-level
// one only plain attributes follow in canonical order. The error is ErrNoStamp.
func RecordedAt(body []byte) (events.Instant, error) {
	i := bytes.LastIndex(body, stampKey)
	if i < 0 {
		return 0, ErrNoStamp
	}
	rest := body[i+len(stampKey):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return 0, ErrNoStamp
	}
	at, err := events.ParseInstant(string(rest[:end]))
	if err != nil {
		return 0, ErrNoStamp
	}
	return at, nil
}

// Stamper hands out recorded times that never step back within the process.
// The zero value is not usable; see NewStamper.
type Stamper struct {
	clock func() events.Instant
	mu    sync.Mutex
	last  events.Instant
}

// NewStamper returns a stamper over clock.
func NewStamper(clock func() events.Instant) *Stamper { return &Stamper{clock: clock} }

// Now returns the clock's instant, or the last stamp when the clock stepped
// back.
func (s *Stamper) Now() events.Instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, s.clock())
	return s.last
}
