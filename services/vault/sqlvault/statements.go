package sqlvault

import (
	"context"
	"database/sql"
	"strings"
)

// width is how many rows one statement writes; what is left over goes singly.
const width = 64

// rows is a prepared INSERT for many rows and for one.
type rows struct {
	columns   int
	many, one *sql.Stmt
}

type statements struct {
	claim, evidence, sealed rows
	tombstones              rows // a look-up: columns per row = 1
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, p := range []struct {
		into       *rows
		columns    int
		head, tail string
	}{
		{&s.claim, 5, "INSERT INTO claim (contact, controller, last_us, data_key, number) VALUES ",
			" ON CONFLICT (contact, controller) DO UPDATE SET last_us = max(last_us, excluded.last_us), data_key = coalesce(data_key, excluded.data_key)"},
		{&s.evidence, 5, "INSERT INTO evidence (contact, controller, digest, occurred_us, body) VALUES ", " ON CONFLICT (contact, controller, digest) DO NOTHING"},
		{&s.sealed, 4, "INSERT INTO sealed (id, sealed_us, data_key, body) VALUES ", " ON CONFLICT (id) DO NOTHING"},
		{&s.tombstones, 1, "SELECT contact, controller, erased_us FROM tombstone WHERE contact IN (VALUES ", ")"},
	} {
		p.into.columns = p.columns
		row := "(" + strings.TrimSuffix(strings.Repeat("?,", p.columns), ",") + ")"
		var err error
		if p.into.one, err = db.PrepareContext(ctx, p.head+row+p.tail); err != nil {
			return unavailable("prepare vault statements", err)
		}
		if p.into.many, err = db.PrepareContext(ctx, p.head+row+strings.Repeat(","+row, width-1)+p.tail); err != nil {
			return unavailable("prepare vault statements", err)
		}
	}
	return nil
}

// write runs the statement over all of args, which hold whole rows.
func (r *rows) write(ctx context.Context, tx *sql.Tx, args []any) error {
	return r.each(ctx, tx, args, func(st *sql.Stmt, part []any) error {
		_, err := st.ExecContext(ctx, part...)
		return err
	})
}

// look runs a look-up over all of args and hands every row to scan.
func (r *rows) look(ctx context.Context, tx *sql.Tx, args []any, scan func(*sql.Rows) error) error {
	return r.each(ctx, tx, args, func(st *sql.Stmt, part []any) error {
		found, err := st.QueryContext(ctx, part...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			if err := scan(found); err != nil {
				return err
			}
		}
		return found.Err()
	})
}

func (r *rows) each(ctx context.Context, tx *sql.Tx, args []any, run func(*sql.Stmt, []any) error) error {
	many, one := tx.StmtContext(ctx, r.many), tx.StmtContext(ctx, r.one)
	for len(args) > 0 {
		st, n := one, r.columns
		if len(args) >= width*r.columns {
			st, n = many, width*r.columns
		}
		if err := run(st, args[:n]); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}
