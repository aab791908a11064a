package house

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/recorder"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/view"
)

// openDesk wires the questions that are answered from the views.
func (h *House) openDesk(context.Context) error {
	h.desk = &inquiry.Desk{View: h.view, Projections: h.projected, Beats: h.beats, Engine: h.engine, Decode: codec.Decode, Clock: h.clock}
	h.reports = newReports(h)
	if err := h.metrics.Register(newGauges(h)); err != nil {
		return fmt.Errorf("house register metrics: %w", err)
	}
	return nil
}

// openGateway wires the HTTP door.
func (h *House) openGateway(context.Context) error {
	if !h.cfg.Runs(ServiceGateway) {
		return nil
	}
	shelf := shelf{h.rejects, h.parked}
	tails, err := h.openTails()
	if err != nil {
		return err
	}
	h.gateway, err = gateway.New(gateway.Config{
		Version: Version(), Access: h.access, Intake: h.intake, Rejects: shelf, Normalise: numbers.Normalise, Key: h.contactKey,
		Desk: h.desk, Gate: asked{h}, Lists: asked{h}, Reports: h.reports, Objects: h.reports, Enquiries: h.reports, Numbers: h.number, RejectLog: shelf, ParkedLog: shelf, Readiness: h, Feed: tails,
		Clock: h.clock, Log: h.log, Metrics: h.metrics, ReceiptWait: h.cfg.Gateway.ReceiptWait, MaxBody: h.cfg.Gateway.MaxBody,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return fmt.Errorf("%w: listen: %w: is another assenso running there? choose another address", ErrConfig, err)
	}
	h.listener = listener
	h.onClose(func() error {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	h.running = append(h.running, service{ServiceGateway, func(ctx context.Context) error { return h.gateway.Run(ctx, listener) }})
	return nil
}

// Address returns where the HTTP door listens, "" if this house has none.
func (h *House) Address() string {
	if h.listener == nil {
		return ""
	}
	return h.listener.Addr().String()
}

// number reveals a number to the gateway, which sees to it that it may be seen.
func (h *House) number(ctx context.Context, key events.ContactKey) (string, error) {
	n, err := h.vault.Number(ctx, key)
	if errors.Is(err, vault.ErrUnknown) {
		return "", fmt.Errorf("house reveal number: %w", gateway.ErrUnknown)
	}
	return n.Reveal(), err
}

func (h *House) contactKey(p events.Phone) events.ContactKey {
	return h.vault.Key(vault.NewNumber(p.E164()))
}

// beats reads the recorders' beats in the words of inquiry.
func (h *House) beats(ctx context.Context) (map[events.Family]inquiry.Beat, error) {
	all, err := h.ledger.Beats(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[events.Family]inquiry.Beat, len(all))
	for f, b := range all {
		out[f] = inquiry.Beat{Instant: b.Instant, Positions: positions(b.Positions)}
	}
	return out, nil
}

func positions(p ledger.Positions) view.Positions {
	out := make(view.Positions, len(p))
	for s, n := range p {
		out[string(s)] = uint64(n)
	}
	return out
}

// shelf shows rejects and parked messages to the gateway in its own words.
type shelf struct {
	rejects *recorder.Rejects
	parked  *recorder.Parked
}

// Refuse implements gateway.Rejects.
func (s shelf) Refuse(ctx context.Context, refused []gateway.Refusal) ([]string, error) {
	list := make([]recorder.Refusal, len(refused))
	for i, r := range refused {
		list[i] = recorder.Refusal{Source: r.Source, ID: r.ID, Type: r.Type, Errors: r.Errors, Body: r.Body}
	}
	kept, err := s.rejects.Reject(ctx, list)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(kept))
	for i, k := range kept {
		ids[i] = k.Reject
	}
	return ids, nil
}

// Rejects implements gateway.RejectLog.
func (s shelf) Rejects(ctx context.Context, cursor string, limit int) (gateway.RejectPage, error) {
	list, next, err := s.rejects.List(ctx, "", cursor, limit)
	page := gateway.RejectPage{Rejects: make([]gateway.Reject, 0, len(list)), Next: next}
	for _, r := range list {
		page.Rejects = append(page.Rejects, gateway.Reject{Reject: r.Reject, RejectedAt: r.RejectedAt, Source: r.Source, ID: r.ID, Type: string(r.Type), Errors: r.Errors})
	}
	return page, unknown(err)
}

// Reject implements gateway.RejectLog.
func (s shelf) Reject(ctx context.Context, id string) (gateway.Reject, error) {
	for cursor := ""; ; {
		page, err := s.Rejects(ctx, cursor, recorder.MaxPage)
		if err != nil {
			return gateway.Reject{}, err
		}
		for _, r := range page.Rejects {
			if r.Reject == id {
				return r, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			return gateway.Reject{}, fmt.Errorf("house find reject: %w", gateway.ErrUnknown)
		}
	}
}

// Parked implements gateway.ParkedLog.
func (s shelf) Parked(ctx context.Context, cursor string, limit int) (gateway.ParkedPage, error) {
	list, next, err := s.parked.List(ctx, "", cursor, limit)
	page := gateway.ParkedPage{Parked: make([]gateway.Parked, 0, len(list)), Next: next}
	for _, p := range list {
		page.Parked = append(page.Parked, gateway.Parked{ID: p.ID, Service: p.Service, ParkedAt: p.ParkedAt, Reason: p.Reason, Source: p.Source, Type: string(p.Type)})
	}
	return page, unknown(err)
}

// Retry implements gateway.ParkedLog.
func (s shelf) Retry(ctx context.Context, id string) error { return unknown(s.parked.Retry(ctx, id)) }

// Drop implements gateway.ParkedLog.
func (s shelf) Drop(ctx context.Context, id string) error { return unknown(s.parked.Drop(ctx, id)) }

// unknown maps the recorders' word for "no such id" to the gateway's.
func unknown(err error) error {
	if errors.Is(err, recorder.ErrUnknown) {
		return fmt.Errorf("%w: %w", gateway.ErrUnknown, err)
	}
	return err
}
