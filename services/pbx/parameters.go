package pbx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Lengths in bytes of what a switch may say, as in POST /v1/decisions.
const (
	maxPhone = 32
	maxName  = 64
	maxID    = 128
	maxCLI   = 32
)

// settable is what a switch may say about a call, under the names of POST
// /v1/decisions.
var settable = map[string]struct {
	max int
	set func(q *events.Question, value string) bool // false: no such value
}{
	"controller":     {maxName, text(func(q *events.Question) *string { return &q.Controller })},
	"campaign":       {maxName, text(func(q *events.Question) *string { return &q.Campaign })},
	"processor":      {maxName, text(func(q *events.Question) *string { return &q.Processor })},
	"attempt":        {maxID, text(func(q *events.Question) *string { return &q.Attempt })},
	"country":        {2, text(func(q *events.Question) *string { return &q.Country })},
	"cli":            {maxCLI, text(func(q *events.Question) *string { return &q.CLI })},
	"origin_country": {2, text(func(q *events.Question) *string { return &q.OriginCountry })},
	"agent_country":  {2, text(func(q *events.Question) *string { return &q.AgentCountry })},
	"agent":          {maxName, text(func(q *events.Question) *string { return &q.Agent })},
	"grant":          {maxID, text(func(q *events.Question) *string { return &q.Grant })},
	"request":        {maxID, text(func(q *events.Question) *string { return &q.Request })},
	"batch":          {maxID, text(func(q *events.Question) *string { return &q.Batch })},
	"product":        {maxID, text(func(q *events.Question) *string { return &q.Product })},
	"roaming":        {5, fact(func(q *events.Question) *bool { return &q.Roaming })},
	"agent_reserved": {5, fact(func(q *events.Question) *bool { return &q.AgentReserved })},
	"purpose":        {maxName, oneOf("attempt purpose", func(q *events.Question) *string { return &q.Purpose })},
	"channel":        {maxName, oneOf("channel", func(q *events.Question) *string { return &q.Channel })},
	"mode":           {maxName, oneOf("dialler mode", func(q *events.Question) *string { return &q.Mode })},
	"basis":          {maxName, oneOf("basis", func(q *events.Question) *string { return &q.Basis })},
}

func text(field func(*events.Question) *string) func(*events.Question, string) bool {
	return func(q *events.Question, value string) bool { *field(q) = value; return true }
}

func fact(field func(*events.Question) *bool) func(*events.Question, string) bool {
	return func(q *events.Question, value string) bool {
		*field(q) = value == "true"
		return value == "true" || value == "false"
	}
}

func oneOf(set string, field func(*events.Question) *string) func(*events.Question, string) bool {
	return func(q *events.Question, value string) bool {
		*field(q) = value
		return events.InSet(set, value)
	}
}

// set writes one parameter into the question. The error bears the name, never
// the value.
func set(q *events.Question, p parameter) error {
	known, ok := settable[p.name]
	switch {
	case !ok:
		return fmt.Errorf("there is no such parameter: choose from %s", strings.Join(names(), ", "))
	case len(p.value) > known.max:
		return fmt.Errorf("%s is longer than %d bytes", p.name, known.max)
	case strings.ContainsFunc(p.value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return fmt.Errorf("%s contains what is no text", p.name)
	case !known.set(q, p.value):
		return fmt.Errorf("%s has no such value: see POST /v1/decisions", p.name)
	}
	return nil
}

// names lists what is settable, sorted.
func names() []string {
	out := make([]string, 0, len(settable))
	for name := range settable {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
