package crdbvault

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// one reads one row.
func (v *Vault) one(ctx context.Context, query string, args []any, into ...any) error {
	return v.db.Read(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, query, args...).Scan(into...) })
}

// Number implements vault.Vault.
func (v *Vault) Number(ctx context.Context, contact events.ContactKey) (vault.Number, error) {
	const op = "read number"
	var wrapped, sealed []byte
	if err := v.one(ctx, sqlNumber, []any{contact[:], []byte(numbers)}, &wrapped, &sealed); err != nil {
		return vault.Number{}, unavailable(op, err)
	}
	owner := vault.Owner(contact, numbers)
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
	k := claimKey{contact, cmp.Or(controller, nobody)}
	var wrapped, body []byte
	if err := v.one(ctx, sqlEvidence, []any{contact[:], []byte(k.controller), digest[:]}, &wrapped, &body); err != nil {
		return nil, unavailable(op, err)
	}
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

// sealedRow is a row of sealed on its way in.
type sealedRow struct {
	vault.Sealed
	dataKey, body []byte
}

// Seal implements vault.Vault.
func (v *Vault) Seal(ctx context.Context, bodies []vault.Sealed) error {
	const op = "seal submissions"
	if len(bodies) == 0 {
		return nil
	}
	rows := make([]sealedRow, len(bodies))
	for i, s := range bodies {
		key, wrapped, err := v.keys.NewDataKey(s.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		body, err := key.Seal(vault.KindSealed, s.ID, s.Body)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		rows[i] = sealedRow{s, wrapped, body}
	}
	return unavailable(op, v.db.Run(ctx, func(tx pgx.Tx) error {
		for part := range slices.Chunk(rows, width) {
			if _, err := tx.Exec(ctx, sqlPutSealed,
				column(part, func(r *sealedRow) []byte { return []byte(r.ID) }),
				column(part, func(r *sealedRow) int64 { return r.SealedAt.UnixMicro() }),
				column(part, func(r *sealedRow) []byte { return r.dataKey }),
				column(part, func(r *sealedRow) []byte { return r.body })); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Unseal implements vault.Vault.
func (v *Vault) Unseal(ctx context.Context, id string) (vault.Sealed, error) {
	const op = "unseal submission"
	var at int64
	var wrapped, body []byte
	if err := v.one(ctx, sqlSealed, []any{[]byte(id)}, &at, &wrapped, &body); err != nil {
		return vault.Sealed{}, unavailable(op, err)
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

// Discard implements vault.Vault.
func (v *Vault) Discard(ctx context.Context, id string) error {
	return unavailable("discard submission", v.db.Run(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlDiscard, []byte(id))
		return err
	}))
}

// Erase implements vault.Vault. Calling it again with the same or an earlier
// instant deletes nothing more; what the controller recorded later stays.
func (v *Vault) Erase(ctx context.Context, contact events.ContactKey, controller string, at events.Instant) error {
	return unavailable("erase vault entries", v.db.Run(ctx, func(tx pgx.Tx) error {
		for _, statement := range []string{sqlPutTombstone, sqlEraseEvidence, sqlEraseClaim} {
			if _, err := tx.Exec(ctx, statement, contact[:], []byte(controller), at.UnixMicro()); err != nil {
				return err
			}
		}
		var claimed bool
		if err := tx.QueryRow(ctx, sqlClaimed, contact[:], [][]byte{[]byte(numbers), []byte(nobody)}).Scan(&claimed); err != nil || claimed {
			return err
		}
		for _, statement := range []string{sqlForget, sqlForgetClaims} {
			if _, err := tx.Exec(ctx, statement, contact[:]); err != nil {
				return err
			}
		}
		return nil
	}))
}
