package listfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listcheck"
)

// Door hands a list to a gate: body is the question and the numbers, the answer
// one line for each and the summary. The answer may begin before the body ends.
type Door func(ctx context.Context, body io.Reader) (io.ReadCloser, error)

// Options say what to check, how, and where to.
type Options struct {
	Path    string
	Format  imports.Format   // "" = by the name of the file
	Mapping *imports.Mapping // of the list, or nil; it tells the column of the numbers, and how CSV is written
	Column  string           // of the numbers (a member, in NDJSON); "" = by the mapping, or the usual names
	// Question is put to every number; its Country is that of national numbers.
	Question events.Question
	Door     Door
	// Out is the file of answers; "" = beside the list.
	Out string
	// Plan, where not nil, says which numbers to submit to the register next.
	Plan     *Plan
	Progress io.Writer // a terminal; nil or anything else = silent
}

// Result is what a check came to.
type Result struct {
	listcheck.Summary
	Answers string `json:"answers"` // the file
	// SummaryFile is the file with the summary; "" where it is the last line.
	SummaryFile string `json:"summary_file,omitempty"`
	Plan        *Plan  `json:"consultation,omitempty"`
}

// Errors of a check.
var (
	// ErrBroken: the answer broke off. Nothing was written; run the check again.
	ErrBroken = errors.New("the answer broke off")
	// ErrRefused: the gate ended the check and says why; see Refusal.
	ErrRefused = errors.New("the list was not checked")
)

// Refusal is the problem with which a gate ended a check. It wraps ErrRefused.
type Refusal struct {
	Title  string         `json:"title"`
	Detail string         `json:"detail"`
	Status int            `json:"status"`
	Errors []events.Fault `json:"errors"`
}

// Error implements error.
func (r *Refusal) Error() string {
	text := ErrRefused.Error() + ": " + r.Title
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	for _, f := range r.Errors {
		text += "; " + f.Error()
	}
	return text
}

// Unwrap returns ErrRefused.
func (r *Refusal) Unwrap() error { return ErrRefused }

// Run checks a list. On nil the answers, their summary and the file to submit
// are on disk under their names; on an error none of them has changed.
func Run(ctx context.Context, o Options) (_ Result, err error) {
	s, err := o.open()
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, s.table.Close()) }()
	out := o.Out
	if out == "" {
		out = beside(o.Path, s.table.Format)
	}
	c := &check{o: &o, source: s, bar: imports.NewProgress(o.Progress, filepath.Base(o.Path), s.table.Size)}
	result := Result{Answers: out, Plan: o.Plan}
	answers := func() error {
		return imports.ReplaceFile(out, func(f *os.File) error { return c.into(ctx, f, &result) })
	}
	if o.Plan != nil {
		o.Plan.begin()
		if o.Plan.Submit != "" {
			err = imports.ReplaceFile(o.Plan.Submit, func(f *os.File) error {
				o.Plan.file = bufio.NewWriter(f)
				if err := answers(); err != nil {
					return err
				}
				return o.Plan.file.Flush()
			})
		} else {
			err = answers()
		}
	} else {
		err = answers()
	}
	c.bar.End(err == nil)
	return result, err
}

// beside is the file of answers of a list by default.
func beside(list string, f imports.Format) string {
	base := filepath.Base(list)
	base, _, _ = strings.Cut(base, ".")
	ext := ".csv"
	if f == imports.NDJSON {
		ext = ".ndjson"
	}
	return filepath.Join(filepath.Dir(list), base+".answers"+ext)
}

// check is a list under way.
type check struct {
	o       *Options
	source  *source
	bar     imports.Progress
	recount listcheck.Recount
}

// ahead is how many rows are sent before their answers have come.
const ahead = 16384

// into checks the list and writes the answers, then the summary.
func (c *check) into(ctx context.Context, f *os.File, result *Result) error {
	var out output
	var err error
	if c.source.table.Format == imports.NDJSON {
		out = &ndjsonOutput{w: bufio.NewWriterSize(f, 256<<10)}
	} else if out, err = newCSVOutput(f, c.source.table.Delimiter, c.source.header); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	sum, err := c.exchange(ctx, out)
	if err != nil {
		return err
	}
	if err := c.recount.Check(sum); err != nil {
		return fmt.Errorf("%w: they were changed on their way", err)
	}
	if err := out.end(sum); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	result.Summary = *sum
	if c.source.table.Format == imports.NDJSON {
		return nil
	}
	result.SummaryFile = result.Answers + summarySuffix
	return imports.ReplaceFile(result.SummaryFile, func(f *os.File) error {
		enc := json.NewEncoder(f)
		enc.SetIndent("", " ")
		return enc.Encode(sum)
	})
}

// summarySuffix ends the name of the summary of a CSV file of answers.
const summarySuffix = ".summary.json"

// exchange sends the rows and joins them with their answers.
func (c *check) exchange(ctx context.Context, out output) (*listcheck.Summary, error) {
	body, to := io.Pipe()
	rows := make(chan *row, ahead)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(rows)
		err := c.send(ctx, to, rows)
		if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, errAnswered) {
			err = nil // the answer tells why
		}
		return errors.Join(err, to.CloseWithError(err))
	})
	var sum *listcheck.Summary
	group.Go(func() error {
		defer func() { _ = body.CloseWithError(errAnswered) }()
		answers, err := c.o.Door(ctx, body)
		if err != nil {
			return err
		}
		sum, err = c.receive(answers, rows, out)
		return errors.Join(err, answers.Close())
	})
	err := group.Wait()
	return sum, err
}

// errAnswered ends the sending when the answer has ended.
var errAnswered = errors.New("the answer has ended")

// send writes the question and a line for each row. A row waits in rows for its
// answer before it is on its way.
func (c *check) send(ctx context.Context, to io.Writer, rows chan<- *row) error {
	q := c.o.Question
	q.Country = c.source.country
	question, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("send list: %w", err)
	}
	w := bufio.NewWriterSize(to, 32<<10)
	if _, err := w.Write(append(question, '\n')); err != nil {
		return err
	}
	var line []byte
	for {
		r, err := c.source.next()
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		select {
		case rows <- r:
		default: // what is buffered must be answered first
			if err := w.Flush(); err != nil {
				return err
			}
			select {
			case rows <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		line = r.appendLine(line[:0])
		if _, err := w.Write(line); err != nil {
			return err
		}
		c.bar.To(c.source.table.Read())
	}
}

// receive reads the answers, each for the next row, and the summary.
func (c *check) receive(from io.Reader, rows <-chan *row, out output) (*listcheck.Summary, error) {
	in := bufio.NewReaderSize(from, 256<<10)
	for {
		text, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, fmt.Errorf("check list: %w: %w: nothing was written, run the same command again", ErrBroken, err)
		}
		var a struct {
			answer
			Batch   string   `json:"batch"`
			Problem *Refusal `json:"problem"`
		}
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("check list: %w: a line is no JSON: nothing was written, run the same command again", ErrBroken)
		}
		switch {
		case a.Problem != nil:
			return nil, a.Problem
		case a.Batch != "":
			_, sum, err := listcheck.ParseAnswer(text)
			return sum, err
		}
		r, ok := <-rows
		if !ok {
			return nil, fmt.Errorf("check list: %w: there are more answers than rows", listcheck.ErrAnswers)
		}
		c.recount.Add(&a.Given)
		if c.o.Plan != nil {
			if err := c.o.Plan.add(r, c.source.country, &a.answer); err != nil {
				return nil, err
			}
		}
		if err := out.add(r, &a.answer, text); err != nil {
			return nil, fmt.Errorf("write answers: %w", err)
		}
	}
}
