package imports

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/assenso/assenso/events"
)

// Codes of faults that the import itself finds, beside those of events.md 6.
const (
	// CodeRow: the row cannot be cut into cells (quotes, encoding, length).
	CodeRow = "row_unreadable"
	// CodeColumns: the row has more or fewer cells than the header.
	CodeColumns = "row_columns"
	// CodeValue: a cell cannot be read as its field asks.
	CodeValue = "value_unreadable"
	// CodeID: the id template names a cell that is empty.
	CodeID = "id_missing"
)

// template is the id template of a mapping: texts and placeholders in turn.
type template []piece

type piece struct {
	text   string
	column string // normalised header; "" = text
	auto   string // file, row or hash
}

// parseTemplate reads "{call_id}", "{file}-{row}", "r-{hash}".
func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		text, rest, open := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("id has a } without {")
		}
		if text != "" {
			t = append(t, piece{text: text})
		}
		if !open {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.TrimSpace(name) == "" {
			return nil, errors.New("id has a { without a name and }: write a column's name, {file}, {row} or {hash}")
		}
		switch name {
		case "file", "row", "hash":
			t = append(t, piece{auto: name})
		default:
			t = append(t, piece{column: headerKey(name)})
		}
		s = after
	}
	for _, p := range t {
		if p.text == "" {
			return t, nil
		}
	}
	return nil, errors.New("id has no placeholder: every row would have one identity")
}

// converter turns the rows of one file into submissions.
type converter struct {
	m       *Mapping
	file    string // base name without .gz
	columns int
	fields  []boundField
	id      []boundPiece
	buf     bytes.Buffer
}

type boundField struct {
	*field
	index int
}

type boundPiece struct {
	piece
	index int
}

// bind finds the mapped columns in a header. Columns that the mapping does not
// name are ignored.
func (m *Mapping) bind(file string, header []string) (*converter, error) {
	at := map[string]int{}
	for i, h := range header {
		key := headerKey(h)
		if _, twice := at[key]; twice && key != "" {
			at[key] = -1
			continue
		}
		at[key] = i
	}
	c := &converter{m: m, file: file, columns: len(header)}
	var errs []error
	find := func(key, title string) int {
		i, ok := at[key]
		if !ok {
			errs = append(errs, fmt.Errorf("imports header: %w %s: the file has no column %q", ErrMapping, m.Name, title))
		} else if i < 0 {
			errs = append(errs, fmt.Errorf("imports header: %w %s: the file has two columns %q", ErrMapping, m.Name, title))
		}
		return i
	}
	for i := range m.fields {
		f := &m.fields[i]
		if _, there := at[f.column]; f.optional && !there {
			continue
		}
		c.fields = append(c.fields, boundField{f, find(f.column, f.title)})
	}
	for _, p := range m.id {
		b := boundPiece{piece: p}
		if p.column != "" {
			b.index = find(p.column, p.column)
		}
		c.id = append(c.id, b)
	}
	return c, errors.Join(errs...)
}

// headerKey makes headers comparable: case and outer blanks do not count.
func headerKey(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// convert makes the submission of a row. All faults of the row are returned
// together; then the submission is nil.
func (c *converter) convert(r *row) ([]byte, []Problem) {
	if len(r.cells) != c.columns {
		hint := fmt.Sprintf("the row has %d cells, the header %d: check delimiters and quotes", len(r.cells), c.columns)
		return nil, []Problem{{Row: r.number, Fault: events.Fault{Code: CodeColumns, Hint: hint}}}
	}
	var problems []Problem
	env, data := map[string]any{}, map[string]any{}
	for _, k := range c.m.fixed {
		place(env, data, k.path, k.value)
	}
	if c.m.source != "" {
		env["source"] = c.m.source
	}
	for _, f := range c.fields {
		text := strings.TrimSpace(r.cells[f.index])
		if text == "" {
			text = f.empty
		}
		if text == "" {
			continue
		}
		v, err := f.read(text, c.m.zone)
		if err != nil {
			problems = append(problems, Problem{Row: r.number, Column: f.title, Fault: events.Fault{Code: CodeValue, Field: f.target, Hint: err.Error()}})
			continue
		}
		place(env, data, f.path, v)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	env["specversion"], env["type"], env["data"] = "1.0", string(c.m.info.Type), data
	if _, given := env["time"]; !given && c.m.info.Type == events.TypeCallConcluded {
		lastOfCall(env, data)
	}
	id, err := c.identity(r, env, data)
	if err != nil {
		return nil, []Problem{{Row: r.number, Fault: events.Fault{Code: CodeID, Field: "id", Hint: err.Error()}}}
	}
	env["id"] = id
	out, err := c.encode(env)
	if err != nil {
		return nil, []Problem{{Row: r.number, Fault: events.Fault{Code: CodeRow, Hint: "the row cannot be written as JSON"}}}
	}
	if len(out) > MaxBody {
		return nil, []Problem{{Row: r.number, Fault: events.Fault{Code: CodeRow, Hint: fmt.Sprintf("the submission would be larger than %d bytes", MaxBody)}}}
	}
	return out, nil
}

// place puts v at the path of the submission.
func place(env, data map[string]any, path []string, v any) {
	if path[0] != "data" {
		env[path[0]] = v
		return
	}
	m := data
	for _, name := range path[1 : len(path)-1] {
		in, ok := m[name].(map[string]any)
		if !ok {
			in = map[string]any{}
			m[name] = in
		}
		m = in
	}
	m[path[len(path)-1]] = v
}

// lastOfCall sets time as events.md 4.4 says: released, else answered, else
// dialled.
func lastOfCall(env, data map[string]any) {
	for _, name := range []string{"released_at", "answered_at", "dialled_at"} {
		if v, ok := data[name]; ok {
			env["time"] = v
			return
		}
	}
}

// identity fills the id template. {hash} is taken over the file's name, the
// row's number and the submission without number and evidence: a hash over a
// number could be tried out by anyone who reads the log.
func (c *converter) identity(r *row, env, data map[string]any) (string, error) {
	var b strings.Builder
	for _, p := range c.id {
		switch {
		case p.column != "":
			v := strings.TrimSpace(r.cells[p.index])
			if v == "" {
				return "", errors.New("a cell that makes the id is empty")
			}
			b.WriteString(v)
		case p.auto == "file":
			b.WriteString(c.file)
		case p.auto == "row":
			b.WriteString(strconv.Itoa(r.number))
		case p.auto == "hash":
			h, err := c.hash(r, env, data)
			if err != nil {
				return "", err
			}
			b.WriteString(h)
		default:
			b.WriteString(p.text)
		}
	}
	return b.String(), nil
}

func (c *converter) hash(r *row, env, data map[string]any) (string, error) {
	bare := make(map[string]any, len(data))
	for k, v := range data {
		if k != "phone" && k != "evidence" {
			bare[k] = v
		}
	}
	env["data"] = bare
	text, err := c.encode(env)
	env["data"] = data
	if err != nil {
		return "", errors.New("the row cannot be written as JSON")
	}
	h := sha256.New()
	h.Write([]byte(c.file))
	h.Write([]byte{0})
	h.Write([]byte(strconv.Itoa(r.number)))
	h.Write([]byte{0})
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// encode writes v as JSON with sorted members and without a line feed.
func (c *converter) encode(v any) ([]byte, error) {
	c.buf.Reset()
	enc := json.NewEncoder(&c.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(c.buf.Bytes(), []byte{'\n'})), nil
}

// column names the column that fills a field ("data.statements[2]" is filled
// by the column of data.statements); "" when a constant does, or nothing.
func (c *converter) column(target string) string {
	if c == nil {
		return ""
	}
	target, _, _ = strings.Cut(target, "[")
	for _, f := range c.fields {
		if f.target == target {
			return f.title
		}
	}
	return ""
}
