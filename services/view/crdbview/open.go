// Package crdbview keeps the read models in CockroachDB or PostgreSQL, for
// users who outgrow one machine: any number of readers and projectors share one
// database, and projectors of one name fence each other.
//
//	store, err := crdbview.Open(ctx, "postgres://assenso@db.example.org/assenso")
//
// Rows and position of an update are committed together; a commit of which the
// answer was lost becomes view.ErrAmbiguous, and the position tells. On
// PostgreSQL an update sees one snapshot (repeatable read): a projection writes
// only its own rows and its turn is taken first, so nothing else can come in
// between; CockroachDB is serializable.
package crdbview

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/services/crdb/pgtx"
	"github.com/assenso/assenso/services/view"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versions is goose's table.
const versions = "view_version"

// Store is the backend. Make one with Open.
type Store struct {
	db *pgtx.DB
}

var _ view.Store = (*Store)(nil)

// Open connects to the database of a postgres:// URL and makes what is missing
// there. Errors wrap view.ErrUnavailable; they name host, user and database,
// never the password.
func Open(ctx context.Context, url string) (*Store, error) {
	const op = "open view"
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	db, err := pgtx.Open(ctx, url, pgtx.Options{Isolation: pgx.RepeatableRead, Migrations: files, Versions: versions})
	if err != nil {
		return nil, failed(op, err)
	}
	return &Store{db}, nil
}

// Close implements view.Store. It waits for calls that are under way.
func (s *Store) Close() error {
	s.db.Close()
	return nil
}

// failed wraps an error of the database in one of the port.
func failed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgtx.ErrAmbiguous):
		return fmt.Errorf("%s: %w: %w", op, view.ErrAmbiguous, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, view.ErrCorrupt), errors.Is(err, view.ErrUnknown), errors.Is(err, view.ErrUnavailable):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", op, view.ErrUnknown)
	}
	return fmt.Errorf("%s: %w: %w", op, view.ErrUnavailable, err)
}
