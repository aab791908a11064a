package memledger

import (
	"context"
	"sync"

	"github.com/assenso/assenso/services/ledger"
)

// follower walks the streams round robin.
type follower struct {
	log     *Ledger
	ctx     context.Context // Follow's
	at      ledger.Positions
	streams []ledger.Stream
	turn    int
	failed  error // ErrGone, for ever
	once    sync.Once
	stopped chan struct{}
}

// Next implements ledger.Follower.
func (f *follower) Next(ctx context.Context, limit int) ([]ledger.Record, error) {
	for {
		select {
		case <-f.stopped:
			return nil, ledger.ErrStopped
		default:
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		if f.failed != nil {
			return nil, f.failed
		}
		list, changed, err := f.look(max(limit, 1))
		if len(list) > 0 {
			f.at[list[0].Stream] = list[len(list)-1].Sequence
			return list, nil
		}
		if err != nil {
			f.failed = err
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-f.ctx.Done():
		case <-f.stopped:
		}
	}
}

// look returns the next records of the stream whose turn it is, or what to
// wait for.
func (f *follower) look(limit int) ([]ledger.Record, <-chan struct{}, error) {
	l := f.log
	l.mu.Lock()
	defer l.mu.Unlock()
	var hole error
	for range f.streams {
		stream := f.streams[f.turn%len(f.streams)]
		f.turn++
		from := f.at[stream] + 1
		upto := limit
		for n := range limit {
			if l.gone[stream][from+ledger.Sequence(n)] {
				upto = n
				break
			}
		}
		if upto == 0 {
			_, hole = l.cut(stream, l.streams[stream], from, 1)
			continue
		}
		list, err := l.cut(stream, l.streams[stream], from, upto)
		if err != nil || len(list) > 0 {
			return list, nil, err
		}
	}
	return nil, l.changed, hole
}

// Stop implements ledger.Follower.
func (f *follower) Stop() { f.once.Do(func() { close(f.stopped) }) }
