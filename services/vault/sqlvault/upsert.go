package sqlvault

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/vault"
)

// claim is what one batch says of one controller's claim on one contact.
type claim struct {
	claimKey
	number   vault.Number
	last     events.Instant
	evidence []vault.Entry
}

// Upsert implements vault.Vault.
func (v *Vault) Upsert(ctx context.Context, entries []vault.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.forgetIfForeign(ctx); err != nil {
		return unavailable("store vault entries", err)
	}
	if len(v.news(fold(entries))) == 0 {
		return nil
	}
	tx, err := v.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return unavailable("store vault entries", err)
	}
	defer tx.Rollback()
	entries, err = v.withoutErased(ctx, tx, entries)
	if err != nil {
		return unavailable("store vault entries", err)
	}
	claims := v.news(fold(entries))
	if err := v.putClaims(ctx, tx, claims); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return unavailable("store vault entries", err)
	}
	for _, c := range claims {
		known, _ := v.claims.get(c.claimKey)
		v.claims.put(c.claimKey, stored{last: max(known.last, c.last), number: known.number || c.number.Reveal() != ""})
	}
	return nil
}

// forgetIfForeign empties the cache if another process has written since.
func (v *Vault) forgetIfForeign(ctx context.Context) error {
	var version int64
	if err := v.db.Write.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return err
	}
	if version != v.version {
		v.claims.clear()
		v.version = version
	}
	return nil
}

// fold joins the entries of one claim, in the order of their first appearance.
func fold(entries []vault.Entry) []*claim {
	byKey := make(map[claimKey]*claim, len(entries))
	out := make([]*claim, 0, len(entries))
	for _, e := range entries {
		k := claimKey{e.Contact, e.Controller}
		c := byKey[k]
		if c == nil {
			c = &claim{claimKey: k}
			byKey[k] = c
			out = append(out, c)
		}
		if e.Number.Reveal() != "" {
			c.number = e.Number
		}
		if e.Evidence != nil {
			c.evidence = append(c.evidence, e)
		}
		c.last = max(c.last, e.OccurredAt)
	}
	return out
}

// news leaves out the claims of which everything is stored.
func (v *Vault) news(claims []*claim) []*claim {
	out := claims[:0]
	for _, c := range claims {
		known, ok := v.claims.get(c.claimKey)
		if ok && len(c.evidence) == 0 && c.last <= known.last && (known.number || c.number.Reveal() == "") {
			continue
		}
		out = append(out, c)
	}
	return out
}

// withoutErased drops the entries that are not later than their controller's
// erasure; one without a controller must be later than every erasure.
func (v *Vault) withoutErased(ctx context.Context, tx *sql.Tx, entries []vault.Entry) ([]vault.Entry, error) {
	asked := make(map[events.ContactKey]bool, len(entries))
	var args []any
	for _, e := range entries {
		if !asked[e.Contact] {
			asked[e.Contact] = true
			args = append(args, e.Contact[:])
		}
	}
	erased := map[claimKey]events.Instant{}
	err := v.stmts.tombstones.Look(ctx, tx, args, func(r *sql.Rows) error {
		var contact []byte
		var controller string
		var at int64
		if err := r.Scan(&contact, &controller, &at); err != nil {
			return err
		}
		k := claimKey{events.ContactKey(contact), controller}
		erased[k] = events.InstantFromUnixMicro(at)
		anyone := claimKey{contact: k.contact}
		erased[anyone] = max(erased[anyone], erased[k])
		return nil
	})
	if err != nil || len(erased) == 0 {
		return entries, err
	}
	kept := make([]vault.Entry, 0, len(entries))
	for _, e := range entries {
		if at, ok := erased[claimKey{e.Contact, e.Controller}]; !ok || e.OccurredAt > at {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// nobody stands in the column controller for evidence without a controller; it
// can be no controller's name.
const nobody = "_"

func ownerColumn(controller string) string {
	if controller == "" {
		return nobody
	}
	return controller
}

func (v *Vault) putClaims(ctx context.Context, tx *sql.Tx, claims []*claim) error {
	slices.SortFunc(claims, func(a, b *claim) int { return bytes.Compare(a.contact[:], b.contact[:]) })
	var owned, proofs []any
	var numbered events.ContactKey
	for _, c := range claims {
		if known, _ := v.claims.get(c.claimKey); c.number.Reveal() != "" && !known.number && numbered != c.contact {
			numbered = c.contact
			key, sealed, err := v.sealNumber(c.contact, c.number)
			if err != nil {
				return err
			}
			owned = append(owned, c.contact[:], "", int64(0), key, sealed)
		}
		if c.controller == "" && len(c.evidence) == 0 {
			continue
		}
		row := claimKey{c.contact, ownerColumn(c.controller)}
		var wrapped []byte
		if len(c.evidence) > 0 {
			key, sealed, err := v.claimKey(ctx, tx, row)
			if err != nil {
				return err
			}
			wrapped = sealed
			if proofs, err = sealEvidence(proofs, key, row, c.evidence); err != nil {
				return err
			}
		}
		owned = append(owned, c.contact[:], row.controller, c.last.UnixMicro(), wrapped, nil)
	}
	for _, step := range []struct {
		into *sqlitefile.Bulk
		args []any
	}{{v.stmts.claim, owned}, {v.stmts.evidence, proofs}} {
		if _, err := step.into.Write(ctx, tx, step.args); err != nil {
			return unavailable("store vault entries", err)
		}
	}
	return nil
}

func (v *Vault) sealNumber(contact events.ContactKey, n vault.Number) (wrapped, sealed []byte, err error) {
	owner := vault.Owner(contact, "")
	key, wrapped, err := v.keys.NewDataKey(owner)
	if err != nil {
		return nil, nil, fmt.Errorf("store vault entries: %w", err)
	}
	sealed, err = key.Seal(vault.KindNumber, owner, []byte(n.Reveal()))
	if err != nil {
		return nil, nil, fmt.Errorf("store vault entries: %w", err)
	}
	return wrapped, sealed, nil
}

// claimKey returns the data key of a claim, the stored one if there is one.
func (v *Vault) claimKey(ctx context.Context, tx *sql.Tx, k claimKey) (vault.DataKey, []byte, error) {
	owner := vault.Owner(k.contact, k.controller)
	var wrapped []byte
	err := tx.QueryRowContext(ctx, `SELECT data_key FROM claim WHERE contact = ? AND controller = ?`, k.contact[:], k.controller).Scan(&wrapped)
	if err != nil && err != sql.ErrNoRows {
		return vault.DataKey{}, nil, unavailable("store vault entries", err)
	}
	if wrapped != nil {
		key, err := v.keys.OpenDataKey(owner, wrapped)
		return key, wrapped, err
	}
	return v.keys.NewDataKey(owner)
}

// sealEvidence appends the rows of the evidence of one claim to args.
func sealEvidence(args []any, key vault.DataKey, row claimKey, evidence []vault.Entry) ([]any, error) {
	for _, e := range evidence {
		body, err := key.Seal(vault.KindEvidence, evidenceOwner(row, e.Digest), e.Evidence)
		if err != nil {
			return nil, fmt.Errorf("store vault entries: %w", err)
		}
		args = append(args, row.contact[:], row.controller, e.Digest[:], e.OccurredAt.UnixMicro(), body)
	}
	return args, nil
}

func evidenceOwner(k claimKey, d events.Digest) string {
	return vault.Owner(k.contact, k.controller) + "/" + hex.EncodeToString(d[:])
}
