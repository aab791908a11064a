// Package ledger is the append-only log as a port: append durably, read,
// follow. Backends are natsledger (JetStream) and memledger; ledgertest holds
// one case for every sentence of this file.
//
// The log consists of P contact partitions and one reference stream
// (design.md 4). An event with a subject lies in the partition of its contact
// key, any other in the reference stream. The bytes of an entry are the
// RFC 8785 form of the recorded event and never change.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// Stream names a stream of the log: "LEDGER_00" … or "LEDGER_REF".
type Stream string

// Reference is the stream of facts without a contact; every follower reads it.
const Reference Stream = "LEDGER_REF"

// Partition returns the name of contact partition i (0-based).
func Partition(i int) Stream { return Stream(fmt.Sprintf("LEDGER_%02d", i)) }

// StreamOf returns the stream of an event with the given contact key in a log
// of p partitions.
func StreamOf(key events.ContactKey, p int) Stream {
	if key.IsZero() {
		return Reference
	}
	return Partition(key.Partition(p))
}

// Sequence is a position in one stream; the first entry has 1, and 0 means
// "before the first".
type Sequence uint64

// Positions is a vector of positions, one for each stream. A missing stream
// counts as 0.
type Positions map[Stream]Sequence

// Entry is one event to be appended. Its stored bytes are Head, the recorded
// time in the form of events.Instant, and Tail: the recorder builds the
// canonical bytes with a hole where recordedtime's value stands, the ledger
// fills it just before it publishes.
type Entry struct {
	Subject   string            // NATS subject, see events.LedgerSubject
	Contact   events.ContactKey // decides the stream
	MessageID string            // events.MessageID: equal for equal identity and payload
	Head      []byte
	Tail      []byte
	Trace     string // traceparent header, "" for none
}

// Placed is what became of one Entry.
type Placed struct {
	Stream     Stream
	Sequence   Sequence
	RecordedAt events.Instant // the stamp in the stored bytes
	Duplicate  bool           // the broker knew the MessageID: Sequence and RecordedAt are the first copy's
	Err        error          // nil: the entry is on disk; otherwise one of the errors below
}

// Errors of the port. Every error that the port returns wraps one of them.
var (
	// ErrUnavailable: the log cannot be reached or refuses for now. Back off
	// and send the same entries again; HTTP answers 503 with Retry-After.
	ErrUnavailable = errors.New("ledger unavailable")
	// ErrAmbiguous wraps ErrUnavailable: the entry may or may not be stored.
	// Send the same entry with the same MessageID again: it is stored once.
	ErrAmbiguous = fmt.Errorf("%w: result unknown", ErrUnavailable)
	// ErrFull wraps ErrUnavailable: no room on the disk or in the stream. An
	// operator must act.
	ErrFull = fmt.Errorf("%w: no room", ErrUnavailable)
	// ErrTooLarge: the stored form would exceed MaxEntry. Never retry.
	ErrTooLarge = errors.New("ledger entry too large")
	// ErrWeak: the log is less durable than was asked for. The process must
	// stop unless the operator accepts it in so many words.
	ErrWeak = errors.New("ledger weaker than promised")
	// ErrGone: a position that the log should hold is missing. Somebody
	// deleted events; stop and raise an alarm.
	ErrGone = errors.New("ledger entry missing")
)

// MaxEntry is the largest stored form in bytes (an entry bundle's limit).
const MaxEntry = 65535

// Appender appends entries.
//
// Append returns one Placed for each entry in the same order, after every one
// of them is either on disk (fsync; on a majority where replicated) or has
// failed. Entries of one call that go to one stream are stored in their order.
// An entry whose MessageID the broker still knows is not stored again and
// reported as Duplicate. The error is that of ctx or nil; faults of single
// entries stand in Placed.Err. When ctx ends early, entries whose fate is not
// known bear ErrAmbiguous. Append may be called from many goroutines; pending
// calls are committed together.
type Appender interface {
	Append(ctx context.Context, entries []Entry) ([]Placed, error)
}

// Record is one stored event. Body is valid until the next call on the value
// that handed it out, unless said otherwise, and must not be changed.
type Record struct {
	Stream   Stream
	Sequence Sequence
	Body     []byte
}

// Reader reads the log.
type Reader interface {
	// Partitions returns P, fixed when the log was created.
	Partitions() int
	// Last returns the last position of every stream.
	Last(ctx context.Context) (Positions, error)
	// Read returns up to limit records of one stream from position from on, in
	// order and without gaps; fewer only at the end of the stream. The bodies
	// belong to the caller. A missing position gives ErrGone.
	Read(ctx context.Context, stream Stream, from Sequence, limit int) ([]Record, error)
	// Follow delivers every record after the given positions, each stream in
	// order and without gaps, first what is stored, then what comes, until ctx
	// ends. It survives reconnection by itself.
	Follow(ctx context.Context, after Positions) (Follower, error)
}

// Follower hands out records in batches.
type Follower interface {
	// Next waits for records and returns between 1 and limit of them, all of
	// one stream, in order. The bodies belong to the caller. It returns the
	// error of ctx when that ends, ErrGone when the log has a hole, and no
	// other error: faults of the connection are waited out.
	Next(ctx context.Context, limit int) ([]Record, error)
	// Stop releases the follower. Next then returns ErrStopped.
	Stop()
}

// ErrStopped is returned by Follower.Next after Stop.
var ErrStopped = errors.New("ledger follower stopped")

// Beat is what an active recorder of one family says every second (design.md
// 4, 6): it will append nothing more with a recorded time before Instant, and
// the streams stood at Positions when it said so.
type Beat struct {
	Family    events.Family  `json:"family"`
	Instant   events.Instant `json:"instant"`
	Positions Positions      `json:"positions"`
}

// Beats publishes and reads beats; one, the youngest, is kept for each family.
type Beats interface {
	// PublishBeat stores b durably in place of the family's last one.
	PublishBeat(ctx context.Context, b Beat) error
	// Beats returns the youngest beat of each family that ever beat.
	Beats(ctx context.Context) (map[events.Family]Beat, error)
}

// Ledger is the whole port.
type Ledger interface {
	Appender
	Reader
	Beats
	// Durability says what an acknowledgement means, read from the effective
	// configuration of the log, not from what was asked for.
	Durability(ctx context.Context) (Durability, error)
}

// Mode is a class of durability (design.md 4).
type Mode string

// The modes: strict syncs before each acknowledgement, bounded at the latest
// 100 ms after it, fast leaves it to the operating system.
const (
	Strict  Mode = "strict"
	Bounded Mode = "bounded"
	Fast    Mode = "fast"
)

// Durability is what an acknowledgement means.
type Durability struct {
	Mode         Mode          `json:"mode"`
	SyncInterval time.Duration `json:"sync_interval_ns"` // 0 = before each acknowledgement
	Replicas     int           `json:"replicas"`
	Majority     int           `json:"majority"`
	Version      string        `json:"version"` // of the broker
	Faults       []string      `json:"faults"`  // settings of streams that differ from what the ledger needs
}

// String says what an acknowledgement means: "acknowledged means: on disk on
// 1 of 1".
func (d Durability) String() string {
	where := fmt.Sprintf("on %d of %d", d.Majority, d.Replicas)
	switch d.Mode {
	case Strict:
		return "acknowledged means: on disk " + where
	case Bounded:
		return fmt.Sprintf("acknowledged means: on disk %s within %s", where, d.SyncInterval)
	}
	return "acknowledged means: in memory " + where
}
