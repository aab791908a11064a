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
