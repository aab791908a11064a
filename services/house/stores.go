package house

import (
	"context"
	"path/filepath"

	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/vault/crdbvault"
	"github.com/assenso/assenso/services/vault/sqlvault"
	"github.com/assenso/assenso/services/view/crdbview"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// openedVault is a vault that can name its pepper.
type openedVault interface {
	vault.Vault
	Fingerprint() string
}

// openVault opens the vault under the ledger's pepper. It comes before the
// view: a database that was made with another ledger is refused by its pepper.
func (h *House) openVault(ctx context.Context) error {
	fingerprint, err := h.pepper.fingerprint(ctx)
	if err != nil {
		return err
	}
	if err := h.chooseVault(ctx, fingerprint); err != nil {
		return err
	}
	h.onClose(h.vault.Close)
	if fingerprint != "" {
		return nil
	}
	return h.pepper.keep(ctx, h.js, h.vault.Fingerprint())
}

func (h *House) chooseVault(ctx context.Context, fingerprint string) error {
	if h.cfg.Database == "" {
		v, err := sqlvault.Open(ctx, sqlvault.Config{Folder: h.cfg.Data, LedgerExists: h.ledgerExists, LedgerFingerprint: fingerprint})
		if err != nil {
			return fatal(err, "restore vault and key files of this ledger, or choose another data folder")
		}
		h.vault = noticed{v, h.notice}
		return nil
	}
	v, err := crdbvault.Open(ctx, h.cfg.Database, crdbvault.Config{Folder: h.cfg.Data, LedgerExists: h.ledgerExists, LedgerFingerprint: fingerprint})
	if err != nil {
		return fatal(err, "let the database answer, and name the one that belongs to this ledger, or an empty one for a new ledger")
	}
	h.vault = v
	return nil
}

// openView opens the read models.
func (h *House) openView(ctx context.Context) error {
	if err := h.chooseView(ctx); err != nil {
		return err
	}
	h.onClose(h.view.Close)
	return nil
}

func (h *House) chooseView(ctx context.Context) error {
	if h.cfg.Database == "" {
		path := filepath.Join(h.cfg.Data, sqliteview.File)
		v, err := sqliteview.Open(ctx, path)
		if err != nil {
			return fatal(err, "the view can be rebuilt: remove "+path+" and start again")
		}
		h.view = v
		return nil
	}
	v, err := crdbview.Open(ctx, h.cfg.Database)
	if err != nil {
		return fatal(err, "let the database answer, and let its user make tables there")
	}
	h.view = v
	return nil
}
