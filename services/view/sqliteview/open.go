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
	"io/fs"
	"net/url"
	"os"
	"sync"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/assenso/assenso/services/view"
)

// File is the database below the data folder.
const File = "view.db"

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the backend. Make one with Open.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
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
	const op = "open view"
	var err error
	if s.write, err = sql.Open("sqlite", dsn(path)); err != nil {
		return failed(op, err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(path)); err != nil {
		return failed(op, err)
	}
	s.read.SetMaxOpenConns(8)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return failed(op, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return failed(op, err)
	}
	if err := s.stmts.prepare(ctx, s.write); err != nil {
		return err
	}
	if err := s.ask.prepare(ctx, s.write); err != nil {
		return err
	}
	return s.asked.prepare(ctx, s.read)
}

// dsn names the database with its settings. Transactions of the writer take
// the write lock at once: one that reads first could otherwise fail when it
// begins to write.
func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)",
		"cache_size(-131072)", "wal_autocheckpoint(16384)", "temp_store(MEMORY)", "page_size(8192)", "page_size(8192)", "page_size(4096)",
	}}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// Close implements view.Store.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

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
