package sqliteview

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// transaction implements view.Tx.
type transaction struct {
	ctx        context.Context
	store      *Store
	tx         *sql.Tx
	projection int64
}

func (t *transaction) reading() *reading {
	return &reading{t.ctx, t.tx, t.store.names.name, &t.store.ask}
}

func (t *transaction) stream(name string) (uint16, error) {
	id, ok := t.store.names.id(name)
	if !ok {
		return 0, fmt.Errorf("stream %s is not one that the update moves", name)
	}
	return id, nil
}

// Index implements view.Tx.
func (t *transaction) Index(in []view.Row) (map[int][]view.Variant, error) {
	const op = "index events"
	fresh, known, err := t.identify(in)
	if err != nil {
		return nil, failed(op, err)
	}
	buf := make([]byte, 0, len(fresh)*700)
	args := make([]any, 0, 3*len(fresh))
	slices.SortFunc(fresh, func(a, b int) int {
		return cmp.Or(bytes.Compare(in[a].Contact[:], in[b].Contact[:]), cmp.Compare(in[a].Sequence, in[b].Sequence))
	})
	for _, i := range fresh {
		e := &in[i].Event
		stream, err := t.stream(e.Stream)
		if err != nil {
			return nil, failed(op, err)
		}
		at := len(buf)
		buf = appendRecord(buf, stream, e)
		args = append(args, e.Contact[:], int64(e.Sequence), buf[at:len(buf):len(buf)])
	}
	if _, err := t.store.stmts.event.Write(t.ctx, t.tx, args); err != nil {
		return nil, failed(op, err)
	}
	return known, failed(op, t.findBy(in, fresh))
}

// identify enters the rows by identity. It returns the rows that are entered
// and, for rows that are not the first of their identity, what was there.
func (t *transaction) identify(in []view.Row) (fresh []int, known map[int][]view.Variant, err error) {
	first := make(map[events.IdentityHash]int, len(in))
	order := make([]int, 0, len(in))
	known = map[int][]view.Variant{}
	for i := range in {
		if _, ok := first[in[i].Identity]; ok {
			continue
		}
		first[in[i].Identity] = i
		order = append(order, i)
	}
	there, err := t.putIdentities(in, order)
	if err != nil {
		return nil, nil, err
	}
	var more []any
	for i := range in {
		id := in[i].Identity
		had := there[id]
		isFirst := first[id] == i
		if isFirst && had == nil {
			fresh = append(fresh, i)
			continue
		}
		if !isFirst && had == nil {
			had = []view.Variant{variantOf(&in[first[id]])}
		}
		known[i] = slices.Clone(had)
		if slices.ContainsFunc(had, func(v view.Variant) bool { return v.Digest == in[i].Digest }) {
			there[id] = had
			continue
		}
		v := variantOf(&in[i])
		there[id] = append(had, v)
		fresh = append(fresh, i)
		stream, err := t.stream(v.Stream)
		if err != nil {
			return nil, nil, err
		}
		more = append(more, id[:], v.Digest[:], appendPlace(nil, stream, &v))
	}
	_, err = t.store.stmts.variant.Write(t.ctx, t.tx, more)
	return fresh, known, err
}

func variantOf(r *view.Row) view.Variant {
	return view.Variant{Digest: r.Digest, Stream: r.Stream, Sequence: r.Sequence, Recorded: r.Recorded, Contact: r.Contact}
}

// putIdentities enters rows of different identities and returns the variants
// of those that were there already. As long as all of a group are new, which
// is nearly always, nothing is read.
func (t *transaction) putIdentities(in []view.Row, order []int) (map[events.IdentityHash][]view.Variant, error) {
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(in[a].Identity[:], in[b].Identity[:]) })
	there := map[events.IdentityHash][]view.Variant{}
	buf := make([]byte, 0, sqlitefile.BulkRows*placeSize)
	args := make([]any, 0, 2*sqlitefile.BulkRows)
	for group := range slices.Chunk(order, sqlitefile.BulkRows) {
		buf, args = buf[:0], args[:0]
		for _, i := range group {
			v := variantOf(&in[i])
			stream, err := t.stream(v.Stream)
			if err != nil {
				return nil, err
			}
			at := len(buf)
			buf = appendPlace(buf, stream, &v)
			args = append(args, in[i].Identity[:], buf[at:len(buf):len(buf)])
		}
		written, err := t.store.stmts.identity.Write(t.ctx, t.tx, args)
		if err != nil {
			return nil, err
		}
		if written == int64(len(group)) {
			continue
		}
		ids := make([]events.IdentityHash, len(group))
		for n, i := range group {
			ids[n] = in[i].Identity
		}
		found, err := t.Variants(ids)
		if err != nil {
			return nil, err
		}
		for _, i := range group {
			if vs := found[in[i].Identity]; vs[0] != variantOf(&in[i]) {
				there[in[i].Identity] = vs
			}
		}
	}
	return there, nil
}

var indexedTypes = func() map[events.Type]bool {
	m := map[events.Type]bool{}
	for _, t := range view.IndexedTypes {
		m[t] = true
	}
	return m
}()

// findBy enters rows under their type and list.
func (t *transaction) findBy(in []view.Row, fresh []int) error {
	type key struct {
		name    string
		contact events.ContactKey
	}
	typed, listed := map[key]bool{}, map[key]bool{}
	for _, i := range fresh {
		if in[i].List != "" {
			listed[key{in[i].List, in[i].Contact}] = true
		}
		if indexedTypes[in[i].Type] && !in[i].Contact.IsZero() {
			typed[key{string(in[i].Type), in[i].Contact}] = true
		}
	}
	for _, step := range []struct {
		into *sqlitefile.Bulk
		keys map[key]bool
	}{{t.store.stmts.typed, typed}, {t.store.stmts.listed, listed}} {
		keys := make([]key, 0, len(step.keys))
		for k := range step.keys {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b key) int {
			return cmp.Or(cmp.Compare(a.name, b.name), bytes.Compare(a.contact[:], b.contact[:]))
		})
		args := make([]any, 0, 2*len(keys))
		for i := range keys {
			args = append(args, keys[i].name, keys[i].contact[:])
		}
		if _, err := step.into.Write(t.ctx, t.tx, args); err != nil {
			return err
		}
	}
	return nil
}

// PutBatch implements view.Tx.
func (t *transaction) PutBatch(b view.Batch) error {
	const op = "store batch"
	if len(b.Recorded) == 0 {
		return nil
	}
	stream, err := t.stream(b.Stream)
	if err != nil {
		return failed(op, err)
	}
	last := b.First + uint64(len(b.Recorded)) - 1
	deltas := appendDeltas(make([]byte, 0, 3*len(b.Recorded)), b.Recorded)
	if _, err := t.tx.ExecContext(t.ctx, `INSERT INTO clock (stream, last, first, first_us, deltas) VALUES (?, ?, ?, ?, ?)`,
		stream, last, b.First, b.Recorded[0].UnixMicro(), deltas); err != nil {
		return failed(op, err)
	}
	var late, copies []any
	for i := range b.Late {
		l := &b.Late[i]
		late = append(late, stream, l.Sequence, l.Source, l.ID, string(l.Type), l.Time.UnixMicro(), l.Received.UnixMicro(), l.Recorded.UnixMicro())
	}
	for _, seq := range b.Duplicates {
		copies = append(copies, stream, seq)
	}
	if _, err := t.store.stmts.late.Write(t.ctx, t.tx, late); err != nil {
		return failed(op, err)
	}
	if _, err := t.store.stmts.duplicate.Write(t.ctx, t.tx, copies); err != nil {
		return failed(op, err)
	}
	_, err = t.store.stmts.sourceRun.Write(t.ctx, t.tx, sourceRuns(stream, b.Sources))
	return failed(op, err)
}

// sourceRuns makes one row for each source: pairs of differences, of the
// source's sequence and of the entry.
func sourceRuns(stream uint16, seen []view.SourceSequence) []any {
	bySource := map[string][]view.SourceSequence{}
	for _, s := range seen {
		bySource[s.Source] = append(bySource[s.Source], s)
	}
	var args []any
	for source, list := range bySource {
		var pairs []byte
		var seq, entry int64
		for _, s := range list {
			pairs = binary.AppendVarint(pairs, s.Seq-seq)
			pairs = binary.AppendVarint(pairs, int64(s.Sequence)-entry)
			seq, entry = s.Seq, int64(s.Sequence)
		}
		args = append(args, source, stream, list[0].Sequence, pairs)
	}
	return args
}

// PutLinks implements view.Tx.
func (t *transaction) PutLinks(links []view.Link) error {
	args := make([]any, 0, 4*len(links))
	for i := range links {
		l := &links[i]
		stream, err := t.anyStream(l.Stream)
		if err != nil {
			return failed("link events", err)
		}
		args = append(args, l.Contact[:], stream, l.Sequence, l.Owner[:])
	}
	_, err := t.store.stmts.link.Write(t.ctx, t.tx, args)
	return failed("link events", err)
}

// anyStream also finds streams that the update does not move.
func (t *transaction) anyStream(name string) (uint16, error) {
	if id, ok := t.store.names.id(name); ok {
		return id, nil
	}
	if err := t.store.names.load(t.ctx, t.tx); err != nil {
		return 0, err
	}
	return t.stream(name)
}

// PutCorrections implements view.Tx.
func (t *transaction) PutCorrections(cs []view.Correction) error {
	args := make([]any, 0, 5*len(cs))
	for i := range cs {
		stream, err := t.anyStream(cs[i].Stream)
		if err != nil {
			return failed("store corrections", err)
		}
		args = append(args, cs[i].Target[:], stream, cs[i].Sequence, cs[i].Contact[:], cs[i].Identity[:])
	}
	_, err := t.store.stmts.correction.Write(t.ctx, t.tx, args)
	return failed("store corrections", err)
}

// Corrections implements view.Tx.
func (t *transaction) Corrections() ([]view.Correction, error) {
	var out []view.Correction
	found, err := t.tx.QueryContext(t.ctx, `SELECT c.target, s.name, c.sequence, c.contact, c.identity FROM correction c JOIN stream s ON s.id = c.stream ORDER BY c.target, s.name, c.sequence`)
	err = sqlitefile.Drain(found, err, func(r *sql.Rows) error {
		var c view.Correction
		var target, contact, identity sql.RawBytes
		if err := r.Scan(&target, &c.Stream, &c.Sequence, &contact, &identity); err != nil {
			return err
		}
		c.Target, c.Contact, c.Identity = events.IdentityHash(target), events.ContactKey(contact), events.IdentityHash(identity)
		out = append(out, c)
		return nil
	})
	return out, failed("read corrections", err)
}

// Called implements view.Tx.
func (t *transaction) Called(contacts []events.ContactKey) (map[events.ContactKey]bool, error) {
	out := map[events.ContactKey]bool{}
	err := t.store.stmts.findCalled.Look(t.ctx, t.tx, keyArgs(contacts), func(r *sql.Rows) error {
		var contact sql.RawBytes
		if err := r.Scan(&contact); err != nil {
			return err
		}
		out[events.ContactKey(contact)] = true
		return nil
	})
	return out, failed("look up attempts", err)
}

func keyArgs(contacts []events.ContactKey) []any {
	args := make([]any, len(contacts))
	for i := range contacts {
		args[i] = contacts[i][:]
	}
	return args
}

// Conflicting implements view.Tx.
func (t *transaction) Conflicting(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	const op = "look up conflicts"
	args := make([]any, 0, len(ids))
	for i := range ids {
		args = append(args, ids[i][:])
	}
	var several []events.IdentityHash
	err := t.store.ask.variant.Look(t.ctx, t.tx, args, func(r *sql.Rows) error {
		var id, place sql.RawBytes
		if err := r.Scan(&id, &place); err != nil {
			return err
		}
		several = append(several, events.IdentityHash(id))
		return nil
	})
	if err != nil || len(several) == 0 {
		return nil, failed(op, err)
	}
	return t.Variants(several)
}

// Events implements view.Tx.
func (t *transaction) Events(places []view.Variant) ([]view.Event, error) {
	const op = "read events"
	var out []view.Event
	st := t.tx.StmtContext(t.ctx, t.store.ask.oneEvent)
	for i := range places {
		p := &places[i]
		found, err := st.QueryContext(t.ctx, p.Contact[:], p.Sequence)
		err = sqlitefile.Drain(found, err, func(r *sql.Rows) error {
			var raw sql.RawBytes
			if err := r.Scan(&raw); err != nil {
				return err
			}
			e := view.Event{Contact: p.Contact, Sequence: p.Sequence}
			if err := readRecord(raw, t.store.names.name, &e); err != nil {
				return err
			}
			out = append(out, e)
			return nil
		})
		if err != nil {
			return nil, failed(op, err)
		}
	}
	return out, nil
}

// Disputed implements view.Tx.
func (t *transaction) Disputed(asOf view.Positions) ([]view.Event, error) {
	out, err := t.reading().disputed(asOf)
	return out, failed("read disputed events", err)
}

// Disputed implements view.Reader.
func (s *Store) Disputed(ctx context.Context, asOf view.Positions) ([]view.Event, error) {
	var out []view.Event
	err := s.within(ctx, "read disputed events", func(r *reading) error {
		var err error
		out, err = r.disputed(asOf)
		return err
	})
	return out, err
}

// PutDue implements view.Tx.
func (t *transaction) PutDue(at events.Instant, contacts []events.ContactKey) error {
	args := make([]any, 0, 3*len(contacts))
	for i := range contacts {
		args = append(args, t.projection, at.UnixMicro(), contacts[i][:])
	}
	_, err := t.store.stmts.due.Write(t.ctx, t.tx, args)
	return failed("note due contacts", err)
}

// TakeDue implements view.Tx.
func (t *transaction) TakeDue(now events.Instant, limit int) ([]events.ContactKey, error) {
	const op = "take due contacts"
	type row struct {
		at      int64
		contact events.ContactKey
	}
	var taken []row
	found, err := t.tx.QueryContext(t.ctx, `SELECT at_us, contact FROM due WHERE projection = ? AND at_us <= ? ORDER BY at_us, contact LIMIT ?`, t.projection, now.UnixMicro(), limit)
	err = sqlitefile.Drain(found, err, func(r *sql.Rows) error {
		var d row
		var contact sql.RawBytes
		if err := r.Scan(&d.at, &contact); err != nil {
			return err
		}
		d.contact = events.ContactKey(contact)
		taken = append(taken, d)
		return nil
	})
	if err != nil {
		return nil, failed(op, err)
	}
	var out []events.ContactKey
	for _, d := range taken {
		if _, err := t.tx.ExecContext(t.ctx, `DELETE FROM due WHERE projection = ? AND at_us = ? AND contact = ?`, t.projection, d.at, d.contact[:]); err != nil {
			return nil, failed(op, err)
		}
		if !slices.Contains(out, d.contact) {
			out = append(out, d.contact)
		}
	}
	return out, nil
}
