package crdbview

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// transaction implements view.Tx.
type transaction struct {
	reading
	projection view.Projection
}

// Update implements view.Writer. Taking the turn is the first thing that is
// written: of two projectors of one name the second waits, fails with the first
// one's commit, begins again and is fenced.
func (s *Store) Update(ctx context.Context, p view.Projection, from, to view.Progress, change func(view.Tx) error) error {
	const op = "update view"
	var refused error // what is to reach the caller as it stands
	err := s.db.Run(ctx, func(tx pgx.Tx) error {
		refused = nil
		t := &transaction{reading{ctx, tx}, p}
		at, err := t.takeTurn()
		if err != nil {
			return err
		}
		if !at.Equal(from) {
			refused = fmt.Errorf("%s: %w: %s version %d", op, view.ErrFenced, p.Name, p.Version)
			return refused
		}
		if refused = change(t); refused != nil {
			return refused
		}
		return t.putProgress(to)
	})
	if err != nil && refused != nil && errors.Is(err, refused) {
		return err
	}
	return failed(op, err)
}

// takeTurn keeps other projectors of the name out and returns where it is.
func (t *transaction) takeTurn() (view.Progress, error) {
	if _, err := t.exec(sqlTakeTurn, []byte(t.projection.Name), t.projection.Version); err != nil {
		return nil, err
	}
	return t.progress(t.projection)
}

func (t *transaction) putProgress(to view.Progress) error {
	type row struct {
		stream             string
		sequence, recorded int64
	}
	rows := make([]row, 0, len(to))
	for name, m := range to {
		rows = append(rows, row{name, int64(m.Sequence), m.Recorded.UnixMicro()})
	}
	return write(&t.reading, sqlPutProgress, rows, func(rows []row) []any {
		return []any{[]byte(t.projection.Name), t.projection.Version,
			column(rows, func(r *row) []byte { return []byte(r.stream) }),
			column(rows, func(r *row) int64 { return r.sequence }), column(rows, func(r *row) int64 { return r.recorded })}
	})
}

func (r *reading) progress(p view.Projection) (view.Progress, error) {
	out := view.Progress{}
	return out, r.each(func(row pgx.Rows) error {
		var stream []byte
		var m view.Mark
		var at int64
		if err := row.Scan(&stream, &m.Sequence, &at); err != nil {
			return err
		}
		m.Recorded = instant(at)
		out[string(stream)] = m
		return nil
	}, sqlProgress, []byte(p.Name), p.Version)
}

// drops empty the tables of each projection.
var drops = map[string][]string{
	view.ConsentState: {sqlDropEvent, sqlDropIdentity, sqlDropVariant, sqlDropLink, sqlDropCorrection, sqlDropClock, sqlDropLate, sqlDropSource, sqlDropDuplicate, sqlDropTyped, sqlDropListed},
	view.Violations:   {sqlDropAttempt, sqlDropCampaign, sqlDropSweep},
}

// Reset implements view.Writer. Readers see all or nothing of it.
func (s *Store) Reset(ctx context.Context, p view.Projection) error {
	return failed("reset view", s.db.Run(ctx, func(tx pgx.Tx) error {
		t := &transaction{reading{ctx, tx}, p}
		if _, err := t.takeTurn(); err != nil {
			return err
		}
		for _, statement := range drops[p.Name] {
			if _, err := t.exec(statement); err != nil {
				return err
			}
		}
		for _, statement := range []string{sqlDropDue, sqlDropProgress} {
			if _, err := t.exec(statement, []byte(p.Name), p.Version); err != nil {
				return err
			}
		}
		return nil
	}))
}

// PutDue implements view.Tx.
func (t *transaction) PutDue(at events.Instant, contacts []events.ContactKey) error {
	return failed("note due contacts", write(&t.reading, sqlPutDue, contacts, func(part []events.ContactKey) []any {
		return []any{[]byte(t.projection.Name), t.projection.Version, at.UnixMicro(), column(part, keyBytes)}
	}))
}

// TakeDue implements view.Tx.
func (t *transaction) TakeDue(now events.Instant, limit int) ([]events.ContactKey, error) {
	const op = "take due contacts"
	var out []events.ContactKey
	seen := map[events.ContactKey]bool{}
	for len(out) < limit {
		taken, err := t.takeDue(now, limit-len(out))
		if err != nil {
			return nil, failed(op, err)
		}
		if len(taken) == 0 {
			break
		}
		for _, d := range taken {
			if !seen[d.contact] {
				seen[d.contact] = true
				out = append(out, d.contact)
			}
		}
	}
	return out, nil
}

type due struct {
	at      int64
	contact events.ContactKey
}

// takeDue removes and returns up to limit rows.
func (t *transaction) takeDue(now events.Instant, limit int) ([]due, error) {
	var taken []due
	err := t.each(func(row pgx.Rows) error {
		var d due
		var contact []byte
		if err := row.Scan(&d.at, &contact); err != nil {
			return err
		}
		d.contact = events.ContactKey(contact)
		taken = append(taken, d)
		return nil
	}, sqlTakeDue, []byte(t.projection.Name), t.projection.Version, now.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	return taken, write(&t.reading, sqlGoneDue, slices.Clone(taken), func(part []due) []any {
		return []any{[]byte(t.projection.Name), t.projection.Version,
			column(part, func(d *due) int64 { return d.at }), column(part, func(d *due) []byte { return d.contact[:] })}
	})
}
