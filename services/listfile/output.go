package listfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/listcheck"
)

// answer is one line of the door's answer.
type answer struct {
	listcheck.Given
	Errors []events.Fault `json:"errors"`
}

// output writes rows with their answers.
type output interface {
	add(r *row, a *answer, text []byte) error
	// end writes what follows the last row.
	end(s *listcheck.Summary) error
}

// answerColumns are the columns that a CSV of answers has beside those of the
// list. Columns of these names in the list are replaced: a file of answers can
// be checked again.
var answerColumns = []string{"verdict", "reasons", "valid_until", "register_until", "contact", "errors"}

// csvOutput writes CSV in UTF-8.
type csvOutput struct {
	w     *csv.Writer
	keep  []int // columns of the list
	cells []string
}

func newCSVOutput(w io.Writer, delimiter byte, header []string) (*csvOutput, error) {
	o := &csvOutput{w: csv.NewWriter(w)}
	o.w.Comma = rune(delimiter)
	for i, h := range header {
		if !slices.Contains(answerColumns, strings.ToLower(strings.TrimSpace(h))) {
			o.keep = append(o.keep, i)
			o.cells = append(o.cells, h)
		}
	}
	return o, o.w.Write(append(o.cells, answerColumns...))
}

// add writes a row in its columns; one that could not be cut into cells stands
// whole in the first, and what is too much in the last.
func (o *csvOutput) add(r *row, a *answer, _ []byte) error {
	o.cells = o.cells[:0]
	for n, i := range o.keep {
		switch {
		case len(r.cells) == 0 && n == 0:
			o.cells = append(o.cells, strings.ToValidUTF8(string(r.raw), "\uFFFD"))
		case i >= len(r.cells):
			o.cells = append(o.cells, "")
		default:
			o.cells = append(o.cells, r.cells[i])
		}
	}
	codes := make([]string, len(a.Errors))
	for i, f := range a.Errors {
		codes[i] = f.Code
	}
	return o.w.Write(append(o.cells, string(a.Verdict), formatReasons(a.Reasons), a.ValidUntil, a.RegisterUntil, a.Contact, strings.Join(codes, " ")))
}

func (o *csvOutput) end(*listcheck.Summary) error {
	o.w.Flush()
	return o.w.Error()
}

// formatReasons writes reasons into a cell: "IT-CON-08:warn IT-RPO-02:block".
func formatReasons(list []events.ReasonEffect) string {
	var b strings.Builder
	for i, r := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.Rule)
		b.WriteByte(':')
		b.WriteString(string(r.Effect))
	}
	return b.String()
}

// parseReasons reads what formatReasons writes.
func parseReasons(cell string) ([]events.ReasonEffect, error) {
	out := []events.ReasonEffect{}
	for part := range strings.FieldsSeq(cell) {
		rule, effect, ok := strings.Cut(part, ":")
		if !ok {
			return nil, fmt.Errorf("read answers: %w: the reasons of a row are not written RULE:effect", listcheck.ErrAnswers)
		}
		out = append(out, events.ReasonEffect{Rule: rule, Effect: events.Verdict(effect)})
	}
	return out, nil
}

// ndjsonOutput writes the objects of the list with the member decision, then the
// summary. A line that was no object becomes one, with the member number.
type ndjsonOutput struct {
	w *bufio.Writer
	b []byte
}

func (o *ndjsonOutput) add(r *row, _ *answer, text []byte) error {
	object := bytes.TrimSpace(r.raw)
	if len(object) == 0 || object[0] != '{' || !json.Valid(object) {
		b, err := json.Marshal(struct {
			Number string `json:"number"`
		}{strings.ToValidUTF8(string(object), "\uFFFD")})
		if err != nil {
			return fmt.Errorf("write answers: %w", err)
		}
		object = b
	}
	if bytes.Contains(object, []byte(`"decision"`)) { // a file of answers is checked again
		var members map[string]json.RawMessage
		if err := json.Unmarshal(object, &members); err != nil {
			return fmt.Errorf("write answers: %w", err)
		}
		delete(members, "decision")
		b, err := json.Marshal(members)
		if err != nil {
			return fmt.Errorf("write answers: %w", err)
		}
		object = b
	}
	o.b = append(o.b[:0], object[:len(object)-1]...)
	if len(bytes.TrimSpace(o.b)) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, `"decision":`...), bytes.TrimSpace(text)...), "}\n"...)
	_, err := o.w.Write(o.b)
	return err
}

func (o *ndjsonOutput) end(s *listcheck.Summary) error {
	b, err := json.Marshal(struct {
		Summary *listcheck.Summary `json:"summary"`
	}{s})
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	if _, err := o.w.Write(append(b, '\n')); err != nil {
		return err
	}
	return o.w.Flush()
}
