package listcheck

import (
	"context"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
)

// Run checks one list. All fields but Country and Workers are required.
type Run struct {
	List      List
	Normalise events.Normaliser
	Key       func(phone events.Phone) events.ContactKey
	// Country is that of national numbers on lines that name none; "" = none.
	Country string
	// At is the instant that is judged.
	At events.Instant
	// Workers is how many chunks are answered side by side; 0 = as many as
	// there are cores.
	Workers int
	// Read adds the next lines to an empty chunk, at least one unless it
	// returns an error; io.EOF ends the list. It is called from one goroutine.
	Read func(c *Chunk) error
	// Write takes the answers of a chunk, whole lines, in the order of the
	// list. While it blocks, reading stops: the memory of a run is bounded. It is
	// called from one goroutine and must not keep the bytes.
	Write func(lines []byte) error
	// Stop, where not nil, is called once when the run has failed, to end a Read
	// that blocks; Read may still be called once more.
	Stop func()
}

// Bounds of a chunk.
const (
	ChunkLines = 1024
	chunkBytes = 256 << 10
)

// Chunk is a part of a list on its way.
type Chunk struct {
	text []byte
	ends []int // of the lines in text

	first   uint64 // index of the first line
	keys    []events.ContactKey
	lines   []line
	answers []Answer
	out     []byte
	leaves  Span
	totals  Totals
	err     error
	done    chan struct{} // one token when answered
}

// Add adds a line, without its end; it is copied. What is longer than MaxLine is
// cut and cannot be read.
func (c *Chunk) Add(b []byte) {
	c.text = append(c.text, b[:min(len(b), MaxLine+1)]...)
	c.ends = append(c.ends, len(c.text))
}

// Len returns how many lines the chunk holds.
func (c *Chunk) Len() int { return len(c.ends) }

// Full reports whether the chunk takes no more lines.
func (c *Chunk) Full() bool { return len(c.ends) >= ChunkLines || len(c.text) >= chunkBytes }

// Totals is what a list came to.
type Totals struct {
	Count, Allow, Warn, Block int
	Root                      events.Digest
	// Until is the earliest instant at which an answer that is not block may
	// change by time alone; where all are block, the earliest of any. Zero for
	// an empty list.
	Until events.Instant

	blockedUntil events.Instant
}

// Do runs the check to the end of the list. On an error, which may be the
// context's, the answers written so far stand for themselves, and there is no
// commitment to them.
func (r *Run) Do(ctx context.Context) (Totals, error) {
	workers := r.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	window := 2*workers + 2 // chunks in memory: some being read, answered, written
	free, todo, order := make(chan *Chunk, window), make(chan *Chunk, window), make(chan *Chunk, window)
	for range window {
		free <- &Chunk{done: make(chan struct{}, 1)}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(order)
		defer close(todo)
		return r.read(ctx, free, todo, order)
	})
	for range workers {
		group.Go(func() error {
			r.work(ctx, todo)
			return nil
		})
	}
	var totals Totals
	group.Go(func() (err error) {
		totals, err = r.write(ctx, order, free)
		if err != nil && r.Stop != nil {
			r.Stop()
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return Totals{}, err
	}
	return totals, nil
}

// read cuts the list into chunks.
func (r *Run) read(ctx context.Context, free <-chan *Chunk, todo, order chan<- *Chunk) error {
	var index uint64
	for {
		var c *Chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.text, c.ends, c.first = c.text[:0], c.ends[:0], index
		err := r.Read(c)
		if c.Len() > 0 {
			index += uint64(c.Len())
			todo <- c // there is room: the channels are as long as there are chunks
			order <- c
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// work answers chunks until there are no more.
func (r *Run) work(ctx context.Context, todo <-chan *Chunk) {
	var e encoder
	var leaf []byte
	for c := range todo {
		c.err = ctx.Err()
		if c.err == nil {
			c.err = r.answer(ctx, c)
		}
		if c.err == nil {
			leaf = c.encode(&e, leaf)
		}
		c.done <- struct{}{}
	}
}

// answer finds the contacts of a chunk and has them answered.
func (r *Run) answer(ctx context.Context, c *Chunk) error {
	text := string(c.text)
	c.keys, c.lines = c.keys[:0], c.lines[:0]
	begin := 0
	for i, end := range c.ends {
		l, fault := ParseLine(text[begin:end])
		begin = end
		at := line{index: c.first + uint64(i), ref: l.Ref}
		if fault == nil {
			at.contact, fault = r.keyOf(&l)
		}
		if fault != nil {
			at.errors = []events.Fault{*fault}
		} else {
			c.keys = append(c.keys, at.contact)
		}
		c.lines = append(c.lines, at)
	}
	c.answers = grown(c.answers, len(c.lines))
	if err := r.List.Answer(ctx, c.keys, c.answers[:len(c.keys)]); err != nil {
		return err
	}
	if len(c.keys) == len(c.lines) {
		return nil
	}
	next := len(c.keys)
	for i := len(c.lines) - 1; i >= 0; i-- {
		if len(c.lines[i].errors) > 0 {
			c.answers[i] = InDoubt(Unreadable, r.At)
			continue
		}
		next--
		c.answers[i] = c.answers[next]
	}
	return nil
}

func grown(a []Answer, n int) []Answer {
	if cap(a) < n {
		a = make([]Answer, max(n, ChunkLines))
	}
	return a[:n]
}

// encode writes the answers of a chunk, hashes them and counts.
func (c *Chunk) encode(e *encoder, leaf []byte) []byte {
	c.out, c.totals = c.out[:0], Totals{}
	c.leaves.Reset(c.first)
	for i := range c.lines {
		l, a := &c.lines[i], &c.answers[i]
		begin := len(c.out)
		c.out = e.append(c.out, l, a, true)
		leaf = append(leaf[:0], leafPrefix)
		if l.ref == "" && len(l.errors) == 0 {
			leaf = append(leaf, c.out[begin:]...)
		} else {
			leaf = e.append(leaf, l, a, false)
		}
		c.leaves.Append(hashLeaf(leaf))
		c.out = append(c.out, '\n')
		c.totals.count(a)
	}
	return leaf
}

// count adds an answer.
func (t *Totals) count(a *Answer) {
	t.Count++
	until := &t.Until
	switch a.Verdict {
	case events.VerdictAllow:
		t.Allow++
	case events.VerdictWarn:
		t.Warn++
	default:
		t.Block++
		until = &t.blockedUntil
	}
	*until = earlier(*until, a.ValidUntil)
}

// earlier takes the earlier of two instants; zero is none.
func earlier(a, b events.Instant) events.Instant {
	if a.IsZero() || !b.IsZero() && b < a {
		return b
	}
	return a
}

// add adds the totals of a chunk.
func (t *Totals) add(c *Totals) {
	t.Count, t.Allow, t.Warn, t.Block = t.Count+c.Count, t.Allow+c.Allow, t.Warn+c.Warn, t.Block+c.Block
	t.Until, t.blockedUntil = earlier(t.Until, c.Until), earlier(t.blockedUntil, c.blockedUntil)
}

// write hands the answers out in order.
func (r *Run) write(ctx context.Context, order <-chan *Chunk, free chan<- *Chunk) (Totals, error) {
	var totals Totals
	var tree Span
	for {
		var c *Chunk
		select {
		case c = <-order:
		case <-ctx.Done():
			return Totals{}, ctx.Err()
		}
		if c == nil {
			break // the list has ended
		}
		<-c.done // the workers end with ctx
		if c.err != nil {
			return Totals{}, c.err
		}
		tree.Join(&c.leaves)
		totals.add(&c.totals)
		if err := r.Write(c.out); err != nil {
			return Totals{}, err
		}
		free <- c
	}
	if err := ctx.Err(); err != nil {
		return Totals{}, err
	}
	totals.Root = events.Digest(tree.Root())
	if totals.Until.IsZero() {
		totals.Until = totals.blockedUntil
	}
	return totals, nil
}
