package sqlitefile_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/services/sqlitefile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// steps makes a folder of migrations from pairs of a file's name and what it
// does.
func steps(pairs ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		files["migrations/"+pairs[i]] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + pairs[i+1] + ";\n")}
	}
	return files
}

var notes = steps("00001_note.sql", `CREATE TABLE note (text TEXT NOT NULL) STRICT`)

func at(t *testing.T) string { return filepath.Join(t.TempDir(), "a.db") }

func open(t *testing.T, cfg sqlitefile.Config) *sqlitefile.DB {
	t.Helper()
	if cfg.Readers == 0 {
		cfg.Readers = 2
	}
	db, err := sqlitefile.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, db) })
	return db
}

func closed(t *testing.T, db *sqlitefile.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// asker is a database, a connection or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// column returns the answers to a query for one column of text.
func column(t *testing.T, from asker, query string) []string {
	t.Helper()
	rows, err := from.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

func wantColumn(t *testing.T, from asker, query string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, column(t, from, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

// note writes a line in a transaction of its own.
func note(ctx context.Context, db *sql.DB, text string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `INSERT INTO note (text) VALUES (?)`, text); err != nil {
		return err
	}
	return tx.Commit()
}

func wantOwnersOnly(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(path), info.Mode())
		}
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	path := at(t)
	open(t, sqlitefile.Config{Path: path, Migrations: notes})
	wantOwnersOnly(t, path, path+"-wal", path+"-shm")
}

// A file that others could read, such as a copy that was put back, and what a
// process that was killed left beside it.
func TestOpenTakesFilesFromOthers(t *testing.T) {
	path, copied := at(t), at(t)
	db := open(t, sqlitefile.Config{Path: path, Migrations: notes})
	if err := note(t.Context(), db.Write, "kept"); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(path + beside)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(copied+beside, b, 0o600), os.Chmod(copied+beside, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	back := open(t, sqlitefile.Config{Path: copied, Migrations: notes})
	wantOwnersOnly(t, copied, copied+"-wal", copied+"-shm")
	wantColumn(t, back.Read, `SELECT text FROM note`, "kept")
}

// The file's name is a path, whatever a URL would make of it.
func TestPathsAreTakenLiterally(t *testing.T) {
	folder := filepath.Join(t.TempDir(), `a b?mode=memory#c%41&d;è`)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "a?b.db")
	open(t, sqlitefile.Config{Path: path, Migrations: notes})
	wantOwnersOnly(t, path, path+"-wal")
	if found, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "*")); err != nil || len(found) != 1 {
		t.Errorf("beside the folder lies %q, %v", found, err)
	}
}

func TestPathsMayBeRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	db := open(t, sqlitefile.Config{Path: "b:c.db", Migrations: notes})
	wantOwnersOnly(t, "b:c.db", "b:c.db-wal", "b:c.db-shm") // what the driver keeps lies beside it
	closed(t, db)                                           // before the folder is left
}

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	db := open(t, sqlitefile.Config{Path: at(t), Migrations: notes, Readers: 3, Pragmas: []string{
		"synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-4096)", "wal_autocheckpoint(77)",
	}})
	for name, pool := range map[string]*sql.DB{"write": db.Write, "read": db.Read} {
		for range pool.Stats().MaxOpenConnections { // all of them at once
			c, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			for pragma, want := range map[string]string{
				"busy_timeout": "10000", "journal_mode": "wal",
				"synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "temp_store": "2", "cache_size": "-4096", "wal_autocheckpoint": "77",
			} {
				if got := column(t, c, "PRAGMA "+pragma); !slices.Equal(got, []string{want}) {
					t.Errorf("%s: %s is %q, want %s", name, pragma, got, want)
				}
			}
		}
	}
}

func TestOneWritesAndReadersAreCounted(t *testing.T) {
	db := open(t, sqlitefile.Config{Path: at(t), Migrations: notes, Readers: 3})
	if w, r := db.Write.Stats().MaxOpenConnections, db.Read.Stats().MaxOpenConnections; w != 1 || r != 3 {
		t.Errorf("%d connections may write and %d read, want 1 and 3", w, r)
	}
}

// impatient returns a connection that does not wait for locks.
func impatient(t *testing.T, pool *sql.DB) *sql.Conn {
	t.Helper()
	c, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.ExecContext(t.Context(), `PRAGMA busy_timeout = 0`); err != nil {
		t.Fatal(err)
	}
	return c
}

// busy reports whether an error is that of a lock which another connection
// holds.
func busy(err error) bool {
	var coded interface{ Code() int }
	return errors.As(err, &coded) && coded.Code()&0xff == 5 // SQLITE_BUSY
}

func TestTransactionsTakeTheWriteLockAtOnce(t *testing.T) {
	db := open(t, sqlitefile.Config{Path: at(t), Migrations: notes})
	if err := note(t.Context(), db.Write, "before"); err != nil {
		t.Fatal(err)
	}
	write, read := impatient(t, db.Write), impatient(t, db.Read)
	for name, c := range map[string]struct{ holder, other *sql.Conn }{"write": {write, read}, "read": {read, write}} {
		t.Run(name, func(t *testing.T) {
			held, err := c.holder.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Rollback()
			if tx, err := c.other.BeginTx(t.Context(), nil); !busy(err) {
				if err == nil {
					tx.Rollback()
				}
				t.Errorf("a second transaction got %v, want SQLITE_BUSY", err)
			}
			reading, err := c.other.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
			if err != nil {
				t.Fatalf("a read-only transaction got %v, want none of the lock", err)
			}
			defer reading.Rollback()
			wantColumn(t, reading, `SELECT text FROM note`, "before")
		})
		tx, err := c.other.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatalf("the lock is not free again: %v", err)
		}
		tx.Rollback()
	}
}

// A reader sees what stood when it began, and keeps no writer out.
func TestReadersDoNotStopTheWriter(t *testing.T) {
	db := open(t, sqlitefile.Config{Path: at(t), Migrations: notes})
	tx, err := db.Read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	wantColumn(t, tx, `SELECT text FROM note`)
	if err := note(t.Context(), db.Write, "new"); err != nil {
		t.Fatal(err)
	}
	wantColumn(t, tx, `SELECT text FROM note`)
	wantColumn(t, db.Read, `SELECT text FROM note`, "new")
}

func TestManyAtOnce(t *testing.T) {
	const writers, each = 6, 20
	db := open(t, sqlitefile.Config{Path: at(t), Migrations: notes, Readers: 3})
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range each {
				if err := note(t.Context(), db.Write, "x"); err != nil {
					t.Error(err)
				}
			}
		})
		running.Go(func() {
			seen := 0
			for range each {
				var n int
				if err := db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM note`).Scan(&n); err != nil || n < seen {
					t.Errorf("counted %d after %d, %v", n, seen, err)
				}
				seen = n
			}
		})
	}
	running.Wait()
	wantColumn(t, db.Read, `SELECT count(*) FROM note`, strconv.Itoa(writers*each))
}

func TestMigrationsRunOnceInTheOrderOfTheirNumbers(t *testing.T) {
	const versions, lines = `SELECT id || ' ' || version_id || ' ' || tstamp FROM goose_db_version ORDER BY id`, `SELECT text FROM note ORDER BY rowid`
	path := at(t)
	files := steps(
		"1_note.sql", `CREATE TABLE note (text TEXT NOT NULL) STRICT`,
		"10_ten.sql", `INSERT INTO note VALUES ('ten')`,
		"9_nine.sql", `INSERT INTO note VALUES ('nine')`,
	)
	db := open(t, sqlitefile.Config{Path: path, Migrations: files})
	wantColumn(t, db.Read, lines, "nine", "ten")
	before := column(t, db.Read, versions)
	closed(t, db)

	db = open(t, sqlitefile.Config{Path: path, Migrations: files})
	wantColumn(t, db.Read, lines, "nine", "ten")
	wantColumn(t, db.Read, versions, before...)
	closed(t, db)

	files["migrations/11_eleven.sql"] = steps("x", `INSERT INTO note VALUES ('eleven')`)["migrations/x"]
	db = open(t, sqlitefile.Config{Path: path, Migrations: files})
	wantColumn(t, db.Read, lines, "nine", "ten", "eleven")
}

// failing opens what cannot be opened: the error says something and is others,
// and everything is closed again.
func failing(t *testing.T, ctx context.Context, cfg sqlitefile.Config, says string, is ...error) {
	t.Helper()
	db, err := sqlitefile.Open(ctx, cfg)
	if err == nil {
		closed(t, db)
		t.Fatalf("opened, want an error that says %q", says)
	}
	if db != nil {
		t.Errorf("an error came with %v", db)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("error %q does not say %q", err, says)
	}
	for _, e := range is {
		if !errors.Is(err, e) {
			t.Errorf("error %q is no %q", err, e)
		}
	}
	goleak.VerifyNone(t)
	wantNotHeld(t, cfg.Path)
}

// wantNotHeld checks that the process has none of the files open.
func wantNotHeld(t *testing.T, path string) {
	t.Helper()
	held, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, fs.ErrNotExist) {
		return // not Linux: goleak has looked for the pools
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range held {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, path) {
			t.Errorf("%s is still open", name)
		}
	}
}

func TestBrokenMigration(t *testing.T) {
	path := at(t)
	const first, second = `CREATE TABLE note (text TEXT NOT NULL) STRICT; INSERT INTO note VALUES ('first')`, `INSERT INTO note VALUES ('second')`
	failing(t, t.Context(), sqlitefile.Config{Path: path, Migrations: steps("1_a.sql", first, "2_b.sql", second+`; INSERT INTO nowhere VALUES (1)`)}, "no such table: nowhere")
	wantOwnersOnly(t, path)
	// The first stands, the second has left nothing, and both are done now.
	db := open(t, sqlitefile.Config{Path: path, Migrations: steps("1_a.sql", first, "2_b.sql", second)})
	wantColumn(t, db.Read, `SELECT text FROM note ORDER BY rowid`, "first", "second")
}

func TestNoMigrations(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no folder":      {"1_a.sql": notes["migrations/00001_note.sql"]},
		"nothing at all": {},
		"no file of SQL": {"migrations/README": {}},
		"no number":      {"migrations/a.sql": notes["migrations/00001_note.sql"]},
	} {
		t.Run(name, func(t *testing.T) {
			path := at(t)
			failing(t, t.Context(), sqlitefile.Config{Path: path, Migrations: files}, "folder migrations: ")
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file was made all the same: %v", err)
			}
		})
	}
}

func TestUnusableFiles(t *testing.T) {
	t.Run("no folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "nowhere", "a.db")
		failing(t, t.Context(), sqlitefile.Config{Path: path, Migrations: notes}, path, fs.ErrNotExist)
	})
	t.Run("a folder itself", func(t *testing.T) {
		path := t.TempDir()
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		failing(t, t.Context(), sqlitefile.Config{Path: path, Migrations: notes}, "is not a file")
		if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
			t.Errorf("the folder's mode became %v, %v", after.Mode(), err)
		}
	})
	t.Run("no database", func(t *testing.T) {
		path, text := at(t), strings.Repeat("this is no database ", 100)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		failing(t, t.Context(), sqlitefile.Config{Path: path, Migrations: notes}, "file is not a database")
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("the file was changed, %v", err)
		}
	})
	t.Run("a pragma that is none", func(t *testing.T) {
		failing(t, t.Context(), sqlitefile.Config{Path: at(t), Migrations: notes, Pragmas: []string{"synchronous("}}, "incomplete input")
	})
}

func TestOpenHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := at(t)
	failing(t, ctx, sqlitefile.Config{Path: path, Migrations: notes}, "migrate", context.Canceled)
	open(t, sqlitefile.Config{Path: path, Migrations: notes}) // takes up what was made
}

func TestCloseTwiceAndCloseNone(t *testing.T) {
	path := at(t)
	db := open(t, sqlitefile.Config{Path: path, Migrations: notes})
	closed(t, db)
	closed(t, db)
	closed(t, nil)
	closed(t, &sqlitefile.DB{})
	wantNotHeld(t, path)
	wantClosed(t, db)
}

// wantClosed checks that nothing new begins.
func wantClosed(t *testing.T, db *sqlitefile.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // for one that waits instead
	defer cancel()
	for _, pool := range []*sql.DB{db.Write, db.Read} {
		if err := pool.PingContext(ctx); err == nil || !strings.Contains(err.Error(), "database is closed") {
			t.Errorf("after Close: %v, want it closed", err)
		}
	}
}

func TestCloseLetsWhatRunsEnd(t *testing.T) {
	path := at(t)
	db := open(t, sqlitefile.Config{Path: path, Migrations: notes})
	tx, err := db.Write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	closed(t, db)
	wantClosed(t, db)
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO note VALUES ('last')`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNotHeld(t, path)
	db = open(t, sqlitefile.Config{Path: path, Migrations: notes})
	wantColumn(t, db.Read, `SELECT text FROM note`, "last")
}

// Opening a file again must not loosen the locks of who has it open: they are
// the process's, and end when it closes any descriptor of the file.
func TestOpenTwiceInAProcess(t *testing.T) {
	path := at(t)
	one := open(t, sqlitefile.Config{Path: path, Migrations: notes})
	if err := note(t.Context(), one.Write, "one"); err != nil {
		t.Fatal(err)
	}
	before := locks(t, path)
	other := open(t, sqlitefile.Config{Path: path, Migrations: notes})
	wantColumn(t, other.Read, `SELECT text FROM note`, "one")
	closed(t, other)
	if diff := cmp.Diff(before, locks(t, path)); diff != "" {
		t.Errorf("locks of the first (-before +after):\n%s", diff)
	}
	wantOwnersOnly(t, path, path+"-wal", path+"-shm") // the log stays while somebody uses it
	wantColumn(t, one.Read, `SELECT text FROM note`, "one")
}

// locks returns the kernel's list of the locks on a file, empty where it shows
// none: kind, process, file and bytes.
func locks(t *testing.T, path string) []string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("/proc/locks")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	inode := reflect.Indirect(reflect.ValueOf(info.Sys())).FieldByName("Ino")
	var found []string
	for line := range strings.Lines(string(all)) {
		if _, lock, _ := strings.Cut(line, ": "); strings.Contains(lock, fmt.Sprintf(":%v ", inode)) {
			found = append(found, lock)
		}
	}
	slices.Sort(found)
	return found
}
