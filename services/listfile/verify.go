package listfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listcheck"
)

// ErrNoSummary: there is no summary with the answers.
var ErrNoSummary = errors.New("no summary")

// Read recomputes root and counts from a file of answers: one that Run wrote, or
// the answer of POST /v1/decisions:batch as it came. The summary is the file's
// last line, that beside it, or the one at summary if that is not "".
func Read(path string, format imports.Format, summary string) (*listcheck.Recount, *listcheck.Summary, error) {
	table, err := imports.OpenTable(path, format, nil)
	if err != nil {
		return nil, nil, err
	}
	r := &reading{table: table}
	if err := errors.Join(r.all(), table.Close()); err != nil {
		return nil, nil, err
	}
	if r.summary == nil || summary != "" {
		if summary == "" {
			summary = path + summarySuffix
		}
		if r.summary, err = readSummary(summary); err != nil {
			return &r.recount, nil, err
		}
	}
	return &r.recount, r.summary, nil
}

func readSummary(path string) (*listcheck.Summary, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read answers: %w stands in the file, and none in %s: name it with --summary", ErrNoSummary, filepath.Base(path))
	}
	if err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	var s listcheck.Summary
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read summary %s: %w", filepath.Base(path), err)
	}
	return &s, nil
}

// reading is a file of answers being read.
type reading struct {
	table   *imports.Table
	recount listcheck.Recount
	summary *listcheck.Summary
}

func (r *reading) all() error {
	columns := make([]int, len(answerColumns))
	if r.table.Format != imports.NDJSON {
		for i, name := range answerColumns {
			if columns[i] = r.table.Column(name); columns[i] < 0 && name != "errors" {
				return fmt.Errorf("read answers: %w: the file has no column %s, or two of them", listcheck.ErrAnswers, name)
			}
		}
	}
	for {
		row, err := r.table.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answers: %w", err)
		}
		switch {
		case r.summary != nil:
			return fmt.Errorf("read answers: %w: lines follow the summary", listcheck.ErrAnswers)
		case row.Problem != nil:
			return fmt.Errorf("read answers: %w: row %d: %w", listcheck.ErrAnswers, row.Number, row.Problem)
		case r.table.Format == imports.NDJSON:
			err = r.line(row.Raw)
		default:
			err = r.cells(row.Cells, columns)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", row.Number, err)
		}
	}
}

// line takes a line of NDJSON.
func (r *reading) line(text []byte) error {
	var wrapped struct {
		Decision json.RawMessage `json:"decision"`
		Summary  json.RawMessage `json:"summary"`
	}
	if err := json.Unmarshal(text, &wrapped); err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	switch {
	case len(wrapped.Decision) > 0:
		text = wrapped.Decision
	case len(wrapped.Summary) > 0:
		text = wrapped.Summary
	}
	g, s, err := listcheck.ParseAnswer(bytes.TrimSpace(text))
	if err != nil {
		return err
	}
	if r.summary = s; g != nil {
		r.recount.Add(g)
	}
	return nil
}

// cells takes a row of CSV.
func (r *reading) cells(cells []string, columns []int) error {
	at := func(i int) string {
		if columns[i] < 0 || columns[i] >= len(cells) {
			return ""
		}
		return cells[columns[i]]
	}
	reasons, err := parseReasons(at(1))
	if err != nil {
		return err
	}
	r.recount.Add(&listcheck.Given{Verdict: events.Verdict(at(0)), Reasons: reasons, ValidUntil: at(2), RegisterUntil: at(3), Contact: at(4)})
	return nil
}
