package house

import (
	"context"
	"errors"
)

func (h *House) openLedger(ctx context.Context) error {
	if h.ledger == nil {
		return errors.New("house open ledger: not wired")
	}
	d, err := h.ledger.Durability(ctx)
	h.durability = d.String()
	return err
}

func (h *House) ledgerPepper(context.Context) (exists bool, fingerprint string, err error) {
	return false, "", nil
}

func (h *House) keepPepper(context.Context, string) error { return nil }
