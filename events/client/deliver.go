package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of a submission (schemas/asyncapi.yaml).
const (
	headerToken = "Receipt-Token"
	headerRef   = "Receipt-Ref"
)

// Error codes of JetStream.
const (
	codeNoAccountRoom = 10002
	codeInsufficient  = 10023
	codeNoStorage     = 10047
	codeTooLarge      = 10054
	codeStoreFailed   = 10077 // the stream is at its limit and discards what is new
)

// deliver sends an event until its receipt is there or the waiting is over.
func (p *Publisher) deliver(w *Pending) {
	stop := context.AfterFunc(p.ctx, func() { w.settle(ErrClosed) })
	defer stop()
	pause, patience := p.opts.Backoff, p.opts.ReceiptWait
	var last error
	for w.ctx.Err() == nil {
		w.receipt.Attempts++
		last = p.send(w)
		switch {
		case w.ctx.Err() != nil:
		case last == nil:
			p.accept(w)
			rest(w.ctx, patience)
			patience = min(2*patience, 12*p.opts.ReceiptWait)
		case errors.Is(last, ErrInvalid), errors.Is(last, ErrClosed):
			w.settle(last)
		default:
			rest(w.ctx, jitter(pause))
			pause = min(2*pause, 50*p.opts.Backoff)
		}
	}
	p.finish(w, last)
}

// rest waits for d, or shorter.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// jitter returns between a half and the whole of d, so that senders that failed
// together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// send publishes once and waits for JetStream's acknowledgement. A submission
// bears no Nats-Msg-Id: the broker would swallow the try that brings a missed
// receipt (design.md 5).
func (p *Publisher) send(w *Pending) error {
	ctx, cancel := context.WithTimeout(w.ctx, p.opts.AckWait)
	defer cancel()
	reply, err := p.nc.RequestMsgWithContext(ctx, &nats.Msg{
		Subject: w.subject, Data: w.body,
		Header: nats.Header{headerToken: {p.token}, headerRef: {w.ref}},
	})
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: the broker takes smaller messages only", ErrInvalid)
	case errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: no queue takes this source and type: is the ledger running?", ErrUnavailable)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return acknowledged(reply.Data)
}

// acknowledged reads JetStream's answer to a publish.
func acknowledged(answer []byte) error {
	var ack struct {
		Stream   string `json:"stream"`
		Sequence uint64 `json:"seq"`
		Error    *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer, &ack); err != nil {
		return fmt.Errorf("%w: the broker's answer cannot be read", ErrUnavailable)
	}
	if ack.Error == nil {
		if ack.Stream == "" || ack.Sequence == 0 {
			return fmt.Errorf("%w: the broker's answer is no acknowledgement", ErrUnavailable)
		}
		return nil
	}
	switch ack.Error.Code {
	case codeNoAccountRoom, codeInsufficient, codeNoStorage, codeStoreFailed:
		return fmt.Errorf("%w: %s (code %d)", ErrFull, ack.Error.Description, ack.Error.Code)
	case codeTooLarge:
		return fmt.Errorf("%w: %s (code %d)", ErrInvalid, ack.Error.Description, ack.Error.Code)
	}
	return fmt.Errorf("%w: %s (code %d)", ErrUnavailable, ack.Error.Description, ack.Error.Code)
}

// finish fixes the receipt and gives the place back.
func (p *Publisher) finish(w *Pending, last error) {
	p.mu.Lock()
	delete(p.under, w.ref)
	heard := w.heard
	p.mu.Unlock()
	why := context.Cause(w.ctx)
	w.settle(nil)
	if heard != nil {
		attempts := w.receipt.Attempts
		w.receipt = *heard
		w.receipt.Attempts = attempts
		why = nil
		if !w.receipt.InLedger() {
			why = fmt.Errorf("publish event: %w: %s", ErrRejected, list(w.receipt.Errors))
		}
	} else {
		w.receipt.Errors = w.faults
		why = w.gaveUp(why, last)
	}
	<-p.places
	w.end(why)
}

// gaveUp says how far an event came whose receipt is not there.
func (w *Pending) gaveUp(why, last error) error {
	switch {
	case w.accepted:
		w.receipt.Result = Accepted
		if errors.Is(why, ErrNotPermitted) {
			return fmt.Errorf("publish event: %w: %w", ErrNoReceipt, why)
		}
		return fmt.Errorf("publish event: %w after %d tries: %w: it is on disk in its queue", ErrNoReceipt, w.receipt.Attempts, why)
	case errors.Is(why, ErrNotPermitted), errors.Is(why, ErrClosed):
		return fmt.Errorf("publish event: %w", why)
	case errors.Is(why, ErrInvalid):
		w.receipt.Result = Invalid
		return fmt.Errorf("publish event: %w", why)
	case last == nil:
		last = ErrUnavailable
	}
	return fmt.Errorf("publish event: %w after %d tries: %w", last, w.receipt.Attempts, why)
}
