package sqlitefile

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// BulkRows is the greatest number of rows that one statement of a Bulk takes.
const BulkRows = 64

// bulkSizes are the numbers of rows for which a Bulk prepares statements, the
// greatest first. A statement costs more than a row.
var bulkSizes = [...]int{BulkRows, 16, 4, 1}

// Bulk is a statement over rows of parameters, prepared for several numbers of
// rows. It is safe for concurrent use.
type Bulk struct {
	columns    int
	statements [len(bulkSizes)]*sql.Stmt
}

// PrepareBulk prepares head, rows of columns parameters and tail on db:
//
//	put, err := PrepareBulk(ctx, db.Write, 2, "INSERT INTO note (id, text) VALUES ", " ON CONFLICT DO NOTHING")
//	find, err := PrepareBulk(ctx, db.Read, 1, "SELECT id, text FROM note WHERE id IN (VALUES ", ")")
//
// The statements end with db.
func PrepareBulk(ctx context.Context, db *sql.DB, columns int, head, tail string) (*Bulk, error) {
	b := &Bulk{columns: columns}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	for i, n := range bulkSizes {
		var err error
		if b.statements[i], err = db.PrepareContext(ctx, head+row+strings.Repeat(","+row, n-1)+tail); err != nil {
			return nil, fmt.Errorf("prepare %s…: %w", head, err)
		}
	}
	return b, nil
}

// Write runs the statement over all of args, which hold whole rows, and returns
// how many rows were written. ctx is heeded between two statements.
func (b *Bulk) Write(ctx context.Context, tx *sql.Tx, args []any) (int64, error) {
	var written int64
	for len(args) > 0 {
		i := 0
		for bulkSizes[i]*b.columns > len(args) {
			i++
		}
		if err := ctx.Err(); err != nil {
			return written, err
		}
		part := args[:bulkSizes[i]*b.columns]
		args = args[len(part):]
		done, err := tx.Stmt(b.statements[i]).ExecContext(whole(ctx), part...)
		if err != nil {
			return written, err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// Look runs the statement, a look-up by a set of rows, over all of args and
// hands every row of the answers to scan. The last row may stand in a set more
// than once. ctx is heeded between two statements.
func (b *Bulk) Look(ctx context.Context, tx *sql.Tx, args []any, scan func(*sql.Rows) error) error {
	for len(args) > 0 {
		i := len(bulkSizes) - 1
		for i > 0 && bulkSizes[i]*b.columns < len(args) {
			i--
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n := bulkSizes[i] * b.columns
		part := args[:min(n, len(args))]
		args = args[len(part):]
		if len(part) < n {
			part = padded(part, b.columns, n)
		}
		found, err := tx.Stmt(b.statements[i]).QueryContext(whole(ctx), part...)
		if err := Drain(found, err, scan); err != nil {
			return err
		}
	}
	return nil
}

// padded repeats the last row of part until there are n parameters.
func padded(part []any, columns, n int) []any {
	out := append(make([]any, 0, n), part...)
	for last := part[len(part)-columns:]; len(out) < n; {
		out = append(out, last...)
	}
	return out
}

// whole lets a statement of a few rows run to its end: the driver would start a
// goroutine for each that could be interrupted.
func whole(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// Drain hands every row of a query's answer to scan and closes it. It takes
// both results of the query.
func Drain(found *sql.Rows, err error, scan func(*sql.Rows) error) error {
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
