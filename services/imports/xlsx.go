package imports

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/assenso/assenso/events"
)

// unzipLimit is the size above which a part of a workbook is unpacked to a
// temporary file instead of memory.
const unzipLimit = 16 << 20

// xlsxRows reads one sheet of a workbook, row by row. Cells are read raw, so
// that no number format of the writer's country changes them; numbers in
// columns that the mapping reads as dates become text in its first format.
type xlsxRows struct {
	file   *excelize.File
	rows   *excelize.Rows
	number int
	head   []string
	base   bool // dates count from 1904
	dates  map[int]*field
	zone   *time.Location
	read   *atomic.Int64
}

func openXLSX(path string, m *Mapping, read *atomic.Int64) (x *xlsxRows, err error) {
	defer recovered("open "+filepath.Base(path), &err)
	f, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true, UnzipXMLSizeLimit: unzipLimit})
	if err != nil {
		return nil, fmt.Errorf("imports open %s: %w: it is no readable XLSX workbook: %w", filepath.Base(path), ErrFormat, err)
	}
	x = &xlsxRows{file: f, zone: m.zone, dates: map[int]*field{}, read: read}
	if err := x.start(filepath.Base(path), m); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *xlsxRows) start(name string, m *Mapping) error {
	sheet := m.sheet
	if sheet == "" {
		list := x.file.GetSheetList()
		if len(list) == 0 {
			return fmt.Errorf("imports open %s: %w: the workbook has no sheet", name, ErrEmpty)
		}
		sheet = list[0]
	}
	var err error
	if x.rows, err = x.file.Rows(sheet); err != nil {
		return fmt.Errorf("imports open %s: sheet %q: %w", name, sheet, err)
	}
	if props, err := x.file.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		x.base = *props.Date1904
	}
	cells, err := x.step()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("imports open %s: sheet %q: %w: a header with the columns' names is needed", name, sheet, ErrEmpty)
	}
	if err != nil {
		return fmt.Errorf("imports open %s: sheet %q: %w", name, sheet, err)
	}
	x.head = cells
	for i, h := range cells {
		for j := range m.fields {
			if f := &m.fields[j]; f.column == headerKey(h) && (f.kind == kindInstant || f.kind == kindDate) {
				x.dates[i] = f
			}
		}
	}
	return nil
}

func (x *xlsxRows) header() []string { return x.head }

// Close closes the workbook and removes its temporary files.
func (x *xlsxRows) Close() error {
	var err error
	if x.rows != nil {
		err = x.rows.Close()
	}
	return errors.Join(err, x.file.Close())
}

// step returns the next row that is not empty.
func (x *xlsxRows) step() (cells []string, err error) {
	defer recovered("read row "+strconv.Itoa(x.number+1), &err)
	for x.rows.Next() {
		x.number++
		x.read.Add(1)
		cells, err := x.rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return nil, fmt.Errorf("imports read row %d: %w", x.number, err)
		}
		if strings.TrimSpace(strings.Join(cells, "")) != "" {
			return cells, nil
		}
	}
	if err := x.rows.Error(); err != nil {
		return nil, fmt.Errorf("imports read row %d: %w", x.number+1, err)
	}
	return nil, io.EOF
}

// recovered turns a panic of the workbook library on a broken file into an error.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("imports %s: %w: the workbook is damaged", what, ErrFormat)
	}
}

func (x *xlsxRows) next() (*row, error) {
	cells, err := x.step()
	if err != nil {
		return nil, err
	}
	r := &row{number: x.number, cells: cells}
	for len(r.cells) < len(x.head) {
		r.cells = append(r.cells, "")
	}
	for len(r.cells) > len(x.head) && strings.TrimSpace(r.cells[len(r.cells)-1]) == "" {
		r.cells = r.cells[:len(r.cells)-1]
	}
	for i, cell := range r.cells {
		r.cells[i] = plainNumber(cell)
		if f := x.dates[i]; f != nil {
			r.cells[i] = x.dateText(cell, f)
		}
	}
	return r, nil
}

// plainNumber writes a whole number without an exponent: workbooks store long
// numbers as 3.93401234567E11.
func plainNumber(cell string) string {
	if !strings.ContainsAny(cell, "Ee") || strings.ContainsAny(cell, "xXpP_ ") {
		return cell
	}
	n, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.Trunc(n) != n || math.Abs(n) > 1<<53 {
		return cell
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// dateText turns a serial date into text in the first format of its field.
func (x *xlsxRows) dateText(cell string, f *field) string {
	n, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if err != nil || n < 1 || n >= 2958466 {
		return cell
	}
	for _, l := range f.layouts {
		if l == layoutUnix || l == layoutUnixMS {
			return cell
		}
	}
	t, err := excelize.ExcelDateToTime(n, x.base)
	if err != nil {
		return cell
	}
	t = t.Round(time.Second)
	if l := f.layouts[0]; l != layoutRFC3339 {
		return t.Format(string(l))
	}
	return later(t, x.zone).Time().In(x.zone).Format(time.RFC3339)
}

// problemAt is a fault of a row as a whole.
func problemAt(number int, code, hint string) *Problem {
	return &Problem{Row: number, Fault: events.Fault{Code: code, Hint: hint}}
}
