// Package sqlitefile opens a SQLite file of the data folder in the one way that
// the house uses: a single writing connection, readers beside it, migrated to
// the newest schema, readable by its owner only.
//
//	db, err := sqlitefile.Open(ctx, sqlitefile.Config{Path: path, Migrations: files, Readers: 4, Pragmas: []string{"synchronous(FULL)"}})
//	tx, err := db.Write.BeginTx(ctx, nil)   // takes the write lock at once
//
// What a commit survives is the caller's choice of synchronous: FULL is on disk
// on return, NORMAL outlives the process and may lose the last commits with the
// power (SQLite, "PRAGMA synchronous", in WAL mode).
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Config names a file and its settings.
type Config struct {
	Path string // made where missing; its folder must exist
	// Migrations holds goose's files in the folder "migrations"; each runs
	// once, in the order of their numbers.
	Migrations fs.FS
	Readers    int // greatest number of reading connections
	// Pragmas are set on every connection, beside busy_timeout and
	// journal_mode(WAL), each as name(value).
	Pragmas []string
}

// DB is an open file. It is safe for concurrent use.
type DB struct {
	// Write has one connection: who holds it writes alone. A transaction, here
	// or on Read, takes the write lock at once unless it is begun read-only:
	// one that reads first could otherwise fail when it begins to write.
	Write *sql.DB
	Read  *sql.DB
}

// Open opens or makes the file with mode 0600, and so what SQLite keeps beside
// it. On an error nothing stays open; a file that was made or migrated in part
// is taken up by the next Open.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{}
	if err := db.connect(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context, cfg Config) error {
	var err error
	if db.Write, err = sql.Open("sqlite", dsn(cfg)); err != nil {
		return err
	}
	db.Write.SetMaxOpenConns(1)
	if db.Read, err = sql.Open("sqlite", dsn(cfg)); err != nil {
		return err
	}
	db.Read.SetMaxOpenConns(cfg.Readers)
	files, err := fs.Sub(cfg.Migrations, "migrations")
	if err != nil {
		return fmt.Errorf("find the folder migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.Write, files)
	if err != nil {
		return fmt.Errorf("read the folder migrations: %w", err)
	}
	if err := own(cfg.Path); err != nil { // nothing has touched the file so far
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// own makes the file where it is missing and takes it, with what an earlier
// process left beside it, from everybody but its owner. SQLite gives new files
// beside it the same mode. A file that is there is not opened: closing it would
// drop the locks that this process may hold on it.
func own(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Chmod(path+beside, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// dsn is the driver's name of the file with its settings.
func dsn(cfg Config) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)"}, cfg.Pragmas...)}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: cfg.Path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// Close lets nothing new begin and releases the file as soon as what runs on it
// has ended; a transaction that is open may still commit. Once is enough; again
// is harmless, and so is closing none.
func (db *DB) Close() error {
	if db == nil {
		return nil
	}
	var errs []error
	for _, d := range []*sql.DB{db.Read, db.Write} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
