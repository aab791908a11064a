// Package ledger is the append-only log as a port: append durably, read,
// follow. Backends are natsledger (JetStream) and memledger; ledgertest holds
// one case for every sentence of this file.
//
// The log consists of P contact partitions and one reference stream
// (design.md 4). An event with a subject lies in the partition of its contact
// key, any other in the reference stream. The bytes of an entry are the
// RFC 8785 form of the recorded event and never change.
//
//	placed, err := log.Append(ctx, entries)    // on disk when it returns
//	follower, err := log.Follow(ctx, positions) // from there on, for ever
//	for {
//		records, err := follower.Next(ctx, 1000)
//		...
//	}
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

// MaxPartitions is the largest P.
const MaxPartitions = 256

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

// Streams lists the streams of a log of p partitions: the partitions in order,
// then Reference.
func Streams(p int) []Stream {
	out := make([]Stream, 0, p+1)
	for i := range p {
		out = append(out, Partition(i))
	}
	return append(out, Reference)
}

// Sequence is a position in one stream; the first entry has 1, and 0 means
// "before the first".
type Sequence uint64

// Positions is a vector of positions, one for each stream. A missing stream
// counts as 0.
type Positions map[Stream]Sequence

// Entry is one event to be appended. Its stored bytes are Head, the recorded
// time in the form of events.Instant (the quotes around it belong to Head and
// Tail), and Tail: the recorder builds the canonical bytes with a hole where
// recordedtime's value stands, the ledger fills it just before it publishes.
// Head and Tail must not be changed once they were handed to Append, which may
// still need them after a context that ended early.
type Entry struct {
	Subject   string            // NATS subject within the contact's stream, see events.LedgerSubject
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
	Duplicate  bool           // the MessageID was known: Sequence and RecordedAt are the first copy's
	Err        error          // nil: the entry is on disk; otherwise one of the errors below, and Sequence and RecordedAt are 0
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
	// ErrMalformed: the entry has no MessageID, or its Subject does not lie in
	// the stream of its Contact. A fault of the caller; never retry.
	ErrMalformed = errors.New("ledger entry malformed")
	// ErrWeak: the log is less durable than was asked for. The process must
	// stop unless the operator accepts it in so many words.
	ErrWeak = errors.New("ledger weaker than promised")
	// ErrGone: a position that the log should hold is missing. Somebody
	// deleted events; stop and raise an alarm.
	ErrGone = errors.New("ledger entry missing")
)

// MaxEntry is the largest stored form in bytes (an entry bundle's limit),
// counted with a recorded time of six fraction digits, so that the limit does
// not depend on the instant.
const MaxEntry = 65535

// Appender appends entries.
//
// Append returns one Placed for each entry in the same order, after every one
// of them is either on disk (fsync; on a majority where replicated) or has
// failed. Entries of one call that go to one stream are stored in their order,
// unless the connection broke while they were on their way one by one. One
// entry that fails does not hold up the others.
//
// RecordedAt is read from the log's clock while Append runs: never before the
// call began, never before an earlier stamp of the same process. An entry whose
// MessageID the broker still knows (about two minutes), or this process does,
// is not stored again and reported as Duplicate; of two entries of one call
// with one MessageID the second is the duplicate.
//
// The error is that of ctx or nil; faults of single entries stand in
// Placed.Err. When ctx ends early, entries that were not yet sent never will
// be and bear ErrUnavailable, those whose fate is not known bear ErrAmbiguous.
// Append may be called from many goroutines; pending calls are committed
// together.
type Appender interface {
	Append(ctx context.Context, entries []Entry) ([]Placed, error)
}

// Record is one stored event.
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
	// Read returns up to limit records of one stream from position from on (0
	// counts as 1), in order and without gaps; fewer only at the end of the
	// stream, none beyond it. The bodies belong to the caller. A missing
	// position gives ErrGone, a stream that the log does not have too.
	Read(ctx context.Context, stream Stream, from Sequence, limit int) ([]Record, error)
	// Follow delivers every record after the given positions, of every stream
	// of the log, each stream in order and without gaps, first what is stored,
	// then what comes, until ctx ends. It survives reconnection by itself. A
	// position beyond the end of its stream gives ErrGone: the log was cut.
	Follow(ctx context.Context, after Positions) (Follower, error)
}

// Follower hands out records in batches.
type Follower interface {
	// Next waits for records and returns between 1 and limit of them, all of
	// one stream, in order; limit is at least 1. The bodies belong to the
	// caller. It returns the error of ctx when that ends, of Follow's ctx when
	// that does, ErrGone when the log has a hole (and for ever after, once what
	// lies before it is delivered), ErrStopped after Stop, and no other error:
	// faults of the connection are waited out. One goroutine at a time.
	Next(ctx context.Context, limit int) ([]Record, error)
	// Stop releases the follower; it may be called at any time, also twice.
	// Next then returns ErrStopped.
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
	// PublishBeat stores b durably in place of the family's last one. The error
	// wraps ErrUnavailable; the next beat makes good for one that failed.
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
