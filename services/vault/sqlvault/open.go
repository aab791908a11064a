// Package sqlvault keeps the vault in SQLite: one file below the data folder,
// every record sealed, every write on disk when the call returns.
//
// It is the embedded backend of package vault:
//
//	v, err := sqlvault.Open(ctx, sqlvault.Config{Folder: ".data", LedgerFingerprint: fp})
//
// One goroutine at a time writes, readers use connections of their own. An
// erasure deletes data key and records, overwrites their pages (secure_delete)
// and truncates the write-ahead log before it returns.
package sqlvault

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/vault"
)

// File is the database below the data folder.
const File = "vault.db"

//go:embed migrations/*.sql
var migrations embed.FS

// Config says where the vault lies and which ledger it belongs to.
type Config struct {
	// Folder is the data folder; it is made with mode 0700 where missing.
	Folder string
	// LedgerExists tells that a ledger was found: missing keys are then
	// refused instead of made.
	LedgerExists bool
	// LedgerFingerprint is what the ledger has stored of its pepper
	// (Vault.Fingerprint when it was made); "" if it has stored nothing.
	LedgerFingerprint string
}

// Vault is the backend. Make one with Open.
type Vault struct {
	keys *vault.Keys
	db   *sqlitefile.DB

	mu      sync.Mutex // held by the writer
	claims  *claimCache
	version int64 // data_version of the write connection when claims was last known good
	stmts   statements
}

var _ vault.Vault = (*Vault)(nil)

// Open opens the vault of a data folder, making it and its keys where there
// was neither vault nor ledger. It returns an error that wraps
// vault.ErrRefused if the keys are missing, changed or readable by others, and
// vault.ErrUnavailable if the database cannot be opened.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w: make the data folder: %w", vault.ErrUnavailable, err)
	}
	path := filepath.Join(cfg.Folder, File)
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open vault: %w: %w", vault.ErrUnavailable, err)
	}
	fresh := err != nil && !cfg.LedgerExists && cfg.LedgerFingerprint == ""
	keys, err := vault.OpenKeys(cfg.Folder, fresh)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if err := keys.CheckFingerprint("the ledger", cfg.LedgerFingerprint); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v := &Vault{keys: keys, claims: newClaimCache(claimCacheSize)}
	if err := v.connect(ctx, path); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *Vault) connect(ctx context.Context, path string) error {
	var err error
	if v.db, err = sqlitefile.Open(ctx, sqlitefile.Config{Path: path, Migrations: migrations, Readers: 4, Pragmas: []string{
		"synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)", "cache_size(-131072)", "wal_autocheckpoint(16384)",
	}}); err != nil {
		return unavailable("open vault", err)
	}
	if err := v.checkProperty(ctx, "pepper", v.keys.Fingerprint(), func(stored string) error {
		return v.keys.CheckFingerprint("the vault", stored)
	}); err != nil {
		return err
	}
	if err := v.checkProperty(ctx, "seal", v.keys.SealFingerprint(), func(stored string) error {
		return fmt.Errorf("check vault key: %w: %s is not the key (%s) that the vault was made with; put the original file back", vault.ErrRefused, vault.SealFile, stored)
	}); err != nil {
		return err
	}
	return v.stmts.prepare(ctx, v.db.Write)
}

// checkProperty stores want under name in a new vault and calls differs with
// what an older one holds instead.
func (v *Vault) checkProperty(ctx context.Context, name, want string, differs func(stored string) error) error {
	if _, err := v.db.Write.ExecContext(ctx, `INSERT INTO property (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, want); err != nil {
		return unavailable("open vault", err)
	}
	var stored string
	if err := v.db.Write.QueryRowContext(ctx, `SELECT value FROM property WHERE name = ?`, name).Scan(&stored); err != nil {
		return unavailable("open vault", err)
	}
	if stored != want {
		return fmt.Errorf("open vault: %w", differs(stored))
	}
	return nil
}

// Key implements vault.Vault.
func (v *Vault) Key(n vault.Number) events.ContactKey { return v.keys.Key(n) }

// Fingerprint names the pepper; the ledger stores it when it is made and gives
// it back in Config.LedgerFingerprint.
func (v *Vault) Fingerprint() string { return v.keys.Fingerprint() }

// Close implements vault.Vault.
func (v *Vault) Close() error { return v.db.Close() }

// unavailable wraps an error of the database. Its text never bears a value:
// the driver names tables and columns only.
func unavailable(op string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, vault.ErrUnavailable, err)
}
