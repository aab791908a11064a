package pgtx

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say what a backend needs of its database.
type Options struct {
	// Isolation of Run on PostgreSQL; CockroachDB is always serializable.
	Isolation  pgx.TxIsoLevel
	Migrations fs.FS
	Versions   string
}

// leastConnections is what a pool must allow: migrations take two, and a
// reader may ask again while it reads.
const leastConnections = 8

// oldestPostgres is the oldest major version that the suites are run on.
const oldestPostgres = 15

// ErrRefused: the server is not one that this program works with.
var ErrRefused = errors.New("database refused")

// sqlSession makes PostgreSQL plan every statement for the rows that are there
// now and by index: a plan made for an empty table would be kept while the
// table grows. Every statement has its index, and parts of what a transaction
// read are what serializable transactions collide in.
const sqlSession = `SET SESSION plan_cache_mode = force_custom_plan; SET SESSION enable_seqscan = off; SET SESSION jit = off`

// Open connects to the database of a postgres:// URL and brings its tables up
// to date; several processes may do so at once. The URL's pool_max_conns counts
// from 8 on; its search_path chooses the schema. Errors name host, user and
// database, never the password.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w: %w", ErrRefused, err)
	}
	cfg.MaxConns = max(cfg.MaxConns, leastConnections)
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "assenso"
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if isCockroach(conn) {
			return nil
		}
		_, err := conn.Exec(ctx, sqlSession)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{pool: pool, isolation: o.Isolation}
	if err := d.prepare(ctx, o); err != nil {
		pool.Close()
		return nil, err
	}
	return d, nil
}

func isCockroach(conn *pgx.Conn) bool { return conn.PgConn().ParameterStatus("crdb_version") != "" }

// prepare looks at the server and migrates.
func (d *DB) prepare(ctx context.Context, o Options) error {
	err := d.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		d.cockroach = isCockroach(c.Conn())
		return checkVersion(d.cockroach, c.Conn().PgConn().ParameterStatus("server_version"))
	})
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := d.migrate(ctx, o); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// checkVersion reads the major version off what PostgreSQL says of itself.
func checkVersion(cockroach bool, version string) error {
	if cockroach {
		return nil
	}
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	if major, err := strconv.Atoi(version[:end]); err != nil || major < oldestPostgres {
		return fmt.Errorf("%w: the server says it is PostgreSQL %q; use %d or later, or CockroachDB", ErrRefused, version, oldestPostgres)
	}
	return nil
}
