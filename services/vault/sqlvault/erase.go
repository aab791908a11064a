package sqlvault

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// Erase implements vault.Vault. Calling it again with the same or an earlier
// instant deletes nothing more; what the controller recorded later stays.
func (v *Vault) Erase(ctx context.Context, contact events.ContactKey, controller string, at events.Instant) error {
	const op = "erase vault entries"
	v.mu.Lock()
	defer v.mu.Unlock()
	v.claims.clear()
	tx, err := v.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(op, err)
	}
	defer tx.Rollback()
	if err := erase(ctx, tx, contact, controller, at); err != nil {
		return unavailable(op, err)
	}
	if err := tx.Commit(); err != nil {
		return unavailable(op, err)
	}
	return v.truncate(ctx, op)
}

func erase(ctx context.Context, tx *sql.Tx, contact events.ContactKey, controller string, at events.Instant) error {
	for _, step := range []struct {
		statement string
		args      []any
	}{
		{`INSERT INTO tombstone (contact, controller, erased_us) VALUES (?, ?, ?)
			ON CONFLICT (contact, controller) DO UPDATE SET erased_us = max(erased_us, excluded.erased_us)`, []any{contact[:], controller, at.UnixMicro()}},
		{`DELETE FROM evidence WHERE contact = ? AND controller = ? AND occurred_us <= ?`, []any{contact[:], controller, at.UnixMicro()}},
		{`DELETE FROM claim WHERE contact = ? AND controller = ? AND last_us <= ?`, []any{contact[:], controller, at.UnixMicro()}},
	} {
		if _, err := tx.ExecContext(ctx, step.statement, step.args...); err != nil {
			return err
		}
	}
	var claimed bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM claim WHERE contact = ? AND controller NOT IN ('', '_'))`, contact[:]).Scan(&claimed); err != nil {
		return err
	}
	if claimed {
		return nil
	}
	for _, statement := range []string{
		`DELETE FROM evidence WHERE contact = ?`, `DELETE FROM claim WHERE contact = ?`,
	} {
		if _, err := tx.ExecContext(ctx, statement, contact[:]); err != nil {
			return err
		}
	}
	return nil
}

// Discard implements vault.Vault.
func (v *Vault) Discard(ctx context.Context, id string) error {
	const op = "discard submission"
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, err := v.db.Write.ExecContext(ctx, `DELETE FROM sealed WHERE id = ?`, id); err != nil {
		return unavailable(op, err)
	}
	return v.truncate(ctx, op)
}

// truncate moves the write-ahead log into the database and empties it, so that
// what was deleted is gone from both.
func (v *Vault) truncate(ctx context.Context, op string) error {
	var busy, frames, moved int
	if err := v.db.Write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
		return unavailable(op, err)
	}
	if busy != 0 {
		return fmt.Errorf("%s: %w: deleted, but a long read keeps the write-ahead log from being emptied; repeat the call", op, vault.ErrUnavailable)
	}
	return nil
}
