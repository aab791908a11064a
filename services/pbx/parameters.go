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
	set func(q *Question, value string) bool // false: no such value
}{
	"controller":     {maxName, text(func(q *Question) *string { return &q.Controller })},
	"campaign":       {maxName, text(func(q *Question) *string { return &q.Campaign })},
	"processor":      {maxName, text(func(q *Question) *string { return &q.Processor })},
	"attempt":        {maxID, text(func(q *Question) *string { return &q.Attempt })},
	"country":        {2, text(func(q *Question) *string { return &q.Country })},
	"cli":            {maxCLI, text(func(q *Question) *string { return &q.CLI })},
	"origin_country": {2, text(func(q *Question) *string { return &q.OriginCountry })},
	"agent_country":  {2, text(func(q *Question) *string { return &q.AgentCountry })},
	"agent":          {maxName, text(func(q *Question) *string { return &q.Agent })},
	"grant":          {maxID, text(func(q *Question) *string { return &q.Grant })},
	"request":        {maxID, text(func(q *Question) *string { return &q.Request })},
	"batch":          {maxID, text(func(q *Question) *string { return &q.Batch })},
	"product":        {maxID, text(func(q *Question) *string { return &q.Product })},
	"roaming":        {5, fact(func(q *Question) *bool { return &q.Roaming })},
	"agent_reserved": {5, fact(func(q *Question) *bool { return &q.AgentReserved })},
	"purpose": {maxName, oneOf(func(q *Question) *events.Purpose { return &q.Purpose },
		events.PurposeMarketing, events.PurposeMarketResearch, events.PurposeService)},
	"channel": {maxName, oneOf(func(q *Question) *events.Channel { return &q.Channel }, events.Channels...)},
	"mode": {maxName, oneOf(func(q *Question) *events.DiallerMode { return &q.Mode },
		"manual", "preview", "progressive", "predictive", "automated")},
	"basis": {maxName, oneOf(func(q *Question) *events.Basis { return &q.Basis },
		events.BasisConsent, events.BasisContractConsent, events.BasisDirectory, events.BasisRequest, events.BasisInbound,
		events.BasisSoftSpam, events.BasisThirdParty, events.BasisLegitimateInterest, events.BasisService)},
}

func text(field func(*Question) *string) func(*Question, string) bool {
	return func(q *Question, value string) bool { *field(q) = value; return true }
}

func fact(field func(*Question) *bool) func(*Question, string) bool {
	return func(q *Question, value string) bool {
		*field(q) = value == "true"
		return value == "true" || value == "false"
	}
}

func oneOf[T ~string](field func(*Question) *T, values ...T) func(*Question, string) bool {
	return func(q *Question, value string) bool {
		*field(q) = T(value)
		return slices.Contains(values, T(value))
	}
}

// set writes one parameter into the question. The error bears the name, never
// the value.
func (q *Question) set(p parameter) error {
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
