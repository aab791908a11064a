// Package consentstate keeps the event index: each event by identity and by
// contact, what is corrected or in conflict, the recorded clocks, the source
// sequences and the late events.
//
//	run := projection.NewRunner(ledger, store, consentstate.New(announce), projection.Config{})
//
// The state of a contact at any cut-offs, its timeline and the answer to a
// question are functions of its history here; no folded state is stored that
// could grow old. What order the entries of different streams arrive in makes
// no difference to the rows.
package consentstate

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/view"
)

// Version of the rows. A higher one builds beside the old.
const Version = 1

// Name is this projection in a view.
var Name = view.Projection{Name: view.ConsentState, Version: Version}

// Candidates of LED-01: the index keeps what could be late under any pack; the
// rule decides.
const (
	lateRestrictive = 30_000_000  // µs, recorded after received
	lateOther       = 300_000_000 // µs
	skewed          = 1_000_000   // µs, time ahead of recorded
)

// ConsentState is the projection. Make one with New.
type ConsentState struct {
	announce func(contacts []events.ContactKey)
	entangle *entanglements // nil: to be read from the view
	refolded []events.ContactKey
}

var _ projection.Projection = (*ConsentState)(nil)

// New returns the projection. announce, where not nil, is called after a
// commit with the contacts whose history changed by a conflict or a
// correction: whoever keeps joined state must fold them again.
func New(announce func(contacts []events.ContactKey)) *ConsentState {
	return &ConsentState{announce: announce}
}

// Projection implements projection.Projection.
func (*ConsentState) Projection() view.Projection { return Name }

// Pending implements projection.Projection.
func (*ConsentState) Pending() bool { return false }

// Forget implements projection.Projection.
func (c *ConsentState) Forget() { c.entangle, c.refolded = nil, nil }

// Applied implements projection.Projection.
func (c *ConsentState) Applied() {
	if c.announce != nil && len(c.refolded) > 0 {
		c.announce(c.refolded)
	}
	c.refolded = nil
}

// Apply implements projection.Projection.
func (c *ConsentState) Apply(tx view.Tx, runs []projection.Run, _ view.Progress) error {
	if c.entangle == nil {
		known, err := tx.Corrections()
		if err != nil {
			return err
		}
		c.entangle = newEntanglements(known)
	}
	var rows []view.Row
	var facts []*contact.Fact
	for _, run := range runs {
		for i := range run.Records {
			r := &run.Records[i]
			rows = append(rows, view.Row{Event: r.ViewEvent(), Type: r.Fact.Type, List: listOf(r.Fact)})
			facts = append(facts, r.Fact)
		}
	}
	known, err := tx.Index(rows)
	if err != nil {
		return err
	}
	copies := copiesOf(rows, known)
	links, touched, err := c.entangle.take(tx, rows, facts, known, copies)
	if err != nil {
		return err
	}
	if err := tx.PutLinks(links); err != nil {
		return err
	}
	c.refolded = touched
	at := 0
	for _, run := range runs {
		if err := tx.PutBatch(batchOf(run, copies[at:at+len(run.Records)])); err != nil {
			return err
		}
		at += len(run.Records)
	}
	return nil
}

// copiesOf marks the rows that are copies of what was there before them.
func copiesOf(rows []view.Row, known map[int][]view.Variant) []bool {
	copies := make([]bool, len(rows))
	for i, variants := range known {
		copies[i] = slices.ContainsFunc(variants, func(v view.Variant) bool { return v.Digest == rows[i].Digest })
	}
	return copies
}

func listOf(f *contact.Fact) string {
	if f.Subject.IsZero() {
		return ""
	}
	switch d := f.Data.(type) {
	case *events.ListContactAdded:
		return d.List
	case *events.ListContactRemoved:
		return d.List
	}
	return ""
}

// batchOf collects what does not belong to a contact.
func batchOf(run projection.Run, copies []bool) view.Batch {
	b := view.Batch{Stream: run.Stream, First: run.First, Recorded: make([]events.Instant, len(run.Records))}
	for i := range run.Records {
		f := run.Records[i].Fact
		b.Recorded[i] = f.Recorded
		if f.SourceSeq > 0 {
			b.Sources = append(b.Sources, view.SourceSequence{Source: f.Source, Seq: f.SourceSeq, Stream: f.Stream, Sequence: f.Sequence})
		}
		if copies[i] {
			b.Duplicates = append(b.Duplicates, f.Sequence)
			continue
		}
		if isLate(f) {
			b.Late = append(b.Late, view.Late{Stream: f.Stream, Sequence: f.Sequence, Source: f.Source, ID: f.ID, Type: f.Type, Time: f.Time, Received: f.Received, Recorded: f.Recorded})
		}
	}
	return b
}

func isLate(f *contact.Fact) bool {
	limit := events.Instant(lateOther)
	if f.Type.Family() == events.FamilyRevocations || f.Type == events.TypeOppositionRegistered {
		limit = lateRestrictive
	}
	return f.Recorded-f.Received > limit || f.Time-f.Recorded > skewed
}
