package gate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
)

// Variant is one payload under which an identity is recorded, and where.
type Variant struct {
	Digest   events.Digest
	Stream   ledger.Stream
	Sequence ledger.Sequence
	Contact  events.ContactKey // zero in the reference stream
}

// Index is what the gate asks of the event index that consentstate keeps. Its
// errors are faults of the moment: the gate tries again.
type Index interface {
	// Await returns when the index has applied everything within the positions.
	Await(ctx context.Context, p ledger.Positions) error
	// Variants returns the variants of identities, the first recorded first;
	// absent ones are missing. Copies are no variants.
	Variants(ctx context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]Variant, error)
	// History returns all that bears on a contact within the positions.
	History(ctx context.Context, key events.ContactKey, p ledger.Positions) (*contact.History, error)
	// Disputed returns the facts with a contact that bear on the reference
	// state: variants of reference facts, and each call.concluded that is
	// corrected or in conflict.
	Disputed(ctx context.Context) ([]*contact.Fact, error)
}

// record is one entry of the log, decoded.
type record struct {
	fact     *contact.Fact
	identity events.IdentityHash
	sequence ledger.Sequence
	known    bool // the identity may have been seen before
	skip     bool // a copy, or in a shard's snapshot already
	full     bool // the contact is judged from its whole history from here on
	encoded  []byte
}

// writer is the part of the gate that applies the log. One goroutine uses it.
type writer struct {
	*state
	index     Index
	clock     func() events.Instant
	templates *templates
	seen      *filter
	// corrected are the identities that an event.corrected names.
	corrected map[events.IdentityHash]bool
	// target is what a correction names, by the correction's own identity.
	target map[events.IdentityHash]events.IdentityHash
	// filtered is how far each stream is in seen: a snapshot's filter holds what
	// lies before, which must not be taken for copies.
	filtered []ledger.Sequence
	scratch  scratch
	recent   map[events.ContactKey][]events.Payload // of this batch, see needsHistory
	// wanted asks for a snapshot's beginning between two batches.
	wanted chan chan *begun
	log    *zap.Logger
	retry  time.Duration
}

// applyChunk is how many records are applied under one lock, some 50 µs.
const applyChunk = 64

// apply takes entries of one stream, in order. It returns an error of ctx, or
// one that ends the gate: an entry that cannot be read.
func (w *writer) apply(ctx context.Context, entries []ledger.Record) error {
	lane := w.lane(entries[0].Stream)
	if lane < 0 {
		return fmt.Errorf("gate apply %s: %w: no such stream", entries[0].Stream, ledger.ErrGone)
	}
	batch, err := w.decode(lane, entries)
	if err != nil {
		return err
	}
	doubtful := w.sift(lane, batch)
	if doubtful {
		if err := w.settle(ctx, lane, batch); err != nil {
			return err
		}
	}
	w.filterBytes.Store(int64(w.seen.bytes()))
	now := w.clock()
	clear(w.recent)
	for i := range batch {
		if err := w.encode(&batch[i], now); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(batch, applyChunk) {
		w.commit(lane, chunk)
	}
	return nil
}

// decode reads entries, on several cores where there are many, and then gives
// each its place and the running maximum of the recorded times.
func (w *writer) decode(lane int, entries []ledger.Record) ([]record, error) {
	batch, decoded := make([]record, len(entries)), make([]decodedEvent, len(entries))
	var all sync.WaitGroup
	part := max(len(entries)/runtime.NumCPU()+1, decodeAlone)
	for from := 0; from < len(entries); from += part {
		to := min(from+part, len(entries))
		if to == len(entries) {
			decodeEntries(decoded[from:to], entries[from:to])
			break
		}
		all.Go(func() { decodeEntries(decoded[from:to], entries[from:to]) })
	}
	all.Wait()
	m := w.at[lane]
	for i := range entries {
		d, entry := &decoded[i], &entries[i]
		if entry.Sequence != m.sequence+1 {
			return nil, fmt.Errorf("gate apply %s at %d: %w: it follows %d", entry.Stream, entry.Sequence, ledger.ErrGone, m.sequence)
		}
		if d.err != nil {
			return nil, fmt.Errorf("gate apply %s at %d: %w", entry.Stream, entry.Sequence, d.err)
		}
		m = mark{entry.Sequence, max(m.recorded, d.event.Recorded)}
		d.event.Recorded = m.recorded
		f := contact.NewFact(d.event, d.digest, nil, string(entry.Stream), uint64(entry.Sequence))
		if f.Subject.IsZero() {
			f.Raw = entry.Body
		}
		batch[i] = record{fact: f, identity: d.identity, sequence: entry.Sequence}
	}
	return batch, nil
}

// decodeAlone is how many entries one goroutine decodes at least.
const decodeAlone = 128

// decodedEvent is an entry before its running maximum is known.
type decodedEvent struct {
	event    events.Event
	digest   events.Digest // of reference facts and calls: the reference state resolves their conflicts itself
	identity events.IdentityHash
	err      error
}

func decodeEntries(out []decodedEvent, entries []ledger.Record) {
	for i := range entries {
		d := &out[i]
		if d.event, d.err = codec.Decode(entries[i].Body); d.err != nil {
			continue
		}
		d.identity = d.event.Identity().Hash()
		if d.event.Subject.IsZero() || d.event.Type == events.TypeCallConcluded {
			d.digest, d.err = codec.Digest(entries[i].Body)
		}
	}
}

// sift notes what must be looked up before it may count: identities that may
// have been seen, and corrections.
func (w *writer) sift(lane int, batch []record) (doubtful bool) {
	for i := range batch {
		r := &batch[i]
		if r.sequence <= w.filtered[lane] {
			continue // a snapshot's filter and shards, and a read from the beginning, hold it
		}
		r.known = w.seen.seen(r.identity)
		_, correction := r.fact.Data.(*events.EventCorrected)
		doubtful = doubtful || r.known || correction || w.corrected[r.identity]
	}
	for i := range batch {
		if c, ok := batch[i].fact.Data.(*events.EventCorrected); ok {
			w.corrected[c.Target.Hash()] = true
			w.target[batch[i].identity] = c.Target.Hash()
			doubtful = doubtful || batch[i].sequence > w.filtered[lane]
		}
	}
	return doubtful
}

// settle asks the index about what sift has noted, until it answers.
func (w *writer) settle(ctx context.Context, lane int, batch []record) error {
	positions := w.ledgerPositions()
	positions[w.streams[lane]] = batch[len(batch)-1].sequence
	var told bool
	for {
		err := w.lookUp(ctx, lane, batch, positions)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !told {
			told = true
			w.log.Warn("gate: the event index does not answer; nothing is allowed until it does", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.retry):
		}
	}
}

func (w *writer) lookUp(ctx context.Context, lane int, batch []record, positions ledger.Positions) error {
	if err := w.index.Await(ctx, positions); err != nil {
		return err
	}
	var ids []events.IdentityHash
	for i := range batch {
		r := &batch[i]
		if r.sequence <= w.filtered[lane] {
			continue
		}
		if r.known || w.corrected[r.identity] {
			ids = append(ids, r.identity)
		}
		if target, ok := w.target[r.identity]; ok {
			ids = append(ids, w.chain(target)...)
		}
	}
	found, err := w.index.Variants(ctx, ids)
	if err != nil {
		return err
	}
	marked, disputed := w.judge(lane, batch, found)
	var facts []*contact.Fact
	if disputed {
		if facts, err = w.index.Disputed(ctx); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range marked {
		w.markFull(key)
	}
	w.dispute(facts, positions)
	return nil
}

// dispute gives the reference state what bears on it from contacts' streams, as
// far as it lies within the positions; mu is held for writing.
func (w *writer) dispute(facts []*contact.Fact, p ledger.Positions) {
	w.referred++
	for _, f := range facts {
		switch {
		case ledger.Sequence(f.Sequence) > p[ledger.Stream(f.Stream)]: // its own arrival brings it again
		case f.Type == events.TypeCallConcluded:
			w.reference.Dispute(f)
		default:
			w.reference.Add(f)
		}
	}
}

// chain lists an identity and, where it is a correction, what that names.
func (w *writer) chain(id events.IdentityHash) []events.IdentityHash {
	out := []events.IdentityHash{id}
	for {
		next, ok := w.target[id]
		if !ok || slices.Contains(out, next) {
			return out
		}
		out, id = append(out, next), next
	}
}

// judge reads what the index says: which contacts are to be judged from their
// whole histories, which records are copies, and whether calls or reference
// facts are in dispute.
func (w *writer) judge(lane int, batch []record, found map[events.IdentityHash][]Variant) (marked []events.ContactKey, disputed bool) {
	mark := func(id events.IdentityHash) {
		for _, v := range found[id] {
			if !v.Contact.IsZero() {
				marked = append(marked, v.Contact)
			}
		}
	}
	stream := w.streams[lane]
	for i := range batch {
		r := &batch[i]
		if r.sequence <= w.filtered[lane] {
			continue
		}
		if target, ok := w.target[r.identity]; ok {
			disputed = true
			for _, id := range w.chain(target) {
				mark(id)
			}
		}
		if w.corrected[r.identity] {
			disputed, r.full = true, true
			mark(r.identity)
		}
		variants := found[r.identity]
		if !r.known || len(variants) == 0 {
			continue
		}
		here := slices.ContainsFunc(variants, func(v Variant) bool { return v.Stream == stream && v.Sequence == r.sequence })
		r.skip = !here // the index keeps no copies
		if len(variants) > 1 {
			disputed, r.full = true, true
			mark(r.identity)
		}
	}
	return marked, disputed
}

// encode makes the stored form of a fact with a contact.
func (w *writer) encode(r *record, now events.Instant) error {
	f := r.fact
	if f.Subject.IsZero() || r.skip || !rules.BearsOnDecisions(f.Type) {
		return nil
	}
	t, o := reduce(f, now)
	number, err := w.templates.add(t)
	if err != nil {
		return err
	}
	e := encoded{template: number, time: f.Time, received: f.Time, own: o}
	if f.Received > now && f.Received > f.Time {
		e.received = f.Received
	}
	r.encoded = e.append(nil)
	r.full = r.full || w.needsHistory(f)
	return nil
}

// needsHistory: the compact form cannot tell what the rules would say. A
// consent that was given in a call may be tainted by it (IT-CON-09); of two
// answers of one batch, or two conclusions of one contract, the ids decide.
func (w *writer) needsHistory(f *contact.Fact) bool {
	var same func(p events.Payload) bool
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		return d.CollectionAttempt != ""
	case *events.RegisterScreened:
		same = func(p events.Payload) bool {
			o, ok := p.(*events.RegisterScreened)
			return ok && o.Batch == d.Batch
		}
	case *events.ContractConcluded:
		same = func(p events.Payload) bool {
			o, ok := p.(*events.ContractConcluded)
			return ok && o.Contract == d.Contract
		}
	default:
		return false
	}
	before := w.recent[f.Subject]
	w.recent[f.Subject] = append(before, f.Data)
	if slices.ContainsFunc(before, same) {
		return true
	}
	facts, err := w.scratch.rebuild(f.Subject, w.shard(f.Subject).memory.get(f.Subject), w.templates.list)
	return err != nil || slices.ContainsFunc(facts, func(g *contact.Fact) bool { return same(g.Data) })
}

// commit makes a few records part of the state.
func (w *writer) commit(lane int, batch []record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.templates = w.templates.list
	for i := range batch {
		r := &batch[i]
		w.at[lane] = mark{r.sequence, r.fact.Recorded}
		w.floor = max(w.floor, r.fact.Recorded)
		if r.skip {
			continue
		}
		w.commitOne(r)
	}
	w.floor = max(w.floor, w.clock())
	w.moved()
}

// addCall joins a call to the first calls of its campaign; after those a call
// changes nothing for the campaign.
func (w *writer) addCall(f *contact.Fact) {
	before := w.reference.Starts(f.Controller, f.Campaign)
	w.reference.AddCall(f)
	if after := w.reference.Starts(f.Controller, f.Campaign); !slices.Equal(before, after) || w.reference.Disputed(f) {
		w.referred++
	}
}

func (w *writer) commitOne(r *record) {
	f := r.fact
	if f.Subject.IsZero() {
		w.reference.Add(f)
		w.referred++
		return
	}
	if f.Type == events.TypeCallConcluded {
		w.addCall(f)
	}
	if _, full := w.full[f.Subject]; full || r.full {
		w.markFull(f.Subject)
	}
	if r.encoded == nil {
		return
	}
	if s := w.shard(f.Subject); r.sequence > s.saved {
		s.memory.append(f.Subject, r.encoded)
	}
}
