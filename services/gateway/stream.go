package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/services/intake"
)

const (
	streamChunk  = 1000    // events submitted together at most
	streamWindow = 4       // chunks on their way at once: back-pressure beyond
	streamBytes  = 4 << 20 // bytes of one chunk at most
	fullBackoff  = 50 * time.Millisecond
)

// submitStream answers NDJSON of any length: a line in, a line out, in order.
// Reading stops while streamWindow chunks wait for their receipts, so a slow
// ledger slows the sender down instead of filling memory. When the intake is
// full the stream waits with it, up to Config.StallTimeout; then what was not
// taken is answered as unavailable and the stream ends: a line without an
// answer was not taken either.
func (g *Gateway) submitStream(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		problemOf(err).write(w)
		return
	}
	w.Header().Set("Content-Type", typeNDJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	chunks := make(chan *pending, streamWindow)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(chunks)
		return g.readChunks(ctx, rc, r, chunks)
	})
	group.Go(func() error {
		defer cancel() // a client that does not read ends the reading too
		return g.writeChunks(ctx, w, rc, chunks, wait)
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		g.log.Info("gateway: event stream ended early", errorField(err))
	}
}

// readChunks cuts the body into lines and submits them; a chunk is sent off
// when it is full or when no further line has arrived yet. A body of known
// length is not written line by line, so its chunks are always filled.
func (g *Gateway) readChunks(ctx context.Context, rc *http.ResponseController, r *http.Request, out chan<- *pending) error {
	in := bufio.NewReaderSize(r.Body, 256<<10)
	trace := traceparent(r.Header)
	index := 0
	for {
		_ = rc.SetReadDeadline(g.deadline(g.cfg.IdleTimeout))
		lines, err := readLines(in, r.ContentLength > 0)
		if len(lines) > 0 {
			p, stalled := g.sendPatiently(ctx, index, lines, trace)
			index += len(lines)
			select {
			case out <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
			if stalled {
				return p.fault
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLines returns the lines that are there, at least one unless the body
// ends; with fill it waits for a whole chunk. Empty lines are skipped. The last line needs no line feed. A line that
// is longer than a submission may be comes back cut, as a broken one.
func readLines(in *bufio.Reader, fill bool) ([][]byte, error) {
	var lines [][]byte
	size := 0
	for {
		line, err := readLine(in)
		if len(line) > 0 {
			lines = append(lines, line)
			size += len(line)
		}
		if err != nil {
			return lines, err
		}
		if len(lines) >= streamChunk || size >= streamBytes || (!fill && len(lines) > 0 && !lineBuffered(in)) {
			return lines, nil
		}
	}
}

func lineBuffered(in *bufio.Reader) bool {
	b, err := in.Peek(in.Buffered())
	return err == nil && bytes.IndexByte(b, '\n') >= 0
}

// readLine returns the next line without its end, trimmed, in memory of its
// own; at most intake.MaxBody+1 bytes of it are kept.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if room := intake.MaxBody + 1 - len(line); room > 0 {
			line = append(line, part[:min(room, len(part))]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// sendPatiently submits lines and, while the intake is full or away, tries
// those that were not taken again. stalled reports that it gave up.
func (g *Gateway) sendPatiently(ctx context.Context, first int, lines [][]byte, trace string) (p *pending, stalled bool) {
	p = g.door.send(ctx, first, lines, trace)
	pause, end := fullBackoff, time.Now().Add(g.cfg.StallTimeout)
	for p.fault != nil {
		if time.Now().After(end) {
			return p, true
		}
		select {
		case <-ctx.Done():
			return p, true
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
		g.door.resend(ctx, p)
	}
	return p, false
}

// writeChunks writes the results in order, each chunk at once.
func (g *Gateway) writeChunks(ctx context.Context, w io.Writer, rc *http.ResponseController, in <-chan *pending, wait time.Duration) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for p := range in {
		g.door.finish(ctx, p, wait)
		g.count(p.items)
		_ = rc.SetWriteDeadline(g.deadline(g.cfg.IdleTimeout))
		for _, it := range p.items {
			if err := enc.Encode(it); err != nil {
				return err
			}
		}
		if err := errors.Join(out.Flush(), rc.Flush()); err != nil {
			return err
		}
	}
	return nil
}

// deadline is the wall-clock instant d from now, for the connection.
func (g *Gateway) deadline(d time.Duration) time.Time { return time.Now().Add(d) }
