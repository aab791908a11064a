package said

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// Mark is how far everything here is.
type Mark struct {
	Ledger  view.Progress
	Feed    uint64         // position in FEED
	Handled events.Instant // causes that come by time alone are said up to here
	Law     string         // fingerprint of the rules by which it was said
	Orders  string         // fingerprint of the orders that contacts are held against
	Whole   bool           // false: nothing yet, or a rebuild is under way
	Begun   bool           // something was ever stored
}

// Mark reads how far everything is.
func (s *Store) Mark(ctx context.Context) (Mark, error) {
	m := Mark{Ledger: view.Progress{}}
	err := s.within(ctx, "read feed's mark", func(tx *sql.Tx) error {
		var handled int64
		err := tx.QueryRowContext(ctx, `SELECT feed, handled_us, law, orders, whole FROM mark`).Scan(&m.Feed, &handled, &m.Law, &m.Orders, &m.Whole)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		m.Handled, m.Begun = instant(handled), true
		return each(ctx, tx, func(scan func(...any) error) error {
			var stream string
			var at view.Mark
			var recorded int64
			if err := scan(&stream, &at.Sequence, &recorded); err != nil {
				return err
			}
			at.Recorded = instant(recorded)
			m.Ledger[stream] = at
			return nil
		}, `SELECT stream, sequence, recorded_us FROM position`)
	})
	return m, err
}

// within runs read in a transaction that writes nothing.
func (s *Store) within(ctx context.Context, op string, read func(tx *sql.Tx) error) error {
	tx, err := s.db.Read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return failed(op, err)
	}
	defer tx.Rollback()
	err = read(tx)
	var own *yielded
	if errors.As(err, &own) {
		return own.error
	}
	return failed(op, err)
}

// yielded carries the error of a caller's own function through a query.
type yielded struct{ error }

type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// each runs a query and hands every row to take.
func each(ctx context.Context, q querier, take func(scan func(...any) error) error, text string, args ...any) error {
	found, err := q.QueryContext(ctx, text, args...)
	return sqlitefile.Drain(found, err, func(r *sql.Rows) error { return take(r.Scan) })
}

const columns = `contact, controller, kind, list, purposes, channels, lists, at_us, source, id, type, received_us, recorded_us, sent_us, stream, sequence, position, causes`

// entry reads one row.
func entry(scan func(...any) error) (Entry, error) {
	var e Entry
	m := &e.Message
	var contact, causes []byte
	var list, lists string
	var purposes events.PurposeSet
	var channels events.ChannelSet
	var at, received, recorded, sent int64
	if err := scan(&contact, &m.Controller, &m.Kind, &list, &purposes, &channels, &lists, &at, &m.Cause.Source, &m.Cause.ID, &m.Type,
		&received, &recorded, &sent, &m.Ledger.Stream, &m.Ledger.Sequence, &m.Position, &causes); err != nil {
		return e, err
	}
	m.Effect, m.Contact = events.FeedStop, keyOf(contact)
	m.Purposes, m.Channels = purposes.List(), channels.List()
	m.At, m.Received, m.Recorded, m.Sent = instant(at), instant(received), instant(recorded), instant(sent)
	if list != "" {
		m.Lists = []string{list}
	}
	if lists != "" {
		if err := json.Unmarshal([]byte(lists), &m.Lists); err != nil {
			return e, fmt.Errorf("lists of a row: %w", err)
		}
	}
	for ; len(causes) >= 16; causes = causes[16:] {
		e.Causes = append(e.Causes, events.IdentityHash(causes[:16]))
	}
	return e, nil
}

// Of returns what stands as said of a contact; the zero contact stands for
// lists and controllers as a whole.
func (s *Store) Of(ctx context.Context, contact events.ContactKey) ([]Entry, error) {
	var out []Entry
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		e, err := entry(scan)
		out = append(out, e)
		return err
	}, `SELECT `+columns+` FROM said WHERE contact = ?`, blob(contact))
	return out, failed("read what was said", err)
}

// Knows reports whether anything stands as said of a contact.
func (s *Store) Knows(ctx context.Context, contact events.ContactKey) (bool, error) {
	var found bool
	err := s.db.Read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM said WHERE contact = ?)`, blob(contact)).Scan(&found)
	return found, failed("read what was said", err)
}

// Snapshot hands everything that stands for a controller, and for every
// controller, to yield, in no particular order; begin is called first with the
// position of FEED that all of it is as of. It sees one state, whatever is
// committed meanwhile. An error of begin or yield ends it and is returned.
func (s *Store) Snapshot(ctx context.Context, controller string, begin func(position uint64) error, yield func(Entry) error) error {
	return s.within(ctx, "read snapshot", func(tx *sql.Tx) error {
		var position uint64
		if err := tx.QueryRowContext(ctx, `SELECT feed FROM mark WHERE whole = 1`).Scan(&position); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: the feed is still being built: ask again", ErrUnavailable)
		} else if err != nil {
			return err
		}
		if err := begin(position); err != nil {
			return &yielded{err}
		}
		names := []string{controller, ""}
		if controller == "" {
			names = names[:1]
		}
		for _, name := range names {
			if err := each(ctx, tx, func(scan func(...any) error) error {
				e, err := entry(scan)
				if err != nil {
					return err
				}
				if err := yield(e); err != nil {
					return &yielded{err}
				}
				return nil
			}, `SELECT `+columns+` FROM said INDEXED BY said_position WHERE controller = ? ORDER BY position`, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// All hands everything that stands to yield.
func (s *Store) All(ctx context.Context, yield func(Entry) error) error {
	return s.within(ctx, "read what was said", func(tx *sql.Tx) error {
		return each(ctx, tx, func(scan func(...any) error) error {
			e, err := entry(scan)
			if err != nil {
				return err
			}
			if err := yield(e); err != nil {
				return &yielded{err}
			}
			return nil
		}, `SELECT `+columns+` FROM said`)
	})
}

// NextDue is the first instant at which time alone changes something; zero for
// none.
func (s *Store) NextDue(ctx context.Context) (events.Instant, error) {
	var at int64
	err := s.db.Read.QueryRowContext(ctx, `SELECT at_us FROM due ORDER BY at_us LIMIT 1`).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return instant(at), failed("read what is due", err)
}

// Due returns contacts that are due at an instant, the longest overdue first,
// at most limit.
func (s *Store) Due(ctx context.Context, at events.Instant, limit int) ([]events.ContactKey, error) {
	var out []events.ContactKey
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var contact []byte
		if err := scan(&contact); err != nil {
			return err
		}
		out = append(out, keyOf(contact))
		return nil
	}, `SELECT contact FROM due WHERE at_us <= ? ORDER BY at_us LIMIT ?`, micro(at), limit)
	return out, failed("read what is due", err)
}

// Sweeps returns the standing tasks, the oldest first.
func (s *Store) Sweeps(ctx context.Context) ([]Sweep, error) {
	var out []Sweep
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var w Sweep
		err := scan(&w.ID, &w.Kind)
		out = append(out, w)
		return err
	}, `SELECT id, kind FROM sweep ORDER BY id`)
	return out, failed("read sweeps", err)
}

// CitedAll returns what grants have named.
func (s *Store) CitedAll(ctx context.Context) (map[Cited]bool, error) {
	out := map[Cited]bool{}
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var c Cited
		err := scan(&c.Kind, &c.Controller, &c.Name)
		out[c] = true
		return err
	}, `SELECT kind, controller, name FROM cited`)
	return out, failed("read what grants name", err)
}

// Wipes returns the erasures of which messages may remain.
func (s *Store) Wipes(ctx context.Context) ([]Wipe, error) {
	var out []Wipe
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var w Wipe
		var contact []byte
		var latest int64
		err := scan(&contact, &w.Controller, &w.UpTo, &latest)
		w.Contact, w.Latest = keyOf(contact), instant(latest)
		out = append(out, w)
		return err
	}, `SELECT contact, controller, upto, latest_us FROM wipe`)
	return out, failed("read erasures", err)
}

// Sent returns the positions in FEED of messages about a contact of a
// controller, up to one.
func (s *Store) Sent(ctx context.Context, w Wipe) ([]uint64, error) {
	var out []uint64
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var at uint64
		err := scan(&at)
		out = append(out, at)
		return err
	}, `SELECT position FROM sent WHERE contact = ? AND controller = ? AND position <= ? ORDER BY position`, blob(w.Contact), w.Controller, w.UpTo)
	return out, failed("read what was sent", err)
}

// Opposed is one opposition that was said to a controller.
type Opposed struct {
	Position uint64
	Contact  events.ContactKey
	Event    events.Identity
}

// Opposed returns the oppositions said to a controller after one position and
// up to another, in order, at most limit.
func (s *Store) Opposed(ctx context.Context, controller string, after, upTo uint64, limit int) ([]Opposed, error) {
	var out []Opposed
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var o Opposed
		var contact []byte
		err := scan(&o.Position, &contact, &o.Event.Source, &o.Event.ID)
		o.Contact = keyOf(contact)
		out = append(out, o)
		return err
	}, `SELECT position, contact, source, id FROM opposed WHERE controller = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?`,
		controller, after, upTo, limit)
	return out, failed("read oppositions", err)
}

// Behind is what a dialer at a position has yet to apply.
type Behind struct {
	Messages int            // stops that stand and were said later
	Oldest   events.Instant // when the first of them was sent; zero for none
}

// Behind counts what was said to a controller after a position and stands.
func (s *Store) Behind(ctx context.Context, controller string, after uint64) (Behind, error) {
	var b Behind
	var oldest sql.NullInt64
	err := s.db.Read.QueryRowContext(ctx, `SELECT count(*), min(sent_us) FROM said INDEXED BY said_position WHERE controller IN (?, '') AND position > ?`, controller, after).Scan(&b.Messages, &oldest)
	b.Oldest = instant(oldest.Int64)
	return b, failed("measure a dialer's lag", err)
}

// Slowest returns, of the revocations and oppositions said to a controller
// after one position and up to another that still stand, the one that was
// recorded first, no earlier than since; false for none.
func (s *Store) Slowest(ctx context.Context, controller string, after, upTo uint64, since events.Instant) (events.FeedMessage, bool, error) {
	var e Entry
	found := false
	err := each(ctx, s.db.Read, func(scan func(...any) error) error {
		var err error
		e, err = entry(scan)
		found = err == nil
		return err
	}, `SELECT `+columns+` FROM said INDEXED BY said_position WHERE controller = ? AND position > ? AND position <= ?
		AND kind IN ('revocation', 'opposition') AND recorded_us >= ? ORDER BY recorded_us LIMIT 1`, controller, after, upTo, micro(since))
	return e.Message, found, failed("measure a dialer's lag", err)
}
