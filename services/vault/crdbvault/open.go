// Package crdbvault keeps the vault in CockroachDB or PostgreSQL: every record
// sealed before it leaves the process, every write durable when the call
// returns, any number of processes beside each other.
//
//	v, err := crdbvault.Open(ctx, url, crdbvault.Config{Folder: ".data", LedgerFingerprint: fp})
//
// The keys stay in files of the data folder, apart from the database: who reads
// the database alone reads nothing. What is erased is gone for every query when
// the call returns; its sealed bytes leave the disk when the server collects
// them (PostgreSQL: the next vacuum, and the recycling of its write-ahead log;
// CockroachDB: gc.ttlseconds), and with the backups. Where the disk is not
// trusted to that end, encrypt it.
package crdbvault

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/crdb/pgtx"
	"github.com/assenso/assenso/services/vault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versions is goose's table.
const versions = "vault_version"

// Config says where the keys lie and which ledger the vault belongs to.
type Config struct {
	// Folder is the data folder with the keys; it is made with mode 0700 where
	// missing.
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
	db   *pgtx.DB
	turn chan struct{} // held by the one goroutine that upserts
}

var _ vault.Vault = (*Vault)(nil)

// Names of the properties that a vault is made with.
const (
	propertyPepper = "pepper"
	propertySeal   = "seal"
)

// Open opens the vault in the database of a postgres:// URL, making it and its
// keys where there was neither vault nor ledger. It returns an error that wraps
// vault.ErrRefused if the keys are missing, changed or readable by others, and
// vault.ErrUnavailable if the database cannot be opened.
func Open(ctx context.Context, url string, cfg Config) (*Vault, error) {
	const op = "open vault"
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w: make the data folder: %w", op, vault.ErrUnavailable, err)
	}
	// Serializable: an upsert that has seen no tombstone and an erasure that
	// has seen no claim must not both succeed.
	db, err := pgtx.Open(ctx, url, pgtx.Options{Isolation: pgx.Serializable, Migrations: files, Versions: versions})
	if err != nil {
		return nil, unavailable(op, err)
	}
	v := &Vault{db: db, turn: make(chan struct{}, 1)}
	if err := v.openKeys(ctx, cfg); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return v, nil
}

// openKeys opens or makes the keys and compares them with those that ledger
// and vault were made with.
func (v *Vault) openKeys(ctx context.Context, cfg Config) error {
	made, err := v.property(ctx, propertyPepper)
	if err != nil {
		return err
	}
	fresh := made == "" && !cfg.LedgerExists && cfg.LedgerFingerprint == ""
	if v.keys, err = vault.OpenKeys(cfg.Folder, fresh); err != nil {
		return err
	}
	if err := v.keys.CheckFingerprint("the ledger", cfg.LedgerFingerprint); err != nil {
		return err
	}
	pepper, err := v.keep(ctx, propertyPepper, v.keys.Fingerprint())
	if err != nil {
		return err
	}
	if err := v.keys.CheckFingerprint("the vault", pepper); err != nil {
		return err
	}
	seal, err := v.keep(ctx, propertySeal, v.keys.SealFingerprint())
	if err == nil && seal != v.keys.SealFingerprint() {
		err = fmt.Errorf("check vault key: %w: %s is not the key (%s) that the vault was made with; put the original file back", vault.ErrRefused, vault.SealFile, seal)
	}
	return err
}

// property returns what is stored under a name, or "".
func (v *Vault) property(ctx context.Context, name string) (string, error) {
	var value []byte
	err := v.db.Read(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, sqlProperty, []byte(name)).Scan(&value) })
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", unavailable("read vault property", err)
	}
	return string(value), nil
}

// keep stores value under name in a new vault; it returns what stands there.
func (v *Vault) keep(ctx context.Context, name, value string) (string, error) {
	err := v.db.Run(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlPutProperty, []byte(name), []byte(value))
		return err
	})
	if err != nil {
		return "", unavailable("store vault property", err)
	}
	return v.property(ctx, name)
}

// Key implements vault.Vault.
func (v *Vault) Key(n vault.Number) events.ContactKey { return v.keys.Key(n) }

// Fingerprint names the pepper; the ledger stores it when it is made and gives
// it back in Config.LedgerFingerprint.
func (v *Vault) Fingerprint() string { return v.keys.Fingerprint() }

// Close implements vault.Vault. It waits for calls that are under way.
func (v *Vault) Close() error {
	v.db.Close()
	return nil
}

// unavailable wraps an error of the database. What is sent there holds no
// number, so neither does its text. A commit of which the answer was lost is an
// unavailable store, too: every write may be repeated.
func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{context.Canceled, context.DeadlineExceeded, vault.ErrKey} {
		if errors.Is(err, own) {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", op, vault.ErrUnknown)
	}
	return fmt.Errorf("%s: %w: %w", op, vault.ErrUnavailable, err)
}
