package rules

import (
	"github.com/assenso/assenso/events"
)

// Rules of the system, beside those of the law: in doubt, no call (design.md 1).
const (
	// DoubtPrefix begins all of them.
	DoubtPrefix = "SYS-"
	// StaleLedger: a family's beat is missing or too old.
	StaleLedger = "SYS-STALE"
	// Behind: what the beats promise has not been applied yet.
	Behind = "SYS-BEHIND"
	// Unsettled: a conflict, a correction or a possible taint of this contact
	// has not been resolved yet.
	Unsettled = "SYS-UNSETTLED"
	// UnknownCampaign: no campaign.opened of this id and controller is known.
	UnknownCampaign = "SYS-CAMPAIGN"
	// MissingPack: no rule pack is valid at the instant.
	MissingPack = "SYS-PACK"
	// Unreadable: the number of a list's line cannot be read.
	Unreadable = "SYS-NUMBER"
	// Unrecorded: answers cannot be recorded for now.
	Unrecorded = "SYS-RECORD"
)

// Doubt makes the reason that blocks because the ledger itself is not sure.
func Doubt(rule, sentence string) Reason {
	return Reason{Rule: rule, Effect: events.VerdictBlock, Clause: "in doubt, no call", Sentence: sentence}
}
