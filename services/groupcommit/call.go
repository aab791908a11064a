package groupcommit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/assenso/assenso/events"
)

// Call is a set of messages handed in together by Enqueue.
type Call struct {
	c    *Committer
	done chan struct{}

	mu        sync.Mutex
	results   []Result
	left      int
	abandoned bool
}

// Done is closed when every message has its result.
func (k *Call) Done() <-chan struct{} { return k.done }

// Wait returns the results in the order of the messages, after all are known.
// When ctx ends before, the error is that of ctx: messages that were not yet
// published never will be and bear ErrUnavailable, those on their way bear
// ErrAmbiguous. The slice is the caller's.
func (k *Call) Wait(ctx context.Context) ([]Result, error) {
	select {
	case <-k.done:
		return k.results, nil
	default:
	}
	select {
	case <-k.done:
		return k.results, nil
	case <-ctx.Done():
		return k.abandon(ctx.Err()), ctx.Err()
	}
}

// abandon withdraws what is still in the queue and returns a copy of what is
// known.
func (k *Call) abandon(cause error) []Result {
	waiting := make(map[int]bool)
	k.c.mu.Lock()
	for _, it := range k.c.queue {
		if it.call == k {
			waiting[it.index] = true
		}
	}
	k.mu.Lock()
	k.abandoned = true
	out := slices.Clone(k.results)
	k.mu.Unlock()
	k.c.mu.Unlock()
	for i := range out {
		if out[i].Err != nil || out[i].Sequence != 0 {
			continue
		}
		if waiting[i] {
			out[i].Err = fmt.Errorf("publish to %s: %w: not sent: %w", k.c.stream, ErrUnavailable, cause)
		} else {
			out[i].Err = ambiguous(k.c.stream, cause)
		}
	}
	return out
}

func (k *Call) isAbandoned() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.abandoned
}

func (k *Call) set(i int, r Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.results[i] = r
	k.left--
	if k.left == 0 {
		close(k.done)
	}
}

// place is where a message id is stored.
type place struct {
	sequence uint64
	stamped  events.Instant
}

// memory remembers the places of the youngest message ids, between size and
// half of it, in two generations.
type memory struct {
	half       int
	young, old map[string]place
}

func newMemory(size int) memory {
	return memory{half: size / 2, young: make(map[string]place)}
}

func (m *memory) get(id string) (place, bool) {
	if p, ok := m.young[id]; ok {
		return p, true
	}
	p, ok := m.old[id]
	return p, ok
}

func (m *memory) put(id string, p place) {
	if m.half <= 0 {
		return
	}
	if len(m.young) >= m.half {
		m.young, m.old = make(map[string]place, m.half), m.young
	}
	m.young[id] = p
}
