// Package natsintake is the intake over JetStream: one stream a family,
// INTAKE_<FAMILY>, and receipts over core NATS (design.md 4, 5).
//
// A publisher needs none of this package: it may publish straight to
// intake.<family>.<source>.<type>, and JetStream's own answer is the first
// acknowledgement. With the header Receipt-Token it chooses the last token of
// the receipt's subject receipts.<source>.<token>; with Receipt-Ref what comes
// back in it.
package natsintake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/intake"
)

// receiptBuffer is how many receipts wait for a slow reader before they are
// dropped.
const receiptBuffer = 65536

// Intake implements intake.Port and intake.Sender. It is safe for concurrent
// use; the connection stays the caller's.
type Intake struct {
	nc  *nats.Conn
	log *zap.Logger

	mu         sync.Mutex
	committers map[events.Family]*groupcommit.Committer
	closed     bool
}

var (
	_ intake.Port   = (*Intake)(nil)
	_ intake.Sender = (*Intake)(nil)
)

// Open returns an intake over queues that Provision made. Close it before the
// connection.
func Open(nc *nats.Conn, log *zap.Logger) *Intake {
	if log == nil {
		log = zap.NewNop()
	}
	return &Intake{nc: nc, log: log, committers: make(map[events.Family]*groupcommit.Committer)}
}

// Close waits for what is on its way and refuses what comes later.
func (i *Intake) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	for _, c := range i.committers {
		c.Close()
	}
}

// committer returns the committer of a family, made at its first use: a door
// that only sees grants needs one.
func (i *Intake) committer(f events.Family) (*groupcommit.Committer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil, fmt.Errorf("submit: %w: it was closed", intake.ErrUnavailable)
	}
	if c := i.committers[f]; c != nil {
		return c, nil
	}
	c, err := groupcommit.New(i.nc, StreamOf(f), groupcommit.Options{Remember: -1})
	if err != nil {
		return nil, fmt.Errorf("submit: %w: %w", intake.ErrUnavailable, err)
	}
	i.committers[f] = c
	return c, nil
}

// Submit implements intake.Submitter. Submissions bear no message id: the
// broker would swallow the retry that brings a missed receipt.
func (i *Intake) Submit(ctx context.Context, batch []intake.Submission) []error {
	errs := make([]error, len(batch))
	type part struct {
		msgs  []groupcommit.Message
		index []int
		call  *groupcommit.Call
	}
	parts := make(map[events.Family]*part)
	var name subjects
	for n := range batch {
		s := &batch[n]
		if errs[n] = s.Check(); errs[n] != nil {
			continue
		}
		p := parts[s.Family]
		if p == nil {
			p = &part{}
			parts[s.Family] = p
		}
		p.msgs = append(p.msgs, message(s, name.intake(s)))
		p.index = append(p.index, n)
	}
	for f, p := range parts {
		c, err := i.committer(f)
		if err != nil {
			for _, n := range p.index {
				errs[n] = err
			}
			continue
		}
		p.call = c.Enqueue(ctx, p.msgs)
	}
	for _, p := range parts {
		if p.call == nil {
			continue
		}
		results, _ := p.call.Wait(ctx) // the results tell each one's fate, ended ctx included
		for k, n := range p.index {
			errs[n] = translate(results[k].Err)
		}
	}
	return errs
}

// subjects remembers the last subject made: a batch is mostly of one source and
// type.
type subjects struct {
	family              events.Family
	source, token, made string
	kind                events.Type
}

func (m *subjects) intake(s *intake.Submission) string {
	if m.made == "" || m.family != s.Family || m.source != s.Source || m.kind != s.Type {
		m.family, m.source, m.kind = s.Family, s.Source, s.Type
		m.made = events.IntakeSubject(s.Family, s.Source, s.Type)
	}
	return m.made
}

func (m *subjects) receipt(source, token string) string {
	if m.made == "" || m.source != source || m.token != token {
		m.source, m.token, m.made = source, token, events.ReceiptSubject(source, token)
	}
	return m.made
}

func message(s *intake.Submission, subject string) groupcommit.Message {
	header := make(nats.Header, 3)
	set := func(k, v string) {
		if v != "" {
			header[k] = []string{v}
		}
	}
	set(intake.HeaderToken, s.Token)
	set(intake.HeaderRef, s.Ref)
	set(intake.HeaderTrace, s.Trace)
	return groupcommit.Message{Subject: subject, Header: header, Data: s.Body}
}

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, groupcommit.ErrFull):
		return fmt.Errorf("submit: %w: %w", intake.ErrFull, err)
	case errors.Is(err, groupcommit.ErrRefused):
		return fmt.Errorf("submit: %w: %w", intake.ErrRefused, err)
	}
	return fmt.Errorf("submit: %w: %w", intake.ErrUnavailable, err)
}

// Await implements intake.Receipts. The subscription is known to the broker
// when it returns. Receipts that the reader does not take in time are dropped.
func (i *Intake) Await(ctx context.Context, token string) (<-chan intake.Receipt, func(), error) {
	if !intake.ValidToken(token) {
		return nil, nil, fmt.Errorf("await receipts: token: %w", intake.ErrRefused)
	}
	out := make(chan intake.Receipt, 1024)
	done := make(chan struct{})
	sub, err := i.nc.Subscribe("receipts.*."+token, func(m *nats.Msg) {
		var r intake.Receipt
		if err := json.Unmarshal(m.Data, &r); err != nil {
			i.log.Warn("receipt cannot be read: dropped", zap.Int("bytes", len(m.Data)))
			return
		}
		select {
		case out <- r:
		case <-done:
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("await receipts: %w: %w", intake.ErrUnavailable, err)
	}
	ended := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(ended) })
	stop := sync.OnceFunc(func() {
		close(done)
		if sub.Unsubscribe() == nil {
			<-ended
		}
		close(out)
	})
	err = sub.SetPendingLimits(receiptBuffer, -1)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = i.nc.FlushWithContext(ctx)
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("await receipts: %w: %w", intake.ErrUnavailable, err)
	}
	return out, stop, nil
}

// Send implements intake.Sender.
func (i *Intake) Send(_ context.Context, receipts []intake.Addressed) error {
	var name subjects
	for n := range receipts {
		a := &receipts[n]
		body, err := json.Marshal(a.Receipt)
		if err != nil {
			return fmt.Errorf("send receipt: %w", err)
		}
		token := a.Token
		if !intake.ValidToken(token) {
			token = events.NoToken // a foreign publisher may ask for anything
		}
		if err := i.nc.Publish(name.receipt(a.Receipt.Source, token), body); err != nil {
			return fmt.Errorf("send receipt: %w: %w", intake.ErrUnavailable, err)
		}
	}
	return nil
}
