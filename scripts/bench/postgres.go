package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/crdbview"
	"github.com/assenso/assenso/services/view/sqliteview"
)

func init() { register("postgres", benchPostgres) }

// benchPostgres rebuilds both projections of the same day in SQLite and in
// PostgreSQL. The database is that of ASSENSO_TEST_POSTGRES, emptied of views
// first, or one that is started beside the scratch folder and syncs every commit;
// without either the run says so and measures nothing.
func benchPostgres(ctx context.Context, s settings) (err error) {
	url := os.Getenv(pgtest.PostgresURL)
	if url == "" {
		var stop func() error
		if url, stop, err = pgtest.Launch(filepath.Dir(s.dir)); errors.Is(err, pgtest.ErrNone) {
			_, err = fmt.Fprintf(s.out, "not measured: %v\n", err)
			return err
		} else if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	log, total, err := dayLedger(ctx, s)
	if err != nil {
		return err
	}
	defer log.close()
	files, err := sqliteview.Open(ctx, filepath.Join(s.dir, "view.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	server, err := crdbview.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	return s.compare(ctx, log, total, files, server)
}

// compare prints the rates of both projections over both stores.
func (s settings) compare(ctx context.Context, log *dayLog, total int, files, server view.Store) error {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return err
	}
	for _, make := range []func() projection.Projection{
		func() projection.Projection { return consentstate.New(nil) },
		func() projection.Projection { return violations.New(rules.NewEngine(packs)) },
	} {
		name := make().Projection()
		if err := server.Reset(ctx, name); err != nil {
			return err
		}
		small, _, err := rebuild(ctx, log.Ledger, files, make(), total)
		if err != nil {
			return err
		}
		large, _, err := rebuild(ctx, log.Ledger, server, make(), total)
		if err != nil {
			return err
		}
		s.figure(name.Name+" into SQLite", small, "events/s")
		s.figure(name.Name+" into PostgreSQL", large, "events/s")
		s.figure(name.Name+", PostgreSQL as a share of SQLite", large/small, "")
	}
	return nil
}
