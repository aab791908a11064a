package imports

import (
	"fmt"
	"strings"
)

// maxProblems is how many problems a Summary quotes; the rejects file has all.
const maxProblems = 20

// Summary counts what became of the rows of a file. After an interrupted
// import it covers the earlier runs too.
type Summary struct {
	Rows       int            `json:"rows"`
	Resumed    int            `json:"resumed"` // of these, acknowledged in an earlier run
	Recorded   int            `json:"recorded"`
	Duplicates int            `json:"duplicates"`
	Conflicts  int            `json:"conflicts"`
	Accepted   int            `json:"accepted"` // durable at the server, receipt still out
	Rejected   int            `json:"rejected"`
	Valid      int            `json:"valid"` // dry run only
	Rejects    string         `json:"rejects,omitempty"`
	Codes      map[string]int `json:"codes,omitempty"` // faults by code
	Problems   []Problem      `json:"problems,omitempty"`
	// Consultation is what the register's answer came to.
	Consultation *Completion `json:"consultation,omitempty"`
}

func (s *Summary) count(o Outcome) {
	switch o.Result {
	case Recorded:
		s.Recorded++
	case Duplicate:
		s.Duplicates++
	case Conflict:
		s.Conflicts++
	case Accepted:
		s.Accepted++
	case Valid:
		s.Valid++
	}
}

func (s *Summary) reject(problems []Problem) {
	s.Rejected++
	if s.Codes == nil {
		s.Codes = map[string]int{}
	}
	for _, p := range problems {
		s.Codes[p.Code]++
		if len(s.Problems) < maxProblems {
			s.Problems = append(s.Problems, p)
		}
	}
}

// String is one line for a person; it holds counts only.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows", s.Rows)
	for _, c := range []struct {
		n    int
		word string
	}{{s.Resumed, "done before"}, {s.Recorded, "recorded"}, {s.Duplicates, "duplicate"}, {s.Conflicts, "conflicting"},
		{s.Accepted, "accepted, receipt pending"}, {s.Valid, "valid"}, {s.Rejected, "rejected"}} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %d %s", c.n, c.word)
		}
	}
	return b.String()
}

// ExitCode is the exit code of an import: 0 when every row is in the ledger or
// durable before it (valid, in a dry run), 1 when some were rejected and wait in
// the rejects file, 2 when the import stopped and is to be run again.
func ExitCode(s Summary, err error) int {
	switch {
	case err != nil:
		return 2
	case s.Rejected > 0:
		return 1
	}
	return 0
}
