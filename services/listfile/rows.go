package listfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/numbers"
)

// ErrColumn: the column of the numbers cannot be told.
var ErrColumn = errors.New("no column of numbers")

// usualColumns are names under which the numbers are looked for.
var usualColumns = []string{"number", "numero", "phone", "telephone", "telefono", "phone_number", "msisdn"}

// row is a row of the list on its way.
type row struct {
	cells []string // CSV and XLSX
	raw   []byte   // NDJSON, and CSV that cannot be cut into cells
	line  listcheck.Line
}

// source reads a list row by row.
type source struct {
	table   *imports.Table
	header  []string
	column  int    // of the numbers; -1 for NDJSON
	member  string // NDJSON: of the numbers
	first   *row   // the header of a file that has none
	country string
}

// open opens a list and finds its numbers.
func (o *Options) open() (*source, error) {
	table, err := imports.OpenTable(o.Path, o.Format, o.Mapping)
	if err != nil {
		return nil, err
	}
	s := &source{table: table, header: table.Header(), column: -1, member: o.Column, country: o.Question.Country}
	name := o.Column
	if o.Mapping != nil {
		if name == "" {
			name = o.Mapping.ColumnOf("data.phone")
		}
		if s.country == "" {
			s.country = o.Mapping.Constant("data.country")
		}
	}
	if table.Format == imports.NDJSON {
		return s, nil
	}
	if err := s.find(name); err != nil {
		return nil, errors.Join(err, table.Close())
	}
	return s, nil
}

// find finds the column of the numbers: the one that is named, the only one, or
// one with a usual name. A single column whose header is a number has no header.
func (s *source) find(name string) error {
	if name != "" {
		if s.column = s.table.Column(name); s.column < 0 {
			return fmt.Errorf("read list: %w: the file has no column %q, or two of them", ErrColumn, name)
		}
		return nil
	}
	if len(s.header) == 1 {
		s.column = 0
		if _, code := numbers.Normalise(s.header[0], s.countryOr("IT")); code == "" {
			s.first = &row{cells: s.header, line: listcheck.Line{Number: s.header[0]}}
			s.header = []string{usualColumns[0]}
		}
		return nil
	}
	for _, usual := range usualColumns {
		if s.column = s.table.Column(usual); s.column >= 0 {
			return nil
		}
	}
	return fmt.Errorf("read list: %w: name it with --column, or the mapping of the list with --map", ErrColumn)
}

func (s *source) countryOr(otherwise string) string {
	if s.country != "" {
		return s.country
	}
	return otherwise
}

// next returns the next row; io.EOF after the last.
func (s *source) next() (*row, error) {
	if r := s.first; r != nil {
		s.first = nil
		return r, nil
	}
	t, err := s.table.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read list: %w", err)
	}
	r := &row{cells: slices.Clone(t.Cells), raw: bytes.Clone(t.Raw)}
	switch {
	case s.table.Format == imports.NDJSON:
		r.line = s.parse(r.raw)
	case t.Problem == nil && s.column < len(r.cells):
		r.line.Number = strings.TrimSpace(r.cells[s.column])
	}
	return r, nil
}

// parse reads a line of NDJSON: an object, a string or a bare number. What cannot
// be read is answered as such.
func (s *source) parse(raw []byte) listcheck.Line {
	if len(raw) == 0 || raw[0] != '{' {
		l, fault := listcheck.ParseLine(string(raw))
		if fault != nil {
			return listcheck.Line{}
		}
		return l
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return listcheck.Line{}
	}
	text := func(name string) (out string) {
		if json.Unmarshal(members[name], &out) != nil {
			return ""
		}
		return out
	}
	l := listcheck.Line{Country: text("country")}
	if s.member != "" {
		l.Number = text(s.member)
		return l
	}
	for _, usual := range usualColumns {
		if l.Number = text(usual); l.Number != "" {
			return l
		}
	}
	l.Contact = text("contact")
	return l
}

// appendLine writes what is sent for a row, with its line feed.
func (r *row) appendLine(dst []byte) []byte {
	if r.line.Contact == "" && r.line.Country == "" && dialled(r.line.Number) {
		return append(append(dst, r.line.Number...), '\n')
	}
	b, err := json.Marshal(r.line)
	if err != nil {
		b = []byte("{}")
	}
	return append(append(dst, b...), '\n')
}

// dialled reports whether a text can stand on a line as it is.
func dialled(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '+' && (c != ' ' || i == 0) && c != '-' && c != '.' && c != '(' && c != ')' && c != '/' {
			return false
		}
	}
	return s != ""
}
