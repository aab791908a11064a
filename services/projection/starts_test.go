package projection_test

import (
	"fmt"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/view"
)

// More first calls are struck out than the projection keeps: the first call
// that is left is the one that began the campaign unconsulted, whether the
// corrections come one by one, with a restart between, or in one go, and the
// calls after it are not.
func TestManyFirstCallsAreStruckOut(t *testing.T) {
	const calls, struck = 40, 21
	at := func(i int) events.Instant { return day8 + hour + events.Instant(i)*5*minute }
	called := func() *projectiontest.Builder {
		b := projectiontest.Build()
		for i := range calls {
			b.At(at(i)+3*minute).Call(fmt.Sprintf("c-%02d", i), "A", "K", at(i), projectiontest.Contact(i), "no_answer")
		}
		return b.At(at(calls) + hour)
	}
	strike := func(b *projectiontest.Builder, i int) {
		b.Put(fmt.Sprintf("x-%02d", i), "officer", "event.corrected", "", "", at(calls)+hour, nobody,
			map[string]any{"target": map[string]any{"source": "dialer", "id": fmt.Sprintf("c-%02d", i)}, "action": "void", "reason": "test call"})
	}
	onlyFirst := func(store view.Reader, first int) {
		t.Helper()
		for i := range calls {
			wantRule(t, store, projectiontest.Contact(i), "IT-RPO-03", i == first)
		}
	}
	store, b := openView(t), called()
	for i := range struck {
		strike(b, i)
		follow(t, b.Log(), store, projection.Config{})
		onlyFirst(store, i+1)
	}
	// A call that was made before all that are left, and is known late.
	b.Call("early", "A", "K", at(struck)-3*minute, projectiontest.Contact(calls), "no_answer")
	follow(t, b.Log(), store, projection.Config{})
	onlyFirst(store, calls)
	sameAsRebuild(t, b.Log(), store)

	b = called()
	for i := range struck {
		strike(b, i)
	}
	for order := uint64(5); order < 25; order++ {
		store := openView(t)
		follow(t, b.Log().Shuffled(order), store, projection.Config{MaxBatch: 9})
		onlyFirst(store, struck)
	}

	// Each way of failing while the first calls are looked for again.
	for _, kind := range []fault{insideUpdate, storedAfterCommit, twice} {
		store := openView(t)
		follow(t, b.Log().Shuffled(7), &faultyStore{Store: store, kind: kind}, projection.Config{MaxBatch: 9, Retry: 1})
		onlyFirst(store, struck)
	}
}
