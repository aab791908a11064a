package sqliteview

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// Update implements view.Writer.
func (s *Store) Update(ctx context.Context, p view.Projection, from, to view.Progress, change func(view.Tx) error) error {
	const op = "update view"
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.give(ctx, to); err != nil {
		return failed(op, err)
	}
	id, err := s.projection(ctx, p)
	if err != nil {
		return failed(op, err)
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return failed(op, err)
	}
	defer tx.Rollback()
	at, err := s.progress(ctx, tx, id)
	if err != nil {
		return failed(op, err)
	}
	if !at.Equal(from) {
		return fmt.Errorf("%s: %w: %s version %d", op, view.ErrFenced, p.Name, p.Version)
	}
	if err := change(&transaction{ctx: ctx, store: s, tx: tx, projection: id}); err != nil {
		return err
	}
	for _, name := range sortedKeys(to) {
		stream, _ := s.names.id(name)
		if _, err := tx.ExecContext(ctx, `INSERT INTO position (projection, stream, sequence, recorded_us) VALUES (?, ?, ?, ?)
			ON CONFLICT (projection, stream) DO UPDATE SET sequence = excluded.sequence, recorded_us = excluded.recorded_us`,
			id, stream, to[name].Sequence, to[name].Recorded.UnixMicro()); err != nil {
			return failed(op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		s.abandon(ctx)
		return fmt.Errorf("%s: %w: %w", op, view.ErrAmbiguous, err)
	}
	return nil
}

// abandon ends a transaction that the database may have kept open after a
// failed commit; the error, "no transaction is active", is the normal case.
func (s *Store) abandon(ctx context.Context) {
	_, _ = s.db.Write.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
}

func sortedKeys(p view.Progress) []string {
	out := make([]string, 0, len(p))
	for name := range p {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// projection returns the number of p, giving it one where it has none.
func (s *Store) projection(ctx context.Context, p view.Projection) (int64, error) {
	if _, err := s.db.Write.ExecContext(ctx, `INSERT INTO projection (name, version) VALUES (?, ?) ON CONFLICT DO NOTHING`, p.Name, p.Version); err != nil {
		return 0, err
	}
	var id int64
	err := s.db.Write.QueryRowContext(ctx, `SELECT id FROM projection WHERE name = ? AND version = ?`, p.Name, p.Version).Scan(&id)
	return id, err
}

func (s *Store) progress(ctx context.Context, db querier, projection int64) (view.Progress, error) {
	out := view.Progress{}
	found, err := db.QueryContext(ctx, `SELECT s.name, p.sequence, p.recorded_us FROM position p JOIN stream s ON s.id = p.stream WHERE p.projection = ?`, projection)
	return out, sqlitefile.Drain(found, err, func(r *sql.Rows) error {
		var name string
		var sequence uint64
		var at int64
		if err := r.Scan(&name, &sequence, &at); err != nil {
			return err
		}
		out[name] = view.Mark{Sequence: sequence, Recorded: events.InstantFromUnixMicro(at)}
		return nil
	})
}

// tables of each projection; due and position are shared and keyed.
var tables = map[string][]string{
	view.ConsentState: {"event", "identity", "variant", "link", "correction", "clock", "late", "source_run", "duplicate", "typed", "listed"},
	view.Violations:   {"attempt", "campaign", "sweep"},
}

// Reset implements view.Writer.
func (s *Store) Reset(ctx context.Context, p view.Projection) error {
	const op = "reset view"
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.projection(ctx, p)
	if err != nil {
		return failed(op, err)
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return failed(op, err)
	}
	defer tx.Rollback()
	for _, t := range tables[p.Name] {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t); err != nil {
			return failed(op, err)
		}
	}
	for _, t := range []string{"due", "position"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t+` WHERE projection = ?`, id); err != nil {
			return failed(op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		s.abandon(ctx)
		return failed(op, err)
	}
	return nil
}
