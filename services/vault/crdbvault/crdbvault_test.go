//go:build postgres

package crdbvault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/vault/crdbvault"
	"github.com/assenso/assenso/services/vault/vaulttest"
)

const noon = events.Instant(63_900_000_000_000_000)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t testing.TB, url string, cfg crdbvault.Config) *crdbvault.Vault {
	t.Helper()
	v, err := crdbvault.Open(context.Background(), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tables reads every row of the vault as raw bytes. What lies on the server's
// disk beyond that is the server's business (see the package comment).
func tables(t *testing.T, url string) []byte {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, table := range []string{"claim", "evidence", "tombstone", "sealed", "property"} {
		rows, err := conn.Query(ctx, "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			all.Write(bytes.Join(rows.RawValues(), nil))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

func TestPort(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		vaulttest.Run(t, func(t *testing.T) vaulttest.Harness {
			url, folder := s.Schema(t), t.TempDir()
			return vaulttest.Harness{
				Open:   func(t *testing.T) vault.Vault { return open(t, url, crdbvault.Config{Folder: folder}) },
				Stored: func(t *testing.T) []byte { return tables(t, url) },
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	other := []byte(strings.Repeat("ab", 32) + "\n")
	for name, c := range map[string]struct {
		spoil  func(folder string) error
		config crdbvault.Config
		says   string
	}{
		"pepper changed":    {func(f string) error { return os.WriteFile(filepath.Join(f, vault.PepperFile), other, 0o600) }, crdbvault.Config{}, "put the original file back"},
		"vault key changed": {func(f string) error { return os.WriteFile(filepath.Join(f, vault.SealFile), other, 0o600) }, crdbvault.Config{}, "put the original file back"},
		"pepper missing":    {func(f string) error { return os.Remove(filepath.Join(f, vault.PepperFile)) }, crdbvault.Config{}, "restore it"},
		"another ledger":    {func(string) error { return nil }, crdbvault.Config{LedgerExists: true, LedgerFingerprint: "00"}, "the ledger was made with the pepper 00"},
	} {
		t.Run(name, func(t *testing.T) {
			url, folder := pgtest.Postgres(t).Schema(t), t.TempDir()
			v := open(t, url, crdbvault.Config{Folder: folder})
			fingerprint := v.Fingerprint()
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			good := open(t, url, crdbvault.Config{Folder: folder, LedgerExists: true, LedgerFingerprint: fingerprint})
			if err := good.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(folder); err != nil {
				t.Fatal(err)
			}
			c.config.Folder = folder
			_, err := crdbvault.Open(t.Context(), url, c.config)
			if !errors.Is(err, vault.ErrRefused) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want a refusal that says %q", err, c.says)
			}
		})
	}
}

// A ledger without a vault and without keys is not given new ones.
func TestNoNewKeysBesideALedger(t *testing.T) {
	folder := t.TempDir()
	_, err := crdbvault.Open(t.Context(), pgtest.Postgres(t).Schema(t), crdbvault.Config{Folder: folder, LedgerExists: true})
	if !errors.Is(err, vault.ErrRefused) {
		t.Fatalf("got %v, want ErrRefused", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Fatalf("%d files were made, %v", len(left), err)
	}
}

// An upsert that was begun before the erasure, by another process, is either
// seen by it or sees it.
func TestErasureBesideUpserts(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		url, folder := s.Schema(t), t.TempDir()
		writer, eraser := open(t, url, crdbvault.Config{Folder: folder}), open(t, url, crdbvault.Config{Folder: folder})
		for i := range 40 {
			n := vault.NewNumber(fmt.Sprintf("+39340%07d", i))
			entry := vault.Entry{Contact: writer.Key(n), Controller: "A", Number: n, OccurredAt: noon}
			begin, ended := make(chan struct{}), make(chan error, 2)
			go func() { <-begin; ended <- writer.Upsert(context.Background(), []vault.Entry{entry}) }()
			go func() { <-begin; ended <- eraser.Erase(context.Background(), entry.Contact, "A", noon) }()
			close(begin)
			if err := errors.Join(<-ended, <-ended); err != nil {
				t.Fatal(err)
			}
			if _, err := writer.Number(t.Context(), entry.Contact); !errors.Is(err, vault.ErrUnknown) {
				t.Fatalf("round %d: the number outlived its erasure (%v)", i, err)
			}
		}
		if err := errors.Join(writer.Close(), eraser.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestUnreachableDatabase(t *testing.T) {
	_, err := crdbvault.Open(t.Context(), "postgres://u:secret@127.0.0.1:1/x?connect_timeout=2", crdbvault.Config{Folder: t.TempDir()})
	if !errors.Is(err, vault.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Fatal("the error holds the password")
	}
}
