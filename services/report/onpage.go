package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/assenso/assenso/services/rules"
)

// maxRows is how many rows of one table the page shows; the other forms hold
// all of them.
const maxRows = 500

// Tables of few columns and many rows are set in blocks side by side.
const (
	foldColumns = 4  // at most
	foldRows    = 10 // more than
	foldBlocks  = 3
)

// pageForm is what pages show of a table instead of the rows that machines
// read: texts for people, a cell in several lines where they are parted by \n.
type pageForm struct {
	columns []string // keys of the labels
	rows    [][]string
	note    string // key of the labels: what is left out; "" = nothing
}

// page makes a table ready for people: words translated, spans of time written
// out, rows bounded, many short ones side by side.
func (t *table) page(l labels) pageTable {
	out := pageTable{Title: l.of(t.name)}
	form := pageForm{columns: t.columns}
	if t.onPage != nil {
		form = t.onPage(l)
		out.Note = l[form.note]
	} else {
		form.rows = t.forPeople(l)
	}
	for i, c := range form.columns {
		out.Columns = append(out.Columns, l.of(c))
		out.Numeric = append(out.Numeric, t.onPage == nil && t.numeric[i])
	}
	if out.Rows = form.rows; len(out.Rows) > maxRows {
		out.Rows, out.More = out.Rows[:maxRows], true
	}
	for _, row := range out.Rows {
		for i, cell := range row {
			row[i] = offset.ReplaceAllString(cmp.Or(cell, "–"), "$1$2:$3")
		}
	}
	if t.name != "header" {
		out.fold()
	}
	out.Wide = len(out.Columns) > foldColumns
	out.Whole = slices.Repeat([]bool{true}, len(out.Columns))
	for _, row := range out.Rows {
		for i, cell := range row {
			for line := range strings.Lines(cell) {
				out.Whole[i] = out.Whole[i] && len(line) <= longestWhole
			}
		}
	}
	return out
}

// longestWhole is the longest line of a cell, in bytes, that HTML pages never
// break: a contact key has 32.
const longestWhole = 36

// offset is the end of an instant, which pages write as one word.
var offset = regexp.MustCompile(`(:\d\d) ([+-]\d\d)(\d\d)\b`)

// forPeople writes the rows that machines read.
func (t *table) forPeople(l labels) [][]string {
	var out [][]string
	for n, row := range t.rows[:min(len(t.rows), maxRows+1)] {
		cells := slices.Clone(row)
		for i, cell := range cells {
			switch {
			case cell == "":
			case t.clauses > 0 && i == t.clauses:
				cells[i] = l.clause(cell)
			case t.seconds[i]:
				cells[i] = l.span(cell)
			case t.words != nil && t.words(n, i):
				cells[i] = l.list(cell)
			case t.numeric[i] || strings.HasSuffix(cell, " %"):
				cells[i] = l.decimal(cell)
			}
		}
		out = append(out, cells)
	}
	return out
}

// fold sets a long and narrow table in blocks side by side.
func (t *pageTable) fold() {
	if len(t.Columns) > foldColumns || len(t.Rows) <= foldRows {
		return
	}
	height := (len(t.Rows) + foldBlocks - 1) / foldBlocks
	rows := make([][]string, height)
	for i := range foldBlocks * height {
		cells := make([]string, len(t.Columns))
		if i < len(t.Rows) {
			cells = t.Rows[i]
		}
		rows[i%height] = append(rows[i%height], cells...)
	}
	t.Rows = rows
	t.Columns = slices.Repeat(t.Columns, foldBlocks)
	t.Numeric = slices.Repeat(t.Numeric, foldBlocks)
}

// findingsOnPage shows findings, the gravest first. The sources of the rules
// stand in the table of totals.
func findingsOnPage(n int, at func(i int) *rules.Finding) func(l labels) pageForm {
	return func(l labels) pageForm {
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		rank := func(i int) int { return slices.Index(severities, at(i).Severity) }
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(b), rank(a)) })
		form := pageForm{columns: []string{"rule", "kind", "severity", "at", "attempt_or_object_contact", "imputed", "events", "details"}}
		for _, i := range order[:min(n, maxRows+1)] {
			f := at(i)
			who := f.Attempt + f.Object
			if !f.Contact.IsZero() {
				who += "\n" + f.Contact.String()
			}
			imputed := f.Controller
			if f.Processor != "" {
				imputed += "\n" + f.Processor
			}
			ids := make([]string, len(f.Evidence.Events))
			for k, e := range f.Evidence.Events {
				ids[k] = eventName(e)
			}
			form.rows = append(form.rows, []string{f.Rule, l.of(string(f.Kind)), l.of(string(f.Severity)), strings.Replace(wall(f.At), " ", "\n", 1), who, imputed, strings.Join(ids, "\n"), l.details(f.Evidence.Details)})
		}
		return form
	}
}

// onPage shows the contracts of which something is to be said.
func (c *Contracts) onPage(all table) func(l labels) pageForm {
	return func(l labels) pageForm {
		form := pageForm{columns: all.columns, note: "contracts_note"}
		for i, row := range all.rows {
			k := &c.Contracts[i]
			if k.Missing == "" && len(k.Broken) == 0 {
				continue
			}
			row = slices.Clone(row)
			for n, column := range all.columns {
				if column == "channel" || column == "missing_link" {
					row[n] = l.of(row[n])
				}
			}
			form.rows = append(form.rows, row)
		}
		return form
	}
}
