package recorder

import (
	"context"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

// Variant is one recorded payload of an identity: the first copy of it.
type Variant struct {
	Digest     events.Digest
	Stream     ledger.Stream
	Sequence   ledger.Sequence
	RecordedAt events.Instant
	Contact    events.ContactKey // zero for none
}

// Identities tells what the log holds of an identity (design.md 4). It only
// makes receipts truer and corrections quicker to find: an answer that is late,
// old or missing costs nothing but that, so the recorder waits for it about
// Config.IdentitiesTimeout and goes on without, asking less often.
type Identities interface {
	// Lookup returns what is known of each identity, in the same order: its
	// variants in the order of the log, nil for none. The result is the
	// caller's.
	Lookup(ctx context.Context, identities []events.IdentityHash) ([][]Variant, error)
}

// recent remembers the identities that this recorder recorded last, between
// size and half of it, in two generations. It bridges the time until Identities
// has seen them.
type recent struct {
	mu         sync.Mutex
	half       int
	young, old map[events.IdentityHash][]Variant
}

func newRecent(size int) *recent {
	return &recent{half: max(size/2, 1), young: make(map[events.IdentityHash][]Variant)}
}

// get returns the variants recorded lately; the slice must not be changed.
func (r *recent) get(id events.IdentityHash) []Variant {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.young[id]; ok {
		return v
	}
	return r.old[id]
}

// put adds a variant to what is known of id.
func (r *recent) put(id events.IdentityHash, known []Variant, v Variant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.half {
		r.young, r.old = make(map[events.IdentityHash][]Variant, r.half), r.young
	}
	all := make([]Variant, 0, len(known)+1)
	r.young[id] = append(append(all, known...), v)
}

// merge returns the variants of both, those of a first.
func merge(a, b []Variant) []Variant {
	if len(a) == 0 {
		return b
	}
	out := a[:len(a):len(a)]
	for _, v := range b {
		if find(a, v.Digest) == nil {
			out = append(out, v)
		}
	}
	return out
}

// find returns the variant with the digest, nil for none.
func find(list []Variant, d events.Digest) *Variant {
	for i := range list {
		if list[i].Digest == d {
			return &list[i]
		}
	}
	return nil
}
