package demo

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/assenso/assenso/events"
)

// output is one file being written: NDJSON without a table, a sheet by its
// name, else CSV.
type output struct {
	file  File
	table *table

	disk  *os.File
	buf   *bufio.Writer
	line  []byte
	book  *excelize.File
	sheet *excelize.StreamWriter
	style int
	path  string
}

const sheetName = "Contatti"

func (o *output) isSheet() bool { return strings.HasSuffix(o.file.Name, ".xlsx") }

func (o *output) open(dir string) error {
	o.path = filepath.Join(dir, o.file.Name)
	if o.table != nil {
		o.file.Mapping = strings.TrimSuffix(o.file.Name, filepath.Ext(o.file.Name)) + ".yaml"
		if err := os.WriteFile(filepath.Join(dir, o.file.Mapping), o.table.mapping(o.file.Note, o.isSheet()), 0o644); err != nil {
			return fmt.Errorf("demo write: %w", err)
		}
	}
	if o.isSheet() {
		return o.openSheet()
	}
	f, err := os.Create(o.path)
	if err != nil {
		return fmt.Errorf("demo write: %w", err)
	}
	o.disk, o.buf = f, bufio.NewWriterSize(f, 256<<10)
	if o.table != nil {
		return o.cells(o.table.header())
	}
	return nil
}

func (o *output) openSheet() error {
	o.book = excelize.NewFile()
	format := "dd/mm/yyyy hh:mm"
	style, err1 := o.book.NewStyle(&excelize.Style{CustomNumFmt: &format})
	err2 := o.book.SetSheetName("Sheet1", sheetName)
	sheet, err3 := o.book.NewStreamWriter(sheetName)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("demo write %s: %w", o.file.Name, err)
	}
	o.sheet, o.style = sheet, style
	head := []any{}
	for _, h := range o.table.header() {
		head = append(head, h)
	}
	return o.sheet.SetRow("A1", head)
}

// write adds one event.
func (o *output) write(e *event) error {
	o.file.Rows++
	switch {
	case o.table == nil:
		b, err := e.json()
		if err != nil {
			return err
		}
		return o.raw(b)
	case o.sheet != nil:
		return o.sheetRow(e)
	}
	cells, err := o.table.row(e)
	if err != nil {
		return err
	}
	return o.cells(cells)
}

func (o *output) cells(cells []string) error {
	var err error
	if o.line, err = o.table.line(o.line[:0], cells); err != nil {
		return err
	}
	_, err = o.buf.Write(o.line)
	return err
}

func (o *output) raw(b []byte) error {
	_, err := o.buf.Write(append(b, '\n'))
	return err
}

// sheetRow writes the time as a date of the workbook, the rest as text.
func (o *output) sheetRow(e *event) error {
	cells, err := o.table.row(e)
	if err != nil {
		return err
	}
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = c
	}
	for i, c := range o.table.columns {
		if c.target == "time" {
			t := e.time.In(events.Rome)
			values[i+1] = excelize.Cell{StyleID: o.style, Value: time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)}
		}
	}
	return o.sheet.SetRow(fmt.Sprintf("A%d", o.file.Rows+1), values)
}

func (o *output) close() error {
	if o.sheet != nil {
		return errors.Join(o.sheet.Flush(), o.book.SaveAs(o.path), o.book.Close())
	}
	return errors.Join(o.buf.Flush(), o.disk.Close())
}
