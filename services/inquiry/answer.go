package inquiry

import (
	"encoding/json"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Read says at which cut-offs an answer was given.
type Read struct {
	At         events.Instant `json:"at" doc:"legal time, UTC"`
	KnownAsOf  events.Instant `json:"known_as_of" doc:"known to the controller or a processor by then, UTC"`
	AsOf       events.Instant `json:"as_of" doc:"recorded by then, UTC"`
	Positions  view.Positions `json:"positions" doc:"ledger positions that were read"`
	Contradict int            `json:"conflicts,omitempty" doc:"identities of the contact recorded in several variants"`
}

// Contact is what is known of a contact point.
type Contact struct {
	Contact events.ContactKey `json:"contact"`
	Line    events.Line       `json:"line,omitempty"`
	Read    Read              `json:"read"`
	// State are the registers of rules.md 2 as contact.State prints them.
	State json.RawMessage `json:"state"`
}

// Entry is one event in the timeline of a contact.
type Entry struct {
	Stream     string          `json:"stream"`
	Sequence   uint64          `json:"sequence"`
	Type       events.Type     `json:"type"`
	Source     string          `json:"source"`
	ID         string          `json:"id"`
	Controller string          `json:"controller,omitempty"`
	Campaign   string          `json:"campaign,omitempty"`
	Time       events.Instant  `json:"time"`
	Received   events.Instant  `json:"receivedtime"`
	Recorded   events.Instant  `json:"recordedtime"`
	Counts     bool            `json:"counts" doc:"false: a correction, a conflict or a cut-off takes it out of the evaluation"`
	Data       json.RawMessage `json:"data"`
}

// Timeline is the recorded history of a contact, by legal time.
type Timeline struct {
	Contact events.ContactKey `json:"contact"`
	Read    Read              `json:"read"`
	Entries []Entry           `json:"entries"`
}
