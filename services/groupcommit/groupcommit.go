// Package groupcommit publishes to one JetStream stream with group commit:
// few pending: asynchronous publishes; many: one atomic batch of at most 1000.
//
// Many goroutines hand in messages; one Committer per stream gathers what is
// pending while the broker syncs the group before, so that groups grow with
// the load and a lone message never waits for company:
//
//	c, err := groupcommit.New(nc, "INTAKE_GRANTS", groupcommit.Options{})
//	results, err := c.Publish(ctx, []groupcommit.Message{{Subject: "intake.grants.crm.consent.granted.v1", Data: body}})
//
// A synced atomic batch costs a fixed 4.5 ms however small it is, a message
// published alone a quarter of that; hence the threshold of 24 (design.md 4).
//
// What it does with the broker's answers: a repeated message id or a failed
// expectation rejects a whole batch without naming the culprit, so the group is
// then halved until it is found, and each message bears its own result. No
// answer means unknown: with message ids the same bytes go again until the
// broker has told, without ids the result stays ErrAmbiguous.
package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
)

// The errors of a Result. Each wraps exactly one of them.
var (
	// ErrUnavailable: not stored; the broker cannot be reached or refuses for
	// now. Back off and hand the message in again.
	ErrUnavailable = errors.New("stream unavailable")
	// ErrAmbiguous wraps ErrUnavailable: stored or not, nobody knows. With the
	// same message id it can be handed in again and is stored once; without an
	// id a second try may store it twice.
	ErrAmbiguous = fmt.Errorf("%w: result unknown", ErrUnavailable)
	// ErrFull wraps ErrUnavailable: not stored, since the stream is at its
	// limit or the broker has no room. Back off.
	ErrFull = fmt.Errorf("%w: no room", ErrUnavailable)
	// ErrRefused: not stored and never will be as it stands (too large, a
	// failed expectation, a malformed header). Do not retry.
	ErrRefused = errors.New("message refused by the broker")
)

// MaxGroup is the largest atomic batch that a broker takes.
const MaxGroup = 1000

// Message is one message to publish. The committer keeps it until its result
// is known, even when the caller's context ended before: do not change it or
// what it refers to after handing it in.
type Message struct {
	Subject string
	// ID is the Nats-Msg-Id; "" for none, and then an unknown result stays
	// unknown (ErrAmbiguous) and a repetition is stored again.
	ID string
	// Header holds further headers, nil for none. It is copied.
	Header nats.Header
	// Data is the payload. Options.Stamp may set it at the last moment.
	Data []byte
	// Stamped is for Options.Stamp to set; it comes back in Result.Stamped.
	Stamped events.Instant
	// Source is for Options.Stamp to read; the committer ignores it.
	Source any
}

// Result is what became of a Message.
type Result struct {
	// Sequence is the position in the stream, of the first copy for a
	// duplicate; 0 with Err.
	Sequence uint64
	// Duplicate: the broker or this committer knew the message id already.
	Duplicate bool
	// Resent, only with Duplicate: an earlier try of this very message had no
	// answer, so the stored copy may be this message and no other.
	Resent bool
	// Stamped is the Message.Stamped of the stored copy; zero when another
	// process or an unanswered try stored it.
	Stamped events.Instant
	// Err is nil when the message is stored as durably as the stream stores.
	Err error
}

// Options of a Committer. The zero value is good for a stream without stamps.
type Options struct {
	// Threshold is the smallest group that goes as one atomic batch
	// (default 24).
	Threshold int
	// MaxGroup limits a group (default and at most 1000).
	MaxGroup int
	// MaxGroupBytes limits the payloads of a group, one message excepted
	// (default 8 MiB).
	MaxGroupBytes int
	// Pending is how many messages may wait; beyond it callers wait
	// (default 8192).
	Pending int
	// Timeout is how long an answer is waited for before the result counts as
	// unknown (default 5 s).
	Timeout time.Duration
	// Window is how long an unknown result is asked for again with the same
	// message id; it must not exceed the stream's duplicate window, beyond
	// which a repetition is stored again (default 2 min).
	Window time.Duration
	// Remember is how many message ids of stored messages are known without
	// asking the broker (default 16,384; below 0 none).
	Remember int
	// Stamp, if set, is called just before a group is published for the first
	// time, with every message of it in order; it may set Data and Stamped.
	// On a resend the same bytes go again. The function that it returns, if
	// not nil, is called once every message of the group has its result.
	// Stamp is never called twice at the same time.
	Stamp func(group []*Message) (settled func())
	// Observe, if set, is told of each group after it is settled.
	Observe func(Commit)
}

// Commit describes a settled group to Options.Observe.
type Commit struct {
	Stream   string
	Messages int           // in the group
	Batch    bool          // as an atomic batch, at least at first
	Tries    int           // 1 unless something was sent again
	Failed   int           // messages with an error
	Took     time.Duration // from the first publish to the last result
}

func (o Options) withDefaults() Options {
	setDefault(&o.Threshold, 24)
	setDefault(&o.MaxGroup, MaxGroup)
	setDefault(&o.MaxGroupBytes, 8<<20)
	setDefault(&o.Pending, 8192)
	setDefault(&o.Timeout, 5*time.Second)
	setDefault(&o.Window, 2*time.Minute)
	setDefault(&o.Remember, 1<<14)
	o.MaxGroup = min(o.MaxGroup, MaxGroup)
	return o
}

func setDefault[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Publish hands messages in and waits for their results, one for each, in the
// same order. Messages of one call are stored in their order, unless the
// connection broke while they were on their way one by one. When ctx ends
// early the error is that of ctx: messages not yet published are withdrawn and
// bear ErrUnavailable, those on their way ErrAmbiguous.
func (c *Committer) Publish(ctx context.Context, msgs []Message) ([]Result, error) {
	return c.Enqueue(ctx, msgs).Wait(ctx)
}
