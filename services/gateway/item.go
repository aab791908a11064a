package gateway

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// Result is what became of one submitted event.
type Result string

// The results of an item. The first four come from a recorder's receipt (or,
// for Rejected, from the door itself); the last two from the door.
const (
	Recorded  = Result(intake.Recorded)
	Duplicate = Result(intake.Duplicate)
	Conflict  = Result(intake.Conflict)
	Rejected  = Result(intake.Rejected)
	// Accepted: on disk in the queue; the receipt is late or was not waited for.
	Accepted Result = "accepted"
	// Unavailable: the queue refused it for now; send it again.
	Unavailable Result = "unavailable"
)

// Item is the answer to one submitted event.
type Item struct {
	Index        int              `json:"index" doc:"position in the request, from 0"`
	Source       string           `json:"source,omitempty"`
	ID           string           `json:"id,omitempty"`
	Result       Result           `json:"result" enum:"recorded,duplicate,conflict,rejected,accepted,unavailable" doc:"recorded: in the ledger; duplicate: was there already; conflict: recorded beside another variant of the same identity; rejected: see errors; accepted: durable in the queue, receipt pending; unavailable: not taken, send again"`
	Stream       string           `json:"stream,omitempty" doc:"ledger stream; of the first copy for a duplicate"`
	Sequence     uint64           `json:"sequence,omitempty" doc:"position in the stream, from 1"`
	RecordedTime events.Instant   `json:"recordedtime,omitzero" doc:"UTC, stamped by the ledger"`
	Contact      string           `json:"contact,omitempty" doc:"contact key of the recorded event"`
	Other        *intake.Position `json:"other,omitempty" doc:"conflict: where the other variant lies, if known"`
	Reject       string           `json:"reject,omitempty" doc:"rejected: id under which the original is kept, see /v1/rejects"`
	Errors       []events.Fault   `json:"errors,omitempty" doc:"rejected: every error, with code, field and hint"`
}

// fill copies a receipt into the item, but for the identity, which the door
// has read itself.
func (it *Item) fill(r intake.Receipt) {
	it.Result = Result(r.Result)
	it.Stream, it.Sequence, it.RecordedTime = r.Stream, r.Sequence, r.RecordedTime
	it.Contact, it.Other = r.Contact, r.Other
	it.Reject, it.Errors = r.Reject, r.Errors
}
