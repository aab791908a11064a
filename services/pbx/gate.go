package pbx

import (
	"context"
	"errors"

	"github.com/assenso/assenso/events"
)

// Gate says whether a call may be placed.
type Gate interface {
	// MayCall answers for the present. It ends when ctx does. An error is read as
	// "block"; one that wraps ErrQuestion says that the asker is at fault. Errors
	// bear no number. It is called from many goroutines.
	MayCall(ctx context.Context, q Question) (Answer, error)
}

// ErrQuestion: the question cannot be answered as it stands, for example
// because the number is none; the switch's settings must be mended.
var ErrQuestion = errors.New("question cannot be read")

// Question is one call before it is dialled, in the words of a switch. Empty
// fields are absent; an Attendant fills in Purpose and Channel.
type Question struct {
	Phone   string // as dialled: E.164, or national with Country
	Country string // ISO 3166-1 alpha-2

	Controller string
	Campaign   string
	Processor  string // who dials; "" = the controller
	Attempt    string // id of the call, to be cited in call.concluded

	Purpose events.Purpose
	Channel events.Channel
	Basis   events.Basis // declared

	CLI           string // number that will be presented; "" = withheld
	OriginCountry string
	AgentCountry  string
	Roaming       bool
	Mode          events.DiallerMode
	Agent         string
	AgentReserved bool

	Grant   string // event id cited as evidence
	Request string // event id cited as evidence
	Batch   string // consultation relied upon
	Product string
}

// Answer is what the gate says. The zero Answer blocks.
type Answer struct {
	Verdict events.Verdict
	Reasons []Reason // sorted by rule
	// Phone is the number that was judged, in E.164; the call goes there and
	// nowhere else. An answer that allows and does not say it blocks.
	Phone string
	// Decision is the id of the decision.issued, for call.concluded to cite; ""
	// where none was recorded.
	Decision string
	// ValidUntil is the first instant, UTC, at which time alone may change the
	// answer.
	ValidUntil events.Instant
}

// Reason is one rule that warns or blocks.
type Reason struct {
	Rule     string
	Effect   events.Verdict // warn or block
	Clause   string
	Sentence string
}

// Reasons of this package, beside those of the law and of the gate.
const (
	// ReasonGate: the gate failed or did not answer in time.
	ReasonGate = "SYS-GATE"
	// ReasonQuestion: the question cannot be read; see ErrQuestion.
	ReasonQuestion = "SYS-QUESTION"
	// ReasonSwitch: the entry of the switch does not let it ask this.
	ReasonSwitch = "SYS-SWITCH"
	// ReasonBusy: more questions at once than Config.Limit.
	ReasonBusy = "SYS-BUSY"
)

// inDoubt is the clause of this package's reasons.
const inDoubt = "in doubt, no call"

// blocked is the answer for a reason of this package.
func blocked(rule, sentence string) Answer {
	return Answer{Verdict: events.VerdictBlock, Reasons: []Reason{{Rule: rule, Effect: events.VerdictBlock, Clause: inDoubt, Sentence: sentence}}}
}

// Allows reports whether the call may go out: allow, or allow with a warning.
func (a *Answer) Allows() bool {
	return (a.Verdict == events.VerdictAllow || a.Verdict == events.VerdictWarn) && a.Phone != ""
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
// with nobody mending anything.
func (a *Answer) temporary() bool {
	first := a.First()
	return first == ReasonGate || first == ReasonBusy
}
