package sqliteview

import (
	"context"
	"database/sql"

	"github.com/assenso/assenso/services/sqlitefile"
)

// lookups are what the writer and the readers ask, each on connections of
// their own.
type lookups struct {
	identity, variant *sqlitefile.Bulk
	history, links    *sqlitefile.Bulk // by contact
	oneEvent          *sql.Stmt
}

// statements are the writer's hot ones; the rest is prepared where it is used.
type statements struct {
	event, identity, variant, link, correction, late, sourceRun, duplicate, typed, listed, due, attempt *sqlitefile.Bulk

	findCalled, findAttempt *sqlitefile.Bulk // look-ups by contact
}

// bulk is a statement for many rows: head, rows of parameters, tail.
type bulk struct {
	into       **sqlitefile.Bulk
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
		var err error
		if *p.into, err = sqlitefile.PrepareBulk(ctx, db, p.columns, p.head, p.tail); err != nil {
			return failed("prepare view statements", err)
		}
	}
	return nil
}
