package crdbview

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// scanEvent reads eventColumns, after further columns if there are any.
func scanEvent(row pgx.Rows, before ...any) (view.Event, error) {
	var e view.Event
	var contact, stream, identity, digest []byte
	var recorded int64
	if err := row.Scan(append(before, &contact, &stream, &e.Sequence, &recorded, &identity, &digest, &e.Body)...); err != nil {
		return e, err
	}
	e.Contact, e.Identity, e.Digest = events.ContactKey(contact), events.IdentityHash(identity), events.Digest(digest)
	e.Stream, e.Recorded = string(stream), instant(recorded)
	return e, nil
}

func scanContact(row pgx.Rows) (events.ContactKey, error) {
	var b []byte
	if err := row.Scan(&b); err != nil {
		return events.ContactKey{}, err
	}
	return events.ContactKey(b), nil
}

// eventsOf collects the events of a query that lie within asOf.
func (r *reading) eventsOf(asOf view.Positions, query string, args ...any) ([]view.Event, error) {
	var out []view.Event
	err := r.each(func(row pgx.Rows) error {
		e, err := scanEvent(row)
		if err == nil && asOf.Covers(e.Stream, e.Sequence) {
			out = append(out, e)
		}
		return err
	}, query, args...)
	return out, err
}

func byPlace(a, b view.Event) int {
	return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
}

// scanVariant reads variantColumns.
func scanVariant(row pgx.Rows) (identified, error) {
	var v identified
	var id, digest, stream, contact []byte
	var recorded int64
	if err := row.Scan(&id, &digest, &stream, &v.Sequence, &recorded, &contact); err != nil {
		return v, err
	}
	v.identity, v.Digest, v.Contact = events.IdentityHash(id), events.Digest(digest), events.ContactKey(contact)
	v.Stream, v.Recorded = string(stream), instant(recorded)
	return v, nil
}

func (r *reading) variants(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	out := make(map[events.IdentityHash][]view.Variant, len(ids))
	scan := func(row pgx.Rows) error {
		v, err := scanVariant(row)
		if err == nil && !slices.Contains(out[v.identity], v.Variant) {
			out[v.identity] = append(out[v.identity], v.Variant)
		}
		return err
	}
	if err := look(r, sqlFirstVariants, ids, identityBytes, scan); err != nil {
		return nil, err
	}
	return out, look(r, sqlFurtherVariants, ids, identityBytes, scan)
}

// Variants implements view.Tx.
func (t *transaction) Variants(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	out, err := t.variants(ids)
	return out, failed("look up identities", err)
}

// Identities implements view.Reader.
func (s *Store) Identities(ctx context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	return ask(ctx, s, "look up identities", func(r *reading) (map[events.IdentityHash][]view.Variant, error) { return r.variants(ids) })
}

// Conflicting implements view.Tx.
func (t *transaction) Conflicting(ids []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	const op = "look up conflicts"
	var several []events.IdentityHash
	err := look(&t.reading, sqlConflicting, ids, identityBytes, func(row pgx.Rows) error {
		var id []byte
		if err := row.Scan(&id); err != nil {
			return err
		}
		several = append(several, events.IdentityHash(id))
		return nil
	})
	if err != nil {
		return nil, failed(op, err)
	}
	return t.Variants(several)
}

// histories reads what bears on contacts within asOf. Those of which nothing
// is there are missing.
func (r *reading) histories(contacts []events.ContactKey, asOf view.Positions) (map[events.ContactKey]*view.History, error) {
	out := make(map[events.ContactKey]*view.History, len(contacts))
	add := func(contact events.ContactKey, e view.Event) {
		if !asOf.Covers(e.Stream, e.Sequence) {
			return
		}
		h := out[contact]
		if h == nil {
			h = &view.History{Contact: contact}
			out[contact] = h
		}
		h.Events = append(h.Events, e)
	}
	err := look(r, sqlHistories, contacts, keyBytes, func(row pgx.Rows) error {
		e, err := scanEvent(row)
		add(e.Contact, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, look(r, sqlLinked, contacts, keyBytes, func(row pgx.Rows) error {
		var contact []byte
		e, err := scanEvent(row, &contact)
		if err == nil {
			add(events.ContactKey(contact), e)
		}
		return err
	})
}

func owns(h *view.History) bool {
	return h != nil && slices.ContainsFunc(h.Events, func(e view.Event) bool { return e.Contact == h.Contact })
}

// Histories implements view.Tx.
func (t *transaction) Histories(contacts []events.ContactKey, asOf view.Positions) (map[events.ContactKey]view.History, error) {
	found, err := t.histories(contacts, asOf)
	if err != nil {
		return nil, failed("read histories", err)
	}
	out := make(map[events.ContactKey]view.History, len(found))
	for contact, h := range found {
		out[contact] = *h
	}
	return out, nil
}

// History implements view.Reader.
func (s *Store) History(ctx context.Context, contact events.ContactKey, asOf view.Positions) (view.History, error) {
	return ask(ctx, s, "read history", func(r *reading) (view.History, error) {
		found, err := r.histories([]events.ContactKey{contact}, asOf)
		if err != nil {
			return view.History{}, err
		}
		if h := found[contact]; owns(h) {
			return *h, nil
		}
		return view.History{}, view.ErrUnknown
	})
}

// disputed reads what is linked to the reference state.
func (r *reading) disputed(asOf view.Positions) ([]view.Event, error) {
	var none events.ContactKey
	var out []view.Event
	err := r.each(func(row pgx.Rows) error {
		var contact []byte
		e, err := scanEvent(row, &contact)
		if err == nil && asOf.Covers(e.Stream, e.Sequence) {
			out = append(out, e)
		}
		return err
	}, sqlLinked, [][]byte{none[:]})
	return out, err
}

// Disputed implements view.Tx.
func (t *transaction) Disputed(asOf view.Positions) ([]view.Event, error) {
	out, err := t.disputed(asOf)
	return out, failed("read disputed events", err)
}

// Disputed implements view.Reader.
func (s *Store) Disputed(ctx context.Context, asOf view.Positions) ([]view.Event, error) {
	return ask(ctx, s, "read disputed events", func(r *reading) ([]view.Event, error) { return r.disputed(asOf) })
}

func (r *reading) references(after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	var none events.ContactKey
	return r.eventsOf(asOf, sqlReferences, none[:], int64(after), cmp.Or(int64(limit), math.MaxInt64))
}

// References implements view.Tx.
func (t *transaction) References(after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	out, err := t.references(after, limit, asOf)
	return out, failed("read references", err)
}

// References implements view.Reader.
func (s *Store) References(ctx context.Context, after uint64, limit int, asOf view.Positions) ([]view.Event, error) {
	return ask(ctx, s, "read references", func(r *reading) ([]view.Event, error) { return r.references(after, limit, asOf) })
}

// Events implements view.Tx.
func (t *transaction) Events(places []view.Variant) ([]view.Event, error) {
	var out []view.Event
	for part := range slices.Chunk(places, width) {
		found, err := t.eventsOf(nil, sqlEventsAt, column(part, func(v *view.Variant) []byte { return v.Contact[:] }), column(part, func(v *view.Variant) int64 { return int64(v.Sequence) }))
		if err != nil {
			return nil, failed("read events", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// Corrections implements view.Tx.
func (t *transaction) Corrections() ([]view.Correction, error) {
	var out []view.Correction
	err := t.each(func(row pgx.Rows) error {
		var c view.Correction
		var target, stream, contact, identity []byte
		if err := row.Scan(&target, &stream, &c.Sequence, &contact, &identity); err != nil {
			return err
		}
		c.Target, c.Contact, c.Identity, c.Stream = events.IdentityHash(target), events.ContactKey(contact), events.IdentityHash(identity), string(stream)
		out = append(out, c)
		return nil
	}, sqlCorrections)
	return out, failed("read corrections", err)
}

// Called implements view.Tx.
func (t *transaction) Called(contacts []events.ContactKey) (map[events.ContactKey]bool, error) {
	out := map[events.ContactKey]bool{}
	err := look(&t.reading, sqlCalled, contacts, keyBytes, func(row pgx.Rows) error {
		contact, err := scanContact(row)
		out[contact] = true
		return err
	})
	return out, failed("look up attempts", err)
}
