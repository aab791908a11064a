package pgtx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// A row of this table is locked while migrations run: both databases have row
// locks, CockroachDB has no advisory ones.
const (
	sqlMakeLock  = `CREATE TABLE IF NOT EXISTS migration_lock (name BYTEA NOT NULL PRIMARY KEY)`
	sqlEnterLock = `INSERT INTO migration_lock (name) VALUES ($1) ON CONFLICT DO NOTHING`
	sqlTakeLock  = `SELECT name FROM migration_lock WHERE name = $1 FOR UPDATE`
)

// migrate brings the tables up to date; whoever comes second waits and finds
// nothing to do.
func (d *DB) migrate(ctx context.Context, o Options) error {
	name := []byte(o.Versions)
	if err := d.makeLock(ctx, name); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlTakeLock, name); err != nil {
			return err
		}
		return d.up(ctx, o)
	})
}

// makeLock makes table and row. Two that make the table at once can trip over
// each other although each says IF NOT EXISTS.
func (d *DB) makeLock(ctx context.Context, name []byte) error {
	for try := 1; ; try++ {
		_, err := d.pool.Exec(ctx, sqlMakeLock)
		if err == nil {
			_, err = d.pool.Exec(ctx, sqlEnterLock, name)
		}
		code := Code(err)
		collided := code == duplicateTable || code == duplicateObject || code == uniqueViolation || code == serializationFailure
		if err == nil || !collided || try == Attempts {
			return err
		}
		if ended := pause(ctx, try); ended != nil {
			return ended
		}
	}
}

func (d *DB) up(ctx context.Context, o Options) (err error) {
	store, err := database.NewStore(database.DialectPostgres, o.Versions)
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(d.pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := goose.NewProvider("", db, o.Migrations, goose.WithStore(store))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	_, err = p.Up(ctx)
	return err
}
