package gate

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
)

// shardsPerPartition divides a partition, so that a snapshot copies a little at
// a time and a table that grows holds up few questions.
const shardsPerPartition = 16

// state is what the gate knows. Its writer holds mu for a few records at a
// time; questions hold it for reading while they are answered, so that an
// answer and its positions belong together.
type state struct {
	mu         sync.RWMutex
	partitions int
	shards     []shard // of partition p: p*shardsPerPartition and following
	streams    []ledger.Stream
	at         []mark // by stream, in the order of streams
	templates  []template
	reference  *rules.Reference
	// full are the contacts that are judged from their whole history, each with
	// a number that changes with every event of theirs.
	full  map[events.ContactKey]uint64
	moves uint64
	// referred changes whenever the reference does: what was worked out from it
	// is to be worked out again.
	referred uint64
	// floor is the latest instant that any question or stored form relied on:
	// the gate's clock never goes back behind it.
	floor events.Instant

	filterBytes atomic.Int64 // of the writer's filter

	positions atomic.Pointer[map[string]uint64] // of at; nil = to be made again
	applied   chan struct{}                     // closed and replaced when at moves
}

// shard is a part of the contacts of one partition.
type shard struct {
	memory *memory
	// saved is the sequence up to which a snapshot held it: earlier records are
	// in it already.
	saved ledger.Sequence
}

// mark is how far one stream has been applied.
type mark struct {
	sequence ledger.Sequence
	recorded events.Instant // running maximum
}

func newState(partitions int) *state {
	s := &state{
		partitions: partitions, streams: ledger.Streams(partitions), reference: rules.NewReference(),
		full: map[events.ContactKey]uint64{}, applied: make(chan struct{}),
	}
	s.at = make([]mark, len(s.streams))
	s.shards = make([]shard, partitions*shardsPerPartition)
	for i := range s.shards {
		s.shards[i].memory = newMemory()
	}
	return s
}

// lane is the number of a stream.
func (s *state) lane(stream ledger.Stream) int {
	for i, name := range s.streams {
		if name == stream {
			return i
		}
	}
	return -1
}

func (s *state) shard(key events.ContactKey) *shard {
	return &s.shards[key.Partition(s.partitions)*shardsPerPartition+int(key[15])%shardsPerPartition]
}

// vector returns the positions; mu is held. The map is shared and must not be
// changed.
func (s *state) vector() map[string]uint64 {
	if p := s.positions.Load(); p != nil {
		return *p
	}
	p := make(map[string]uint64, len(s.at))
	for i, m := range s.at {
		if m.sequence > 0 {
			p[string(s.streams[i])] = uint64(m.sequence)
		}
	}
	s.positions.Store(&p)
	return p
}

// covers reports whether everything within p is applied; mu is held.
func (s *state) covers(p ledger.Positions) bool {
	for stream, n := range p {
		if i := s.lane(stream); i < 0 || s.at[i].sequence < n {
			return false
		}
	}
	return true
}

// ledgerPositions is a copy of the positions for the ledger's port.
func (s *state) ledgerPositions() ledger.Positions {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(ledger.Positions, len(s.at))
	for i, m := range s.at {
		out[s.streams[i]] = m.sequence
	}
	return out
}

// moved tells those who wait that something was applied; mu is held for writing.
func (s *state) moved() {
	s.positions.Store(nil)
	close(s.applied)
	s.applied = make(chan struct{})
}

// waiting returns a channel that is closed when something more is applied.
func (s *state) waiting() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.applied
}

// markFull makes a contact one that is judged from its whole history; mu is
// held for writing.
func (s *state) markFull(key events.ContactKey) {
	s.moves++
	s.full[key] = s.moves
}

// scratch is the memory of one rebuilding of facts, used again. A slice that
// is outgrown lives on with what points into it. Contacts are much alike: a
// place that held a fact of the same template keeps what they share.
type scratch struct {
	facts  []*contact.Fact // each place of values
	values []contact.Fact
	from   []events.Payload // of the template that each place was made from
	// texts, where not nil, holds the texts of facts: then they are valid until
	// the next rebuild only.
	texts *texts

	calls    []events.CallConcluded
	callFrom []*events.CallConcluded // of the template that each place was made from
	called   int                     // places of calls that are taken

	grants      []events.ConsentGranted
	proofs      []events.Proof
	reverified  []events.ConsentReverified
	invalidated []events.ConsentInvalidated
	concluded   []events.ContractConcluded
	ended       []events.ContractEnded
}

// reset forgets the facts of the contact before.
func (sc *scratch) reset() {
	sc.called = 0
	sc.grants, sc.proofs = sc.grants[:0], sc.proofs[:0]
	sc.reverified, sc.invalidated = sc.reverified[:0], sc.invalidated[:0]
	sc.concluded, sc.ended = sc.concluded[:0], sc.ended[:0]
	sc.texts.reset()
}

// grow makes one more place for a fact.
func (sc *scratch) grow() {
	sc.values, sc.from = append(sc.values, contact.Fact{}), append(sc.from, nil)
	sc.facts = sc.facts[:0]
	for i := range sc.values {
		sc.facts = append(sc.facts, &sc.values[i])
	}
}

// call returns a copy of a template's payload.
func (sc *scratch) call(d *events.CallConcluded) *events.CallConcluded {
	i := sc.called
	sc.called++
	switch {
	case i == len(sc.calls):
		sc.calls, sc.callFrom = append(sc.calls, *d), append(sc.callFrom, d)
	case sc.callFrom[i] != d:
		sc.calls[i], sc.callFrom[i] = *d, d
	}
	return &sc.calls[i]
}

// copied appends a copy of v to a slice and returns its place.
func copied[T any](list *[]T, v *T) *T {
	*list = append(*list, *v)
	return &(*list)[len(*list)-1]
}

// ordinals are ids of rebuilt facts other than grants: nothing reads them, but
// they differ.
var ordinals = func() (out [256]string) {
	for i := range out {
		out[i] = fmt.Sprintf("#%03d", i)
	}
	return out
}()

func ordinal(i int) string {
	if i < len(ordinals) {
		return ordinals[i]
	}
	return fmt.Sprintf("#%03d", i)
}

// rebuild returns the facts of a contact's record as the rules read them. They
// are valid until the next rebuild with the same scratch.
func (sc *scratch) rebuild(key events.ContactKey, content []byte, list []template) ([]*contact.Fact, error) {
	sc.reset()
	n := 0
	for ; len(content) > 0; n++ {
		var e encoded
		var err error
		if content, err = e.nextIn(content, sc.texts); err != nil {
			return nil, err
		}
		if int(e.template) >= len(list) {
			return nil, errRecord
		}
		if n == len(sc.values) {
			sc.grow()
		}
		t, f := &list[e.template], &sc.values[n]
		if sc.from[n] != t.data {
			*f = contact.Fact{Event: events.Event{ID: ordinal(n), Source: t.source, Type: t.typ, Recorded: past, Controller: t.controller}}
			sc.from[n] = t.data
		}
		f.Time, f.Received, f.Subject = e.time, e.received, key
		f.Data = t.data
		sc.fill(f, &e)
	}
	return sc.facts[:n], nil
}

// fill puts a fact's own values into a copy of its template's payload.
func (sc *scratch) fill(f *contact.Fact, e *encoded) {
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		f.ID = e.first
		if e.second == "" && e.confirmed == 0 && e.notified == 0 {
			return
		}
		n := copied(&sc.grants, d)
		n.Contract = e.second
		if d.Proof != nil {
			n.Proof = copied(&sc.proofs, d.Proof)
			n.Proof.ConfirmedAt, n.Proof.NotifiedAt = max(n.Proof.ConfirmedAt, e.confirmed), max(n.Proof.NotifiedAt, e.notified)
		}
		f.Data = n
	case *events.CallConcluded:
		n := sc.call(d)
		if n.DialledAt = e.dialled; e.dialled == 0 {
			n.DialledAt = e.time
		}
		f.Data = n
	case *events.ConsentReverified:
		n := copied(&sc.reverified, d)
		n.Grant, f.Data = e.first, n
	case *events.ConsentInvalidated:
		n := copied(&sc.invalidated, d)
		n.Grant, f.Data = e.first, n
	case *events.ContractConcluded:
		n := copied(&sc.concluded, d)
		n.Contract, f.Data = e.first, n
	case *events.ContractEnded:
		n := copied(&sc.ended, d)
		n.Contract, f.Data = e.first, n
	}
}

// clonePositions copies positions that are shared.
func clonePositions(p map[string]uint64) map[string]uint64 { return maps.Clone(p) }
