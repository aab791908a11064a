// Package pgtx runs transactions on CockroachDB and PostgreSQL so that no
// commit error is lost. The view and the vault of those databases share it;
// everything else of a backend is its own.
//
//	db, err := pgtx.Open(ctx, url, pgtx.Options{Migrations: files, Versions: "view_version"})
//	err = db.Run(ctx, func(tx pgx.Tx) error { … })
//
// cockroach-go's ExecuteTx takes the release of its savepoint for the commit.
// That is true on CockroachDB. On PostgreSQL the commit follows, ExecuteTx
// throws its error away, and its retry to the savepoint can never succeed, as
// the snapshot is still the old one. Run keeps the error of the commit, and
// there begins a new transaction instead (design.md 7).
package pgtx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cockroachdb/cockroach-go/v2/crdb"
	"github.com/cockroachdb/cockroach-go/v2/crdb/crdbpgxv5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	// ErrAmbiguous: the connection was lost, or the context ended, while the
	// commit was under way. It may be stored or not: read, and see.
	ErrAmbiguous = errors.New("commit result unknown")
	// ErrContended: other transactions came in between every time. Nothing is
	// stored. Try again later.
	ErrContended = errors.New("transaction lost against others every time")
)

// Attempts is how often a transaction is begun before Run gives up.
const Attempts = 12

// savepointRetries is how often CockroachDB repeats within one transaction;
// never 0, which means for ever.
const savepointRetries = 12

// errRestart asks for a new transaction where a savepoint does not help.
var errRestart = errors.New("transaction must begin again")

// DB is a pool of connections to one database. It is safe for concurrent use.
type DB struct {
	pool      *pgxpool.Pool
	cockroach bool
	isolation pgx.TxIsoLevel
}

// Run calls change in a transaction and commits it. On nil it is stored; on
// ErrAmbiguous nobody knows; on any other error nothing is stored. change is
// called again, in a state as if it had never been, after a serialization
// failure or a deadlock (40001, 40P01), which it must hand on in its error; it
// must have no effect but through tx.
func (d *DB) Run(ctx context.Context, change func(tx pgx.Tx) error) error {
	var err error
	for try := range Attempts {
		if try > 0 {
			if ended := pause(ctx, try); ended != nil {
				return ended
			}
		}
		if err = d.once(ctx, change); !again(err) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrContended, err)
}

// Read calls read in a transaction that writes nothing and sees one state of
// the database. It is called once.
func (d *DB) Read(ctx context.Context, read func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{IsoLevel: d.level(pgx.RepeatableRead), AccessMode: pgx.ReadOnly}, read)
}

// Close closes all connections; it waits for those in use.
func (d *DB) Close() { d.pool.Close() }

// Cockroach reports whether the server is CockroachDB.
func (d *DB) Cockroach() bool { return d.cockroach }

// level leaves CockroachDB at its own, which is serializable.
func (d *DB) level(l pgx.TxIsoLevel) pgx.TxIsoLevel {
	if d.cockroach {
		return ""
	}
	return l
}

// once runs one transaction from begin to commit.
func (d *DB) once(ctx context.Context, change func(tx pgx.Tx) error) error {
	conn := &watched{DB: d}
	calls := 0
	err := crdbpgx.ExecuteTx(crdb.WithMaxRetries(ctx, savepointRetries), conn, pgx.TxOptions{IsoLevel: d.level(d.isolation)}, func(tx pgx.Tx) error {
		if d.cockroach {
			return change(tx)
		}
		if calls++; calls > 1 {
			return &held{errRestart}
		}
		if err := change(tx); err != nil {
			return &held{err}
		}
		return nil
	})
	var own *held
	var release *crdb.AmbiguousCommitError
	switch {
	case errors.As(err, &own):
		return own.err
	case errors.As(err, &release) && d.cockroach:
		return committed(release.Cause(), conn.unsent)
	case errors.As(err, &release): // on PostgreSQL nothing is committed yet
		return release.Cause()
	case err == nil && !d.cockroach:
		return committed(conn.commit, conn.unsent)
	}
	return err
}

// watched hands ExecuteTx transactions of which it keeps the commit's error.
type watched struct {
	*DB
	commit error
	unsent bool // the last statement cannot have reached the server
}

// Begin implements crdbpgx.Conn.
func (w *watched) Begin(ctx context.Context) (pgx.Tx, error) { return w.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx implements crdbpgx.Conn.
func (w *watched) BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error) {
	tx, err := w.pool.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &watchedTx{tx, w}, nil
}

type watchedTx struct {
	pgx.Tx
	of *watched
}

// Exec implements pgx.Tx. CockroachDB commits by a statement.
func (t *watchedTx) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	t.look(ctx)
	return t.Tx.Exec(ctx, query, args...)
}

// look notes whether there is still somebody to send to. pgconn.SafeToRetry
// cannot be asked afterwards: a connection that breaks while an answer is
// awaited gives the same error as one that was closed before (pgx 5.12).
func (t *watchedTx) look(ctx context.Context) {
	t.of.unsent = ctx.Err() != nil || t.Conn().PgConn().IsClosed()
}

// Commit implements pgx.Tx.
func (t *watchedTx) Commit(ctx context.Context) error {
	t.look(ctx)
	t.of.commit = t.Tx.Commit(ctx)
	return t.of.commit
}

// held keeps an error of a change from ExecuteTx, which would otherwise go
// back to its savepoint.
type held struct{ err error }

// Error implements error.
func (h *held) Error() string { return h.err.Error() }

// committed turns the error of a commit into one that says what became of it.
func committed(err error, unsent bool) error {
	if err == nil || unsent || refused(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAmbiguous, err)
}

// refused reports whether the error of a commit is the server's word that
// nothing is stored. A server that ends the connection (FATAL) may have
// committed before.
func refused(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return false
	}
	severity := said.SeverityUnlocalized
	if severity == "" {
		severity = said.Severity
	}
	return severity == "ERROR" && said.Code != statementCompletionUnknown && !strings.HasPrefix(said.Code, classConnection)
}

// SQLSTATEs that this package knows.
const (
	serializationFailure       = "40001"
	statementCompletionUnknown = "40003" // CockroachDB: result is ambiguous
	deadlockDetected           = "40P01"
	classConnection            = "08"
	duplicateTable             = "42P07"
	duplicateObject            = "42710" // the row type of a table that another makes at this moment
	uniqueViolation            = "23505"
)

// Code returns the SQLSTATE of an error of the database, or "".
func Code(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

// again reports whether a new transaction may succeed at once.
func again(err error) bool {
	var exhausted *crdb.MaxRetriesExceededError
	if errors.Is(err, ErrAmbiguous) || errors.As(err, &exhausted) {
		return false
	}
	code := Code(err)
	return code == serializationFailure || code == deadlockDetected || errors.Is(err, errRestart)
}

// pause waits a little, longer each time, and by chance, so that two that
// collided do not collide again.
func pause(ctx context.Context, try int) error {
	longest := time.Millisecond << min(try, 8)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
