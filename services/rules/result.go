package rules

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Detail is one named fact of a finding's evidence; the value is text: an
// instant in recorded form, a date, an id, a number, never a phone number of
// the person.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Evidence is what a hit rests on.
type Evidence struct {
	// Events are the identities of the facts, sorted.
	Events []events.Identity `json:"events,omitempty"`
	// Details are in the order of the rule's own explanation.
	Details []Detail `json:"details,omitempty"`
}

// Reason is one rule that warns or blocks.
type Reason struct {
	Rule     string         `json:"rule"`
	Effect   events.Verdict `json:"effect"` // warn or block
	Clause   string         `json:"clause"`
	Sentence string         `json:"sentence"` // English; the Italian one is Rule.Title.IT
	Evidence Evidence       `json:"evidence,omitzero"`
}

// Decision is the answer to one question.
type Decision struct {
	Verdict events.Verdict `json:"verdict"`
	Reasons []Reason       `json:"reasons"` // sorted by rule
	// Passed are the rules that were evaluated and raise nothing, sorted. The
	// list may be shared with other decisions and must not be changed.
	Passed []string `json:"passed"`
	// ValidUntil is the first instant at which the answer may change by time
	// alone, no fact arriving; never later than the next Rome midnight.
	ValidUntil events.Instant `json:"valid_until"`
	Pack       string         `json:"pack"`
	Proof      Proof          `json:"proof"`
}

// Finding is one rule that an attempt or object broke, or may have broken.
type Finding struct {
	Rule     string          `json:"rule"`
	Kind     events.Kind     `json:"kind"`
	Severity events.Severity `json:"severity"`
	Clause   string          `json:"clause"`
	// Attempt is the attempt's event id, or Object the object's id; the other
	// is empty.
	Attempt string            `json:"attempt,omitempty"`
	Object  string            `json:"object,omitempty"`
	Contact events.ContactKey `json:"contact,omitzero"`
	// Controller is the imputed party; Processor is imputed too where the
	// attempt or object names one.
	Controller string `json:"controller,omitempty"`
	Processor  string `json:"processor,omitempty"`
	Campaign   string `json:"campaign,omitempty"`
	// At is t of the attempt, or the object's instant.
	At       events.Instant `json:"at"`
	Evidence Evidence       `json:"evidence"`
}

// Assessment is the whole result for one attempt.
type Assessment struct {
	Findings []Finding `json:"findings"` // sorted by rule, then kind; a rule once
	Proof    Proof     `json:"proof"`
	Pack     string    `json:"pack"`
}

// Proof is what the report says of an attempt's lawful basis (rules.md 3.3).
type Proof struct {
	Declared events.Basis `json:"declared,omitempty"`
	// Basis is the first proven basis, "" for none; All are all proven ones in
	// the order of rules.md 3.3, a shared list that must not be changed.
	Basis events.Basis   `json:"basis,omitempty"`
	All   []events.Basis `json:"all,omitempty"`
	// Grant is the grant proving the basis, or, without a basis, the best
	// grant; zero for none. GrantedOn and AgeDays (from the later of grant and
	// re-verification to t) are zero without one.
	Grant     events.Identity `json:"grant,omitzero"`
	GrantedOn events.Date     `json:"granted_on,omitempty"`
	AgeDays   int             `json:"age_days,omitempty"`
	// Defects are the blocking defects of that grant, as rule ids.
	Defects []string `json:"defects,omitempty"`
	// RegisterStatus is opposed, selective, clear or "" (unknown); BarUp says
	// whether the register forbids contact at t.
	RegisterStatus events.RegisterAnswer `json:"register_status,omitempty"`
	BarUp          bool                  `json:"bar_up,omitempty"`
}

// sortFindings orders by rule, object, attempt, kind, which is the order of reports.
func sortFindings(f []Finding) {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Attempt, b.Attempt),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Controller, b.Controller))
	})
}

// evidence builds an Evidence. All methods do nothing on a nil evidence, which
// note returns where none is wanted; they take values unformatted, so that
// nothing is written in vain.
type evidence struct{ Evidence }

// note begins the evidence of one rule. It may be dropped at no cost; the next
// note uses its memory again.
func (s *setting) note() *evidence {
	if s.terse {
		return nil
	}
	s.draft.Events, s.draft.Details = s.draft.Events[:0], s.draft.Details[:0]
	return &s.draft
}

func (e *evidence) fact(ids ...events.Identity) *evidence {
	if e == nil {
		return nil
	}
	for _, id := range ids {
		if id != (events.Identity{}) && !slices.Contains(e.Events, id) {
			e.Events = append(e.Events, id)
		}
	}
	return e
}

func (e *evidence) facts(list []*contact.Fact) *evidence {
	for _, f := range list {
		e.fact(f.Identity())
	}
	return e
}

func (e *evidence) say(name, value string) *evidence {
	if e != nil && value != "" {
		e.Details = append(e.Details, Detail{name, value})
	}
	return e
}

// at says an instant, on a date, lag a span, count a number.
func (e *evidence) at(name string, t events.Instant) *evidence {
	if e == nil {
		return nil
	}
	return e.say(name, t.String())
}

func (e *evidence) on(name string, d events.Date) *evidence {
	if e == nil {
		return nil
	}
	return e.say(name, d.String())
}

func (e *evidence) lag(name string, d time.Duration) *evidence {
	if e == nil {
		return nil
	}
	return e.say(name, d.String())
}

func (e *evidence) count(name string, n int) *evidence {
	if e == nil {
		return nil
	}
	return e.say(name, strconv.Itoa(n))
}

func (e *evidence) digest(name string, d events.Digest) *evidence {
	if e == nil {
		return nil
	}
	return e.say(name, d.String())
}

// done returns what was noted, as memory of its own.
func (e *evidence) done() (out Evidence) {
	if e == nil {
		return Evidence{}
	}
	if len(e.Events) > 0 {
		out.Events = slices.Clone(e.Events)
		slices.SortFunc(out.Events, func(a, b events.Identity) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
		})
	}
	if len(e.Details) > 0 {
		out.Details = slices.Clone(e.Details)
	}
	return out
}
