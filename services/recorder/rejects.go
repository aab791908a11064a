package recorder

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// Rejects keeps refused submissions (events.md 6): the original whole and
// sealed in the vault, under the reject's id; in the stream REJECTS only what
// bears no personal data. Recorders use it, and doors for what never parses or
// has no family. It is safe for concurrent use.
type Rejects struct {
	shelf shelf[Reject]
	vault vault.Vault
	clock func() events.Instant
}

// Refusal is one submission to be refused.
type Refusal struct {
	Reject string // its id; "" = a new one. Equal ids are kept once
	Source string // source, id and type of the submission, as far as readable
	ID     string
	Type   string
	Errors []events.Fault
	Body   []byte // the original
}

// Reject is a refused submission as it stands in the stream. Source, id and
// type are left out where they look like personal data or are unreadable.
type Reject struct {
	Reject     string         `json:"reject"`
	RejectedAt events.Instant `json:"rejected_at"`
	Source     string         `json:"source,omitempty"`
	ID         string         `json:"id,omitempty"`
	Type       events.Type    `json:"type,omitempty"`
	Errors     []events.Fault `json:"errors"`
}

// NewRejects returns the rejects of the stream that Provision made.
func NewRejects(nc *nats.Conn, v vault.Vault, clock func() events.Instant) (*Rejects, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("new rejects: %w", err)
	}
	return &Rejects{shelf: shelf[Reject]{js, StreamRejects}, vault: v, clock: clock}, nil
}

// Reject seals the originals and then announces them. Both are durable when it
// returns; after an error neither may be relied upon, and a repetition with the
// same ids keeps each once. Errors are transient (see Transient). The answer is
// in the order of the refusals.
func (r *Rejects) Reject(ctx context.Context, refused []Refusal) ([]Reject, error) {
	if len(refused) == 0 {
		return nil, nil
	}
	now := r.clock()
	sealed := make([]vault.Sealed, len(refused))
	notes := make([]note[Reject], len(refused))
	out := make([]Reject, len(refused))
	for i, f := range refused {
		if f.Reject == "" {
			var id [12]byte
			_, _ = rand.Read(id[:]) // never fails
			f.Reject = hex.EncodeToString(id[:])
		}
		out[i] = Reject{
			Reject: f.Reject, RejectedAt: now, Source: clean(f.Source), ID: clean(f.ID), Type: cleanType(f.Type), Errors: f.Errors,
		}
		sealed[i] = vault.Sealed{ID: f.Reject, SealedAt: now, Body: f.Body}
		notes[i] = note[Reject]{events.RejectSubject(out[i].Source), f.Reject, out[i]}
	}
	if err := r.vault.Seal(ctx, sealed); err != nil {
		return nil, fmt.Errorf("reject: seal the originals: %w", err)
	}
	if err := r.shelf.put(ctx, notes); err != nil {
		return nil, fmt.Errorf("reject: %w", err)
	}
	return out, nil
}

// List returns a page of up to limit rejects (at most MaxPage), the oldest
// first, of one source or of all (""), from a cursor on ("" = the first page).
// next is the cursor of the next page, "" at the end.
func (r *Rejects) List(ctx context.Context, source, cursor string, limit int) (page []Reject, next string, err error) {
	filter := ""
	if source != "" {
		filter = events.RejectSubject(source)
	}
	if page, next, err = r.shelf.list(ctx, filter, cursor, limit); err != nil {
		return nil, "", fmt.Errorf("list rejects: %w", err)
	}
	return page, next, nil
}

// Get returns the reject with an id, or ErrUnknown. It reads the stream from the
// beginning: for a person who looks at one, not for a loop.
func (r *Rejects) Get(ctx context.Context, reject string) (Reject, error) {
	one, _, err := r.shelf.find(ctx, func(m *Reject) bool { return m.Reject == reject })
	if err != nil {
		return Reject{}, fmt.Errorf("get reject: %w", err)
	}
	return one, nil
}

// Original returns the refused submission as it was sent, personal data
// included, or ErrUnknown. Whoever shows it records access.exercised.
func (r *Rejects) Original(ctx context.Context, reject string) ([]byte, error) {
	s, err := r.vault.Unseal(ctx, reject)
	if errors.Is(err, vault.ErrUnknown) {
		return nil, fmt.Errorf("read reject: %w", ErrUnknown)
	}
	if err != nil {
		return nil, fmt.Errorf("read reject: %w", err)
	}
	return s.Body, nil
}
