package pgtx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is what a database says of itself.
type Server struct {
	Cockroach bool
	Version   string
	Schema    string // where tables are made; "" = the search_path names none that is there
	MayMake   bool   // the user may make tables there
}

// lookFor is how long Look waits for an answer.
const lookFor = 5 * time.Second

// The product and its version come with the connection.
const sqlLook = `SELECT coalesce(current_schema(), ''), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`

// Look asks the database of a postgres:// URL what it is, and changes nothing.
// It waits five seconds at most. ErrRefused: it is none that Open takes. Errors
// name host, user and database, never the password.
func Look(ctx context.Context, url string) (s Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return Server{}, fmt.Errorf("look at database: %w: %w", ErrRefused, err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Server{}, fmt.Errorf("look at database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	s.Cockroach, s.Version = isCockroach(conn), conn.PgConn().ParameterStatus("server_version")
	if s.Cockroach {
		s.Version = conn.PgConn().ParameterStatus("crdb_version")
	}
	if err := checkVersion(s.Cockroach, s.Version); err != nil {
		return s, fmt.Errorf("look at database: %w", err)
	}
	if err := conn.QueryRow(ctx, sqlLook).Scan(&s.Schema, &s.MayMake); err != nil {
		return s, fmt.Errorf("look at database: %w", err)
	}
	return s, nil
}
