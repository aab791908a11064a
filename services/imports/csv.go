package imports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

const (
	maxLine     = 1 << 20 // bytes of a physical line of CSV
	maxRowLines = 200     // lines that one quoted row may span
)

var bom = []byte("\xef\xbb\xbf")

// csvSettings say how a CSV file is written. delimiter 0 means: told by the
// header. charset nil means UTF-8.
type csvSettings struct {
	delimiter byte
	charset   encoding.Encoding
}

func (f csvFile) settings() (csvSettings, error) {
	var s csvSettings
	switch f.Delimiter {
	case "", "auto":
	case "tab", "\t":
		s.delimiter = '\t'
	case ",", ";", "|":
		s.delimiter = f.Delimiter[0]
	default:
		return s, errors.New("csv.delimiter is none of , ; | tab auto")
	}
	switch strings.ToLower(f.Encoding) {
	case "", "utf-8", "utf8":
	case "windows-1252", "cp1252":
		s.charset = charmap.Windows1252
	case "iso-8859-1", "latin1", "latin-1":
		s.charset = charmap.ISO8859_1
	default:
		return s, errors.New("csv.encoding is none of utf-8 windows-1252 iso-8859-1")
	}
	return s, nil
}

// csvRows reads CSV in the manner of RFC 4180. A row that cannot be read takes
// only its first line with it: an open quote never swallows the rest of a file.
type csvRows struct {
	text  *text
	lines lines
	set   csvSettings
	head  []string
	back  []line // lines to be read again
	drop  []bool // columns of a rejects file that were added by us
	raw   int    // index of reject_raw, -1 = none
}

func openCSV(path string, set csvSettings, read *atomic.Int64) (*csvRows, error) {
	t, err := openText(path, read)
	if err != nil {
		return nil, err
	}
	c := &csvRows{text: t, set: set, raw: -1, lines: lines{in: t.Reader, limit: maxLine}}
	if err := c.start(filepath.Base(path)); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return c, nil
}

// start reads the header.
func (c *csvRows) start(name string) error {
	head, err := c.text.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("imports open %s: %w", name, err)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return fmt.Errorf("imports open %s: %w: it is not a text in UTF-8, Windows-1252 or ISO-8859-1; save it as UTF-8", name, ErrFormat)
	}
	if bytes.HasPrefix(head, bom) {
		if _, err := c.text.Discard(len(bom)); err != nil {
			return fmt.Errorf("imports open %s: %w", name, err)
		}
		c.set.charset = nil
	}
	for {
		l, err := c.line()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("imports open %s: %w: a header with the columns' names is needed", name, ErrEmpty)
		}
		if err != nil {
			return fmt.Errorf("imports open %s: %w", name, err)
		}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		if c.set.delimiter == 0 {
			c.set.delimiter = guessDelimiter(l.text)
		}
		r, err := c.cut(l)
		if err != nil {
			return fmt.Errorf("imports open %s: %w", name, err)
		}
		if r.problem != nil {
			return fmt.Errorf("imports open %s: header: %w", name, r.problem)
		}
		c.setHeader(r.cells)
		return nil
	}
}

// setHeader leaves out the columns that a rejects file has beside the input's.
func (c *csvRows) setHeader(cells []string) {
	c.drop = make([]bool, len(cells))
	for i, h := range cells {
		switch headerKey(h) {
		case rejectRaw:
			c.raw = i
			c.drop[i] = true
		case rejectRow, rejectColumn, rejectCode, rejectField, rejectHint:
			c.drop[i] = true
		default:
			c.head = append(c.head, h)
		}
	}
}

func guessDelimiter(header []byte) byte {
	best, most := byte(','), 0
	for _, d := range []byte{',', ';', '\t', '|'} {
		if n := bytes.Count(header, []byte{d}); n > most {
			best, most = d, n
		}
	}
	return best
}

func (c *csvRows) header() []string { return c.head }

// Close closes the file.
func (c *csvRows) Close() error { return c.text.Close() }

// next skips empty lines.
func (c *csvRows) next() (*row, error) {
	for {
		l, err := c.line()
		if err != nil {
			return nil, err
		}
		if len(l.text) == 0 && !l.long {
			continue
		}
		r, err := c.cut(l)
		if err != nil {
			return nil, err
		}
		c.strip(r)
		return r, nil
	}
}

// strip takes the added columns of a rejects file out of a row.
func (c *csvRows) strip(r *row) {
	if len(c.drop) == len(c.head) || r.problem != nil {
		return
	}
	kept := r.cells[:0]
	for i, cell := range r.cells {
		if i == c.raw {
			r.mended = cell
		}
		if i >= len(c.drop) || !c.drop[i] {
			kept = append(kept, cell)
		}
	}
	if len(r.cells) != len(c.drop) {
		return
	}
	r.cells = kept
	if r.mended != "" && strings.TrimSpace(strings.Join(kept, "")) == "" {
		r.problem = problemAt(r.number, CodeRow, stillRaw)
	}
}

// line returns the next physical line in UTF-8.
func (c *csvRows) line() (line, error) {
	if n := len(c.back); n > 0 {
		l := c.back[n-1]
		c.back = c.back[:n-1]
		return l, nil
	}
	l, err := c.lines.next()
	if err != nil || c.set.charset == nil {
		return l, err
	}
	if l.text, err = c.set.charset.NewDecoder().Bytes(l.text); err != nil {
		return line{}, err
	}
	return l, nil
}

// cut reads the row that begins with line l, taking further lines while a
// quote is open.
func (c *csvRows) cut(l line) (*row, error) {
	if p := lineProblem(l); p != "" {
		return c.unreadable(l, nil, p), nil
	}
	var used []line
	cells, open, ok := splitCells(l.text, c.set.delimiter)
	whole, size := l.text, len(l.text)
	for ok && open {
		n, err := c.line()
		if errors.Is(err, io.EOF) {
			return c.unreadable(l, used, "a quote is opened and never closed"), nil
		}
		if err != nil {
			return nil, err
		}
		used = append(used, n)
		size += len(n.text) + 1
		switch p := lineProblem(n); {
		case p != "":
			return c.unreadable(l, used, p), nil
		case len(used) >= maxRowLines || size > maxLine:
			return c.unreadable(l, used, "a quote is opened and not closed within the length of a row"), nil
		}
		if bytes.IndexByte(n.text, '"') < 0 {
			whole = joinLine(whole, n.text)
			continue
		}
		whole = joinLine(whole, n.text)
		cells, open, ok = splitCells(whole, c.set.delimiter)
	}
	if !ok {
		return c.unreadable(l, used, "text follows a closing quote: double the quotes inside a quoted cell"), nil
	}
	return &row{number: l.number, cells: cells, raw: whole}, nil
}

func joinLine(whole, next []byte) []byte {
	out := make([]byte, 0, len(whole)+1+len(next))
	return append(append(append(out, whole...), '\n'), next...)
}

func lineProblem(l line) string {
	switch {
	case l.long:
		return fmt.Sprintf("the line is longer than %d bytes; it is kept in the input file only", maxLine)
	case bytes.IndexByte(l.text, 0) >= 0:
		return "the line holds a zero byte: it is not text"
	case !utf8.Valid(l.text):
		return "the line is not UTF-8: say csv.encoding: windows-1252 in the mapping, or save the file as UTF-8"
	}
	return ""
}

// unreadable gives up the row of line l and puts the lines after it back.
func (c *csvRows) unreadable(l line, used []line, hint string) *row {
	for i := len(used) - 1; i >= 0; i-- {
		c.back = append(c.back, used[i])
	}
	r := &row{number: l.number, problem: problemAt(l.number, CodeRow, hint)}
	if !l.long {
		r.raw = l.text
	}
	return r
}

// splitCells cuts a row. open says that it ends inside quotes; ok is false when
// text follows a closing quote. A quote within an unquoted cell is a letter.
func splitCells(s []byte, delimiter byte) (cells []string, open, ok bool) {
	for {
		if len(s) == 0 || s[0] != '"' {
			i := bytes.IndexByte(s, delimiter)
			if i < 0 {
				return append(cells, string(s)), false, true
			}
			cells = append(cells, string(s[:i]))
			s = s[i+1:]
			continue
		}
		var b strings.Builder
		s = s[1:]
		for {
			i := bytes.IndexByte(s, '"')
			if i < 0 {
				return nil, true, true
			}
			b.Write(s[:i])
			s = s[i+1:]
			if len(s) == 0 || s[0] != '"' {
				break
			}
			b.WriteByte('"')
			s = s[1:]
		}
		cells = append(cells, b.String())
		switch {
		case len(s) == 0:
			return cells, false, true
		case s[0] != delimiter:
			return nil, false, false
		}
		s = s[1:]
	}
}
