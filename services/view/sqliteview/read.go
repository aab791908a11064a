package sqliteview

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

const (
	historyQuery  = `SELECT contact, contact, sequence, record FROM event WHERE contact IN (VALUES `
	linksQuery    = `SELECT l.contact, e.contact, e.sequence, e.record FROM link l JOIN event e ON e.contact = l.owner AND e.sequence = l.sequence WHERE l.contact IN (VALUES `
	oneEventQuery = `SELECT record FROM event WHERE contact = ? AND sequence = ?`
)

// reading is one consistent state of the database: a transaction.
type reading struct {
	ctx     context.Context
	tx      *sql.Tx
	streams func(uint16) (string, bool)
	ask     *lookups
}

// within runs read in a transaction that writes nothing.
func (s *Store) within(ctx context.Context, op string, read func(r *reading) error) error {
	tx, err := s.db.Read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return failed(op, err)
	}
	defer tx.Rollback()
	streams, err := s.streamsOf(ctx, tx)
	if err != nil {
		return failed(op, err)
	}
	err = read(&reading{ctx, tx, streams, &s.asked})
	var own *yielded
	if errors.As(err, &own) {
		return own.error
	}
	return failed(op, err)
}

// yielded carries the error of a caller's own function through a query.
type yielded struct{ error }

func (r *reading) query(scan func(*sql.Rows) error, text string, args ...any) error {
	found, err := r.tx.QueryContext(r.ctx, text, args...)
	return sqlitefile.Drain(found, err, scan)
}

// Progress implements view.Reader.
func (s *Store) Progress(ctx context.Context, p view.Projection) (view.Progress, error) {
	out := view.Progress{}
	err := s.within(ctx, "read progress", func(r *reading) error {
		var id int64
		err := r.tx.QueryRowContext(ctx, `SELECT id FROM projection WHERE name = ? AND version = ?`, p.Name, p.Version).Scan(&id)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		out, err = s.progress(ctx, r.tx, id)
		return err
	})
	return out, err
}

// Resolve implements view.Reader.
func (s *Store) Resolve(ctx context.Context, at events.Instant) (view.Positions, error) {
	out := view.Positions{}
	err := s.within(ctx, "resolve instant", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var name string
			var last, first uint64
			var firstUS int64
			var deltas []byte
			if err := rows.Scan(&name, &last, &first, &firstUS, &deltas); err != nil {
				return err
			}
			all, err := readDeltas(events.InstantFromUnixMicro(firstUS), deltas, int(last-first)+1)
			if err != nil {
				return err
			}
			n, _ := slices.BinarySearchFunc(all, at, func(a, b events.Instant) int {
				if a <= b {
					return -1
				}
				return 1
			})
			out[name] = max(out[name], first+uint64(n)-1)
			return nil
		}, `SELECT s.name, c.last, c.first, c.first_us, c.deltas FROM stream s JOIN clock c ON c.stream = s.id
			AND c.last = (SELECT d.last FROM clock d WHERE d.stream = s.id AND d.first_us <= ? ORDER BY d.last DESC LIMIT 1)`, at.UnixMicro())
	})
	return out, err
}

// Identities implements view.Reader.
func (s *Store) Identities(ctx context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	var out map[events.IdentityHash][]view.Variant
	err := s.within(ctx, "look up identities", func(r *reading) error {
		var err error
		out, err = r.variants(ids)
		return err
	})
	return out, err
}

// Variants implements view.Tx.
func (t *transaction) Variants(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	out, err := t.reading().variants(ids)
	return out, failed("look up identities", err)
}

func (r *reading) variants(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	out := make(map[events.IdentityHash][]view.Variant, len(ids))
	args := make([]any, 0, len(ids))
	for i := range ids {
		args = append(args, ids[i][:])
	}
	scan := func(row *sql.Rows) error {
		var id, place sql.RawBytes
		if err := row.Scan(&id, &place); err != nil {
			return err
		}
		v, err := readPlace(place, r.streams)
		if err != nil {
			return err
		}
		h := events.IdentityHash(id)
		if !slices.Contains(out[h], v) {
			out[h] = append(out[h], v)
		}
		return nil
	}
	if err := r.ask.identity.Look(r.ctx, r.tx, args, scan); err != nil {
		return nil, err
	}
	// Only what is in conflict has a second row, and only what is known can.
	known := args[:0]
	for i := range ids {
		if out[ids[i]] != nil {
			known = append(known, ids[i][:])
		}
	}
	if err := r.ask.variant.Look(r.ctx, r.tx, known, scan); err != nil {
		return nil, err
	}
	return out, nil
}

// History implements view.Reader.
func (s *Store) History(ctx context.Context, contact events.ContactKey, asOf view.Positions) (view.History, error) {
	var h view.History
	err := s.within(ctx, "read history", func(r *reading) error {
		var err error
		h, err = r.history(contact, asOf)
		if err == nil && !owns(&h) {
			return sql.ErrNoRows
		}
		return err
	})
	if err != nil {
		return view.History{}, err
	}
	return h, nil
}

func owns(h *view.History) bool {
	return slices.ContainsFunc(h.Events, func(e view.Event) bool { return e.Contact == h.Contact })
}

// Histories implements view.Tx.
func (t *transaction) Histories(contacts []events.ContactKey, asOf view.Positions) (map[events.ContactKey]view.History, error) {
	found, err := t.reading().histories(contacts, asOf)
	if err != nil {
		return nil, failed("read histories", err)
	}
	out := make(map[events.ContactKey]view.History, len(contacts))
	for _, h := range found {
		if len(h.Events) > 0 {
			out[h.Contact] = h
		}
	}
	return out, nil
}

func (r *reading) history(contact events.ContactKey, asOf view.Positions) (view.History, error) {
	found, err := r.histories([]events.ContactKey{contact}, asOf)
	if err != nil {
		return view.History{}, err
	}
	return found[0], nil
}

// histories reads many contacts, in their order, those without events too.
func (r *reading) histories(contacts []events.ContactKey, asOf view.Positions) ([]view.History, error) {
	out := make([]view.History, len(contacts))
	at := make(map[events.ContactKey]int, len(contacts))
	for i, c := range contacts {
		out[i].Contact, at[c] = c, i
	}
	err := r.bearing(r.ask.history, contacts, asOf, func(c events.ContactKey, e view.Event) {
		out[at[c]].Events = append(out[at[c]].Events, e)
	})
	if err != nil {
		return nil, err
	}
	elsewhere, err := r.linked(contacts, asOf)
	for i := range out {
		out[i].Events = append(out[i].Events, elsewhere[out[i].Contact]...)
	}
	return out, err
}

// linked reads the events that lie elsewhere and bear on the contacts.
func (r *reading) linked(contacts []events.ContactKey, asOf view.Positions) (map[events.ContactKey][]view.Event, error) {
	out := map[events.ContactKey][]view.Event{}
	err := r.bearing(r.ask.links, contacts, asOf, func(c events.ContactKey, e view.Event) { out[c] = append(out[c], e) })
	for _, list := range out {
		slices.SortFunc(list, func(a, b view.Event) int {
			return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
		})
	}
	return out, err
}

// disputed reads what bears on the reference stream.
func (r *reading) disputed(asOf view.Positions) ([]view.Event, error) {
	found, err := r.linked([]events.ContactKey{{}}, asOf)
	return found[events.ContactKey{}], err
}

// bearing hands every event that a look-up finds to take, with the contact that
// it was found for.
func (r *reading) bearing(look *sqlitefile.Bulk, contacts []events.ContactKey, asOf view.Positions, take func(events.ContactKey, view.Event)) error {
	args := make([]any, len(contacts))
	for i := range contacts {
		args[i] = contacts[i][:]
	}
	return look.Look(r.ctx, r.tx, args, func(row *sql.Rows) error {
		var contact, owner, raw sql.RawBytes
		var e view.Event
		if err := row.Scan(&contact, &owner, &e.Sequence, &raw); err != nil {
			return err
		}
		e.Contact = events.ContactKey(owner)
		if err := readRecord(raw, r.streams, &e); err != nil {
			return err
		}
		if asOf.Covers(e.Stream, e.Sequence) {
			take(events.ContactKey(contact), e)
		}
		return nil
	})
}

// References implements view.Reader.
func (s *Store) References(ctx context.Context, after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	var out []view.Event
	err := s.within(ctx, "read references", func(r *reading) error {
		var err error
		out, err = references(r, after, limit, asOf)
		return err
	})
	return out, err
}

// References implements view.Tx.
func (t *transaction) References(after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	out, err := references(t.reading(), after, limit, asOf)
	return out, failed("read references", err)
}

func references(r *reading, after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	var none events.ContactKey
	var out []view.Event
	err := r.query(func(rows *sql.Rows) error {
		var raw sql.RawBytes
		var e view.Event
		if err := rows.Scan(&e.Sequence, &raw); err != nil {
			return err
		}
		if err := readRecord(raw, r.streams, &e); err != nil {
			return err
		}
		if asOf.Covers(e.Stream, e.Sequence) {
			out = append(out, e)
		}
		return nil
	}, `SELECT sequence, record FROM event WHERE contact = ? AND sequence > ? ORDER BY sequence LIMIT ?`, none[:], after, cmp.Or(limit, -1))
	return out, err
}

// Conflicts implements view.Reader.
func (s *Store) Conflicts(ctx context.Context, asOf view.Positions) ([]view.Conflict, error) {
	var out []view.Conflict
	err := s.within(ctx, "read conflicts", func(r *reading) error {
		var ids []events.IdentityHash
		err := r.query(func(rows *sql.Rows) error {
			var id sql.RawBytes
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, events.IdentityHash(id))
			return nil
		}, `SELECT DISTINCT identity FROM variant ORDER BY identity`)
		if err != nil {
			return err
		}
		found, err := r.variants(ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			c := view.Conflict{Identity: id}
			for _, v := range found[id] {
				if asOf.Covers(v.Stream, v.Sequence) {
					c.Variants = append(c.Variants, v)
				}
			}
			if len(c.Variants) > 1 {
				out = append(out, c)
			}
		}
		return nil
	})
	return out, err
}

// Corrections implements view.Reader.
func (s *Store) Corrections(ctx context.Context, asOf view.Positions) ([]view.Event, error) {
	var out []view.Event
	err := s.within(ctx, "read corrections", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var owner, raw sql.RawBytes
			var e view.Event
			if err := rows.Scan(&owner, &e.Sequence, &raw); err != nil {
				return err
			}
			e.Contact = events.ContactKey(owner)
			if err := readRecord(raw, r.streams, &e); err != nil {
				return err
			}
			if asOf.Covers(e.Stream, e.Sequence) {
				out = append(out, e)
			}
			return nil
		}, `SELECT DISTINCT e.contact, e.sequence, e.record FROM correction c JOIN event e ON e.contact = c.contact AND e.sequence = c.sequence`)
	})
	slices.SortFunc(out, func(a, b view.Event) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
	})
	return out, err
}

// Late implements view.Reader.
func (s *Store) Late(ctx context.Context, asOf view.Positions, yield func(view.Late) error) error {
	return s.within(ctx, "read late events", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var l view.Late
			var at, received, recorded int64
			if err := rows.Scan(&l.Stream, &l.Sequence, &l.Source, &l.ID, &l.Type, &at, &received, &recorded); err != nil {
				return err
			}
			l.Time, l.Received, l.Recorded = events.InstantFromUnixMicro(at), events.InstantFromUnixMicro(received), events.InstantFromUnixMicro(recorded)
			if !asOf.Covers(l.Stream, l.Sequence) {
				return nil
			}
			if err := yield(l); err != nil {
				return &yielded{err}
			}
			return nil
		}, `SELECT s.name, l.sequence, l.source, l.id, l.type, l.time_us, l.received_us, l.recorded_us FROM late l JOIN stream s ON s.id = l.stream ORDER BY s.name, l.sequence`)
	})
}

// SourceSequences implements view.Reader.
func (s *Store) SourceSequences(ctx context.Context, asOf view.Positions, yield func(view.SourceSequence) error) error {
	return s.within(ctx, "read source sequences", func(r *reading) error { return sourceSequences(r, asOf, yield) })
}

func sourceSequences(r *reading, asOf view.Positions, yield func(view.SourceSequence) error) error {
	return r.query(func(rows *sql.Rows) error {
		var seen view.SourceSequence
		var pairs sql.RawBytes
		if err := rows.Scan(&seen.Source, &seen.Stream, &pairs); err != nil {
			return err
		}
		for len(pairs) > 0 {
			seq, n := binary.Varint(pairs)
			entry, m := binary.Varint(pairs[max(n, 0):])
			if n <= 0 || m <= 0 {
				return fmt.Errorf("%w: source row", view.ErrCorrupt)
			}
			pairs = pairs[n+m:]
			seen.Seq += seq
			seen.Sequence += uint64(entry)
			if !asOf.Covers(seen.Stream, seen.Sequence) {
				continue
			}
			if err := yield(seen); err != nil {
				return &yielded{err}
			}
		}
		return nil
	}, `SELECT r.source, s.name, r.pairs FROM source_run r JOIN stream s ON s.id = r.stream ORDER BY r.source, s.name, r.first`)
}

// Duplicates implements view.Reader.
func (s *Store) Duplicates(ctx context.Context, asOf view.Positions) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.within(ctx, "count duplicates", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var name string
			var sequence uint64
			if err := rows.Scan(&name, &sequence); err != nil {
				return err
			}
			if asOf.Covers(name, sequence) {
				out[name]++
			}
			return nil
		}, `SELECT s.name, d.sequence FROM duplicate d JOIN stream s ON s.id = d.stream`)
	})
	return out, err
}
