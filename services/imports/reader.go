package imports

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// Format is the form of a file.
type Format string

// The forms of a file.
const (
	CSV    Format = "csv"
	XLSX   Format = "xlsx"
	NDJSON Format = "ndjson"
)

// Errors of a file as a whole.
var (
	// ErrEmpty: the file has no header or no line.
	ErrEmpty = errors.New("the file is empty")
	// ErrFormat: the file is not what its name or the options say.
	ErrFormat = errors.New("the file is not in that format")
)

// row is one row of a file. Its cells belong to the reader until the next one.
type row struct {
	number  int      // line of its start (CSV, NDJSON) or row of the sheet (XLSX), from 1
	cells   []string // CSV and XLSX
	raw     []byte   // the row as it stood there: NDJSON always, CSV when it is unreadable
	problem *Problem // why it cannot be read
	mended  string   // reject_raw of a rejects file that is imported again
}

// rows is a file being read. next returns io.EOF after the last row; other
// errors end the reading, bad rows do not.
type rows interface {
	next() (*row, error)
	header() []string // nil for NDJSON
	Close() error
}

// FormatOf tells the format by the name of a file, ".gz" aside.
func FormatOf(path string) (Format, error) {
	switch strings.ToLower(filepath.Ext(plainName(path))) {
	case ".csv", ".tsv", ".txt":
		return CSV, nil
	case ".xlsx", ".xlsm":
		return XLSX, nil
	case ".ndjson", ".jsonl":
		return NDJSON, nil
	}
	return "", fmt.Errorf("imports open %s: %w: name it .csv, .xlsx or .ndjson, or say its format", filepath.Base(path), ErrFormat)
}

// plainName is the base name of path without ".gz".
func plainName(path string) string {
	name := filepath.Base(path)
	if ext := filepath.Ext(name); strings.EqualFold(ext, ".gz") {
		return strings.TrimSuffix(name, ext)
	}
	return name
}

// text opens a file that may be compressed; it is told by its first bytes.
type text struct {
	file *os.File
	read *atomic.Int64 // bytes of the file, before decompression
	zip  *gzip.Reader
	*bufio.Reader
}

func openText(path string, read *atomic.Int64) (*text, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("imports open: %w", err)
	}
	t := &text{file: f, read: read}
	t.Reader = bufio.NewReaderSize(counted{f, read}, 256<<10)
	if magic, _ := t.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		if t.zip, err = gzip.NewReader(t.Reader); err != nil {
			return nil, errors.Join(fmt.Errorf("imports open %s: decompress: %w", filepath.Base(path), err), f.Close())
		}
		t.Reader = bufio.NewReaderSize(t.zip, 256<<10)
	}
	return t, nil
}

// Close closes the file.
func (t *text) Close() error { return t.file.Close() }

type counted struct {
	r io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// line is one physical line without its end. long says that only its head was kept.
type line struct {
	text   []byte
	number int
	long   bool
}

// lines cuts text into lines of at most limit bytes; what is longer is cut and
// marked. It owns what it returns until the next call.
type lines struct {
	in     *bufio.Reader
	limit  int
	number int
}

func (l *lines) next() (line, error) {
	var out line
	for {
		part, err := l.in.ReadSlice('\n')
		if len(part) == 0 && err != nil && out.text == nil && !errors.Is(err, bufio.ErrBufferFull) {
			return line{}, err
		}
		if room := l.limit - len(out.text); room < len(part) {
			out.long = true
			part = part[:max(room, 0)]
		}
		out.text = append(out.text, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return line{}, err
		}
		l.number++
		out.number = l.number
		out.text = trimEnd(out.text)
		return out, nil
	}
}

// trimEnd takes off the line's end.
func trimEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}
