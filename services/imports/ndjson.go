package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// maxNDJSON is the longest line of NDJSON that is looked at: longer than a
// submission may be, so that its original fits the rejects file.
const maxNDJSON = 4 << 20

// ndjsonRows reads raw submissions, one a line. A line of a rejects file is
// read as the submission that it holds.
type ndjsonRows struct {
	text  *text
	lines lines
}

func openNDJSON(path string, read *atomic.Int64) (*ndjsonRows, error) {
	t, err := openText(path, read)
	if err != nil {
		return nil, err
	}
	head, _ := t.Peek(512)
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, errors.Join(fmt.Errorf("imports open %s: %w: it is not a text in UTF-8", filepath.Base(path), ErrFormat), t.Close())
	}
	if len(head) == 0 {
		return nil, errors.Join(fmt.Errorf("imports open %s: %w", filepath.Base(path), ErrEmpty), t.Close())
	}
	if bytes.HasPrefix(head, bom) {
		if _, err := t.Discard(len(bom)); err != nil {
			return nil, errors.Join(fmt.Errorf("imports open %s: %w", filepath.Base(path), err), t.Close())
		}
	}
	return &ndjsonRows{text: t, lines: lines{in: t.Reader, limit: maxNDJSON}}, nil
}

func (n *ndjsonRows) header() []string { return nil }

// Close closes the file.
func (n *ndjsonRows) Close() error { return n.text.Close() }

// next skips empty lines.
func (n *ndjsonRows) next() (*row, error) {
	for {
		l, err := n.lines.next()
		if err != nil {
			return nil, err
		}
		body := bytes.TrimSpace(l.text)
		if len(body) == 0 && !l.long {
			continue
		}
		r := &row{number: l.number, raw: body}
		switch {
		case l.long:
			r.raw = nil
			r.problem = problemAt(l.number, "json_invalid", fmt.Sprintf("the line is longer than %d bytes; it is kept in the input file only", maxNDJSON))
			return r, nil
		case !utf8.Valid(body):
			r.problem = problemAt(l.number, "json_invalid", "the line is not UTF-8")
			return r, nil
		}
		r.raw = original(body)
		switch {
		case len(r.raw) > MaxBody:
			r.problem = problemAt(l.number, "json_invalid", fmt.Sprintf("the submission is larger than %d bytes", MaxBody))
		case !json.Valid(r.raw) || r.raw[0] != '{':
			r.problem = problemAt(l.number, "json_invalid", "the line is not one JSON object: check quotes, commas and brackets")
		}
		return r, nil
	}
}

// rejectLine is a line of an NDJSON rejects file.
type rejectLine struct {
	Reject       *rejectHead     `json:"reject"`
	Original     json.RawMessage `json:"original,omitempty"`
	OriginalText *string         `json:"original_text,omitempty"` // when it is not JSON
}

type rejectHead struct {
	Row    int       `json:"row"`
	Errors []Problem `json:"errors"`
}

// original takes the submission out of a line of a rejects file; any other
// line is returned as it is.
func original(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte(`{"reject":`)) {
		return body
	}
	var w rejectLine
	if err := json.Unmarshal(body, &w); err != nil || w.Reject == nil {
		return body
	}
	switch {
	case len(w.Original) > 0:
		var b bytes.Buffer
		if err := json.Compact(&b, w.Original); err != nil {
			return body
		}
		return b.Bytes()
	case w.OriginalText != nil && strings.TrimSpace(*w.OriginalText) != "":
		return []byte(strings.ReplaceAll(strings.TrimSpace(*w.OriginalText), "\n", " "))
	}
	return body
}
