package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

// Parked keeps messages that need a person: what a service could not handle
// although repeating it. The payload is sealed in the vault, the stream PARKED
// bears its id. It is safe for concurrent use.
type Parked struct {
	shelf shelf[ParkedMessage]
	vault vault.Vault
	queue intake.Submitter
	clock func() events.Instant
}

// ParkedMessage is one message set aside. Source and type are those of its
// subject, left out where they look like personal data.
type ParkedMessage struct {
	ID       string         `json:"id"`
	Service  string         `json:"service"` // that set it aside: "recorder.grants"
	ParkedAt events.Instant `json:"parked_at"`
	Reason   string         `json:"reason"` // never quotes the message
	Family   events.Family  `json:"family,omitempty"`
	Source   string         `json:"source,omitempty"`
	Type     events.Type    `json:"type,omitempty"`
	Stream   string         `json:"stream"` // where it was queued
	Sequence uint64         `json:"sequence"`
}

// NewParked returns the parked messages of the stream that Provision made.
// queue is where Retry submits them again; nil for readers only.
func NewParked(nc *nats.Conn, v vault.Vault, queue intake.Submitter, clock func() events.Instant) (*Parked, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("new parked: %w", err)
	}
	return &Parked{shelf: shelf[ParkedMessage]{js, StreamParked}, vault: v, queue: queue, clock: clock}, nil
}

// sealedForm is what the vault keeps of a parked message: enough to submit it
// again as it came.
type sealedForm struct {
	Family events.Family `json:"family"`
	Source string        `json:"source"`
	Type   events.Type   `json:"type"`
	Trace  string        `json:"trace,omitempty"`
	Body   []byte        `json:"body"` // base64
}

// park sets m aside durably; a repetition keeps it once. An error is transient.
func (p *Parked) park(ctx context.Context, service string, m worker.Message, cause error) (ParkedMessage, error) {
	family, source, typ, err := events.ParseIntakeSubject(m.Subject)
	if err != nil {
		family, source, typ = "", "", ""
	}
	out := ParkedMessage{
		ID: idOf(&m), Service: service, ParkedAt: p.clock(), Reason: telemetry.Redact(cause.Error()),
		Family: family, Source: clean(source), Type: cleanType(string(typ)), Stream: m.Stream, Sequence: m.Sequence,
	}
	body, err := json.Marshal(sealedForm{Family: family, Source: source, Type: typ, Trace: m.Get(intake.HeaderTrace), Body: m.Body})
	if err != nil {
		return out, fmt.Errorf("park: %w", err)
	}
	if err := p.vault.Seal(ctx, []vault.Sealed{{ID: out.ID, SealedAt: out.ParkedAt, Body: body}}); err != nil {
		return out, fmt.Errorf("park: seal the message: %w", err)
	}
	if err := p.shelf.put(ctx, []note[ParkedMessage]{{events.ParkedSubject(service), out.ID, out}}); err != nil {
		return out, fmt.Errorf("park: %w", err)
	}
	return out, nil
}

// List returns a page of up to limit parked messages (at most MaxPage), the
// oldest first, of one service or of all (""), from a cursor on ("" = the first
// page). next is the cursor of the next page, "" at the end.
func (p *Parked) List(ctx context.Context, service, cursor string, limit int) (page []ParkedMessage, next string, err error) {
	filter := ""
	if service != "" {
		filter = events.ParkedSubject(service)
	}
	if page, next, err = p.shelf.list(ctx, filter, cursor, limit); err != nil {
		return nil, "", fmt.Errorf("list parked: %w", err)
	}
	return page, next, nil
}

// Retry submits a parked message again, without the wish for a receipt, and
// then forgets it. After a crash in between it can be retried once more: the
// identity keeps the event single. The error is ErrUnknown, one of intake's, or
// transient.
func (p *Parked) Retry(ctx context.Context, id string) error {
	sequence, err := p.find(ctx, id)
	if err != nil {
		return fmt.Errorf("retry parked: %w", err)
	}
	sealed, err := p.vault.Unseal(ctx, id)
	if errors.Is(err, vault.ErrUnknown) {
		return fmt.Errorf("retry parked: payload of %s: %w: it was forgotten, drop the message", id, ErrUnknown)
	}
	if err != nil {
		return fmt.Errorf("retry parked: %w", err)
	}
	var f sealedForm
	if err := json.Unmarshal(sealed.Body, &f); err != nil {
		return fmt.Errorf("retry parked: payload of %s: %w", id, err)
	}
	s := intake.Submission{Family: f.Family, Source: f.Source, Type: f.Type, Trace: f.Trace, Body: f.Body}
	if err := p.queue.Submit(ctx, []intake.Submission{s})[0]; err != nil {
		return fmt.Errorf("retry parked: %w", err)
	}
	if err := p.forget(ctx, id, sequence); err != nil {
		return fmt.Errorf("retry parked: submitted again, but: %w", err)
	}
	return nil
}

// Drop forgets a parked message for good. The error is ErrUnknown or transient.
func (p *Parked) Drop(ctx context.Context, id string) error {
	sequence, err := p.find(ctx, id)
	if err != nil {
		return fmt.Errorf("drop parked: %w", err)
	}
	if err := p.forget(ctx, id, sequence); err != nil {
		return fmt.Errorf("drop parked: %w", err)
	}
	return nil
}

// forget removes the payload first: a message without one can be dropped again,
// a payload without a message would be found by nobody.
func (p *Parked) forget(ctx context.Context, id string, sequence uint64) error {
	if err := p.vault.Discard(ctx, id); err != nil {
		return err
	}
	stream, err := p.shelf.js.Stream(ctx, StreamParked)
	if err == nil {
		err = stream.DeleteMsg(ctx, sequence)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("delete message %d of %s: %w: %w", sequence, StreamParked, errTransient, err)
	}
	return nil
}

func (p *Parked) find(ctx context.Context, id string) (uint64, error) {
	_, sequence, err := p.shelf.find(ctx, func(m *ParkedMessage) bool { return m.ID == id })
	if errors.Is(err, ErrUnknown) {
		return 0, fmt.Errorf("parked message %s: %w: see parked list", id, err)
	}
	return sequence, err
}
