package natsledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/assenso/assenso/services/ledger"
)

const (
	readBatch  = 1000    // records of one direct get
	readBytes  = 8 << 20 // bytes of one direct get
	readTries  = 5       // while a replica is behind its leader
	readSpread = 20 * time.Millisecond
)

// Read implements ledger.Reader with batched direct gets. The error wraps
// ledger.ErrGone, or ledger.ErrUnavailable, or is that of ctx.
func (l *Ledger) Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	next := max(from, 1)
	var out []ledger.Record
	for tries := 0; len(out) < limit; {
		got, err := l.readSome(ctx, stream, next, min(limit-len(out), readBatch))
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		next += ledger.Sequence(len(got))
		if len(got) > 0 {
			tries = 0
			continue
		}
		// Nothing there: the end, a hole, or a replica that is behind.
		info, err := l.info(ctx, stream)
		if err != nil {
			return nil, fmt.Errorf("read %w", err)
		}
		if ledger.Sequence(info.State.LastSeq) < next {
			return out, nil
		}
		if tries++; tries == readTries {
			return nil, fmt.Errorf("read %s at %d: %w: the stream goes on to %d", stream, next, ledger.ErrGone, info.State.LastSeq)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readSpread << tries):
		}
	}
	return out, nil
}

// readSome returns what one direct get delivers from position next on.
func (l *Ledger) readSome(ctx context.Context, stream ledger.Stream, next ledger.Sequence, limit int) ([]ledger.Record, error) {
	rctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	messages, err := jetstreamext.GetBatch(rctx, l.bulk, string(stream), limit, jetstreamext.GetBatchSeq(uint64(next)), jetstreamext.GetBatchMaxBytes(readBytes))
	if err != nil {
		return nil, l.readError(ctx, stream, err)
	}
	out := make([]ledger.Record, 0, limit)
	for m, err := range messages {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return nil, l.readError(ctx, stream, err)
		}
		want := next + ledger.Sequence(len(out))
		if got := ledger.Sequence(m.Sequence); got != want {
			return nil, fmt.Errorf("read %s at %d: %w: the next one is %d", stream, want, ledger.ErrGone, got)
		}
		out = append(out, ledger.Record{Stream: stream, Sequence: want, Body: m.Data})
	}
	return out, nil
}

// readError classifies a failed direct get: nobody answers for a stream that
// does not exist.
func (l *Ledger) readError(ctx context.Context, stream ledger.Stream, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, gone := l.info(ctx, stream); errors.Is(gone, ledger.ErrGone) {
		return fmt.Errorf("read %w", gone)
	}
	return fmt.Errorf("read %s: %w: %w", stream, ledger.ErrUnavailable, err)
}
