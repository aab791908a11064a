package client

import (
	"fmt"
	"strings"

	"github.com/assenso/assenso/events"
)

// Verdict says whether a call may be placed. The zero Verdict forbids it.
type Verdict struct {
	Allowed bool
	// Reasons are why not; of a gate's allowance, what it warns of.
	Reasons []Reason
}

// String writes "allowed" or "blocked" with the reasons.
func (v Verdict) String() string {
	text := "blocked"
	if v.Allowed {
		text = "allowed"
	}
	for i, r := range v.Reasons {
		text += []string{": ", "; "}[min(i, 1)] + r.String()
	}
	return text
}

// ReasonCode says in one word why a call may not be placed.
type ReasonCode string

// The codes. All but the first two are doubt: in doubt, no call.
const (
	CodeSuppressed ReasonCode = "suppressed" // something stands that stops the call; Reason.Kind says what
	CodeRule       ReasonCode = "rule"       // the gate's answer; Reason.Rule says which

	CodeStarting  ReasonCode = "starting"   // the snapshot is not complete
	CodeSilent    ReasonCode = "silent"     // no heartbeat was heard in time
	CodeLagging   ReasonCode = "lagging"    // the feed itself is behind the ledger
	CodeBehind    ReasonCode = "behind"     // this set is behind the feed
	CodeStopped   ReasonCode = "stopped"    // the following has ended
	CodeNumber    ReasonCode = "number"     // the call's number is not E.164
	CodeNoAnswer  ReasonCode = "no_answer"  // the gate did not answer
	CodeUntrusted ReasonCode = "untrusted"  // the gate's answer does not fit the question or its signature
	CodeExpired   ReasonCode = "expired"    // the gate's answer may no longer be relied upon
	CodeUnread    ReasonCode = "unreadable" // the gate could not read the question
)

// Reason is one reason of a Verdict.
type Reason struct {
	Code ReasonCode
	// Kind is the cause that stands, with CodeSuppressed.
	Kind events.FeedKind
	// Ledger is where the event behind it lies, where that is known.
	Ledger events.FeedPlace
	// Rule is the gate's rule, with CodeRule.
	Rule string
	// Text is a sentence for people. It never quotes a number.
	Text string
}

// String writes code and sentence.
func (r Reason) String() string {
	what := string(r.Code)
	switch r.Code {
	case CodeSuppressed:
		what = string(r.Kind)
	case CodeRule:
		what = r.Rule
	}
	switch {
	case r.Text == "" && r.Ledger.Sequence > 0:
		return fmt.Sprintf("%s (%s %d)", what, r.Ledger.Stream, r.Ledger.Sequence)
	case r.Text == "":
		return what
	}
	return what + " (" + strings.TrimSuffix(r.Text, ".") + ")"
}

// blocked is a verdict with one reason.
func blocked(code ReasonCode, text string) Verdict {
	return Verdict{Reasons: []Reason{{Code: code, Text: text}}}
}
