// Package intake is the queue before the log as a port: submit durably, wait
// for the receipt. Every door uses it. Backends are natsintake (JetStream) and
// memintake.
package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/assenso/assenso/events"
)

// Submission is one event as a source published it, on its way to a recorder.
type Submission struct {
	Family events.Family
	Source string
	Type   events.Type
	// Ref comes back in the receipt, so that the waiting door can tell two
	// submissions of one identity apart. At most 64 characters, "" for none.
	Ref string
	// Token is the last token of the receipt's subject
	// receipts.<source>.<token>; "" stands for "_".
	Token string
	Body  []byte // JSON of the submission, at most MaxBody
	Trace string // traceparent, "" for none
}

// MaxBody is the largest submission in bytes (events.md 6, json_invalid).
const MaxBody = 256 << 10

// Errors of the port.
var (
	// ErrUnavailable: the queue cannot be reached. Nothing is known of the
	// submission; send it again, the identity keeps it single.
	ErrUnavailable = errors.New("intake unavailable")
	// ErrFull: the queue is at its byte limit and has refused the submission:
	// back off. HTTP answers 503 with Retry-After.
	ErrFull = errors.New("intake full")
	// ErrRefused: no queue takes the submission as it stands (no such family, a
	// body over MaxBody, a type, token or reference that cannot stand in a
	// subject or header). Never retry; a door answers it as rejected.
	ErrRefused = errors.New("intake refused the submission")
)

// Headers of a queued submission on the bus (schemas/asyncapi.yaml).
const (
	HeaderToken = "Receipt-Token" // last token of the receipt's subject
	HeaderRef   = "Receipt-Ref"   // comes back in the receipt
	HeaderTrace = "traceparent"
)

// MaxRef is the longest Ref in characters.
const MaxRef = 64

// Result says what the recorder did.
type Result string

// The results of a receipt (design.md 5).
const (
	Recorded  Result = "recorded"
	Duplicate Result = "duplicate"
	Conflict  Result = "conflict"
	Rejected  Result = "rejected"
)

// Receipt is the second acknowledgement. Sequence and RecordedTime are those
// of the stored event; of the first copy for a duplicate.
type Receipt struct {
	Source       string         `json:"source"`
	ID           string         `json:"id"`
	Ref          string         `json:"ref,omitempty"`
	Result       Result         `json:"result"`
	Stream       string         `json:"stream,omitempty"`
	Sequence     uint64         `json:"sequence,omitempty"`
	RecordedTime events.Instant `json:"recordedtime,omitempty"`
	Contact      string         `json:"contact,omitempty"`     // contact key of the recorded event
	Other        *Position      `json:"other,omitempty"`       // conflict: where the other variant lies, if known
	Reject       string         `json:"reject,omitempty"`      // id under which the original is sealed
	RejectedAt   events.Instant `json:"rejected_at,omitempty"` // with Reject
	Errors       []events.Fault `json:"errors,omitempty"`
}

// Position is a place in the log.
type Position struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
}

// Submitter is what a door needs.
type Submitter interface {
	// Submit stores submissions durably in the queues of their families, in
	// their order within a family. It returns one error (or nil) for each, in
	// the same order; nil means: on disk (the first acknowledgement,
	// "accepted"). ctx ending early leaves ErrUnavailable in those not known.
	Submit(ctx context.Context, batch []Submission) []error
}

// Receipts is how a door hears of the second acknowledgement. Receipts may be
// missed; submitting again with the same identity brings them again.
type Receipts interface {
	// Await subscribes to the receipts of all sources that bear token, until
	// stop is called. The channel is closed by stop.
	Await(ctx context.Context, token string) (receipts <-chan Receipt, stop func(), err error)
}

// Port is the whole port as doors see it.
type Port interface {
	Submitter
	Receipts
}

// Addressed is a receipt with the token under which it is awaited.
type Addressed struct {
	Token   string // "" stands for "_"
	Receipt Receipt
}

// Sender is what a recorder needs to answer.
type Sender interface {
	// Send hands receipts to whoever awaits them. An error means that some may
	// not have left; they are not sent again, the sender of the submission
	// asks again.
	Send(ctx context.Context, receipts []Addressed) error
}

// Check returns ErrRefused, with the reason, for a submission that no queue
// takes; nil for all others.
func (s *Submission) Check() error {
	switch {
	case !slices.Contains(events.Families, s.Family):
		return fmt.Errorf("submit: %w: no such family: send the type to its recorder", ErrRefused)
	case len(s.Body) > MaxBody:
		return fmt.Errorf("submit: %w: %d bytes, at most %d are taken", ErrRefused, len(s.Body), MaxBody)
	case !validTokens(string(s.Type), true):
		return fmt.Errorf("submit: %w: the type cannot stand in a subject", ErrRefused)
	case s.Token != "" && !ValidToken(s.Token):
		return fmt.Errorf("submit: %w: the token cannot stand in a subject", ErrRefused)
	case len(s.Ref) > MaxRef || strings.ContainsFunc(s.Ref, unicode.IsControl):
		return fmt.Errorf("submit: %w: the reference is longer than %d characters or bears control characters", ErrRefused, MaxRef)
	}
	return nil
}

// ValidToken reports whether s can be the last token of a receipt's subject.
func ValidToken(s string) bool { return validTokens(s, false) }

// validTokens reports whether s is one token of a subject, or several.
func validTokens(s string, several bool) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || c == '*' || c == '>' || c == '.' && !several {
			return false
		}
	}
	return true
}
