package house

import (
	"context"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/recorder"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/worker"
)

// instance is the name under which this house holds leases. On its own broker a
// restart takes its own leases over at once; on a shared one each process needs
// a name of its own, which an empty name gives it.
func (h *House) instance() string {
	if h.cfg.NATS.URL == Embedded {
		return "house"
	}
	return ""
}

// openRecorders wires the recorders that this house runs, and what they and
// the doors share.
func (h *House) openRecorders(ctx context.Context) error {
	var err error
	if err = recorder.Provision(ctx, h.conn, 1); err != nil {
		return fatal(err, "the streams of rejects and parked messages could not be made")
	}
	if h.rejects, err = recorder.NewRejects(h.conn, h.vault, h.clock); err != nil {
		return err
	}
	if h.parked, err = recorder.NewParked(h.conn, h.vault, h.intake, h.clock); err != nil {
		return err
	}
	if h.leases, err = worker.OpenLeases(ctx, h.js, 0, 1); err != nil {
		return fatal(err, "the leases could not be made")
	}
	for _, f := range events.Families {
		if !h.cfg.Runs(RecorderOf(f)) {
			continue
		}
		r, err := recorder.New(recorder.Config{
			Family: f, Conn: h.bulk, Leases: h.leases, Instance: h.instance(),
			Ledger: h.ledger, Vault: h.vault, Receipts: h.intake, Rejects: h.rejects, Parked: h.parked,
			Identities: identities{h.view}, Clock: h.clock, Logger: h.log, Metrics: h.metrics,
		})
		if err != nil {
			return err
		}
		h.recorders[f] = r
		h.running = append(h.running, service{RecorderOf(f), r.Run})
	}
	return nil
}

// identities answers the recorders' question what the log holds of an
// identity, from the event index of consentstate.
type identities struct{ view view.Reader }

// Lookup implements recorder.Identities. The recorded time of a variant is the
// one that readers use, the running maximum of its stream.
func (i identities) Lookup(ctx context.Context, ids []events.IdentityHash) ([][]recorder.Variant, error) {
	found, err := i.view.Identities(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("house look up identities: %w", err)
	}
	out := make([][]recorder.Variant, len(ids))
	for n, id := range ids {
		for _, v := range found[id] {
			out[n] = append(out[n], recorder.Variant{
				Digest: v.Digest, Stream: ledger.Stream(v.Stream), Sequence: ledger.Sequence(v.Sequence), RecordedAt: v.Recorded, Contact: v.Contact,
			})
		}
	}
	return out, nil
}
