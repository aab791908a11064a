package crdbview

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Index implements view.Tx.
func (t *transaction) Index(in []view.Row) (map[int][]view.Variant, error) {
	const op = "index events"
	fresh, known, err := t.identify(in)
	if err != nil {
		return nil, failed(op, err)
	}
	rows := make([]*view.Row, len(fresh))
	for n, i := range fresh {
		rows[n] = &in[i]
	}
	slices.SortFunc(rows, func(a, b *view.Row) int {
		return cmp.Or(bytes.Compare(a.Contact[:], b.Contact[:]), cmp.Compare(a.Sequence, b.Sequence))
	})
	for part := range parts(rows) {
		if err := write(&t.reading, sqlPutEvents, part, eventArrays); err != nil {
			return nil, failed(op, err)
		}
	}
	return known, failed(op, t.findBy(rows))
}

// statementBytes bounds the stored bytes in one statement.
const statementBytes = 4 << 20

// parts cuts rows so that each part holds about statementBytes at most.
func parts(rows []*view.Row) func(yield func([]*view.Row) bool) {
	return func(yield func([]*view.Row) bool) {
		for first, size, i := 0, 0, 0; i < len(rows); i++ {
			size += len(rows[i].Body)
			if size >= statementBytes || i == len(rows)-1 {
				if !yield(rows[first : i+1]) {
					return
				}
				first, size = i+1, 0
			}
		}
	}
}

func eventArrays(rows []*view.Row) []any {
	return []any{
		column(rows, func(r **view.Row) []byte { return (*r).Contact[:] }),
		column(rows, func(r **view.Row) int64 { return int64((*r).Sequence) }),
		column(rows, func(r **view.Row) []byte { return []byte((*r).Stream) }),
		column(rows, func(r **view.Row) int64 { return (*r).Recorded.UnixMicro() }),
		column(rows, func(r **view.Row) []byte { return (*r).Identity[:] }),
		column(rows, func(r **view.Row) []byte { return (*r).Digest[:] }),
		column(rows, func(r **view.Row) []byte { return present((*r).Body) }),
	}
}

// present makes no bytes of nil, which would be stored as NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// identified is a variant on its way in.
type identified struct {
	identity events.IdentityHash
	view.Variant
}

func variantArrays(rows []identified) []any {
	return []any{
		column(rows, func(r *identified) []byte { return r.identity[:] }),
		column(rows, func(r *identified) []byte { return r.Digest[:] }),
		column(rows, func(r *identified) []byte { return []byte(r.Stream) }),
		column(rows, func(r *identified) int64 { return int64(r.Sequence) }),
		column(rows, func(r *identified) int64 { return r.Recorded.UnixMicro() }),
		column(rows, func(r *identified) []byte { return r.Contact[:] }),
	}
}

func variantOf(r *view.Row) view.Variant {
	return view.Variant{Digest: r.Digest, Stream: r.Stream, Sequence: r.Sequence, Recorded: r.Recorded, Contact: r.Contact}
}

// identify enters the rows by identity. It returns the rows that are entered
// and, for rows that are not the first of their identity, what was there.
func (t *transaction) identify(in []view.Row) (fresh []int, known map[int][]view.Variant, err error) {
	first := make(map[events.IdentityHash]int, len(in))
	rows := make([]identified, 0, len(in))
	for i := range in {
		if _, ok := first[in[i].Identity]; !ok {
			first[in[i].Identity] = i
			rows = append(rows, identified{in[i].Identity, variantOf(&in[i])})
		}
	}
	there, err := t.putIdentities(rows)
	if err != nil {
		return nil, nil, err
	}
	known = map[int][]view.Variant{}
	var more []identified
	for i := range in {
		id := in[i].Identity
		v := variantOf(&in[i])
		had, isFirst := there[id], first[id] == i
		if isFirst && had == nil {
			there[id] = []view.Variant{v}
			fresh = append(fresh, i)
			continue
		}
		known[i] = slices.Clone(had)
		if slices.ContainsFunc(had, func(o view.Variant) bool { return o.Digest == v.Digest }) {
			continue
		}
		there[id] = append(had, v)
		fresh = append(fresh, i)
		more = append(more, identified{id, v})
	}
	return fresh, known, write(&t.reading, sqlPutVariants, more, variantArrays)
}

// putIdentities enters rows of different identities and returns the variants
// of those that were there already. As long as all of a part are new, which is
// nearly always, nothing is read.
func (t *transaction) putIdentities(rows []identified) (map[events.IdentityHash][]view.Variant, error) {
	there := map[events.IdentityHash][]view.Variant{}
	slices.SortFunc(rows, func(a, b identified) int { return bytes.Compare(a.identity[:], b.identity[:]) })
	for part := range slices.Chunk(rows, width) {
		written, err := t.exec(sqlPutIdentities, variantArrays(part)...)
		if err != nil {
			return nil, err
		}
		if written == int64(len(part)) {
			continue
		}
		found, err := t.variants(column(part, func(r *identified) events.IdentityHash { return r.identity }))
		if err != nil {
			return nil, err
		}
		for i := range part {
			if vs := found[part[i].identity]; vs[0] != part[i].Variant {
				there[part[i].identity] = vs
			}
		}
	}
	return there, nil
}

// name is a contact under a type or on a list.
type name struct {
	text    string
	contact events.ContactKey
}

// findBy enters rows under their type and list.
func (t *transaction) findBy(rows []*view.Row) error {
	var typed, listed []name
	for _, r := range rows {
		if r.List != "" {
			listed = append(listed, name{r.List, r.Contact})
		}
		if !r.Contact.IsZero() && slices.Contains(view.IndexedTypes, r.Type) {
			typed = append(typed, name{string(r.Type), r.Contact})
		}
	}
	if err := write(&t.reading, sqlPutTyped, unique(typed), nameArrays); err != nil {
		return err
	}
	return write(&t.reading, sqlPutListed, unique(listed), nameArrays)
}

func unique(list []name) []name {
	slices.SortFunc(list, func(a, b name) int {
		return cmp.Or(cmp.Compare(a.text, b.text), bytes.Compare(a.contact[:], b.contact[:]))
	})
	return slices.Compact(list)
}

func nameArrays(rows []name) []any {
	return []any{column(rows, func(n *name) []byte { return []byte(n.text) }), column(rows, func(n *name) []byte { return n.contact[:] })}
}

// PutBatch implements view.Tx.
func (t *transaction) PutBatch(b view.Batch) error {
	if len(b.Recorded) == 0 {
		return nil
	}
	return failed("store batch", t.putBatch(b))
}

func (t *transaction) putBatch(b view.Batch) error {
	stream := []byte(b.Stream)
	last := b.First + uint64(len(b.Recorded)) - 1
	if _, err := t.exec(sqlPutClock, stream, int64(last), int64(b.First), b.Recorded[0].UnixMicro(), appendDeltas(nil, b.Recorded)); err != nil {
		return err
	}
	err := write(&t.reading, sqlPutLate, b.Late, func(rows []view.Late) []any {
		return []any{
			stream,
			column(rows, func(l *view.Late) int64 { return int64(l.Sequence) }),
			column(rows, func(l *view.Late) []byte { return []byte(l.Source) }),
			column(rows, func(l *view.Late) []byte { return []byte(l.ID) }),
			column(rows, func(l *view.Late) []byte { return []byte(l.Type) }),
			column(rows, func(l *view.Late) int64 { return l.Time.UnixMicro() }),
			column(rows, func(l *view.Late) int64 { return l.Received.UnixMicro() }),
			column(rows, func(l *view.Late) int64 { return l.Recorded.UnixMicro() }),
		}
	})
	if err != nil {
		return err
	}
	err = write(&t.reading, sqlPutDuplicates, b.Duplicates, func(rows []uint64) []any {
		return []any{stream, column(rows, func(q *uint64) int64 { return int64(*q) })}
	})
	if err != nil {
		return err
	}
	return write(&t.reading, sqlPutSources, sourceRuns(b.Sources), func(rows []sourceRun) []any {
		return []any{
			stream,
			column(rows, func(r *sourceRun) []byte { return []byte(r.source) }),
			column(rows, func(r *sourceRun) int64 { return int64(r.first) }),
			column(rows, func(r *sourceRun) []byte { return r.pairs }),
		}
	})
}

// sourceRun holds pairs of differences, of the source's sequence and of the
// entry, as varints.
type sourceRun struct {
	source string
	first  uint64
	pairs  []byte
}

func sourceRuns(seen []view.SourceSequence) []sourceRun {
	at := map[string]int{}
	var out []sourceRun
	var last []view.SourceSequence // of each run
	for _, s := range seen {
		n, ok := at[s.Source]
		if !ok {
			n = len(out)
			at[s.Source] = n
			out, last = append(out, sourceRun{source: s.Source, first: s.Sequence}), append(last, view.SourceSequence{})
		}
		out[n].pairs = binary.AppendVarint(out[n].pairs, s.Seq-last[n].Seq)
		out[n].pairs = binary.AppendVarint(out[n].pairs, int64(s.Sequence)-int64(last[n].Sequence))
		last[n] = s
	}
	return out
}

// PutLinks implements view.Tx.
func (t *transaction) PutLinks(links []view.Link) error {
	return failed("link events", write(&t.reading, sqlPutLinks, links, func(rows []view.Link) []any {
		return []any{
			column(rows, func(l *view.Link) []byte { return l.Contact[:] }),
			column(rows, func(l *view.Link) []byte { return []byte(l.Stream) }),
			column(rows, func(l *view.Link) int64 { return int64(l.Sequence) }),
			column(rows, func(l *view.Link) []byte { return l.Owner[:] }),
		}
	}))
}

// PutCorrections implements view.Tx.
func (t *transaction) PutCorrections(cs []view.Correction) error {
	return failed("store corrections", write(&t.reading, sqlPutCorrections, cs, func(rows []view.Correction) []any {
		return []any{
			column(rows, func(c *view.Correction) []byte { return c.Target[:] }),
			column(rows, func(c *view.Correction) []byte { return []byte(c.Stream) }),
			column(rows, func(c *view.Correction) int64 { return int64(c.Sequence) }),
			column(rows, func(c *view.Correction) []byte { return c.Contact[:] }),
			column(rows, func(c *view.Correction) []byte { return c.Identity[:] }),
		}
	}))
}
