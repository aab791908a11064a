package demo

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/assenso/assenso/events"
)

// column of a file: its header, the field it fills and how.
type column struct {
	header string
	target string            // as in a mapping: time, campaign, data.phone
	words  map[string]string // contract's value → the file's word
}

// table is the form of a CSV file or sheet and, with it, of its mapping.
type table struct {
	typ       events.Type
	source    string
	delimiter string
	charset   string // "" = UTF-8
	national  bool   // numbers without +39
	constants []member
	columns   []column
}

const idColumn = "id"

// header returns the names of the columns.
func (t *table) header() []string {
	out := []string{idColumn}
	for _, c := range t.columns {
		out = append(out, c.header)
	}
	return out
}

// row writes an event as cells; an event that says more than the table holds
// is an error, so that nothing is left out silently.
func (t *table) row(e *event) ([]string, error) {
	out := make([]string, 1, len(t.columns)+1)
	out[0] = e.id
	used := 0
	for _, c := range t.columns {
		v, isData := t.value(e, c.target)
		if v == nil {
			out = append(out, "")
			continue
		}
		if isData {
			used++
		}
		cell, err := t.cell(v, c)
		if err != nil {
			return nil, fmt.Errorf("demo write %s %s: %w", e.typ, e.id, err)
		}
		out = append(out, cell)
	}
	for _, k := range t.constants {
		if path, ok := strings.CutPrefix(k.path, "data."); ok && e.get(path) != nil {
			used++
		}
	}
	if used != len(e.data) || e.typ != t.typ || e.source != t.source {
		return nil, fmt.Errorf("demo write %s %s: the table does not hold all of it", e.typ, e.id)
	}
	return out, nil
}

func (t *table) value(e *event, target string) (v any, isData bool) {
	if path, ok := strings.CutPrefix(target, "data."); ok {
		return e.get(path), true
	}
	switch target {
	case "time":
		return e.time, false
	case "receivedtime":
		if e.received.IsZero() {
			return nil, false
		}
		return e.received, false
	case "controller":
		return e.controller, false
	case "campaign":
		return e.campaign, false
	}
	return nil, false
}

const (
	goInstant, fileInstant = "02/01/2006 15:04:05", "DD/MM/YYYY HH:mm:ss"
	goDate, fileDate       = "02/01/2006", "DD/MM/YYYY"
)

func (t *table) cell(v any, c column) (string, error) {
	switch v := v.(type) {
	case string:
		if c.target == "data.phone" && t.national {
			return strings.TrimPrefix(v, "+39"), nil
		}
		if w, ok := c.words[v]; ok {
			return w, nil
		}
		return v, nil
	case bool:
		if v {
			return "sì", nil
		}
		return "no", nil
	case int:
		return strconv.Itoa(v), nil
	case []string:
		return strings.Join(v, "+"), nil
	case time.Time:
		return v.In(events.Rome).Format(goInstant), nil
	case events.Date:
		y, m, d := v.Civil()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(goDate), nil
	}
	return "", fmt.Errorf("a %T has no cell", v)
}

// line writes cells as a line of the CSV file in its encoding.
func (t *table) line(dst []byte, cells []string) ([]byte, error) {
	from := len(dst)
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, t.delimiter...)
		}
		if strings.ContainsAny(c, "\"\n"+t.delimiter) {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		dst = append(dst, c...)
	}
	dst = append(dst, '\n')
	if t.charset == "" {
		return dst, nil
	}
	out, err := charmap.Windows1252.NewEncoder().Bytes(dst[from:])
	if err != nil {
		return nil, fmt.Errorf("demo write: %w", err)
	}
	return append(dst[:from], out...), nil
}

// mapping writes the mapping file that reads the table back.
func (t *table) mapping(about string, isSheet bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\nversion: 1\ntype: %s\nsource: %s\nid: \"{id}\"\ntimezone: Europe/Rome\n", about, t.typ, t.source)
	if !isSheet {
		fmt.Fprintf(&b, "csv:\n  delimiter: %q\n", t.delimiter)
		if t.charset != "" {
			fmt.Fprintf(&b, "  encoding: %s\n", t.charset)
		}
	}
	if len(t.constants) > 0 || t.national {
		b.WriteString("constants:\n")
		if t.national {
			b.WriteString("  data.country: IT\n")
		}
		for _, k := range t.constants {
			if list, ok := k.value.([]string); ok {
				fmt.Fprintf(&b, "  %s: [%s]\n", k.path, strings.Join(list, ", "))
				continue
			}
			fmt.Fprintf(&b, "  %s: %v\n", k.path, k.value)
		}
	}
	b.WriteString("columns:\n")
	for _, c := range t.columns {
		fmt.Fprintf(&b, "  - {column: %q, field: %s", c.header, c.target)
		switch formOf(c.target) {
		case "instant":
			fmt.Fprintf(&b, ", formats: [%q]", fileInstant)
		case "date":
			fmt.Fprintf(&b, ", formats: [%q]", fileDate)
		case "list":
			b.WriteString(`, separator: "+"`)
		}
		if len(c.words) > 0 {
			b.WriteString(", strict: true, values: {")
			for i, value := range sortedKeys(c.words) {
				if i > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "%q: %s", c.words[value], value)
			}
			b.WriteByte('}')
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

var (
	instants = []string{"time", "receivedtime", "data.dialled_at", "data.answered_at", "data.agent_connected_at", "data.released_at", "data.snapshot_at", "data.proof.confirmed_at"}
	dates    = []string{"data.acquired_on", "data.opposition_date", "data.selective_from", "data.selective_to"}
	lists    = []string{"data.statements", "data.purposes", "data.channels"}
)

// formOf says which columns need a format or separator.
func formOf(target string) string {
	switch {
	case slices.Contains(instants, target):
		return "instant"
	case slices.Contains(dates, target):
		return "date"
	case slices.Contains(lists, target):
		return "list"
	}
	return ""
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
