package inquiry

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Decision is the answer to a question before a call.
type Decision struct {
	rules.Decision
	Contact events.ContactKey `json:"contact"`
	// At is the instant that was judged, UTC.
	At events.Instant `json:"at"`
	// Positions are the ledger positions that were applied.
	Positions view.Positions `json:"positions"`
}

// Reasons of the system, beside those of the law: in doubt, no call.
const (
	// StaleLedger: a family's beat is missing or older than Desk.Fresh.
	StaleLedger = "SYS-STALE"
	// BehindView: the view has not applied what the beats promise.
	BehindView = "SYS-BEHIND"
	// UnknownCampaign: no campaign.opened of this id and controller is known.
	UnknownCampaign = "SYS-CAMPAIGN"
	// MissingPack: no rule pack is valid at the instant.
	MissingPack = "SYS-PACK"
)

// doubt makes the reason that blocks because the ledger itself is not sure.
func doubt(rule, sentence string) rules.Reason {
	return rules.Reason{Rule: rule, Effect: events.VerdictBlock, Clause: "in doubt, no call", Sentence: sentence}
}
