package house

import (
	"context"
	"errors"
	"fmt"

	"github.com/assenso/assenso/services/crdb/pgtx"
)

// examineDatabase looks at the CockroachDB or PostgreSQL that holds views and
// vault.
func examineDatabase(ctx context.Context, url string) Check {
	const name = "database"
	if url == "" {
		return Check{Name: name, OK: true, Detail: "none: views and vault are SQLite files in the data folder"}
	}
	s, err := pgtx.Look(ctx, url)
	switch {
	case errors.Is(err, pgtx.ErrRefused):
		return failed(name, err, "name a CockroachDB, or a PostgreSQL that is new enough, with database")
	case err != nil:
		return failed(name, err, "let the database answer at the URL of database, with that user")
	case s.Schema == "":
		return Check{Name: name, Detail: "no schema of the search_path is there", Remedy: "make the schema, or name another one with search_path in the URL"}
	case !s.MayMake:
		return Check{Name: name, Detail: "the user may not make tables in schema " + s.Schema, Remedy: "grant CREATE on that schema: a start brings the tables up to date"}
	}
	product := "PostgreSQL"
	if s.Cockroach {
		product = "CockroachDB"
	}
	return Check{Name: name, OK: true, Detail: fmt.Sprintf("%s %s answers; tables go to schema %s", product, s.Version, s.Schema)}
}
