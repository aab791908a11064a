package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/assenso/assenso/events"
)

// Result says what became of an event.
type Result string

// The first four come from the recorder (design.md 5), the others from the
// publisher itself.
const (
	Recorded  Result = "recorded"  // in the ledger, on disk
	Duplicate Result = "duplicate" // it was there already; the position is that of the first copy
	Conflict  Result = "conflict"  // recorded, and another variant of the identity too (Other)
	Rejected  Result = "rejected"  // not recorded: Errors says why; mend it, send it under the same identity

	Accepted Result = "accepted" // on disk in its queue; the receipt has not come in time
	Unknown  Result = "unknown"  // perhaps stored, perhaps not: send it again under the same identity
	Invalid  Result = "invalid"  // refused here and not sent: Errors says why
)

// Receipt is what is known of one event when its Publish ends.
type Receipt struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Ref    string `json:"ref,omitempty"`
	Result Result `json:"result"`
	// Stream, Sequence and RecordedTime are those of the stored event.
	Stream       string            `json:"stream,omitempty"`
	Sequence     uint64            `json:"sequence,omitempty"`
	RecordedTime events.Instant    `json:"recordedtime,omitempty"`
	Contact      events.ContactKey `json:"contact,omitzero"`
	// Other is where the other variant of a conflict lies, if it is known.
	Other *events.FeedPlace `json:"other,omitempty"`
	// Reject names the sealed original of a rejected event.
	Reject     string         `json:"reject,omitempty"`
	RejectedAt events.Instant `json:"rejected_at,omitempty"`
	Errors     []events.Fault `json:"errors,omitempty"`

	// Attempts is how often the event was sent.
	Attempts int `json:"-"`
	// Err is nil where the event is in the ledger; else it wraps one of the
	// errors of this package.
	Err error `json:"-"`
}

// InLedger reports whether the event is in the ledger, on disk.
func (r *Receipt) InLedger() bool {
	return r.Result == Recorded || r.Result == Duplicate || r.Result == Conflict
}

// Identity names the event.
func (r *Receipt) Identity() events.Identity { return events.Identity{Source: r.Source, ID: r.ID} }

// Receipts are those of a batch, in its order.
type Receipts []Receipt

// Err joins the errors of the batch; nil when all of it is in the ledger.
func (r Receipts) Err() error {
	var all []error
	for i := range r {
		all = append(all, r[i].Err)
	}
	return errors.Join(all...)
}

// Errors of a Publisher, to be told apart with errors.Is. None quotes a number.
var (
	// ErrInvalid: the event breaks the contract (Receipt.Errors lists every
	// fault). Mend it; repeating does not help.
	ErrInvalid = errors.New("event is invalid")
	// ErrRejected: the ledger has refused the event and sealed the original.
	// Mend it and send it under the same identity.
	ErrRejected = errors.New("event was rejected")
	// ErrUnavailable: the broker gave no acknowledgement before ctx ended. The
	// event may be stored or not; send it again under the same identity.
	ErrUnavailable = errors.New("intake unavailable")
	// ErrFull wraps ErrUnavailable: the queue had no room until ctx ended.
	// Nothing was stored; back off, and tell the operator.
	ErrFull = fmt.Errorf("%w: queue full", ErrUnavailable)
	// ErrNoReceipt: the event is on disk in its queue, but its receipt has not
	// come before ctx ended. It will be recorded; send it again under the same
	// identity to hear what became of it.
	ErrNoReceipt = errors.New("no receipt yet")
	// ErrNotPermitted: the credential does not cover the source, the receipts
	// of the source, the controller or the inbox. Ask the operator.
	ErrNotPermitted = errors.New("not permitted")
	// ErrClosed: the publisher or its connection was closed.
	ErrClosed = errors.New("publisher closed")
)

// list writes faults into one line.
func list(faults []events.Fault) string {
	var b strings.Builder
	for i, f := range faults {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Error())
	}
	return b.String()
}
