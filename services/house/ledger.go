package house

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/natsledger"
)

// openLedger opens the log, or makes it on an embedded broker that has none. A
// broker elsewhere is never given a ledger on the way.
func (h *House) openLedger(ctx context.Context) error {
	var err error
	if h.pepper, err = openPepper(ctx, h.js); err != nil {
		return err
	}
	if h.ledgerExists, err = natsledger.Exists(ctx, h.js); err != nil {
		return fatal(err, "the ledger could not be read")
	}
	if h.ledger == nil {
		if err := h.openNATSLedger(ctx); err != nil {
			return err
		}
	}
	d, err := h.ledger.Durability(ctx)
	if err != nil {
		return fatal(err, "the ledger could not be read")
	}
	h.durability = d.String()
	return nil
}

func (h *House) openNATSLedger(ctx context.Context) error {
	o := natsledger.Options{
		Partitions: h.cfg.Ledger.Partitions, Mode: h.cfg.Ledger.Durability, AcceptLoss: h.cfg.Ledger.AcceptLoss,
		Create: h.broker != nil, Clock: h.clock, Bulk: h.bulk, Weaker: h.weaker, Logger: h.log,
	}
	if h.broker != nil {
		o.Sync = natsledger.SyncOf(h.broker)
	}
	log, err := natsledger.Open(ctx, h.conn, o)
	switch {
	case errors.Is(err, ledger.ErrWeak):
		return fatal(err, "mend the broker's settings, or say --accept-loss if losing acknowledged events is acceptable")
	case err != nil:
		return fatal(err, "the ledger could not be opened")
	}
	h.ledger = log
	h.onClose(func() error { log.Close(); return nil })
	return nil
}

// weaker hears that somebody weakened the streams' settings while they are in
// use.
func (h *House) weaker(faults []string) {
	if len(faults) == 0 || h.cfg.Ledger.AcceptLoss {
		return
	}
	select {
	case h.failed <- fatal(fmt.Errorf("%w: %s", ledger.ErrWeak, strings.Join(faults, "; ")), "find who may change streams and mend the settings"):
	default: // one reason to stop is enough
	}
}

// pepper keeps the fingerprint of the pepper under which the ledger's contact
// keys were derived, beside the ledger: a house with another pepper is refused.
type pepper struct{ stream jetstream.Stream }

const (
	pepperStream  = "PEPPER"
	pepperSubject = "pepper.fingerprint"
)

func openPepper(ctx context.Context, js jetstream.JetStream) (*pepper, error) {
	s, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: pepperStream, Subjects: []string{pepperSubject}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, DenyDelete: true, DenyPurge: true,
	})
	if err != nil {
		return nil, fatal(fmt.Errorf("open stream %s: %w", pepperStream, err), "the broker does not store")
	}
	return &pepper{s}, nil
}

// fingerprint returns what is kept, "" for nothing yet.
func (p *pepper) fingerprint(ctx context.Context) (string, error) {
	m, err := p.stream.GetMsg(ctx, 1)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fatal(fmt.Errorf("read stream %s: %w", pepperStream, err), "the broker does not answer")
	}
	return string(m.Data), nil
}

// keep stores the fingerprint as the first and only message.
func (p *pepper) keep(ctx context.Context, js jetstream.JetStream, fingerprint string) error {
	_, err := js.PublishMsg(ctx, &nats.Msg{Subject: pepperSubject, Data: []byte(fingerprint)}, jetstream.WithExpectLastSequence(0))
	if err != nil {
		return fatal(fmt.Errorf("write stream %s: %w", pepperStream, err), "start again; nothing was recorded")
	}
	return nil
}
