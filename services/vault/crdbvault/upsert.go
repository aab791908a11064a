package crdbvault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// nobody stands in the column controller for evidence without a controller; it
// can be no controller's name. The number's own row bears "".
const (
	nobody  = "_"
	numbers = ""
)

// claimKey is the key of a row of claim.
type claimKey struct {
	contact    events.ContactKey
	controller string
}

// claim is what one batch says of one controller's claim on one contact.
type claim struct {
	claimKey // controller as the entry has it: "" = none
	number   vault.Number
	last     events.Instant
	evidence []vault.Entry
}

// row is the key of the row that bears the claim.
func (c *claim) row() claimKey { return claimKey{c.contact, cmp.Or(c.controller, nobody)} }

// Upsert implements vault.Vault. Within one process one batch at a time is
// written: recorders that meet the same contacts would otherwise fail each
// other's transactions.
func (v *Vault) Upsert(ctx context.Context, entries []vault.Entry) error {
	const op = "store vault entries"
	if len(entries) == 0 {
		return nil
	}
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return unavailable(op, ctx.Err())
	}
	return unavailable(op, v.db.Run(ctx, func(tx pgx.Tx) error {
		u := &upsert{ctx: ctx, tx: tx, keys: v.keys}
		return u.run(entries)
	}))
}

// upsert is one transaction.
type upsert struct {
	ctx    context.Context
	tx     pgx.Tx
	keys   *vault.Keys
	there  map[claimKey]stored
	claims []claimRow
	proofs []proofRow
}

// stored is a row of claim.
type stored struct {
	last    events.Instant
	dataKey []byte
	number  bool
}

func (u *upsert) run(entries []vault.Entry) error {
	contacts := contactsOf(entries)
	kept, err := u.withoutErased(entries, contacts)
	if err != nil {
		return err
	}
	claims := fold(kept)
	if err := u.read(contacts); err != nil {
		return err
	}
	for _, c := range claims {
		if err := u.take(c); err != nil {
			return err
		}
	}
	return u.write()
}

// contactsOf returns each contact once, in order.
func contactsOf(entries []vault.Entry) [][]byte {
	keys := make([]events.ContactKey, len(entries))
	for i := range entries {
		keys[i] = entries[i].Contact
	}
	slices.SortFunc(keys, func(a, b events.ContactKey) int { return bytes.Compare(a[:], b[:]) })
	keys = slices.Compact(keys)
	out := make([][]byte, len(keys))
	for i := range keys {
		out[i] = keys[i][:]
	}
	return out
}

// withoutErased drops the entries that are not later than their controller's
// erasure; one without a controller must be later than every erasure.
func (u *upsert) withoutErased(entries []vault.Entry, contacts [][]byte) ([]vault.Entry, error) {
	erased := map[claimKey]events.Instant{}
	err := u.each(func(row pgx.Rows) error {
		var contact, controller []byte
		var us int64
		if err := row.Scan(&contact, &controller, &us); err != nil {
			return err
		}
		k, at := claimKey{events.ContactKey(contact), string(controller)}, events.InstantFromUnixMicro(us)
		anyone := claimKey{contact: k.contact}
		erased[k], erased[anyone] = max(erased[k], at), max(erased[anyone], at)
		return nil
	}, sqlTombstones, contacts)
	if err != nil || len(erased) == 0 {
		return entries, err
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e vault.Entry) bool {
		at, ok := erased[claimKey{e.Contact, e.Controller}]
		return ok && e.OccurredAt <= at
	}), nil
}

// fold joins the entries of one claim, by contact and controller.
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
	slices.SortFunc(out, func(a, b *claim) int {
		return cmp.Or(bytes.Compare(a.contact[:], b.contact[:]), cmp.Compare(a.controller, b.controller))
	})
	return out
}

// read learns what is stored of the contacts.
func (u *upsert) read(contacts [][]byte) error {
	u.there = map[claimKey]stored{}
	return u.each(func(row pgx.Rows) error {
		var s stored
		var contact, controller []byte
		var last int64
		if err := row.Scan(&contact, &controller, &last, &s.dataKey, &s.number); err != nil {
			return err
		}
		s.last = events.InstantFromUnixMicro(last)
		u.there[claimKey{events.ContactKey(contact), string(controller)}] = s
		return nil
	}, sqlClaims, contacts)
}

func (u *upsert) each(scan func(row pgx.Rows) error, query string, args ...any) error {
	found, err := u.tx.Query(u.ctx, query, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// take turns what is new of a claim into rows.
func (u *upsert) take(c *claim) error {
	own := claimKey{c.contact, numbers}
	if c.number.Reveal() != "" && !u.there[own].number {
		if err := u.takeNumber(c); err != nil {
			return err
		}
		u.there[own] = stored{number: true} // once, whoever claims it
	}
	if c.controller == "" && len(c.evidence) == 0 {
		return nil
	}
	known, there := u.there[c.row()]
	if there && c.last <= known.last && len(c.evidence) == 0 {
		return nil
	}
	row := claimRow{claimKey: c.row(), last: c.last}
	if len(c.evidence) > 0 {
		var err error
		if row.dataKey, err = u.takeEvidence(c, known.dataKey); err != nil {
			return err
		}
	}
	u.claims = append(u.claims, row)
	return nil
}

func (u *upsert) takeNumber(c *claim) error {
	owner := vault.Owner(c.contact, numbers)
	key, wrapped, err := u.keys.NewDataKey(owner)
	if err != nil {
		return err
	}
	sealed, err := key.Seal(vault.KindNumber, owner, []byte(c.number.Reveal()))
	if err != nil {
		return err
	}
	u.claims = append(u.claims, claimRow{claimKey{c.contact, numbers}, events.InstantFromUnixMicro(0), wrapped, sealed})
	return nil
}

// takeEvidence seals the evidence of a claim under the data key that is stored,
// or a new one, which it returns as it is to be stored.
func (u *upsert) takeEvidence(c *claim, wrapped []byte) ([]byte, error) {
	row := c.row()
	owner := vault.Owner(row.contact, row.controller)
	key, err := u.dataKey(owner, &wrapped)
	if err != nil {
		return nil, err
	}
	seen := map[events.Digest]bool{}
	for _, e := range c.evidence {
		if seen[e.Digest] {
			continue
		}
		seen[e.Digest] = true
		body, err := key.Seal(vault.KindEvidence, evidenceOwner(row, e.Digest), e.Evidence)
		if err != nil {
			return nil, err
		}
		u.proofs = append(u.proofs, proofRow{row, e.Digest, e.OccurredAt, body})
	}
	return wrapped, nil
}

func (u *upsert) dataKey(owner string, wrapped *[]byte) (key vault.DataKey, err error) {
	if *wrapped != nil {
		return u.keys.OpenDataKey(owner, *wrapped)
	}
	key, *wrapped, err = u.keys.NewDataKey(owner)
	return key, err
}

func evidenceOwner(k claimKey, d events.Digest) string {
	return vault.Owner(k.contact, k.controller) + "/" + hex.EncodeToString(d[:])
}
