package listcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/assenso/assenso/events"
)

// Given is an answer as it stands in a file: what its leaf is made of.
type Given struct {
	Contact       string                `json:"contact"`
	Index         uint64                `json:"index"`
	Reasons       []events.ReasonEffect `json:"reasons"`
	RegisterUntil string                `json:"register_until"`
	ValidUntil    string                `json:"valid_until"`
	Verdict       events.Verdict        `json:"verdict"`
}

// AppendLeaf writes the leaf of the answer: its RFC 8785 form.
func (g *Given) AppendLeaf(dst []byte) []byte {
	dst = append(dst, '{')
	if g.Contact != "" {
		dst = append(appendText(append(dst, `"contact":`...), g.Contact), ',')
	}
	dst = strconv.AppendUint(append(dst, `"index":`...), g.Index, 10)
	dst = appendReasons(append(dst, `,"reasons":`...), g.Reasons)
	if g.RegisterUntil != "" {
		dst = appendText(append(dst, `,"register_until":`...), g.RegisterUntil)
	}
	if g.ValidUntil != "" {
		dst = appendText(append(dst, `,"valid_until":`...), g.ValidUntil)
	}
	return append(appendText(append(dst, `,"verdict":`...), string(g.Verdict)), '}')
}

// Recount recomputes root and counts from the answers of a file, in their
// order. The zero Recount is ready.
type Recount struct {
	tree   Span
	totals Totals
	leaf   []byte
}

// Errors of verification.
var (
	// ErrAnswers: the answers are not those that the summary or the record
	// commits to: lines were changed, left out, added or moved.
	ErrAnswers = errors.New("the answers are not those that were committed to")
	// ErrQuestion: the summary does not name the question that its batch id
	// commits to.
	ErrQuestion = errors.New("the question is not the one that was committed to")
)

// Add adds the next answer. Its index is set to its place.
func (r *Recount) Add(g *Given) {
	g.Index = r.tree.End()
	r.leaf = g.AppendLeaf(append(r.leaf[:0], leafPrefix))
	r.tree.Append(hashLeaf(r.leaf))
	r.totals.count(&Answer{Ruling: ruled(g.Verdict)})
}

// Totals returns root and counts so far; Until is not recomputed.
func (r *Recount) Totals() Totals {
	t := r.totals
	t.Root = events.Digest(r.tree.Root())
	return t
}

// Check compares the answers with a summary, and the summary with itself. The
// errors wrap ErrAnswers and ErrQuestion and say what differs.
func (r *Recount) Check(s *Summary) error {
	t := r.Totals()
	var errs []error
	for _, c := range []struct {
		name      string
		got, want int
	}{{"answers", t.Count, s.Count}, {"allowed", t.Allow, s.Allow}, {"warned", t.Warn, s.Warn}, {"blocked", t.Block, s.Block}} {
		if c.got != c.want {
			errs = append(errs, fmt.Errorf("verify list check: %w: %d %s, committed to %d", ErrAnswers, c.got, c.name, c.want))
		}
	}
	if t.Root != s.Root {
		errs = append(errs, fmt.Errorf("verify list check: %w: root %s, committed to %s", ErrAnswers, t.Root, s.Root))
	}
	id, err := s.ID()
	if err == nil && id != s.Batch {
		err = fmt.Errorf("verify list check: %w: question, instant, pack and positions give batch %s, named %s", ErrQuestion, id, s.Batch)
	}
	return errors.Join(append(errs, err)...)
}

// CheckRecord compares a summary with the recorded commitment.
func (s *Summary) CheckRecord(d *events.DecisionBatchIssued) error {
	if d.Batch != s.Batch || d.Root != s.Root || d.Count != s.Count || d.Allow != s.Allow || d.Warn != s.Warn || d.Block != s.Block || d.Pack != s.Pack || d.ExpiresAt != s.ExpiresAt {
		return fmt.Errorf("verify list check: %w: recorded are root %s and %d answers (%d, %d, %d), the file says root %s and %d (%d, %d, %d)", ErrAnswers,
			d.Root, d.Count, d.Allow, d.Warn, d.Block, s.Root, s.Count, s.Allow, s.Warn, s.Block)
	}
	return nil
}

// ParseAnswer reads a line of an answer: a Given, or the Summary that ends it.
func ParseAnswer(text []byte) (g *Given, s *Summary, err error) {
	var head struct {
		Verdict *string `json:"verdict"`
		Batch   *string `json:"batch"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, nil, fmt.Errorf("read answer of a list check: %w: a line is no JSON object", ErrAnswers)
	}
	switch {
	case head.Verdict != nil:
		g = new(Given)
		err = json.Unmarshal(text, g)
	case head.Batch != nil:
		s = new(Summary)
		err = json.Unmarshal(text, s)
	default:
		err = errors.New("a line is neither an answer nor a summary")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read answer of a list check: %w: %w", ErrAnswers, err)
	}
	return g, s, nil
}
