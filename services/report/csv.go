package report

import (
	"archive/zip"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteCSV writes the findings on attempts as one CSV table (RFC 4180, UTF-8).
func (r *Report) WriteCSV(w io.Writer) error {
	for _, t := range r.findingTables() {
		if t.name == "findings" {
			return t.writeCSV(w)
		}
	}
	return nil
}

func (t *table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.columns); err != nil {
		return fmt.Errorf("write table %s: %w", t.name, err)
	}
	for _, row := range t.rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = inert(cell)
		}
		if err := out.Write(safe); err != nil {
			return fmt.Errorf("write table %s: %w", t.name, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write table %s: %w", t.name, err)
	}
	return nil
}

// inert keeps a spreadsheet from reading a cell as a formula. Caller numbers
// begin with + and stay: digits alone compute nothing.
func inert(cell string) string {
	if cell == "" || !strings.ContainsRune("=@\t\r", rune(cell[0])) {
		return cell
	}
	return "'" + cell
}

// WriteZip writes one CSV file a table. Names and times in the archive are
// fixed, so that equal reports give equal bytes.
func (r *Report) WriteZip(w io.Writer) error {
	z := zip.NewWriter(w)
	for _, t := range r.tables() {
		f, err := z.CreateHeader(&zip.FileHeader{
			Name: fmt.Sprintf("%02d-%s.csv", t.part, strings.ReplaceAll(t.name, "_", "-")), Method: zip.Deflate,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if err := t.writeCSV(f); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
