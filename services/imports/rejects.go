package imports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The columns that a CSV rejects file has beside those of the input. A rejects
// file is imported with the same mapping; these columns are then ignored.
const (
	rejectRow    = "reject_row"    // line or row in the input
	rejectColumn = "reject_column" // where one column is to blame
	rejectCode   = "reject_code"
	rejectField  = "reject_field"
	rejectHint   = "reject_hint"
	rejectRaw    = "reject_raw" // the row as it stood, when its cells were not those of the header
)

// stillRaw is what is wrong with a row that was not mended.
const stillRaw = "the row is still to be mended: write its cells into their columns, its text is in " + rejectRaw

// rejects is the file of refused rows: CSV (in UTF-8 with a byte order mark)
// for CSV and XLSX inputs, NDJSON for NDJSON. It is created with the first
// refused row and never overwrites a file that is there: that may hold somebody's mending.
type rejects struct {
	path   string
	header []string // nil: NDJSON
	comma  rune
	file   *os.File
	size   int64
	buf    bytes.Buffer
}

// rejectsPath is where the refused rows of an input go by default.
func rejectsPath(input string, f Format) string {
	name := plainName(input)
	ext := ".csv"
	if f == NDJSON {
		ext = ".ndjson"
	}
	base := strings.TrimSuffix(name, filepath.Ext(name)) + ".rejects"
	path := filepath.Join(filepath.Dir(input), base+ext)
	for n := 2; exists(path); n++ {
		path = filepath.Join(filepath.Dir(input), base+"-"+strconv.Itoa(n)+ext)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// resume opens the file of an interrupted import and cuts off what was written
// after the last acknowledged row.
func (r *rejects) resume(size int64) error {
	if size == 0 {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("imports resume rejects: %w", err)
		}
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("imports resume rejects: %w; it belongs to the interrupted import: put it back, or delete the state file to start again", err)
	}
	st, err := f.Stat()
	if err == nil && st.Size() < size {
		err = errors.New("it is shorter than it was: delete the state file to start again")
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, 0)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("imports resume rejects %s: %w", filepath.Base(r.path), err), f.Close())
	}
	r.file, r.size = f, size
	return nil
}

// add puts a refused row into the buffer; flush makes it durable.
func (r *rejects) add(at *row, problems []Problem) error {
	if r.header == nil {
		return r.addLine(at, problems)
	}
	w := csv.NewWriter(&r.buf)
	w.Comma = r.comma
	if r.size == 0 && r.buf.Len() == 0 {
		r.buf.Write(bom)
		if err := w.Write(append(append([]string{}, r.header...), rejectRow, rejectColumn, rejectCode, rejectField, rejectHint, rejectRaw)); err != nil {
			return fmt.Errorf("imports write rejects: %w", err)
		}
	}
	cells := make([]string, len(r.header), len(r.header)+6)
	raw := at.mended
	switch {
	case at.problem == nil && len(at.cells) == len(r.header):
		copy(cells, at.cells)
	case at.mended != "":
	case at.raw != nil:
		raw = strings.ToValidUTF8(string(at.raw), "\uFFFD")
	default:
		raw = strings.Join(at.cells, string(r.comma))
	}
	col, code, field, hint := joined(problems)
	if err := w.Write(append(cells, strconv.Itoa(at.number), col, code, field, hint, raw)); err != nil {
		return fmt.Errorf("imports write rejects: %w", err)
	}
	w.Flush()
	return w.Error()
}

// joined writes several problems of a row into one cell each.
func joined(problems []Problem) (column, code, field, hint string) {
	parts := make([][]string, 4)
	for _, p := range problems {
		for i, s := range []string{p.Column, p.Code, p.Field, p.Hint} {
			parts[i] = append(parts[i], s)
		}
	}
	for i := range parts {
		if strings.Trim(strings.Join(parts[i], ""), " ") == "" {
			parts[i] = nil
		}
	}
	return strings.Join(parts[0], "; "), strings.Join(parts[1], "; "), strings.Join(parts[2], "; "), strings.Join(parts[3], "; ")
}

func (r *rejects) addLine(at *row, problems []Problem) error {
	out := rejectLine{Reject: &rejectHead{Row: at.number, Errors: problems}}
	switch {
	case json.Valid(at.raw):
		out.Original = at.raw
	case at.raw != nil:
		text := string(at.raw)
		if !utf8.ValidString(text) {
			text = strings.ToValidUTF8(text, "\uFFFD")
		}
		out.OriginalText = &text
	}
	enc := json.NewEncoder(&r.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("imports write rejects: %w", err)
	}
	return nil
}

// flush writes the buffer and returns the size of the file, all of it on disk.
func (r *rejects) flush() (int64, error) {
	if r.buf.Len() == 0 {
		return r.size, nil
	}
	if r.file == nil {
		f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, fmt.Errorf("imports create rejects: %w; import or move that file first, or name another", err)
		}
		r.file = f
	}
	n, err := r.file.Write(r.buf.Bytes())
	r.size += int64(n)
	if err == nil {
		err = r.file.Sync()
	}
	if err != nil {
		return 0, fmt.Errorf("imports write rejects %s: %w", filepath.Base(r.path), err)
	}
	r.buf.Reset()
	return r.size, nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
