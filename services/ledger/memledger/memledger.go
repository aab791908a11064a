// Package memledger is the ledger in memory, for tests and simulations: the
// port's semantics, nothing of its durability.
//
//	log := memledger.New(memledger.Options{Partitions: 4, Clock: clock})
//	placed, err := log.Append(ctx, entries)
//
// What it stores is copied and never changes; nothing of it survives the
// process, and Durability says so.
package memledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

// Window is how long a MessageID is known, by the ledger's clock: as long as
// the broker knows it.
const Window = 2 * time.Minute

// Options of a ledger in memory.
type Options struct {
	Partitions int                   // default 4
	Clock      func() events.Instant // default the wall clock
	// MaxEntries is how many entries fit in one stream; beyond it Append says
	// ErrFull. 0 = no limit.
	MaxEntries int
}

// Ledger is a log in memory. Its methods may be called from many goroutines.
type Ledger struct {
	opts  Options
	stamp *ledger.Stamper

	mu      sync.Mutex
	streams map[ledger.Stream][][]byte
	gone    map[ledger.Stream]map[ledger.Sequence]bool
	known   map[string]known
	aged    []aged // known's ids in the order of their stamps
	beats   map[events.Family]ledger.Beat
	changed chan struct{} // closed and replaced by every append
}

type known struct {
	stream   ledger.Stream
	sequence ledger.Sequence
	at       events.Instant
}

type aged struct {
	id string
	at events.Instant
}

var _ ledger.Ledger = (*Ledger)(nil)

// New returns an empty log.
func New(o Options) *Ledger {
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.Clock == nil {
		o.Clock = func() events.Instant { return events.InstantOf(time.Now()) }
	}
	l := &Ledger{
		opts: o, stamp: ledger.NewStamper(o.Clock),
		streams: make(map[ledger.Stream][][]byte),
		gone:    make(map[ledger.Stream]map[ledger.Sequence]bool),
		known:   make(map[string]known),
		beats:   make(map[events.Family]ledger.Beat),
		changed: make(chan struct{}),
	}
	for _, s := range ledger.Streams(o.Partitions) {
		l.streams[s] = nil
	}
	return l
}

// Append implements ledger.Appender.
func (l *Ledger) Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	out := make([]ledger.Placed, len(entries))
	if err := ctx.Err(); err != nil {
		for i := range out {
			out[i] = ledger.Placed{Stream: ledger.StreamOf(entries[i].Contact, l.opts.Partitions), Err: fmt.Errorf("append: %w: not sent: %w", ledger.ErrUnavailable, err)}
		}
		return out, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.stamp.Now()
	l.forget(at.Add(-Window))
	for i := range entries {
		out[i] = l.place(&entries[i], at)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return out, nil
}

// place stores one entry.
func (l *Ledger) place(e *ledger.Entry, at events.Instant) ledger.Placed {
	p := ledger.Placed{Stream: ledger.StreamOf(e.Contact, l.opts.Partitions)}
	if p.Err = e.Check(l.opts.Partitions); p.Err != nil {
		return p
	}
	if k, ok := l.known[e.MessageID]; ok && k.stream == p.Stream {
		p.Sequence, p.RecordedAt, p.Duplicate = k.sequence, k.at, true
		return p
	}
	have := l.streams[p.Stream]
	if l.opts.MaxEntries > 0 && len(have) >= l.opts.MaxEntries {
		p.Err = fmt.Errorf("append to %s: %w: %d entries", p.Stream, ledger.ErrFull, len(have))
		return p
	}
	l.streams[p.Stream] = append(have, e.Stamped(at))
	p.Sequence, p.RecordedAt = ledger.Sequence(len(have)+1), at
	l.known[e.MessageID] = known{p.Stream, p.Sequence, at}
	l.aged = append(l.aged, aged{e.MessageID, at})
	return p
}

// forget drops message ids stored before the instant.
func (l *Ledger) forget(before events.Instant) {
	n := 0
	for n < len(l.aged) && l.aged[n].at < before {
		delete(l.known, l.aged[n].id)
		n++
	}
	l.aged = l.aged[n:]
}

// Partitions implements ledger.Reader.
func (l *Ledger) Partitions() int { return l.opts.Partitions }

// Last implements ledger.Reader.
func (l *Ledger) Last(ctx context.Context) (ledger.Positions, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(ledger.Positions, len(l.streams))
	for s, list := range l.streams {
		out[s] = ledger.Sequence(len(list))
	}
	return out, nil
}

// Read implements ledger.Reader.
func (l *Ledger) Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list, ok := l.streams[stream]
	if !ok {
		return nil, fmt.Errorf("read %s: %w: the log has no such stream", stream, ledger.ErrGone)
	}
	return l.cut(stream, list, max(from, 1), limit)
}

// cut copies up to limit records; a hole in them is an error unless records
// lie before it.
func (l *Ledger) cut(stream ledger.Stream, list [][]byte, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	var out []ledger.Record
	for seq := from; int(seq) <= len(list) && len(out) < limit; seq++ {
		if l.gone[stream][seq] {
			return nil, fmt.Errorf("read %s at %d: %w", stream, seq, ledger.ErrGone)
		}
		out = append(out, ledger.Record{Stream: stream, Sequence: seq, Body: slices.Clone(list[seq-1])})
	}
	return out, nil
}

// Follow implements ledger.Reader.
func (l *Ledger) Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	last, err := l.Last(ctx)
	if err != nil {
		return nil, err
	}
	for stream, at := range after {
		if at > last[stream] {
			return nil, fmt.Errorf("follow %s after %d: %w: the stream ends at %d", stream, at, ledger.ErrGone, last[stream])
		}
	}
	f := &follower{log: l, ctx: ctx, at: maps.Clone(after), stopped: make(chan struct{}), streams: ledger.Streams(l.opts.Partitions)}
	if f.at == nil {
		f.at = ledger.Positions{}
	}
	return f, nil
}

// PublishBeat implements ledger.Beats.
func (l *Ledger) PublishBeat(ctx context.Context, b ledger.Beat) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish beat of %s: %w: %w", b.Family, ledger.ErrUnavailable, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.Positions = maps.Clone(b.Positions)
	l.beats[b.Family] = b
	return nil
}

// Beats implements ledger.Beats.
func (l *Ledger) Beats(ctx context.Context) (map[events.Family]ledger.Beat, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[events.Family]ledger.Beat, len(l.beats))
	for f, b := range l.beats {
		b.Positions = maps.Clone(b.Positions)
		out[f] = b
	}
	return out, nil
}

// Durability implements ledger.Ledger: in memory, on 1 of 1.
func (l *Ledger) Durability(ctx context.Context) (ledger.Durability, error) {
	return ledger.Durability{Mode: ledger.Fast, Replicas: 1, Majority: 1, Version: "memory", Faults: []string{}}, ctx.Err()
}

// Remove takes a stored record away, as somebody with access to the broker's
// files could: readers must then meet ErrGone. It serves tests.
func (l *Ledger) Remove(stream ledger.Stream, at ledger.Sequence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone[stream] == nil {
		l.gone[stream] = make(map[ledger.Sequence]bool)
	}
	l.gone[stream][at] = true
}

// Truncate cuts a stream after its first n records, as a data folder rolled
// back would. It serves tests.
func (l *Ledger) Truncate(stream ledger.Stream, n ledger.Sequence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[stream] = l.streams[stream][:min(int(n), len(l.streams[stream]))]
}
