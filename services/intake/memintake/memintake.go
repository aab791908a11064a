// Package memintake is the intake in memory, for tests of doors and recorders:
// it passes the same conformance suite as natsintake and loses everything with
// the process.
package memintake

import (
	"context"
	"fmt"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// Intake implements intake.Port and intake.Sender. It is safe for concurrent
// use.
type Intake struct {
	limit int // bytes of bodies in one family's queue

	mu      sync.Mutex
	arrived *sync.Cond
	queues  map[events.Family][]intake.Submission
	bytes   map[events.Family]int
	readers map[*reader]struct{}
	cut     bool
}

type reader struct {
	token string
	out   chan intake.Receipt
}

var (
	_ intake.Port   = (*Intake)(nil)
	_ intake.Sender = (*Intake)(nil)
)

// New returns an empty intake of which each queue holds at most limit bytes of
// bodies; 0 means no limit.
func New(limit int) *Intake {
	i := &Intake{
		limit: limit, queues: make(map[events.Family][]intake.Submission),
		bytes: make(map[events.Family]int), readers: make(map[*reader]struct{}),
	}
	i.arrived = sync.NewCond(&i.mu)
	return i
}

// Cut makes the intake unreachable, or reachable again.
func (i *Intake) Cut(off bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cut = off
}

// Submit implements intake.Submitter; the bodies are copied.
func (i *Intake) Submit(ctx context.Context, batch []intake.Submission) []error {
	i.mu.Lock()
	defer i.mu.Unlock()
	errs := make([]error, len(batch))
	for n := range batch {
		s := batch[n]
		switch err := s.Check(); {
		case err != nil:
			errs[n] = err
		case ctx.Err() != nil:
			errs[n] = fmt.Errorf("submit: %w: %w", intake.ErrUnavailable, ctx.Err())
		case i.cut:
			errs[n] = fmt.Errorf("submit: %w: cut off", intake.ErrUnavailable)
		case i.limit > 0 && i.bytes[s.Family]+len(s.Body) > i.limit:
			errs[n] = fmt.Errorf("submit: %w: %d bytes are queued", intake.ErrFull, i.bytes[s.Family])
		default:
			s.Body = append([]byte(nil), s.Body...)
			i.queues[s.Family] = append(i.queues[s.Family], s)
			i.bytes[s.Family] += len(s.Body)
		}
	}
	i.arrived.Broadcast()
	return errs
}

// Take removes and returns the first n submissions of a family's queue, after
// waiting for them. The error is that of ctx.
func (i *Intake) Take(ctx context.Context, f events.Family, n int) ([]intake.Submission, error) {
	defer context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.arrived.Broadcast()
	})()
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.queues[f]) < n {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		i.arrived.Wait()
	}
	out := append([]intake.Submission(nil), i.queues[f][:n]...)
	i.queues[f] = i.queues[f][n:]
	for _, s := range out {
		i.bytes[f] -= len(s.Body)
	}
	return out, nil
}

// Await implements intake.Receipts.
func (i *Intake) Await(_ context.Context, token string) (<-chan intake.Receipt, func(), error) {
	if !intake.ValidToken(token) {
		return nil, nil, fmt.Errorf("await receipts: token: %w", intake.ErrRefused)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cut {
		return nil, nil, fmt.Errorf("await receipts: %w: cut off", intake.ErrUnavailable)
	}
	r := &reader{token: token, out: make(chan intake.Receipt, 4096)}
	i.readers[r] = struct{}{}
	return r.out, sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.readers, r)
		close(r.out)
	}), nil
}

// Send implements intake.Sender. A reader that is 4,096 receipts behind misses
// what comes.
func (i *Intake) Send(_ context.Context, receipts []intake.Addressed) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cut {
		return fmt.Errorf("send receipt: %w: cut off", intake.ErrUnavailable)
	}
	for _, a := range receipts {
		token := a.Token
		if !intake.ValidToken(token) {
			token = events.NoToken
		}
		for r := range i.readers {
			if r.token != token {
				continue
			}
			select {
			case r.out <- a.Receipt:
			default:
			}
		}
	}
	return nil
}
