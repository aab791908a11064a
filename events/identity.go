package events

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// ContactKey names a contact point without its number: the first 128 bits of
// HMAC-SHA-256(ledger pepper, E.164 as ASCII with +) (events.md 1.2). The zero
// key means "no contact".
type ContactKey [16]byte

// ErrContactKey is returned for text that is not 32 lower-case hex digits.
var ErrContactKey = errors.New("not a contact key of 32 lower-case hex digits")

// ParseContactKey reads 32 lower-case hex digits.
func ParseContactKey(s string) (ContactKey, error) {
	var k ContactKey
	if err := decodeLowerHex(k[:], s); err != nil {
		return ContactKey{}, ErrContactKey
	}
	return k, nil
}

// IsZero reports whether k names no contact.
func (k ContactKey) IsZero() bool { return k == ContactKey{} }

// String returns 32 lower-case hex digits; "" for the zero key.
func (k ContactKey) String() string {
	if k.IsZero() {
		return ""
	}
	return hex.EncodeToString(k[:])
}

// MarshalText implements encoding.TextMarshaler.
func (k ContactKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is the zero key.
func (k *ContactKey) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*k = ContactKey{}
		return nil
	}
	v, err := ParseContactKey(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}

// Partition is the ledger partition of k among p (1 to 65,536): the first two
// bytes of the key, big endian, modulo p (design.md 4).
func (k ContactKey) Partition(p int) int {
	return int(binary.BigEndian.Uint16(k[:2])) % p
}

// Digest is a SHA-256 value. The zero Digest means "absent".
type Digest [32]byte

// ErrDigest is returned for text that is not 64 lower-case hex digits.
var ErrDigest = errors.New("not a SHA-256 of 64 lower-case hex digits")

// ParseDigest reads 64 lower-case hex digits.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if err := decodeLowerHex(d[:], s); err != nil {
		return Digest{}, ErrDigest
	}
	return d, nil
}

// IsZero reports whether d is absent.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns 64 lower-case hex digits; "" when absent.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is absent.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	v, err := ParseDigest(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Identity is what makes an event one and the same however often it is sent:
// its source and its id within that source (events.md 1.1).
type Identity struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// IdentityHash is the fixed-size key of an identity in indexes: the first 128
// bits of SHA-256(source, 0x00, id).
type IdentityHash [16]byte

// Hash returns the index key of i.
func (i Identity) Hash() IdentityHash {
	b := make([]byte, 0, 160)
	b = append(b, i.Source...)
	b = append(b, 0)
	b = append(b, i.ID...)
	s := sha256.Sum256(b)
	return IdentityHash(s[:16])
}

// MessageID is the broker's deduplication id of one variant of an identity:
// hex of the first 128 bits of SHA-256(source, 0x00, id, 0x00, payload digest).
// With source and id alone the broker would swallow the second variant of a
// conflict (design.md 4).
func MessageID(i Identity, payload Digest) string {
	b := make([]byte, 0, 200)
	b = append(b, i.Source...)
	b = append(b, 0)
	b = append(b, i.ID...)
	b = append(b, 0)
	b = append(b, payload[:]...)
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:16])
}

func decodeLowerHex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return hex.ErrLength
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return hex.InvalidByteError(c)
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}
