package vault

import (
	"crypto/rand"
	"fmt"

	"github.com/assenso/assenso/events"
)

// Kinds of sealed records; part of what the seal authenticates.
const (
	kindDataKey  = "data key"
	KindNumber   = "number"
	KindEvidence = "evidence"
	KindSealed   = "sealed"
)

// DataKey seals the records of one row (a contact, a claim, a sealed
// submission). It lies in that row, sealed under the vault's key; without it
// what it sealed cannot be opened by anybody, so erasure destroys it.
type DataKey struct {
	key [keySize]byte
}

// NewDataKey draws a random data key and returns it with its sealed form for
// storage. owner binds it to its row: the contact key and, for a claim, the
// controller; or a submission's id.
func (k *Keys) NewDataKey(owner string) (DataKey, []byte, error) {
	var d DataKey
	if _, err := rand.Read(d.key[:]); err != nil {
		return DataKey{}, nil, fmt.Errorf("make data key: %w", err)
	}
	wrapped := make([]byte, k.seal.NonceSize(), k.seal.NonceSize()+keySize+k.seal.Overhead())
	if _, err := rand.Read(wrapped); err != nil {
		return DataKey{}, nil, fmt.Errorf("make data key: %w", err)
	}
	return d, k.seal.Seal(wrapped, wrapped, d.key[:], associated(kindDataKey, owner)), nil
}

// OpenDataKey opens a stored data key; ErrKey if it was sealed under another
// key, for another owner, or was changed.
func (k *Keys) OpenDataKey(owner string, wrapped []byte) (DataKey, error) {
	n := k.seal.NonceSize()
	if len(wrapped) < n {
		return DataKey{}, fmt.Errorf("open data key: %w: row too short", ErrKey)
	}
	key, err := k.seal.Open(nil, wrapped[:n], wrapped[n:], associated(kindDataKey, owner))
	if err != nil || len(key) != keySize {
		return DataKey{}, fmt.Errorf("open data key: %w: restore %s from its copy if it was replaced", ErrKey, SealFile)
	}
	var d DataKey
	copy(d.key[:], key)
	return d, nil
}

// Seal returns nonce and ciphertext of plain, bound to kind and owner.
func (d *DataKey) Seal(kind, owner string, plain []byte) ([]byte, error) {
	aead, err := newAEAD(d.key[:])
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", kind, err)
	}
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(out); err != nil {
		return nil, fmt.Errorf("seal %s: %w", kind, err)
	}
	return aead.Seal(out, out, plain, associated(kind, owner)), nil
}

// Open is the inverse of Seal; ErrKey if the record was changed or moved.
func (d *DataKey) Open(kind, owner string, sealed []byte) ([]byte, error) {
	aead, err := newAEAD(d.key[:])
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	n := aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("open %s: %w: row too short", kind, ErrKey)
	}
	plain, err := aead.Open(nil, sealed[:n], sealed[n:], associated(kind, owner))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: the row was changed or moved", kind, ErrKey)
	}
	return plain, nil
}

// Owner names the row of a contact and, where not empty, of a controller.
func Owner(contact events.ContactKey, controller string) string {
	return string(contact[:]) + controller
}

func associated(kind, owner string) []byte {
	return append(append([]byte(kind), 0), owner...)
}
