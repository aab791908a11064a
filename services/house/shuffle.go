package house

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/projection"
)

// shuffled lets a projection read the streams in a random order and in pieces
// of random length; within a stream the order stands. It serves scenarios:
// results must not depend on it.
type shuffled struct {
	projection.Source
	seed uint64
}

// Follow implements projection.Source.
func (s shuffled) Follow(_ context.Context, after ledger.Positions) (ledger.Follower, error) {
	f := &shuffledFollower{source: s.Source, next: ledger.Positions{}, random: rand.New(rand.NewPCG(s.seed, 1)), stopped: make(chan struct{})}
	for stream, n := range after {
		f.next[stream] = n
	}
	return f, nil
}

type shuffledFollower struct {
	source  projection.Source
	next    ledger.Positions // last handed out
	random  *rand.Rand
	stopped chan struct{}
}

const (
	shuffledPiece = 4
	shuffledPause = time.Millisecond
)

// Next implements ledger.Follower.
func (f *shuffledFollower) Next(ctx context.Context, limit int) ([]ledger.Record, error) {
	for {
		last, err := f.source.Last(ctx)
		if err != nil {
			return nil, err
		}
		var behind []ledger.Stream
		for _, stream := range ledger.Streams(max(len(last)-1, 1)) {
			if last[stream] > f.next[stream] {
				behind = append(behind, stream)
			}
		}
		if len(behind) > 0 {
			return f.read(ctx, behind[f.random.IntN(len(behind))], limit)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.stopped:
			return nil, ledger.ErrStopped
		case <-time.After(shuffledPause):
		}
	}
}

func (f *shuffledFollower) read(ctx context.Context, stream ledger.Stream, limit int) ([]ledger.Record, error) {
	n := min(limit, 1+f.random.IntN(shuffledPiece))
	records, err := f.source.Read(ctx, stream, f.next[stream]+1, n)
	f.next[stream] += ledger.Sequence(len(records))
	return records, err
}

// Stop implements ledger.Follower.
func (f *shuffledFollower) Stop() { close(f.stopped) }
