package pbx

import (
	"context"
	"strings"

	"github.com/assenso/assenso/events"
)

// Gate says whether a call may be placed.
type Gate interface {
	// MayCall answers for the present. It ends when ctx does. An error is read as
	// "block"; an *events.Refusal among it says that the asker is at fault, and
	// its settings must be mended. Errors bear no number. It is called from many
	// goroutines.
	MayCall(ctx context.Context, q events.Question) (Answer, error)
}

// Answer is what the gate says. The zero Answer blocks.
type Answer struct {
	Verdict events.Verdict
	Reasons []events.ReceiptReason // sorted by rule
	// Number is the number that was judged, in E.164; the call goes there and
	// nowhere else. An answer that allows and does not say it blocks.
	Number string
	// Decision is the id of the decision.issued, for call.concluded to cite; ""
	// where none was recorded.
	Decision string
	// ValidUntil is the instant, UTC, until which the answer may be relied upon.
	ValidUntil events.Instant
}

// Reasons of this package, beside those of the law and of the gate.
const (
	// ReasonGate: the gate failed or did not answer in time.
	ReasonGate = "SYS-GATE"
	// ReasonQuestion: the question cannot be read, or is none for a gate.
	ReasonQuestion = "SYS-QUESTION"
	// ReasonSwitch: the entry of the switch does not let it ask this.
	ReasonSwitch = "SYS-SWITCH"
	// ReasonBusy: more questions at once than Config.Limit.
	ReasonBusy = "SYS-BUSY"
)

// doubtPrefix begins the reasons that are none of the law's.
const doubtPrefix = "SYS-"

// inDoubt is the clause of this package's reasons.
const inDoubt = "in doubt, no call"

// blocked is the answer for a reason of this package.
func blocked(rule, sentence string) Answer {
	return Answer{Verdict: events.VerdictBlock, Reasons: []events.ReceiptReason{{Rule: rule, Effect: events.VerdictBlock, Clause: inDoubt, Sentence: sentence}}}
}

// Allows reports whether the call may go out: allow, or allow with a warning.
func (a *Answer) Allows() bool {
	return (a.Verdict == events.VerdictAllow || a.Verdict == events.VerdictWarn) && a.Number != ""
}

// First returns the first rule that blocks, or else the first that warns, or "".
func (a *Answer) First() string {
	warns := ""
	for _, r := range a.Reasons {
		switch {
		case r.Effect == events.VerdictBlock:
			return r.Rule
		case warns == "":
			warns = r.Rule
		}
	}
	return warns
}

// temporary reports whether the same question may be answered otherwise soon,
// with nobody mending anything: the gate was in doubt for a moment.
func (a *Answer) temporary() bool {
	first := a.First()
	return strings.HasPrefix(first, doubtPrefix) && first != ReasonQuestion && first != ReasonSwitch
}
