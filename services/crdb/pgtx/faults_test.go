//go:build postgres

package pgtx_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/cockroach-go/v2/crdb"
	"github.com/cockroachdb/cockroach-go/v2/crdb/crdbpgxv5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/crdb/pgtx"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var files = fstest.MapFS{
	"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE doctor (name TEXT NOT NULL PRIMARY KEY, duty BIGINT NOT NULL);\nINSERT INTO doctor VALUES ('a', 1), ('b', 1);\n")},
	"00002_b.sql": {Data: []byte("-- +goose Up\nCREATE TABLE note (text TEXT NOT NULL PRIMARY KEY);\n")},
}

func open(t testing.TB, url string) *pgtx.DB {
	t.Helper()
	db, err := pgtx.Open(context.Background(), url, pgtx.Options{Isolation: pgx.Serializable, Migrations: files, Versions: "version"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func exec(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
	_, err := tx.Exec(ctx, text, args...)
	return err
}

func number(t testing.TB, db *pgtx.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.Read(context.Background(), func(tx pgx.Tx) error { return tx.QueryRow(context.Background(), query, args...).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

const onDuty = `SELECT sum(duty) FROM doctor`

// goOffDuty leaves if somebody else stays: the write skew of the textbooks. Two
// that do so at once must not both succeed.
func goOffDuty(ctx context.Context, tx pgx.Tx, who string) error {
	var others int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM doctor WHERE name <> $1 AND duty = 1`, who).Scan(&others); err != nil || others == 0 {
		return err
	}
	return exec(ctx, tx, `UPDATE doctor SET duty = 0 WHERE name = $1`, who)
}

// A transaction that loses at its commit against another is begun again.
func TestSerializationFailureIsTriedAgain(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		db, ctx, calls := open(t, s.Schema(t)), t.Context(), 0
		err := db.Run(ctx, func(tx pgx.Tx) error {
			calls++
			if err := goOffDuty(ctx, tx, "a"); err != nil || calls > 1 {
				return err
			}
			return db.Run(ctx, func(rival pgx.Tx) error { return goOffDuty(ctx, rival, "b") })
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, db, onDuty); n != 1 || calls != 2 {
			t.Fatalf("%d on duty after %d calls, want 1 after 2", n, calls)
		}
	})
}

// The guard is needed: ExecuteTx alone reports success on PostgreSQL for the
// same transaction, and nothing is stored.
func TestExecuteTxSwallowsTheCommitErrorOnPostgres(t *testing.T) {
	url, ctx := pgtest.Postgres(t).Schema(t), t.Context()
	db := open(t, url)
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	err = crdbpgx.ExecuteTx(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
		if err := goOffDuty(ctx, tx, "a"); err != nil {
			return err
		}
		return db.Run(ctx, func(rival pgx.Tx) error { return goOffDuty(ctx, rival, "b") })
	})
	if err != nil {
		t.Fatalf("ExecuteTx reports %v now: pgtx may become simpler", err)
	}
	if n := number(t, db, `SELECT duty FROM doctor WHERE name = 'a'`); n != 1 {
		t.Fatal("the transaction is stored: the case proves nothing")
	}
}

// Errors that the server gives at COMMIT surface, and nothing is stored.
func TestCommitRefusedByTheServer(t *testing.T) {
	db, ctx := open(t, pgtest.Postgres(t).Schema(t)), t.Context()
	err := db.Run(ctx, func(tx pgx.Tx) error {
		return exec(ctx, tx, `CREATE TABLE late (n BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)`)
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = db.Run(ctx, func(tx pgx.Tx) error {
		calls++
		return exec(ctx, tx, `INSERT INTO late VALUES (1), (1)`)
	})
	if err == nil || errors.Is(err, pgtx.ErrAmbiguous) || pgtx.Code(err) != "23505" || calls != 1 {
		t.Fatalf("got %v after %d calls, want the server's refusal (23505) after one", err, calls)
	}
	if n := number(t, db, `SELECT count(*) FROM late`); n != 0 {
		t.Fatalf("%d rows are stored", n)
	}
}

// A change that hides a failed statement does not succeed.
func TestHiddenFailure(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		db, ctx := open(t, s.Schema(t)), t.Context()
		err := db.Run(ctx, func(tx pgx.Tx) error {
			if err := exec(ctx, tx, `INSERT INTO doctor VALUES ('c', 1)`); err != nil {
				return err
			}
			if err := exec(ctx, tx, `INSERT INTO doctor VALUES ('a', 1)`); err == nil {
				return errors.New("the key is taken, yet the row was accepted")
			}
			return nil
		})
		if err == nil || errors.Is(err, pgtx.ErrAmbiguous) {
			t.Fatalf("got %v, want an error that is not ambiguous", err)
		}
		if n := number(t, db, onDuty); n != 2 {
			t.Fatalf("%d on duty, want 2", n)
		}
	})
}

var errOwn = errors.New("own")

func TestErrorOfTheChange(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		db, ctx, calls := open(t, s.Schema(t)), t.Context(), 0
		err := db.Run(ctx, func(tx pgx.Tx) error {
			calls++
			return errors.Join(exec(ctx, tx, `INSERT INTO note VALUES ('x')`), errOwn)
		})
		if !errors.Is(err, errOwn) || calls != 1 {
			t.Fatalf("got %v after %d calls, want its own error after one", err, calls)
		}
		if n := number(t, db, `SELECT count(*) FROM note`); n != 0 {
			t.Fatal("stored")
		}
	})
}

// Two that lock the same rows in turn: the server ends one (40P01), which
// begins again.
func TestDeadlockIsTriedAgain(t *testing.T) {
	db, ctx := open(t, pgtest.Postgres(t).Schema(t)), t.Context()
	var met sync.WaitGroup
	met.Add(2)
	ended := make(chan error, 2)
	calls := make(chan struct{}, 8)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		go func() {
			first := true
			ended <- db.Run(ctx, func(tx pgx.Tx) error {
				calls <- struct{}{}
				if err := exec(ctx, tx, `UPDATE doctor SET duty = duty + 1 WHERE name = $1`, order[0]); err != nil {
					return err
				}
				if first {
					first = false
					met.Done()
					met.Wait()
				}
				return exec(ctx, tx, `UPDATE doctor SET duty = duty + 1 WHERE name = $1`, order[1])
			})
		}()
	}
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, onDuty); n != 6 || len(calls) < 3 {
		t.Fatalf("sum %d after %d calls, want 6 after more than 2", n, len(calls))
	}
}

// Somebody comes in between every time: Run ends, also under a context that
// tells cockroach-go to go on for ever.
func TestContention(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		db, calls := open(t, s.Schema(t)), 0
		ctx := crdb.WithMaxRetries(t.Context(), 0)
		err := db.Run(ctx, func(tx pgx.Tx) error {
			calls++
			var n int
			if err := tx.QueryRow(ctx, `SELECT duty FROM doctor WHERE name = 'a'`).Scan(&n); err != nil {
				return err
			}
			if err := db.Run(ctx, func(rival pgx.Tx) error {
				return exec(ctx, rival, `UPDATE doctor SET duty = duty + 1 WHERE name = 'a'`)
			}); err != nil {
				return err
			}
			return exec(ctx, tx, `UPDATE doctor SET duty = $1 WHERE name = 'a'`, n)
		})
		if s.Name == "postgres" && (!errors.Is(err, pgtx.ErrContended) || calls != pgtx.Attempts) {
			t.Fatalf("got %v after %d calls, want ErrContended after %d", err, calls, pgtx.Attempts)
		}
		if err == nil || errors.Is(err, pgtx.ErrAmbiguous) {
			t.Fatalf("got %v, want an error that is not ambiguous", err)
		}
	})
}

// commitText begins the statement that commits.
func commitText(s pgtest.Server) string {
	if s.Name == "cockroach" {
		return "release savepoint"
	}
	return "commit"
}

// The answer to a commit is lost: Run says so, whatever became of it, and does
// not repeat the change.
func TestLostCommit(t *testing.T) {
	for name, c := range map[string]struct {
		fault  pgtest.Fault
		stored int
	}{
		"never sent":           {pgtest.Unsent, 0},
		"sent, answer lost":    {pgtest.Sent, 1},
		"server does not know": {pgtest.Answer, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
				url, ctx, calls := s.Schema(t), t.Context(), 0
				proxy := pgtest.NewProxy(t, url)
				db := open(t, proxy.URL)
				proxy.Once(commitText(s), c.fault)
				err := db.Run(ctx, func(tx pgx.Tx) error {
					calls++
					return exec(ctx, tx, `INSERT INTO note VALUES ('x')`)
				})
				if !errors.Is(err, pgtx.ErrAmbiguous) || calls != 1 || proxy.Met() != 1 {
					t.Fatalf("got %v after %d calls and %d faults, want ErrAmbiguous after one", err, calls, proxy.Met())
				}
				if n := number(t, db, `SELECT count(*) FROM note`); n != c.stored {
					t.Fatalf("%d rows, want %d", n, c.stored)
				}
			})
		})
	}
}

// A connection that breaks before the commit leaves nothing, and says so.
func TestLostBeforeCommit(t *testing.T) {
	url, ctx := pgtest.Postgres(t).Schema(t), t.Context()
	proxy := pgtest.NewProxy(t, url)
	db := open(t, proxy.URL)
	proxy.Once("release savepoint", pgtest.Sent)
	err := db.Run(ctx, func(tx pgx.Tx) error { return exec(ctx, tx, `INSERT INTO note VALUES ('x')`) })
	if err == nil || errors.Is(err, pgtx.ErrAmbiguous) {
		t.Fatalf("got %v, want an error that is not ambiguous", err)
	}
	if n := number(t, db, `SELECT count(*) FROM note`); n != 0 {
		t.Fatal("stored")
	}
}

// A context that ends while the commit is under way leaves it unknown; one
// that ends before leaves nothing.
func TestContextEnds(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		proxy := pgtest.NewProxy(t, s.Schema(t))
		db := open(t, proxy.URL)
		proxy.Once(commitText(s), pgtest.Held)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-proxy.Holding(); cancel() }()
		err := db.Run(ctx, func(tx pgx.Tx) error { return exec(ctx, tx, `INSERT INTO note VALUES ('x')`) })
		if !errors.Is(err, pgtx.ErrAmbiguous) {
			t.Fatalf("got %v, want ErrAmbiguous", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = db.Run(ctx, func(tx pgx.Tx) error {
			err := exec(ctx, tx, `INSERT INTO note VALUES ('x')`)
			cancel()
			return err
		})
		if err == nil || errors.Is(err, pgtx.ErrAmbiguous) {
			t.Fatalf("ended before the commit: got %v, want an error that is not ambiguous", err)
		}
		if n := number(t, db, `SELECT count(*) FROM note`); n != 0 {
			t.Fatal("stored")
		}
	})
}

// Several processes start at once on an empty database.
func TestMigrationsAtOnce(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		url := s.Schema(t)
		ended := make(chan error, 8)
		for range cap(ended) {
			go func() {
				db, err := pgtx.Open(context.Background(), url, pgtx.Options{Migrations: files, Versions: "version"})
				if err == nil {
					db.Close()
				}
				ended <- err
			}()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if n := number(t, open(t, url), onDuty); n != 2 {
			t.Fatalf("%d rows of the first migration, want 2", n)
		}
	})
}

// A reading transaction sees one state and cannot write.
func TestReadSeesOneState(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		db, ctx := open(t, s.Schema(t)), t.Context()
		err := db.Read(ctx, func(tx pgx.Tx) error {
			var before, after int
			if err := tx.QueryRow(ctx, onDuty).Scan(&before); err != nil {
				return err
			}
			if err := db.Run(ctx, func(w pgx.Tx) error { return exec(ctx, w, `INSERT INTO doctor VALUES ('c', 1)`) }); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, onDuty).Scan(&after); err != nil {
				return err
			}
			if before != 2 || after != 2 {
				t.Errorf("%d before, %d after; want 2 both times", before, after)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Read(ctx, func(tx pgx.Tx) error { return exec(ctx, tx, `DELETE FROM doctor`) })
		if err == nil {
			t.Fatal("a reading transaction has written")
		}
		if n := number(t, db, onDuty); n != 3 {
			t.Fatalf("%d on duty, want 3", n)
		}
	})
}
