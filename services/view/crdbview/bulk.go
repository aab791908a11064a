package crdbview

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
)

// width is how many rows one statement writes or looks up. CockroachDB holds a
// statement's rows in one command, so it stays far below 64 MB.
const width = 1024

// reading is one consistent state of the database: a transaction.
type reading struct {
	ctx context.Context
	tx  pgx.Tx
}

// each hands every row of a query to scan.
func (r *reading) each(scan func(row pgx.Rows) error, query string, args ...any) error {
	found, err := r.tx.Query(r.ctx, query, args...)
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

// exec runs a statement and returns how many rows it wrote.
func (r *reading) exec(query string, args ...any) (int64, error) {
	tag, err := r.tx.Exec(r.ctx, query, args...)
	return tag.RowsAffected(), err
}

// write runs a statement over rows as arrays, one for each column.
func write[T any](r *reading, query string, rows []T, columns func(rows []T) []any) error {
	for part := range slices.Chunk(rows, width) {
		if _, err := r.exec(query, columns(part)...); err != nil {
			return err
		}
	}
	return nil
}

// look runs a query over keys as one array.
func look[T any](r *reading, query string, keys []T, bytesOf func(*T) []byte, scan func(row pgx.Rows) error) error {
	for part := range slices.Chunk(keys, width) {
		if err := r.each(scan, query, column(part, bytesOf)); err != nil {
			return err
		}
	}
	return nil
}

// column takes one column out of rows.
func column[T, V any](rows []T, of func(*T) V) []V {
	out := make([]V, len(rows))
	for i := range rows {
		out[i] = of(&rows[i])
	}
	return out
}

func keyBytes(k *events.ContactKey) []byte         { return k[:] }
func identityBytes(id *events.IdentityHash) []byte { return id[:] }

// fold keeps the last row of each key, in the order of their first: two rows
// of one key in one upsert are an error on PostgreSQL.
func fold[T any, K comparable](rows []T, key func(*T) K) []T {
	at := make(map[K]int, len(rows))
	out := make([]T, 0, len(rows))
	for i := range rows {
		k := key(&rows[i])
		if n, ok := at[k]; ok {
			out[n] = rows[i]
			continue
		}
		at[k] = len(out)
		out = append(out, rows[i])
	}
	return out
}

func instant(us int64) events.Instant { return events.InstantFromUnixMicro(us) }

// orNull stores the zero instant as NULL.
func orNull(i events.Instant) *int64 {
	if i == 0 {
		return nil
	}
	us := i.UnixMicro()
	return &us
}

func orZero(us *int64) events.Instant {
	if us == nil {
		return 0
	}
	return instant(*us)
}
