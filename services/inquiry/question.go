package inquiry

import (
	"github.com/assenso/assenso/events"
)

// Question is one call that somebody wants to place (rules.md 3: an attempt
// before it is made).
type Question struct {
	Contact events.ContactKey
	// At is the instant of the dial; zero = now. A past instant is answered
	// from history, as the gate would have answered then.
	At         events.Instant
	Controller string
	Campaign   string
	Attempt    string // id that the call will bear; "" = none yet
	// Call holds the declared facts: purpose, channel, processor, caller
	// number, basis, … DialledAt and all outcomes are ignored.
	Call events.CallConcluded
}

// Reason is one rule that blocks or warns.
type Reason struct {
	Rule     string          `json:"rule" doc:"id in the catalogue, e.g. IT-RPO-02; or SYS-… when the ledger itself is in doubt"`
	Effect   events.Verdict  `json:"effect" enum:"warn,block"`
	Severity events.Severity `json:"severity,omitempty"`
	Clause   string          `json:"clause,omitempty" doc:"source of law"`
	Sentence string          `json:"sentence" doc:"what is wrong, in plain words"`
}

// Decision is the answer to a Question.
type Decision struct {
	Verdict    events.Verdict    `json:"verdict" enum:"allow,warn,block"`
	Reasons    []Reason          `json:"reasons"`
	Passed     []string          `json:"passed" doc:"rules that were run and found nothing"`
	Basis      events.Basis      `json:"basis,omitempty" doc:"the proven basis, if there is one"`
	Contact    events.ContactKey `json:"contact"`
	At         events.Instant    `json:"at" doc:"the instant that was judged, UTC"`
	ValidUntil events.Instant    `json:"valid_until" doc:"ask again after this instant, UTC"`
	Positions  map[string]uint64 `json:"positions" doc:"ledger positions that were applied"`
	Pack       string            `json:"pack,omitempty" doc:"rule pack in force at that instant"`
}

// Rules of the system: reasons that no law names. In doubt, no call.
const (
	// StaleLedger: a family's beat is missing or older than Desk.Fresh.
	StaleLedger = "SYS-STALE"
	// BehindView: the view has not applied what the beats promise.
	BehindView = "SYS-BEHIND"
	// UnknownCampaign: no campaign.opened of this id and controller.
	UnknownCampaign = "SYS-CAMPAIGN"
	// MissingPack: no rule pack is valid at the instant.
	MissingPack = "SYS-PACK"
)
