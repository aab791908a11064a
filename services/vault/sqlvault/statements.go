package sqlvault

import (
	"context"
	"database/sql"

	"github.com/assenso/assenso/services/sqlitefile"
)

type statements struct {
	claim, evidence, sealed *sqlitefile.Bulk
	tombstones              *sqlitefile.Bulk // a look-up
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, p := range []struct {
		into       **sqlitefile.Bulk
		columns    int
		head, tail string
	}{
		{&s.claim, 5, "INSERT INTO claim (contact, controller, last_us, data_key, number) VALUES ",
			" ON CONFLICT (contact, controller) DO UPDATE SET last_us = max(last_us, excluded.last_us), data_key = coalesce(data_key, excluded.data_key)"},
		{&s.evidence, 5, "INSERT INTO evidence (contact, controller, digest, occurred_us, body) VALUES ", " ON CONFLICT (contact, controller, digest) DO NOTHING"},
		{&s.sealed, 4, "INSERT INTO sealed (id, sealed_us, data_key, body) VALUES ", " ON CONFLICT (id) DO NOTHING"},
		{&s.tombstones, 1, "SELECT contact, controller, erased_us FROM tombstone WHERE contact IN (VALUES ", ")"},
	} {
		var err error
		if *p.into, err = sqlitefile.PrepareBulk(ctx, db, p.columns, p.head, p.tail); err != nil {
			return unavailable("prepare vault statements", err)
		}
	}
	return nil
}
