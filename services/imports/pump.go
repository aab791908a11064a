package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/assenso/assenso/events"
)

// Valid is the result of a submission that a dry run finds no fault with.
const Valid Result = "valid"

// work is an import under way.
type work struct {
	o         *Options
	rows      rows
	conv      *converter // nil for NDJSON
	comma     rune
	rejects   *rejects
	discard   bool // refused rows are counted, not written
	answers   *answers
	state     state
	statePath string // "" = no state
	resumed   bool
	read      *atomic.Int64
	bar       *progress
}

// job is one batch on its way.
type job struct {
	rows     []*row
	problems [][]Problem // by row; nil = sent
	bodies   [][]byte    // of the rows that are sent, in order
	at       int64       // units of the progress bar when the batch was full
	last     error       // why reading ended after this batch; io.EOF at the end

	outcomes []Outcome
	err      error
	done     chan struct{}
}

// pump reads, sends and settles. Batches are sent up to InFlight at once and
// settled in order, so that what is acknowledged is always a head of the file.
func (w *work) pump(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	slots := make(chan struct{}, w.o.InFlight)
	jobs := make(chan *job, w.o.InFlight)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(jobs)
		w.produce(ctx, slots, jobs, &wg)
	})
	var err error
	for j := range jobs {
		if err != nil {
			continue
		}
		<-j.done
		if err = w.settle(j); err == nil {
			err = j.last
		}
		if err != nil {
			cancel() // and keep the slot: nothing more is sent
			continue
		}
		<-slots
	}
	wg.Wait()
	switch {
	case err == nil:
		return parent.Err()
	case !errors.Is(err, io.EOF):
		return err
	case w.state.Rows == 0:
		return fmt.Errorf("imports read %s: %w: it has no row", plainName(w.o.Path), ErrEmpty)
	}
	return nil
}

// produce reads batches, one ahead of those that are under way, and sends each
// as soon as an earlier one is settled.
func (w *work) produce(ctx context.Context, slots chan struct{}, jobs chan<- *job, wg *sync.WaitGroup) {
	for {
		j := w.batch()
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() { w.send(ctx, j) })
		jobs <- j // there is room: the channel is as long as there are slots
		if j.last != nil {
			return
		}
	}
}

// batch reads up to BatchSize rows.
func (w *work) batch() *job {
	j := &job{done: make(chan struct{})}
	size := 0
	for len(j.rows) < w.o.BatchSize && size < MaxBatchBytes {
		r, err := w.rows.next()
		if err != nil {
			j.last = err
			if !errors.Is(err, io.EOF) {
				j.last = fmt.Errorf("imports read %s: %w", plainName(w.o.Path), err)
			}
			break
		}
		body, problems := w.submission(r)
		if problems == nil {
			j.bodies = append(j.bodies, body)
			size += len(body)
		}
		j.rows, j.problems = append(j.rows, r), append(j.problems, problems)
	}
	j.at = w.read.Load()
	return j
}

// submission returns what is sent for a row, or why nothing is.
func (w *work) submission(r *row) ([]byte, []Problem) {
	switch {
	case r.problem != nil:
		return nil, []Problem{*r.problem}
	case w.conv == nil:
		return r.raw, nil
	}
	return w.conv.convert(r)
}

func (w *work) send(ctx context.Context, j *job) {
	defer close(j.done)
	if len(j.bodies) == 0 {
		return
	}
	j.outcomes, j.err = w.o.Sink.Send(ctx, j.bodies)
	if j.err == nil && len(j.outcomes) != len(j.bodies) {
		j.err = fmt.Errorf("imports send: %w: %d answers for %d submissions", ErrSink, len(j.outcomes), len(j.bodies))
	}
}

// settle counts an answered batch: first its refused rows, then the state, both
// on disk.
func (w *work) settle(j *job) error {
	if j.err != nil {
		return j.err
	}
	if w.answers != nil {
		if err := w.answers.add(j); err != nil {
			return err
		}
	}
	sent := 0
	for i, r := range j.rows {
		problems := j.problems[i]
		if problems == nil {
			o := j.outcomes[sent]
			sent++
			if o.Result != Rejected {
				w.state.Summary.count(o)
				continue
			}
			problems = w.answered(r, o.Errors)
		}
		w.state.Summary.reject(problems)
		if w.discard {
			continue
		}
		if err := w.rejects.add(r, problems); err != nil {
			return err
		}
	}
	w.state.Rows += len(j.rows)
	w.state.Summary.Rows = w.state.Rows
	var err error
	if w.state.Size, err = w.rejects.flush(); err != nil {
		return err
	}
	if w.answers != nil {
		if w.state.Answers, err = w.answers.flush(); err != nil {
			return err
		}
	}
	if w.state.Size > 0 {
		w.state.Summary.Rejects = w.rejects.path
	}
	w.bar.to(j.at)
	if w.statePath == "" || len(j.rows) == 0 {
		return nil
	}
	return w.state.save(w.statePath)
}

// answered turns the faults that the sink found into problems of the row and
// names the column that feeds the field.
func (w *work) answered(r *row, faults []events.Fault) []Problem {
	if len(faults) == 0 {
		faults = []events.Fault{{Code: CodeRow, Hint: "rejected without a reason"}}
	}
	out := make([]Problem, len(faults))
	for i, f := range faults {
		out[i] = Problem{Row: r.number, Column: w.conv.column(f.Field), Fault: f}
	}
	return out
}
