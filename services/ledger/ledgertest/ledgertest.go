// Package ledgertest is the conformance suite of the ledger port: one case for
// every sentence of its comments, a whole-state checker, and a wrapper that
// fails on purpose.
//
//	func TestConformance(t *testing.T) { ledgertest.Run(t, harness) }
//
// A backend joins with a Harness. Nothing in the suite sleeps; what is only
// visible later is waited for through the port.
package ledgertest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

// Partitions is P of every log that the suite asks for.
const Partitions = 4

// Harness makes logs for the suite.
type Harness struct {
	// New makes an empty log of Partitions partitions that stamps with clock,
	// and cleans it up with t.
	New func(t *testing.T, clock func() events.Instant) Instance
}

// Instance is a log and what can be done to it from outside.
type Instance struct {
	Log ledger.Ledger
	// Head removes the records of a stream before position at, as a limit set
	// behind the ledger's back does.
	Head func(stream ledger.Stream, at ledger.Sequence)
	// Interrupt breaks the connection once; it comes back by itself. A backend
	// without a connection does nothing.
	Interrupt func()
	// Reopen opens the same log again, as a restarted process does.
	Reopen func() ledger.Ledger
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, group := range []struct {
		name  string
		cases []testCase
	}{{"append", appendCases}, {"read", readCases}, {"follow", followCases}, {"beats", beatCases}, {"faults", faultCases}} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					clock := NewClock()
					c.run(t, h.New(t, clock.Now), clock)
				})
			}
		})
	}
}

// testCase is one sentence of the port.
type testCase struct {
	name string
	run  func(t *testing.T, in Instance, clock *Clock)
}

// Clock is a clock that only moves when told to.
type Clock struct {
	mu  sync.Mutex
	now events.Instant
}

// Epoch is where a Clock begins.
var Epoch = events.InstantOf(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

// NewClock returns a clock that stands at Epoch.
func NewClock() *Clock { return &Clock{now: Epoch} }

// Now returns the clock's instant.
func (c *Clock) Now() events.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock, backwards too.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Key is a contact key in partition p of any log with a power of two
// partitions; n tells keys of one partition apart.
func Key(p, n int) events.ContactKey {
	return events.ContactKey{0, byte(p), byte(n >> 16), byte(n >> 8), byte(n), 1}
}

// Entry is entry number n of a partition (or, with p < 0, of the reference
// stream), shaped like a recorded event of about size bytes. Equal arguments
// give equal entries.
func Entry(p, n, size int) ledger.Entry {
	e := ledger.Entry{Subject: "ledger.ref.campaign.opened.v1.acme"}
	if p >= 0 {
		e.Contact = Key(p, n)
		e.Subject = fmt.Sprintf("ledger.%02d.consent.granted.v1.acme", p)
	}
	id := fmt.Sprintf("%d-%d", p, n)
	e.MessageID = events.MessageID(events.Identity{Source: "crm", ID: id}, events.Digest{1})
	e.Head = fmt.Appendf(nil, `{"data":{"note":"`)
	tail := fmt.Sprintf(`","source":"crm","specversion":"1.0","subject":%q,"type":"consent.granted.v1"}`, e.Contact)
	for len(e.Head)+len(tail)+80 < size {
		e.Head = append(e.Head, "0123456789abcdef"[len(e.Head)%16])
	}
	e.Head = fmt.Appendf(e.Head, `"},"id":%q,"recordedtime":"`, id)
	e.Tail = []byte(tail)
	return e
}

// Entries returns entries from … from+n-1 dealt over all streams in turn.
func Entries(from, n int) []ledger.Entry {
	out := make([]ledger.Entry, n)
	for i := range out {
		out[i] = Entry((from+i)%(Partitions+1)-1, from+i, 200)
	}
	return out
}

// Append appends and fails the test unless every entry is stored.
func Append(t testing.TB, log ledger.Appender, entries ...ledger.Entry) []ledger.Placed {
	t.Helper()
	placed, err := log.Append(t.Context(), entries)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	if len(placed) != len(entries) {
		t.Fatalf("%d results for %d entries", len(placed), len(entries))
	}
	for i, p := range placed {
		if p.Err != nil {
			t.Fatalf("entry %d: %v", i, p.Err)
		}
	}
	return placed
}

// All reads every record of every stream with Read.
func All(t testing.TB, log ledger.Reader) map[ledger.Stream][]ledger.Record {
	t.Helper()
	last, err := log.Last(t.Context())
	if err != nil {
		t.Fatalf("Last: %v", err)
	}
	out := make(map[ledger.Stream][]ledger.Record, len(last))
	for _, s := range ledger.Streams(log.Partitions()) {
		if out[s], err = log.Read(t.Context(), s, 1, int(last[s])+10); err != nil {
			t.Fatalf("Read %s: %v", s, err)
		}
	}
	return out
}

// Drain follows from after until the log's present end and returns what came,
// by stream.
func Drain(t testing.TB, log ledger.Reader, after ledger.Positions) map[ledger.Stream][]ledger.Record {
	t.Helper()
	f, err := log.Follow(t.Context(), after)
	if err != nil {
		t.Fatalf("Follow: %v", err)
	}
	defer f.Stop()
	last, err := log.Last(t.Context())
	if err != nil {
		t.Fatalf("Last: %v", err)
	}
	left := 0
	for s, at := range last {
		left += int(at - after[s])
	}
	out := make(map[ledger.Stream][]ledger.Record)
	for left > 0 {
		list := Next(t, f, 100)
		out[list[0].Stream] = append(out[list[0].Stream], list...)
		left -= len(list)
	}
	return out
}

// Next calls f.Next and checks what it promises of the batch.
func Next(t testing.TB, f ledger.Follower, limit int) []ledger.Record {
	t.Helper()
	list, err := f.Next(t.Context(), limit)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	if len(list) < 1 || len(list) > limit {
		t.Fatalf("Next returned %d records, limit %d", len(list), limit)
	}
	for i, r := range list {
		if r.Stream != list[0].Stream || r.Sequence != list[0].Sequence+ledger.Sequence(i) {
			t.Fatalf("Next returned %s:%d after %s:%d", r.Stream, r.Sequence, list[0].Stream, list[0].Sequence)
		}
	}
	return slices.Clone(list)
}
