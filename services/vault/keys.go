package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/assenso/assenso/events"
)

// Files of the keys below the data folder. Both hold 32 bytes as hexadecimal
// text and must be readable by their owner only. Keep copies of both apart from
// the data folder: without the pepper no number can be matched to the ledger
// again, without the other no number can be read.
const (
	PepperFile = "pepper.key"
	SealFile   = "vault.key"
)

// ErrRefused: the keys are not those that the ledger or the vault was made
// with, are missing, or can be read by others. The process must stop; the
// message says what to do.
var ErrRefused = errors.New("vault keys refused")

const keySize = 32

// Keys are the ledger's pepper and the key under which the vault's data keys
// are sealed. They never print. Make them with OpenKeys.
type Keys struct {
	pepper [keySize]byte
	macs   sync.Pool // of *keyer
	seal   cipher.AEAD
	check  [keySize]byte // names the sealing key without telling it
}

// keyer derives contact keys one after the other. Its mac has mixed the pepper
// in once and is only set back between two numbers: a list check derives a
// million keys.
type keyer struct {
	mac    hash.Hash
	number []byte
	sum    [sha256.Size]byte
}

// OpenKeys reads the two key files below folder. With create, a file that is
// missing is made: mode 0600, random, on disk (file and folder) on return;
// pass it only if neither ledger nor vault exist yet. It returns ErrRefused if
// a file is missing otherwise, is damaged, or can be read by group or others.
func OpenKeys(folder string, create bool) (*Keys, error) {
	pepper, err := openKey(folder, PepperFile, create)
	if err != nil {
		return nil, err
	}
	seal, err := openKey(folder, SealFile, create)
	if err != nil {
		return nil, err
	}
	return NewKeys(pepper, seal)
}

// NewKeys makes keys of 32 bytes each, for tests and for key stores other than
// files.
func NewKeys(pepper, seal []byte) (*Keys, error) {
	if len(pepper) != keySize || len(seal) != keySize {
		return nil, fmt.Errorf("make vault keys: %w: a key has not %d bytes", ErrRefused, keySize)
	}
	aead, err := newAEAD(seal)
	if err != nil {
		return nil, fmt.Errorf("make vault keys: %w", err)
	}
	k := &Keys{seal: aead}
	copy(k.pepper[:], pepper)
	k.macs.New = func() any { return &keyer{mac: hmac.New(sha256.New, k.pepper[:])} }
	mac := hmac.New(sha256.New, seal)
	mac.Write([]byte("assenso vault key, fingerprint 1"))
	mac.Sum(k.check[:0])
	return k, nil
}

// String hides the keys.
func (*Keys) String() string { return "vault keys" }

// GoString hides the keys.
func (*Keys) GoString() string { return "vault keys" }

// Key derives the contact key of a number: the first 128 bits of
// HMAC-SHA-256(pepper, E.164 as ASCII with +) (events.md 1.2). It allocates
// nothing once warm.
func (k *Keys) Key(n Number) events.ContactKey {
	d := k.macs.Get().(*keyer)
	defer k.macs.Put(d)
	d.mac.Reset()
	d.number = append(d.number[:0], n.e164...)
	d.mac.Write(d.number)
	return events.ContactKey(d.mac.Sum(d.sum[:0])[:16])
}

// Fingerprint names the pepper without telling it: 32 hexadecimal digits, the
// same for ever. Ledger and vault store it when they are made.
func (k *Keys) Fingerprint() string {
	mac := hmac.New(sha256.New, k.pepper[:])
	mac.Write([]byte("assenso pepper, fingerprint 1"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// SealFingerprint names the sealing key in the same way.
func (k *Keys) SealFingerprint() string { return hex.EncodeToString(k.check[:16]) }

// CheckFingerprint compares the pepper with the one that where was made with;
// an empty stored fingerprint passes. The error wraps ErrRefused.
func (k *Keys) CheckFingerprint(where, stored string) error {
	if stored == "" || stored == k.Fingerprint() {
		return nil
	}
	return fmt.Errorf("check pepper: %w: %s was made with the pepper %s, %s holds %s; "+
		"put the original file back: another pepper would give every number another contact key", ErrRefused, where, stored, PepperFile, k.Fingerprint())
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// openKey reads one key file, or makes it.
func openKey(folder, name string, create bool) ([]byte, error) {
	path := filepath.Join(folder, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		if err := makeKey(folder, name); err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open %s: %w: the file is missing in the data folder although a ledger or a vault exists there; "+
			"restore it from its copy: a new one cannot replace it", name, ErrRefused)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w: %w", name, ErrRefused, err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("open %s: %w: mode is %#o, others may read it; run chmod 600 on it and consider who has read it", name, ErrRefused, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: %w", name, ErrRefused, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("open %s: %w: the file does not hold %d hexadecimal digits; restore it from its copy", name, ErrRefused, 2*keySize)
	}
	return key, nil
}

// makeKey writes a random key to a file that appears whole or not at all and
// never replaces another.
func makeKey(folder, name string) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, name+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the name in between; the key has its own by then
	if _, err = f.WriteString(hex.EncodeToString(key) + "\n"); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
