// Package sqliteview keeps the read models in SQLite: one file, one writer,
// any number of readers beside it.
//
//	store, err := sqliteview.Open(ctx, filepath.Join(folder, sqliteview.File))
//
// A commit survives the end of the process; after a loss of power the last
// ones may be missing, rows and position alike, and are built again from the
// ledger.
package sqliteview

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"

	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// File is the database below the data folder.
const File = "view.db"

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the backend. Make one with Open.
type Store struct {
	db    *sqlitefile.DB
	stmts statements
	// asked by the writer within its transaction, and by readers
	ask, asked lookups
	mu         sync.Mutex // held by the writer
	names      names
}

var _ view.Store = (*Store)(nil)

// Open opens or makes the database at path. Dropping the file and opening it
// again starts a rebuild from zero.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{names: newNames()}
	if err := s.connect(ctx, path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, path string) error {
	var err error
	if s.db, err = sqlitefile.Open(ctx, sqlitefile.Config{Path: path, Migrations: migrations, Readers: 8, Pragmas: []string{
		"synchronous(NORMAL)", "cache_size(-131072)", "wal_autocheckpoint(16384)", "temp_store(MEMORY)",
	}}); err != nil {
		return failed("open view", err)
	}
	if err := s.stmts.prepare(ctx, s.db.Write); err != nil {
		return err
	}
	if err := s.ask.prepare(ctx, s.db.Write); err != nil {
		return err
	}
	return s.asked.prepare(ctx, s.db.Read)
}

// Close implements view.Store.
func (s *Store) Close() error { return s.db.Close() }

// failed wraps an error of the database.
func failed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, view.ErrCorrupt):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", op, view.ErrUnknown)
	}
	return fmt.Errorf("%s: %w: %w", op, view.ErrUnavailable, err)
}
