package sqlitefile_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/services/sqlitefile"
)

var pairs = steps("00001_pair.sql", `CREATE TABLE pair (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT`)

// openPairs opens a file with the table pair, the statement that puts rows into
// it and the one that finds them by id and text.
func openPairs(t *testing.T) (db *sqlitefile.DB, put, find *sqlitefile.Bulk) {
	t.Helper()
	db = open(t, sqlitefile.Config{Path: at(t), Migrations: pairs})
	return db, bulkOf(t, db.Write, "INSERT INTO pair (id, text) VALUES ", " ON CONFLICT DO NOTHING"),
		bulkOf(t, db.Write, "SELECT id, text FROM pair WHERE (id, text) IN (VALUES ", ")")
}

func bulkOf(t *testing.T, db *sql.DB, head, tail string) *sqlitefile.Bulk {
	t.Helper()
	b, err := sqlitefile.PrepareBulk(t.Context(), db, 2, head, tail)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// args are rows of pair: a number and its text.
func args(ids []int64) []any {
	var out []any
	for _, id := range ids {
		out = append(out, id, strconv.FormatInt(id, 10))
	}
	return out
}

// within runs change in a transaction that comes to nothing.
func within(t interface{ Fatal(...any) }, db *sqlitefile.DB, change func(*sql.Tx) error) {
	tx, err := db.Write.BeginTx(context.Background(), nil)
	if err == nil {
		err = errors.Join(change(tx), tx.Rollback())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func found(ctx context.Context, find *sqlitefile.Bulk, tx *sql.Tx, ids []int64) ([]int64, error) {
	var out []int64
	err := find.Look(ctx, tx, args(ids), func(r *sql.Rows) error {
		var id int64
		var text string
		if err := r.Scan(&id, &text); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	})
	slices.Sort(out)
	return out, err
}

// However many rows there are, each is written once, counted if it was new, and
// found once.
func TestBulkTakesAnyNumberOfRows(t *testing.T) {
	db, put, find := openPairs(t)
	most := int64(3*sqlitefile.BulkRows + 5)
	rapid.Check(t, func(t *rapid.T) {
		ids := func(label string) []int64 {
			return rapid.SliceOfNDistinct(rapid.Int64Range(1, most), 0, int(most), rapid.ID).Draw(t, label)
		}
		before, more, asked := ids("before"), ids("more"), ids("asked")
		all := map[int64]bool{}
		within(t, db, func(tx *sql.Tx) error {
			for _, rows := range [][]int64{before, more} {
				var fresh int64
				for _, id := range rows {
					if !all[id] {
						all[id] = true
						fresh++
					}
				}
				n, err := put.Write(t.Context(), tx, args(rows))
				if err != nil {
					return err
				}
				if n != fresh {
					t.Errorf("%d rows, %d of them new: written %d", len(rows), fresh, n)
				}
			}
			var want []int64
			for _, id := range asked {
				if all[id] {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			got, err := found(t.Context(), find, tx, asked)
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			return err
		})
	})
}

// A look-up leaves the caller's rows as they are, also what lies behind them.
func TestBulkLeavesItsArguments(t *testing.T) {
	db, _, find := openPairs(t)
	rows := args([]int64{1, 2, 3, 4, 5, 6, 7})
	within(t, db, func(tx *sql.Tx) error {
		return find.Look(t.Context(), tx, rows[:10], func(*sql.Rows) error { return nil })
	})
	if diff := cmp.Diff(args([]int64{1, 2, 3, 4, 5, 6, 7}), rows); diff != "" {
		t.Errorf("the arguments changed (-before +after):\n%s", diff)
	}
}

func TestBulkEndsWithItsContext(t *testing.T) {
	db, put, find := openPairs(t)
	ended, end := context.WithCancel(t.Context())
	end()
	within(t, db, func(tx *sql.Tx) error {
		if _, err := put.Write(ended, tx, args([]int64{1})); !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v, want that of the context", err)
		}
		if _, err := found(ended, find, tx, []int64{1}); !errors.Is(err, context.Canceled) {
			t.Errorf("look: %v, want that of the context", err)
		}
		return nil
	})
}

func TestBulkSaysWhatFailed(t *testing.T) {
	db, _, find := openPairs(t)
	if _, err := sqlitefile.PrepareBulk(t.Context(), db.Write, 1, "INSERT INTO nothing VALUES ", ""); err == nil {
		t.Error("a statement on a table that is not there was prepared")
	}
	strict := bulkOf(t, db.Write, "INSERT INTO pair (id, text) VALUES ", "")
	refused := errors.New("refused")
	within(t, db, func(tx *sql.Tx) error {
		if _, err := strict.Write(t.Context(), tx, args([]int64{1, 2, 1})); err == nil {
			t.Error("a row was written twice")
		}
		if _, err := strict.Write(t.Context(), tx, args([]int64{3})); err != nil {
			t.Error(err)
		}
		if err := find.Look(t.Context(), tx, args([]int64{3}), func(*sql.Rows) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("look: %v, want what scan said", err)
		}
		return nil
	})
}
