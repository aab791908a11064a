// Package projection follows the log into views, position in the same
// transaction; consentstate, violations.
//
// Live following and a rebuild are the same loop: read the position from the
// view, follow the ledger after it, decode, apply a batch and move the
// position in one transaction, again. A crash repeats the batch that was not
// committed:
//
//	run := projection.NewRunner(ledger, store, consentstate.New(nil), projection.Config{})
//	err := run.Run(ctx) // until ctx ends, or until an entry cannot be applied
//
// A projection that meets an entry it cannot read stops with an EntryError and
// keeps its position: passing over an unknown fact could leave somebody
// callable.
package projection

import (
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
)

// Record is one entry, decoded. Fact.Recorded is the running maximum of the
// stream, Fact.Raw the stored bytes.
type Record struct {
	Fact     *contact.Fact
	Identity events.IdentityHash
}

// Run is a row of entries of one stream without a gap.
type Run struct {
	Stream  string
	First   uint64 // sequence of Records[0]
	Records []Record
}

// Projection turns entries into rows. It is used by one goroutine.
type Projection interface {
	// Projection names it.
	Projection() view.Projection
	// Apply writes what runs change; to is where the projection will stand.
	// runs may be empty while Pending. It may keep what it learns in memory,
	// but must be ready to Forget it: the transaction may fail, or Apply may
	// be called again.
	Apply(tx view.Tx, runs []Run, to view.Progress) error
	// Applied tells that the last Apply is committed.
	Applied()
	// Forget drops what is held in memory: the view alone counts.
	Forget()
	// Pending reports whether there is work left that needs no new entries.
	Pending() bool
}

// EntryError is an entry that cannot be applied. The projection keeps the
// position before it: mend the program or the view, then start it again.
type EntryError struct {
	Projection string
	Stream     string
	Sequence   uint64
	Err        error
}

// Error implements error.
func (e *EntryError) Error() string {
	return fmt.Sprintf("project %s: entry %s:%d: %v", e.Projection, e.Stream, e.Sequence, e.Err)
}

// Unwrap returns the cause.
func (e *EntryError) Unwrap() error { return e.Err }

// Positions turns the positions of a view into those of the ledger.
func Positions(p view.Positions) ledger.Positions {
	out := make(ledger.Positions, len(p))
	for s, n := range p {
		out[ledger.Stream(s)] = ledger.Sequence(n)
	}
	return out
}

// ViewEvent is the row of a record in the event index.
func (r *Record) ViewEvent() view.Event {
	f := r.Fact
	return view.Event{Stream: f.Stream, Sequence: f.Sequence, Recorded: f.Recorded, Contact: f.Subject, Identity: r.Identity, Digest: f.Digest, Body: f.Raw}
}
