package sqlvault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// Number implements vault.Vault.
func (v *Vault) Number(ctx context.Context, contact events.ContactKey) (vault.Number, error) {
	const op = "read number"
	var wrapped, sealed []byte
	err := v.db.Read.QueryRowContext(ctx, `SELECT data_key, number FROM claim WHERE contact = ? AND controller = ''`, contact[:]).Scan(&wrapped, &sealed)
	if err != nil {
		return vault.Number{}, absent(op, err)
	}
	owner := vault.Owner(contact, "")
	key, err := v.keys.OpenDataKey(owner, wrapped)
	if err != nil {
		return vault.Number{}, fmt.Errorf("%s: %w", op, err)
	}
	plain, err := key.Open(vault.KindNumber, owner, sealed)
	if err != nil {
		return vault.Number{}, fmt.Errorf("%s: %w", op, err)
	}
	return vault.NewNumber(string(plain)), nil
}

// Evidence implements vault.Vault.
func (v *Vault) Evidence(ctx context.Context, contact events.ContactKey, controller string, digest events.Digest) ([]byte, error) {
	const op = "read evidence"
	var wrapped, body []byte
	err := v.db.Read.QueryRowContext(ctx, `SELECT c.data_key, e.body FROM evidence e JOIN claim c ON c.contact = e.contact AND c.controller = e.controller
		WHERE e.contact = ? AND e.controller = ? AND e.digest = ?`, contact[:], ownerColumn(controller), digest[:]).Scan(&wrapped, &body)
	if err != nil {
		return nil, absent(op, err)
	}
	k := claimKey{contact, ownerColumn(controller)}
	key, err := v.keys.OpenDataKey(vault.Owner(contact, k.controller), wrapped)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	plain, err := key.Open(vault.KindEvidence, evidenceOwner(k, digest), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return plain, nil
}

// Seal implements vault.Vault.
func (v *Vault) Seal(ctx context.Context, bodies []vault.Sealed) error {
	const op = "seal submissions"
	args := make([]any, 0, 4*len(bodies))
	for _, s := range bodies {
		key, wrapped, err := v.keys.NewDataKey(s.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		body, err := key.Seal(vault.KindSealed, s.ID, s.Body)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		args = append(args, s.ID, s.SealedAt.UnixMicro(), wrapped, body)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	tx, err := v.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(op, err)
	}
	defer tx.Rollback()
	if _, err := v.stmts.sealed.Write(ctx, tx, args); err != nil {
		return unavailable(op, err)
	}
	if err := tx.Commit(); err != nil {
		return unavailable(op, err)
	}
	return nil
}

// Unseal implements vault.Vault.
func (v *Vault) Unseal(ctx context.Context, id string) (vault.Sealed, error) {
	const op = "unseal submission"
	var at int64
	var wrapped, body []byte
	err := v.db.Read.QueryRowContext(ctx, `SELECT sealed_us, data_key, body FROM sealed WHERE id = ?`, id).Scan(&at, &wrapped, &body)
	if err != nil {
		return vault.Sealed{}, absent(op, err)
	}
	key, err := v.keys.OpenDataKey(id, wrapped)
	if err != nil {
		return vault.Sealed{}, fmt.Errorf("%s: %w", op, err)
	}
	plain, err := key.Open(vault.KindSealed, id, body)
	if err != nil {
		return vault.Sealed{}, fmt.Errorf("%s: %w", op, err)
	}
	return vault.Sealed{ID: id, SealedAt: events.InstantFromUnixMicro(at), Body: plain}, nil
}

func absent(op string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", op, vault.ErrUnknown)
	}
	return unavailable(op, err)
}
