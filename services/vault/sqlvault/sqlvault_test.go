package sqlvault_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/vault/sqlvault"
	"github.com/assenso/assenso/services/vault/vaulttest"
)

func open(t testing.TB, cfg sqlvault.Config) *sqlvault.Vault {
	t.Helper()
	v, err := sqlvault.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPort(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T) vaulttest.Harness {
		folder := t.TempDir()
		return vaulttest.Harness{
			Open: func(t *testing.T) vault.Vault { return open(t, sqlvault.Config{Folder: folder}) },
			Stored: func(t *testing.T) []byte {
				var all []byte
				for _, name := range []string{sqlvault.File, sqlvault.File + "-wal"} {
					b, err := os.ReadFile(filepath.Join(folder, name))
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, b...)
				}
				return all
			},
		}
	})
}

func closed(t testing.TB, v *sqlvault.Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Errorf("close vault: %v", err)
	}
}

// events.md 1.2: the first 128 bits of HMAC-SHA-256(pepper, E.164 with +).
func TestKeyIsTheContracts(t *testing.T) {
	folder := t.TempDir()
	v := open(t, sqlvault.Config{Folder: folder})
	defer closed(t, v)
	text, err := os.ReadFile(filepath.Join(folder, vault.PepperFile))
	if err != nil {
		t.Fatal(err)
	}
	pepper, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte("+393401234567"))
	if got, want := v.Key(vault.NewNumber("+393401234567")), events.ContactKey(mac.Sum(nil)[:16]); got != want {
		t.Fatalf("key %v, want %v", got, want)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	folder := t.TempDir()
	v := open(t, sqlvault.Config{Folder: folder})
	defer closed(t, v)
	for _, name := range []string{vault.PepperFile, vault.SealFile, sqlvault.File} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %#o, want 0600", name, info.Mode().Perm())
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, "*.new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestRefusals(t *testing.T) {
	other := strings.Repeat("ab", 32) + "\n"
	for name, c := range map[string]struct {
		spoil  func(folder string) error
		config sqlvault.Config
		says   string
	}{
		"pepper changed":           {func(f string) error { return os.WriteFile(filepath.Join(f, vault.PepperFile), []byte(other), 0o600) }, sqlvault.Config{}, "put the original file back"},
		"vault key changed":        {func(f string) error { return os.WriteFile(filepath.Join(f, vault.SealFile), []byte(other), 0o600) }, sqlvault.Config{}, "put the original file back"},
		"pepper missing":           {func(f string) error { return os.Remove(filepath.Join(f, vault.PepperFile)) }, sqlvault.Config{}, "restore it"},
		"vault key missing":        {func(f string) error { return os.Remove(filepath.Join(f, vault.SealFile)) }, sqlvault.Config{}, "restore it"},
		"pepper readable by group": {func(f string) error { return os.Chmod(filepath.Join(f, vault.PepperFile), 0o640) }, sqlvault.Config{}, "chmod 600"},
		"pepper damaged":           {func(f string) error { return os.WriteFile(filepath.Join(f, vault.PepperFile), []byte("ab\n"), 0o600) }, sqlvault.Config{}, "64 hexadecimal digits"},
		"another ledger":           {func(string) error { return nil }, sqlvault.Config{LedgerExists: true, LedgerFingerprint: "00"}, "the ledger was made with the pepper 00"},
		"all missing beside a ledger": {func(f string) error {
			return errors.Join(os.Remove(filepath.Join(f, vault.PepperFile)), os.Remove(filepath.Join(f, vault.SealFile)), os.Remove(filepath.Join(f, sqlvault.File)))
		}, sqlvault.Config{LedgerExists: true}, "a ledger or a vault exists"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			v := open(t, sqlvault.Config{Folder: folder})
			fingerprint := v.Fingerprint()
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			good := open(t, sqlvault.Config{Folder: folder, LedgerExists: true, LedgerFingerprint: fingerprint})
			if err := good.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(folder); err != nil {
				t.Fatal(err)
			}
			c.config.Folder = folder
			_, err := sqlvault.Open(context.Background(), c.config)
			if !errors.Is(err, vault.ErrRefused) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want a refusal that says %q", err, c.says)
			}
		})
	}
}

// A crash between making the keys and making the database is no reason to
// refuse: the keys are used.
func TestKeysWithoutDatabase(t *testing.T) {
	folder := t.TempDir()
	v := open(t, sqlvault.Config{Folder: folder})
	fingerprint := v.Fingerprint()
	if err := errors.Join(v.Close(), os.Remove(filepath.Join(folder, sqlvault.File))); err != nil {
		t.Fatal(err)
	}
	again := open(t, sqlvault.Config{Folder: folder})
	defer closed(t, again)
	if again.Fingerprint() != fingerprint {
		t.Fatal("another pepper was made")
	}
}

// A row that was exchanged for another's does not open.
func TestMovedRowDoesNotOpen(t *testing.T) {
	keys, err := vault.NewKeys(make([]byte, 32), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	key, wrapped, err := keys.NewDataKey("a")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal(vault.KindNumber, "a", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenDataKey("b", wrapped); !errors.Is(err, vault.ErrKey) {
		t.Errorf("data key of another row: %v, want ErrKey", err)
	}
	if _, err := key.Open(vault.KindNumber, "b", sealed); !errors.Is(err, vault.ErrKey) {
		t.Errorf("record of another row: %v, want ErrKey", err)
	}
	if _, err := key.Open(vault.KindEvidence, "a", sealed); !errors.Is(err, vault.ErrKey) {
		t.Errorf("record of another kind: %v, want ErrKey", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := key.Open(vault.KindNumber, "a", sealed); !errors.Is(err, vault.ErrKey) {
		t.Errorf("changed record: %v, want ErrKey", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", keys, keys, keys); strings.Contains(text, "0x0") {
		t.Error("keys print")
	}
}

// BenchmarkUpsert stores batches of 1000: "new" numbers never seen, "known"
// numbers whose claim is newer each time, "same" repeats.
func BenchmarkUpsert(b *testing.B) {
	for _, kind := range []string{"new", "known", "same"} {
		b.Run(kind, func(b *testing.B) {
			v := open(b, sqlvault.Config{Folder: b.TempDir()})
			defer closed(b, v)
			entries := make([]vault.Entry, 1000)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += len(entries) {
				b.StopTimer()
				for i := range entries {
					n := vault.NewNumber(fmt.Sprintf("+39340%07d", i))
					at := events.Instant(63_900_000_000_000_000)
					if kind == "new" {
						n = vault.NewNumber(fmt.Sprintf("+39340%07d", done+i))
					}
					if kind == "known" {
						at += events.Instant(done)
					}
					entries[i] = vault.Entry{Contact: v.Key(n), Controller: "A", Number: n, OccurredAt: at}
				}
				b.StartTimer()
				if err := v.Upsert(context.Background(), entries); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
