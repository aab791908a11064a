package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/vault"
)

// start is the simulated clock's first reading: 2026-03-05T10:00:00Z.
var start = events.InstantOf(time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC))

// ticking is a clock that moves a millisecond at each reading.
type ticking struct {
	mu  sync.Mutex
	now events.Instant
}

func (c *ticking) read() events.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

// failure says how one call of a fake fails.
type failure int

const (
	fine      failure = iota
	absent            // nothing was stored, and the caller knows that it failed
	lost              // stored, but the answer was lost
	half              // the first half was stored, the rest was not
	diesAhead         // the process dies before anything is stored
	diesAfter         // the process dies when it is stored, before it hears of it
)

// faults is a script of failures, one for each call; then all is fine.
type faults struct {
	mu     sync.Mutex
	script []failure
	die    func() // ends the process under test
}

func (f *faults) next() failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) == 0 {
		return fine
	}
	n := f.script[0]
	f.script = f.script[1:]
	return n
}

func (f *faults) plan(die func(), script ...failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script, f.die = script, die
}

// death ends the run under test and returns when its context has ended, as the
// last thing that process sees.
func (f *faults) death(ctx context.Context) error {
	f.mu.Lock()
	die := f.die
	f.mu.Unlock()
	die()
	<-ctx.Done()
	return ctx.Err()
}

// fakeLog is a ledger in memory with the broker's duplicate window, which
// closes when forget is called.
type fakeLog struct {
	t     *testing.T
	clock func() events.Instant
	faults
	poison string        // an entry with this in it is ErrTooLarge
	hold   chan struct{} // Append waits for it between stamp and storage

	mu      sync.Mutex
	streams map[ledger.Stream][][]byte
	stamps  map[ledger.Stream][]events.Instant
	window  map[string]ledger.Placed
	beats   []ledger.Beat
	holding chan struct{}
}

func newFakeLog(t *testing.T, clock func() events.Instant) *fakeLog {
	return &fakeLog{
		t: t, clock: clock, streams: map[ledger.Stream][][]byte{}, stamps: map[ledger.Stream][]events.Instant{},
		window: map[string]ledger.Placed{}, holding: make(chan struct{}, 100),
	}
}

func (l *fakeLog) Partitions() int { return 4 }

func (l *fakeLog) Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	placed := make([]ledger.Placed, len(entries))
	how := l.next()
	if how == diesAhead {
		return nil, l.death(ctx)
	}
	for n, e := range entries {
		switch {
		case how == absent, how == half && n >= len(entries)/2:
			placed[n].Err = fmt.Errorf("append: %w", ledger.ErrUnavailable)
		case l.poison != "" && strings.Contains(string(e.Head), l.poison):
			placed[n].Err = fmt.Errorf("append: %w", ledger.ErrTooLarge)
		default:
			placed[n] = l.store(e)
		}
		if how == lost {
			placed[n] = ledger.Placed{Err: fmt.Errorf("append: %w", ledger.ErrAmbiguous)}
		}
	}
	if how == diesAfter {
		return nil, l.death(ctx)
	}
	return placed, nil
}

func (l *fakeLog) store(e ledger.Entry) ledger.Placed {
	stamp := l.clock()
	if l.hold != nil {
		l.holding <- struct{}{}
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.window[e.MessageID]; ok {
		p.Duplicate = true
		return p
	}
	stream := ledger.StreamOf(e.Contact, 4)
	body := append(stamp.AppendFormat(slices.Clone(e.Head)), e.Tail...)
	l.streams[stream] = append(l.streams[stream], body)
	l.stamps[stream] = append(l.stamps[stream], stamp)
	p := ledger.Placed{Stream: stream, Sequence: ledger.Sequence(len(l.streams[stream])), RecordedAt: stamp}
	l.window[e.MessageID] = p
	return p
}

func (l *fakeLog) Last(context.Context) (ledger.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := ledger.Positions{}
	for s, list := range l.streams {
		out[s] = ledger.Sequence(len(list))
	}
	return out, nil
}

func (l *fakeLog) PublishBeat(_ context.Context, b ledger.Beat) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beats = append(l.beats, b)
	return nil
}

// events decodes everything that was recorded, in the order of the streams.
func (l *fakeLog) events() []events.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []events.Event
	for p := range 5 {
		s := ledger.Reference
		if p < 4 {
			s = ledger.Partition(p)
		}
		for _, body := range l.streams[s] {
			e, err := events.Decode(body)
			if err != nil {
				l.t.Errorf("the ledger holds what is no event: %v", err)
			}
			canonical, err := events.CanonicalJSON(body)
			if err != nil || string(canonical) != string(body) {
				l.t.Errorf("stored bytes of %s are not canonical: %v", e.ID, err)
			}
			out = append(out, e)
		}
	}
	return out
}

func (l *fakeLog) ids() []string {
	var out []string
	for _, e := range l.events() {
		out = append(out, e.ID)
	}
	slices.Sort(out)
	return out
}

// fakeVault is a vault in memory. Its keys are readable in tests.
type fakeVault struct {
	vault.Vault // methods that recorders do not use
	faults
	panics  string // an upsert of this number panics
	sealing faults // of Seal

	mu      sync.Mutex
	numbers map[events.ContactKey]string
	proofs  map[events.Digest][]byte
	sealed  map[string][]byte
}

func newFakeVault() *fakeVault {
	return &fakeVault{numbers: map[events.ContactKey]string{}, proofs: map[events.Digest][]byte{}, sealed: map[string][]byte{}}
}

func (v *fakeVault) Key(n vault.Number) events.ContactKey {
	h := events.Identity{Source: "pepper", ID: n.Reveal()}.Hash()
	return events.ContactKey(h)
}

func (v *fakeVault) Upsert(ctx context.Context, entries []vault.Entry) error {
	how := v.next()
	switch how {
	case absent:
		return fmt.Errorf("upsert: %w", vault.ErrUnavailable)
	case diesAhead:
		return v.death(ctx)
	}
	v.mu.Lock()
	for _, e := range entries {
		if v.panics != "" && e.Number.Reveal() == v.panics {
			v.mu.Unlock()
			panic("cannot store " + v.panics)
		}
		if n := e.Number.Reveal(); n != "" {
			v.numbers[e.Contact] = n
		}
		if e.Evidence != nil {
			v.proofs[e.Digest] = e.Evidence
		}
	}
	v.mu.Unlock()
	switch how {
	case lost:
		return fmt.Errorf("upsert: %w", vault.ErrUnavailable)
	case diesAfter:
		return v.death(ctx)
	}
	return nil
}

func (v *fakeVault) Seal(ctx context.Context, bodies []vault.Sealed) error {
	how := v.sealing.next()
	switch how {
	case absent:
		return fmt.Errorf("seal: %w", vault.ErrUnavailable)
	case diesAhead:
		return v.sealing.death(ctx)
	}
	v.mu.Lock()
	for _, b := range bodies {
		v.sealed[b.ID] = b.Body
	}
	v.mu.Unlock()
	switch how {
	case lost:
		return fmt.Errorf("seal: %w", vault.ErrUnavailable)
	case diesAfter:
		return v.sealing.death(ctx)
	}
	return nil
}

func (v *fakeVault) Unseal(_ context.Context, id string) (vault.Sealed, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, ok := v.sealed[id]
	if !ok {
		return vault.Sealed{}, vault.ErrUnknown
	}
	return vault.Sealed{ID: id, Body: body}, nil
}

func (v *fakeVault) Discard(_ context.Context, id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sealed, id)
	return nil
}

// sealedBodies returns the ids of what is sealed.
func (v *fakeVault) sealedIDs() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for id := range v.sealed {
		out = append(out, id)
	}
	return out
}

// fakeIdentities answers from a map.
type fakeIdentities struct {
	mu    sync.Mutex
	known map[events.IdentityHash][]Variant
	down  bool
	late  bool
	asked int
}

func (f *fakeIdentities) Lookup(ctx context.Context, list []events.IdentityHash) ([][]Variant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down {
		return nil, errors.New("view is away")
	}
	if f.late {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := make([][]Variant, len(list))
	for i, h := range list {
		out[i] = f.known[h]
	}
	return out, nil
}
