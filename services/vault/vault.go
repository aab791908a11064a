// Package vault is the only link between a number (or evidence) and its key;
// it forgets on erasure. Everything in it is sealed with AES-GCM; the ledger
// holds keys and digests only (design.md 7). Backends: sqlvault (SQLite) and
// crdbvault (CockroachDB, PostgreSQL); vaulttest holds one case for every
// sentence of this file.
package vault

import (
	"context"
	"errors"

	"github.com/assenso/assenso/events"
)

// Number is an E.164 number with its leading +. It prints as "+…" in every
// format, so that it cannot reach a log by accident; Reveal gives the digits.
type Number struct{ e164 string }

// NewNumber wraps a normalised number.
func NewNumber(e164 string) Number { return Number{e164} }

// Reveal returns the number in clear.
func (n Number) Reveal() string { return n.e164 }

// String hides the number.
func (Number) String() string { return "+…" }

// GoString hides the number.
func (Number) GoString() string { return "+…" }

// MarshalText hides the number.
func (Number) MarshalText() ([]byte, error) { return []byte("+…"), nil }

// Entry is what one submission puts into the vault. Zero fields are left out.
type Entry struct {
	Contact    events.ContactKey // zero: evidence or a reject of no known contact
	Controller string            // who claims the contact; "" = none
	Number     Number
	Evidence   []byte         // canonical JSON of data.evidence; nil for none
	Digest     events.Digest  // SHA-256 of Evidence, under which it is found
	OccurredAt events.Instant // an entry not later than the controller's erasure stores nothing
}

// Sealed is a refused or parked submission, kept whole for a person.
type Sealed struct {
	ID       string // the reject's or parked message's id
	SealedAt events.Instant
	Body     []byte
}

// Errors of the port.
var (
	// ErrUnknown: the vault has no such entry (never had, or forgot it).
	ErrUnknown = errors.New("vault entry unknown")
	// ErrUnavailable: the store cannot be reached; retry.
	ErrUnavailable = errors.New("vault unavailable")
	// ErrKey: the record cannot be opened with the vault's key.
	ErrKey = errors.New("vault key does not open the record")
)

// Vault is the port. All writes are durable on return and idempotent: writing
// the same entry again changes nothing. It is safe for concurrent use.
type Vault interface {
	// Key derives the contact key of a normalised number under the ledger's
	// pepper (events.md 1.2). It neither reads nor writes the store.
	Key(n Number) events.ContactKey
	// Upsert stores the entries of one batch in one transaction. An entry
	// whose OccurredAt is not later than the erasure of its contact for its
	// controller stores nothing and is no error.
	Upsert(ctx context.Context, entries []Entry) error
	// Number returns the number of a contact, or ErrUnknown.
	Number(ctx context.Context, key events.ContactKey) (Number, error)
	// Evidence returns the evidence with the given digest of one contact of
	// one controller, or ErrUnknown.
	Evidence(ctx context.Context, key events.ContactKey, controller string, digest events.Digest) ([]byte, error)
	// Seal stores refused or parked submissions whole.
	Seal(ctx context.Context, bodies []Sealed) error
	// Unseal returns a sealed submission, or ErrUnknown.
	Unseal(ctx context.Context, id string) (Sealed, error)
	// Discard forgets a sealed submission; unknown ids are no error.
	Discard(ctx context.Context, id string) error
	// Erase forgets the evidence of the controller for the contact, and the
	// number when no controller claims the contact any more, and leaves a
	// tombstone (contact, controller, at). What the controller stored with a
	// later OccurredAt stays, evidence and claim, so that an erasure that
	// arrives late, or is repeated, is the same as one in time.
	Erase(ctx context.Context, key events.ContactKey, controller string, at events.Instant) error
	// Close releases the store.
	Close() error
}
