package contact

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Fact is a recorded event as the evaluation reads it, with its place in the
// log. Make one with NewFact. A Fact and everything it points to is immutable
// once made: views, states and findings share it.
type Fact struct {
	// Event holds the clocks as readers take them: Recorded is the running
	// maximum of the stream; where data.dropped names "time", Time and
	// Received equal Recorded (rules.md 1).
	events.Event
	// Stream and Sequence are the position in the log.
	Stream   string
	Sequence uint64
	// Digest is the payload digest of the stored bytes; an amended fact bears
	// the digest of its amended content.
	Digest events.Digest
	// Raw is the stored RFC 8785 form. It is read only to amend the fact; nil
	// is allowed and saves memory in long-lived holders, then the decoded
	// payload is amended instead (values of a later contract version that
	// stood beside known ones in a scope are lost by that).
	Raw []byte
}

// NewFact makes a Fact of a decoded event. e.Recorded must already be the
// running maximum of its stream. An absent received time is read as Time.
func NewFact(e events.Event, digest events.Digest, raw []byte, stream string, sequence uint64) *Fact {
	f := &Fact{Event: e, Stream: stream, Sequence: sequence, Digest: digest, Raw: raw}
	if droppedTime(e.Data) {
		f.Time, f.Received = f.Recorded, f.Recorded
	}
	if f.Received.IsZero() {
		f.Received = f.Time
	}
	return f
}

// droppedTime reports whether the recorder could not accept the event's time.
func droppedTime(p events.Payload) bool {
	switch d := p.(type) {
	case *events.ConsentRevoked:
		return slices.Contains(d.Dropped.Dropped, "time")
	case *events.ConsentRefused:
		return slices.Contains(d.Dropped.Dropped, "time")
	case *events.OppositionRegistered:
		return slices.Contains(d.Dropped.Dropped, "time")
	case *events.RegisterListed:
		return slices.Contains(d.Dropped.Dropped, "time")
	case *events.RegisterRenewed:
		return slices.Contains(d.Dropped.Dropped, "time")
	}
	return false
}

// Cut is the four cut-offs of View(o, r, w; k) of rules.md 1.
type Cut struct {
	Occurred events.Instant // o: facts with time ≤ o
	Received events.Instant // r: facts known to the controller or a processor ≤ r
	Recorded events.Instant // w: facts in the ledger ≤ w
	Known    events.Instant // k: corrections and later variants count when received ≤ k
}

// Gate is the cut of a question at t: View(t, t, t).
func Gate(t events.Instant) Cut { return Cut{t, t, t, events.MaxInstant} }

// Finding is the cut of a finding on an attempt dialled at t, as of ledger
// time r, with every correction recorded by then: View(t, t, r; ∞).
func Finding(t, r events.Instant) Cut { return Cut{t, t, r, events.MaxInstant} }

// KnownThen is the cut of the second finding evaluation: View(t, t, r; t).
func KnownThen(t, r events.Instant) Cut { return Cut{t, t, r, t} }

// Hindsight is the cut that ignores who knew what when: View(t, ∞, r).
func Hindsight(t, r events.Instant) Cut {
	return Cut{t, events.MaxInstant, r, events.MaxInstant}
}

// AsOf is the cut of the object rules: View(r, r, r).
func AsOf(r events.Instant) Cut { return Cut{r, r, r, events.MaxInstant} }

// Sensitivity collects, while a view is taken, whether another cut-off could
// have given another answer. When both are false the evaluation with k = t and
// the hindsight evaluation see exactly the same facts, so they need not run.
type Sensitivity struct {
	// Late: a fact was left out only because it was received too late.
	Late bool
	// Disputed: a correction or a conflicting variant counted that was
	// received after the occurred cut-off.
	Disputed bool
}

// compareIdentity orders by source, then id.
func compareIdentity(a, b *Fact) int {
	if a.Source != b.Source {
		return strings.Compare(a.Source, b.Source)
	}
	return strings.Compare(a.ID, b.ID)
}

// compareCopies orders by identity, then content, then clocks and place; 0
// means that the two are one and the same record.
func compareCopies(a, b *Fact) int {
	if a == b {
		return 0
	}
	if c := compareIdentity(a, b); c != 0 {
		return c
	}
	return cmp.Or(bytes.Compare(a.Digest[:], b.Digest[:]), cmp.Compare(a.Recorded, b.Recorded),
		cmp.Compare(a.Received, b.Received), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
}
