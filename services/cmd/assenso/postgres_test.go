//go:build postgres

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/vault/sqlvault"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// TestTheDemoOnPostgres plays the day with views and vault in PostgreSQL. The
// same ledger, served from SQLite files made anew, gives every report with the
// same bytes.
func TestTheDemoOnPostgres(t *testing.T) {
	pgtest.Start(t)
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		url, folder := s.Schema(t), filepath.Join(t.TempDir(), "data")
		var out, log bytes.Buffer
		err := run(t.Context(), []string{"demo", "--database", url, "--data", folder, "--listen", "127.0.0.1:0", "--durability", "fast", "--contacts", "600", "--seed", "5", "--json"},
			streams{in: strings.NewReader(""), out: &out, err: &log})
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out.String(), log.String())
		}
		var r demoResult
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Planted == 0 || r.Found != r.Planted || r.wrong() || len(r.Campaigns) != 4 {
			t.Errorf("planted %d, found %d, missing %v, unexpected %v, differences %v, campaigns %v", r.Planted, r.Found, r.Missing, r.Unexpected, r.Differences, r.Campaigns)
		}
		if files := sqlFiles(t, folder); len(files) > 0 {
			t.Fatalf("views or vault lie in files: %v", files)
		}
		for _, campaign := range r.Campaigns {
			sameAgain(t, folder, campaign)
		}
		if files := sqlFiles(t, folder); len(files) != 2 {
			t.Fatalf("the second reports came from %v, want two SQLite files", files)
		}
		anotherLedger(t, url)
	})
}

// sqlFiles lists the SQLite files of views and vault in a data folder; other
// services may keep files of their own there.
func sqlFiles(t *testing.T, folder string) (files []string) {
	t.Helper()
	for _, name := range []string{sqliteview.File, sqlvault.File} {
		switch _, err := os.Stat(filepath.Join(folder, name)); {
		case err == nil:
			files = append(files, name)
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	return files
}

// anotherLedger starts a new data folder on the database of the old one.
func anotherLedger(t *testing.T, url string) {
	t.Helper()
	log, err := house.NewLog(house.LogConfig{Level: "error", Format: "json"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := house.Default()
	cfg.Data, cfg.Database, cfg.Listen = filepath.Join(t.TempDir(), "other"), url, "127.0.0.1:0"
	h, err := house.Open(t.Context(), cfg, house.Options{Log: log})
	if err == nil {
		err = h.Close()
	}
	if !errors.Is(err, vault.ErrRefused) || !strings.Contains(err.Error(), "an empty one for a new ledger") {
		t.Fatalf("got %v, want a refusal that names the way out", err)
	}
}
