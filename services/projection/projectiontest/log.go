// Package projectiontest makes logs for the tests and benchmarks of
// projections: a plausible day of telemarketing, and small histories full of
// duplicates, conflicts and corrections.
//
//	log := projectiontest.Chaos(7, 400)
//	run := projection.NewRunner(log.Shuffled(1), store, p, projection.Config{})
package projectiontest

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
)

// Partitions is P of every log made here.
const Partitions = 4

// Log is a finished log in memory. It implements projection.Source; a follower
// takes the streams in turn, a shuffled one in random order and pieces.
type Log struct {
	Streams map[ledger.Stream][][]byte
	seed    uint64 // 0: in turn
}

// Shuffled returns the same log, delivered in another order.
func (l *Log) Shuffled(seed uint64) *Log { return &Log{l.Streams, seed} }

// Len counts the entries.
func (l *Log) Len() int {
	n := 0
	for _, s := range l.Streams {
		n += len(s)
	}
	return n
}

// Prefix returns the first entries of every stream, percent of it.
func (l *Log) Prefix(percent int) map[ledger.Stream][][]byte {
	out := map[ledger.Stream][][]byte{}
	for s, list := range l.Streams {
		out[s] = list[:len(list)*percent/100]
	}
	return out
}

// End is the position behind the last entry.
func (l *Log) End() view.Positions {
	out := view.Positions{}
	for s, list := range l.Streams {
		out[string(s)] = uint64(len(list))
	}
	return out
}

// Last implements projection.Source.
func (l *Log) Last(context.Context) (ledger.Positions, error) {
	out := ledger.Positions{}
	for s, list := range l.Streams {
		out[s] = ledger.Sequence(len(list))
	}
	return out, nil
}

// Read implements projection.Source. A shuffled log withholds the reference
// stream here, so that it reaches the projection in between.
func (l *Log) Read(_ context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	if l.seed != 0 {
		return nil, nil
	}
	return l.cut(stream, from, limit), nil
}

func (l *Log) cut(stream ledger.Stream, from ledger.Sequence, limit int) []ledger.Record {
	var out []ledger.Record
	list := l.Streams[stream]
	for n := from; n <= ledger.Sequence(len(list)) && len(out) < limit; n++ {
		out = append(out, ledger.Record{Stream: stream, Sequence: n, Body: list[n-1]})
	}
	return out
}

// Follow implements projection.Source.
func (l *Log) Follow(_ context.Context, after ledger.Positions) (ledger.Follower, error) {
	f := &follower{log: l, at: ledger.Positions{}, stopped: make(chan struct{})}
	for s := range l.Streams {
		f.at[s] = after[s]
		f.names = append(f.names, s)
	}
	slices.Sort(f.names)
	if l.seed != 0 {
		f.random = rand.New(rand.NewPCG(l.seed, uint64(len(after))))
	}
	return f, nil
}

type follower struct {
	log     *Log
	mu      sync.Mutex
	at      ledger.Positions
	names   []ledger.Stream
	turn    int
	random  *rand.Rand
	once    sync.Once
	stopped chan struct{}
}

// Next implements ledger.Follower. At the end of the log it waits for ctx.
func (f *follower) Next(ctx context.Context, limit int) ([]ledger.Record, error) {
	if out := f.step(limit); out != nil {
		return out, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.stopped:
		return nil, ledger.ErrStopped
	}
}

func (f *follower) step(limit int) []ledger.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var open []ledger.Stream
	for _, s := range f.names {
		if int(f.at[s]) < len(f.log.Streams[s]) {
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		return nil
	}
	f.turn++
	s := open[f.turn%len(open)]
	if f.random != nil {
		s = open[f.random.IntN(len(open))]
		limit = min(limit, 1+f.random.IntN(12))
	}
	out := f.log.cut(s, f.at[s]+1, limit)
	f.at[s] += ledger.Sequence(len(out))
	return out
}

// Stop implements ledger.Follower.
func (f *follower) Stop() { f.once.Do(func() { close(f.stopped) }) }

// Builder appends single events to a log, for histories made by hand.
type Builder struct{ builder }

// Build returns a builder with an empty log; its clock stands at 08:00 of a
// Thursday in Rome.
func Build() *Builder { return &Builder{*newBuilder(dayStart)} }

// At sets the recorded time of the events that follow.
func (b *Builder) At(recorded events.Instant) *Builder {
	b.at(recorded)
	return b
}

// Put appends an event of a source; key is zero for a reference fact.
func (b *Builder) Put(id, source, typ, controller, campaign string, at events.Instant, key events.ContactKey, data map[string]any) *Builder {
	b.put(envelope(id, source, typ, controller, campaign, at, data), key)
	return b
}

// Call appends a call.concluded of 90 seconds by processor P1.
func (b *Builder) Call(id, controller, campaign string, at events.Instant, key events.ContactKey, disposition string) *Builder {
	end := at + 90*second
	return b.Put(id, "dialer", "call.concluded", controller, campaign, end, key, map[string]any{"dialled_at": at.String(), "answered_at": (at + second).String(),
		"released_at": end.String(), "purpose": "marketing", "channel": "operator_call", "processor": "P1", "cli": "+390844100100", "disposition": disposition})
}

// Log returns what has been appended so far; it does not grow any more.
func (b *Builder) Log() *Log { return &Log{Streams: b.log.Prefix(100)} }

// DayStart is the instant at which Build begins.
const DayStart = events.Instant(63908895600000000)

// Contact returns the key of the i-th contact.
func Contact(i int) events.ContactKey { return key(i) }

// builder appends events to a log, stamping them.
type builder struct {
	log   *Log
	clock events.Instant
	keep  bool // remember what may be stored again
	last  []stored
}

type stored struct {
	body []byte
	key  events.ContactKey
}

func newBuilder(start events.Instant) *builder {
	return &builder{log: &Log{Streams: map[ledger.Stream][][]byte{}}, clock: start}
}

// put appends a recorded event.
func (b *builder) put(e map[string]any, key events.ContactKey) {
	if !key.IsZero() {
		e["subject"] = key.String()
	}
	if _, ok := e["recordedtime"]; !ok {
		e["recordedtime"] = b.clock.String()
	}
	e["specversion"] = "1.0"
	plain, err := json.Marshal(e)
	if err != nil {
		panic(err) // a map of texts and numbers
	}
	body, err := events.CanonicalJSON(plain)
	if err != nil {
		panic(err) // what json.Marshal wrote is JSON
	}
	b.append(body, key)
	if b.keep {
		b.last = append(b.last, stored{body, key})
	}
}

func (b *builder) append(body []byte, key events.ContactKey) {
	s := ledger.StreamOf(key, Partitions)
	b.log.Streams[s] = append(b.log.Streams[s], body)
}
