package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/xuri/excelize/v2"
)

// WriteXLSX writes a workbook with one sheet a table, in the order of the
// parts. Counts are numbers, everything else is text, so that nothing is read
// as a formula.
func (r *Report) WriteXLSX(w io.Writer) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	head, err := book.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEF3F7"}}})
	if err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	for _, t := range r.tables() {
		if err := t.sheet(book, head); err != nil {
			return fmt.Errorf("write workbook: sheet %s: %w", t.name, err)
		}
	}
	if err := book.DeleteSheet("Sheet1"); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	if err := book.SetDocProps(&excelize.DocProperties{Title: "Assenso " + r.Header.Campaign, Description: "SHA-256 " + r.Digest.String(), Created: r.Header.AsOf.String(), Modified: r.Header.AsOf.String()}); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	if err := book.Write(w); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

// maxSheetRows is how many rows a sheet holds, the heading included.
const maxSheetRows = 1_048_576

func (t *table) sheet(book *excelize.File, head int) error {
	name := fmt.Sprintf("%02d %s", t.part, t.name)
	name = name[:min(len(name), 31)]
	if _, err := book.NewSheet(name); err != nil {
		return err
	}
	out, err := book.NewStreamWriter(name)
	if err != nil {
		return err
	}
	if err := out.SetColWidth(1, len(t.columns), 22); err != nil {
		return err
	}
	cells := make([]any, len(t.columns))
	for i, c := range t.columns {
		cells[i] = excelize.Cell{StyleID: head, Value: c}
	}
	if err := out.SetRow("A1", cells, excelize.RowOpts{}); err != nil {
		return err
	}
	for n, row := range t.rows {
		if n+2 > maxSheetRows {
			return fmt.Errorf("more than %d rows: take the CSV form", maxSheetRows-1)
		}
		for i, v := range row {
			cells[i] = v
			if x, err := strconv.ParseFloat(v, 64); t.numeric[i] && err == nil {
				cells[i] = x
			}
		}
		if err := out.SetRow("A"+strconv.Itoa(n+2), cells); err != nil {
			return err
		}
	}
	return out.Flush()
}
