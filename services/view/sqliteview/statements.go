package sqliteview

import (
	"context"
	"database/sql"
	"strings"
)

// width is how many rows one statement writes or looks up; what is left over
// goes singly.
const width = 64

// rows is a prepared statement for many rows and for one.
type rows struct {
	columns   int
	many, one *sql.Stmt
}

// lookups are what the writer and the readers ask, each on connections of
// their own.
type lookups struct {
	identity, variant rows
	history, links    rows // by contact
	oneEvent          *sql.Stmt
}

// statements are the writer's hot ones; the rest is prepared where it is used.
type statements struct {
	event, identity, variant, link, correction, late, sourceRun, duplicate, typed, listed, due, attempt rows

	findCalled, findAttempt rows // look-ups by contact
}

// bulk is a statement for many rows: head, rows of parameters, tail.
type bulk struct {
	into       *rows
	columns    int
	head, tail string
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	return prepareBulk(ctx, db, []bulk{
		{&s.event, 3, "INSERT INTO event (contact, sequence, record) VALUES ", ""},
		{&s.identity, 2, "INSERT INTO identity (identity, place) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.variant, 3, "INSERT INTO variant (identity, digest, place) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.link, 4, "INSERT INTO link (contact, stream, sequence, owner) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.correction, 5, "INSERT INTO correction (target, stream, sequence, contact, identity) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.late, 8, "INSERT INTO late (stream, sequence, source, id, type, time_us, received_us, recorded_us) VALUES ", ""},
		{&s.sourceRun, 4, "INSERT INTO source_run (source, stream, first, pairs) VALUES ", ""},
		{&s.duplicate, 2, "INSERT INTO duplicate (stream, sequence) VALUES ", ""},
		{&s.typed, 2, "INSERT INTO typed (type, contact) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.listed, 2, "INSERT INTO listed (list, contact) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.due, 3, "INSERT INTO due (projection, at_us, contact) VALUES ", " ON CONFLICT DO NOTHING"},
		{&s.attempt, 10, "INSERT INTO attempt (contact, sequence, campaign, stream, dialled_us, known_us, source, id, found, findings) VALUES ",
			" ON CONFLICT (contact, sequence) DO UPDATE SET campaign = excluded.campaign, dialled_us = excluded.dialled_us, known_us = excluded.known_us, found = excluded.found, findings = excluded.findings"},
		{&s.findCalled, 1, "SELECT DISTINCT contact FROM attempt WHERE contact IN (VALUES ", ")"},
		{&s.findAttempt, 1, attemptsOfQuery, ")"},
	})
}

func (l *lookups) prepare(ctx context.Context, db *sql.DB) error {
	err := prepareBulk(ctx, db, []bulk{
		{&l.identity, 1, "SELECT identity, place FROM identity WHERE identity IN (VALUES ", ")"},
		{&l.variant, 1, "SELECT identity, place FROM variant WHERE identity IN (VALUES ", ")"},
		{&l.history, 1, historyQuery, ") ORDER BY contact, sequence"},
		{&l.links, 1, linksQuery, ")"},
	})
	if err == nil {
		l.oneEvent, err = db.PrepareContext(ctx, oneEventQuery)
	}
	return failed("prepare view statements", err)
}

func prepareBulk(ctx context.Context, db *sql.DB, list []bulk) error {
	for _, p := range list {
		p.into.columns = p.columns
		row := "(" + strings.TrimSuffix(strings.Repeat("?,", p.columns), ",") + ")"
		var err error
		if p.into.one, err = db.PrepareContext(ctx, p.head+row+p.tail); err != nil {
			return failed("prepare view statements", err)
		}
		if p.into.many, err = db.PrepareContext(ctx, p.head+row+strings.Repeat(","+row, width-1)+p.tail); err != nil {
			return failed("prepare view statements", err)
		}
	}
	return nil
}

// write runs the statement over all of args, which hold whole rows, and
// returns how many rows were written.
func (r *rows) write(ctx context.Context, tx *sql.Tx, args []any) (int64, error) {
	var written int64
	err := r.each(ctx, tx, args, func(st *sql.Stmt, part []any) error {
		res, err := st.ExecContext(ctx, part...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		written += n
		return err
	})
	return written, err
}

// look runs a look-up over all of args and hands every row to scan.
func (r *rows) look(ctx context.Context, tx *sql.Tx, args []any, scan func(*sql.Rows) error) error {
	return r.each(ctx, tx, args, func(st *sql.Stmt, part []any) error {
		found, err := st.QueryContext(ctx, part...)
		return drain(found, err, scan)
	})
}

func (r *rows) each(ctx context.Context, tx *sql.Tx, args []any, run func(*sql.Stmt, []any) error) error {
	if len(args) == 0 {
		return nil
	}
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

// drain hands every row to scan and closes found.
func drain(found *sql.Rows, err error, scan func(*sql.Rows) error) error {
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
}
