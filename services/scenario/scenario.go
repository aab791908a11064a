package scenario

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// Scenario is one scenario, ready to be played.
type Scenario struct {
	ID       string
	Title    string
	Law      []string
	File     string
	Line     int
	Events   []Event // fixture events first, then those of the scenario, in file order
	Attempts []Attempt
	Expect   Expect
	// AsOf is R: as given, else the latest recorded instant.
	AsOf events.Instant
}

// Event is one submission and when the ledger records it.
type Event struct {
	// Submission is a structured-mode CloudEvent with data.phone.
	Submission []byte
	Source     string
	ID         string
	Type       events.Type
	Time       events.Instant
	Received   events.Instant
	Recorded   events.Instant
	Line       int
}

// Attempt is one hypothetical attempt.
type Attempt struct {
	rules.Attempt
	Phone  string // E.164; Contact is its key under Pepper
	GateAt events.Instant
	Line   int
}

// Expect is what the scenario expects; nil parts are not checked.
type Expect struct {
	Attempts map[string]ExpectAttempt
	Objects  []Finding // nil: not checked
}

// ExpectAttempt is what is expected of one attempt.
type ExpectAttempt struct {
	Gate     events.Verdict // "": not checked
	Reasons  []string       // nil: not checked
	Findings []Finding      // nil: not checked
	Line     int
}

// Finding is a rule, its kind and, of an object rule, the object.
type Finding struct {
	Rule   string
	Object string
	Kind   events.Kind
}

// String is the short form of the format.
func (f Finding) String() string {
	s := f.Rule
	if f.Object != "" {
		s += " " + f.Object
	}
	if f.Kind != events.KindConfirmed {
		s += " " + string(f.Kind)
	}
	return s
}

// Result is what a player found.
type Result struct {
	Attempts []AttemptResult // in the order of Scenario.Attempts
	Objects  []Finding
	// Rejected tells which submissions were refused and why; a scenario with
	// any fails.
	Rejected []string
}

// AttemptResult is the result for one attempt.
type AttemptResult struct {
	ID       string
	Gate     events.Verdict
	Reasons  []string
	Findings []Finding
}

// Player plays one scenario. Play leaves nothing behind; it may be called from
// several goroutines only if the player says so.
type Player interface {
	Play(ctx context.Context, s *Scenario) (*Result, error)
}

// Pepper is the fixed pepper of scenario ledgers.
var Pepper = []byte("scenario pepper, never a ledger's")

// Key is the contact key of a number under Pepper.
func Key(e164 string) events.ContactKey {
	mac := hmac.New(sha256.New, Pepper)
	mac.Write([]byte(e164))
	return events.ContactKey(mac.Sum(nil)[:16])
}

// Normalise is the events.Normaliser of scenarios: numbers are given in E.164.
func Normalise(phone, _ string) (events.Phone, string) {
	digits := strings.TrimPrefix(phone, "+")
	if len(digits) == len(phone) || len(digits) < 8 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return events.Phone{}, "phone_invalid"
	}
	line := events.LineForeign
	switch {
	case strings.HasPrefix(phone, "+393"):
		line = events.LineMobile
	case strings.HasPrefix(phone, "+390"):
		line = events.LineFixed
	case strings.HasPrefix(phone, "+39"):
		line = events.LineOtherIT
	}
	return events.NewPhone(phone, line), ""
}

// FileError says what is wrong with a scenario file, and where.
type FileError struct {
	File   string
	Line   int // 1-based; 0 when it is the file as a whole
	Reason string
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("read scenario: %s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("read scenario: %s line %d: %s", e.File, e.Line, e.Reason)
}
