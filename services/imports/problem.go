package imports

import (
	"fmt"

	"github.com/assenso/assenso/events"
)

// Problem is a fault of one row. It never quotes a cell.
type Problem struct {
	Row    int    `json:"row"`              // line of the row's start, or row of the sheet
	Column string `json:"column,omitempty"` // as the header or the mapping names it
	events.Fault
}

// Error implements error.
func (p Problem) Error() string {
	at := fmt.Sprintf("row %d", p.Row)
	if p.Column != "" {
		at += fmt.Sprintf(", column %q", p.Column)
	}
	return at + ": " + p.Fault.Error()
}
