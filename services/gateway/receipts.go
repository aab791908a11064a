package gateway

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/services/intake"
)

// wave is a set of items that were submitted together and wait for their
// receipts together. Its items belong to the waves' lock until done is closed.
type wave struct {
	items []*Item
	refs  []string // by item; "" = does not wait
	left  int
	done  chan struct{}
}

// waves routes receipts to the items that wait for them. One subscription
// under one token serves all requests of a gateway.
type waves struct {
	token string
	log   *zap.Logger

	mu      sync.Mutex
	next    uint64
	waiting map[string]place
}

type place struct {
	wave  *wave
	index int
}

func newWaves(log *zap.Logger) *waves {
	return &waves{token: rand.Text(), log: log, waiting: map[string]place{}}
}

// open makes a wave of at least one item and gives each of its items a reference; the items must
// not be touched until settle returns.
func (w *waves) open(items []*Item) *wave {
	wv := &wave{items: items, refs: make([]string, len(items)), left: len(items), done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range items {
		w.next++
		ref := strconv.FormatUint(w.next, 36)
		wv.refs[i] = ref
		w.waiting[ref] = place{wv, i}
	}
	return wv
}

// forget takes item i of a wave out of the waiting; its receipt, should one
// come, is dropped. It reports whether the receipt had not come yet.
func (w *waves) forget(wv *wave, i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wv.refs[i] == "" {
		return false
	}
	w.release(wv, i)
	return true
}

func (w *waves) release(wv *wave, i int) {
	delete(w.waiting, wv.refs[i])
	wv.refs[i] = ""
	wv.left--
	if wv.left == 0 {
		close(wv.done)
	}
}

// settle waits until every item has its receipt, wait is over or ctx ends, and
// marks as accepted what is still without one.
func (w *waves) settle(ctx context.Context, wv *wave, wait time.Duration) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-wv.done:
			return
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, ref := range wv.refs {
		if ref != "" {
			wv.items[i].Result = Accepted
			w.release(wv, i)
		}
	}
}

// deliver hands a receipt to the item that waits for it; a receipt that nobody
// waits for any more is dropped (the sender asks again with the same identity).
func (w *waves) deliver(r intake.Receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.waiting[r.Ref]
	if !ok {
		return
	}
	p.wave.items[p.index].fill(r)
	w.release(p.wave, p.index)
}

// subscribe opens the subscription; run consumes it.
func (w *waves) subscribe(ctx context.Context, port intake.Receipts) (<-chan intake.Receipt, func(), error) {
	return port.Await(ctx, w.token)
}

// run hands out receipts until ctx ends. While the subscription is away, items
// are answered as accepted.
func (w *waves) run(ctx context.Context, port intake.Receipts) error {
	for {
		receipts, stop, err := w.subscribe(ctx, port)
		if err == nil {
			err = w.consume(ctx, receipts, stop)
		}
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("gateway: no receipts for now, items are answered as accepted", errorField(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (w *waves) consume(ctx context.Context, receipts <-chan intake.Receipt, stop func()) error {
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r, ok := <-receipts:
			if !ok {
				return intake.ErrUnavailable
			}
			w.deliver(r)
		}
	}
}
