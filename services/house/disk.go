package house

import (
	"context"
	"errors"
	"fmt"

	"github.com/assenso/assenso/services/vault"
)

// storeFault reports whether an error is SQLite's word that its file cannot be
// written or read any more, by the code that the driver gives it. A locked or
// busy database is no such fault.
func storeFault(err error) bool {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return false
	}
	switch coded.Code() & 0xff { // the primary code
	case sqliteReadOnly, sqliteIO, sqliteCorrupt, sqliteFull, sqliteNoDatabase:
		return true
	}
	return false
}

// Primary result codes, https://www.sqlite.org/rescode.html.
const (
	sqliteReadOnly   = 8
	sqliteIO         = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteNoDatabase = 26
)

// notice stops the process if an error says that a store in the data folder
// cannot be used: repeating would go on for ever, while senders are told that
// their events are accepted.
func (h *House) notice(err error) {
	if !storeFault(err) {
		return
	}
	select {
	case h.failed <- fatal(fmt.Errorf("store in %s: %w", h.cfg.Data, err), "make room, or mend disk or permissions, then start again; what was acknowledged is on disk"):
	default: // one reason to stop is enough
	}
}

// noticed is a vault whose faults the house hears of.
type noticed struct {
	openedVault
	notice func(error)
}

// Upsert implements vault.Vault.
func (v noticed) Upsert(ctx context.Context, entries []vault.Entry) error {
	err := v.openedVault.Upsert(ctx, entries)
	v.notice(err)
	return err
}

// Seal implements vault.Vault.
func (v noticed) Seal(ctx context.Context, bodies []vault.Sealed) error {
	err := v.openedVault.Seal(ctx, bodies)
	v.notice(err)
	return err
}
