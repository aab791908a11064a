package imports

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/assenso/assenso/events"
)

// Table reads a file row by row for a use other than importing it. Close it.
type Table struct {
	Format    Format
	Delimiter byte // of a CSV file; ',' for a workbook
	// Size is the length of the file in the unit of Read; 0 = not known.
	Size int64

	rows rows
	read *atomic.Int64
}

// TableRow is one row. Its memory belongs to the table until the next one.
type TableRow struct {
	Number  int      // line of its start, or row of the sheet, from 1
	Cells   []string // CSV and XLSX; as many as the row has
	Raw     []byte   // NDJSON always, CSV when the row is unreadable
	Problem *Problem // why it cannot be read; nil for a good one
}

// OpenTable opens a CSV, XLSX or NDJSON file (.gz too). The mapping says how CSV
// is written and which sheet to read; nil = by the file itself.
func OpenTable(path string, format Format, m *Mapping) (*Table, error) {
	var err error
	if format == "" {
		if format, err = FormatOf(path); err != nil {
			return nil, err
		}
	}
	if m == nil {
		m = &Mapping{zone: events.Rome}
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("imports open: %w", err)
	}
	t := &Table{Format: format, Delimiter: ',', Size: st.Size(), read: new(atomic.Int64)}
	switch format {
	case CSV:
		c, err := openCSV(path, m.csv, t.read)
		if err != nil {
			return nil, err
		}
		t.rows, t.Delimiter = c, c.set.delimiter
	case XLSX:
		t.Size = 0
		t.rows, err = openXLSX(path, m, t.read)
	case NDJSON:
		t.rows, err = openNDJSON(path, t.read)
	default:
		err = fmt.Errorf("imports open %s: %w: format %q is not known", filepath.Base(path), ErrFormat, format)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Header returns the names of the columns; nil for NDJSON.
func (t *Table) Header() []string { return t.rows.header() }

// Next returns the next row, io.EOF after the last one.
func (t *Table) Next() (TableRow, error) {
	r, err := t.rows.next()
	if err != nil {
		return TableRow{}, err
	}
	return TableRow{r.number, r.cells, r.raw, r.problem}, nil
}

// Read is how far the file is read: bytes, rows of a workbook.
func (t *Table) Read() int64 { return t.read.Load() }

// Close closes the file.
func (t *Table) Close() error { return t.rows.Close() }

// Column returns the index of a column by its name; case and outer blanks do
// not count. -1 when there is none, or several.
func (t *Table) Column(name string) int {
	found := -1
	for i, h := range t.Header() {
		if headerKey(h) == headerKey(name) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// ColumnOf names the column that fills a field such as data.phone; "" when none
// does.
func (m *Mapping) ColumnOf(target string) string {
	for i := range m.fields {
		if m.fields[i].target == target {
			return m.fields[i].title
		}
	}
	return ""
}

// Constant returns the text of a constant such as data.country; "" when there
// is none.
func (m *Mapping) Constant(target string) string {
	for _, k := range m.fixed {
		if text, ok := k.value.(string); ok && strings.Join(k.path, ".") == target {
			return text
		}
	}
	return ""
}

// Progress draws a bar on a terminal and does nothing elsewhere.
type Progress struct{ bar *progress }

// NewProgress makes a bar for total units.
func NewProgress(out io.Writer, name string, total int64) Progress {
	return Progress{newProgress(out, name, total)}
}

// To moves the bar.
func (p Progress) To(at int64) { p.bar.to(at) }

// End takes the bar off; done says that everything was read.
func (p Progress) End(done bool) { p.bar.end(done) }

// ReplaceFile lets write fill a file that replaces the one at path, whole and on
// disk, or not at all: then the old one stands.
func ReplaceFile(path string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}
