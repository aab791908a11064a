package inquiry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// CaseQuestion is a complaint: somebody says to have been called, perhaps at
// an instant, perhaps from a number.
type CaseQuestion struct {
	Contact events.ContactKey
	// ClaimedAt is when the call is said to have been; zero = every attempt.
	ClaimedAt events.Instant
	// Around is how far an attempt may lie from ClaimedAt; 0 = 12 h.
	Around    events.Instant
	CLI       string // presented number, E.164; "" = not claimed
	AsOf      events.Instant
	Positions view.Positions
}

// aroundDefault is how far an attempt may lie from the claimed instant.
const aroundDefault = events.Instant(12 * 3600 * 1_000_000)

// Case is the file of a complaint.
type Case struct {
	Contact   events.ContactKey `json:"contact"`
	ClaimedAt events.Instant    `json:"claimed_at,omitzero"`
	CLI       string            `json:"cli,omitempty"`
	AsOf      events.Instant    `json:"as_of"`
	Positions view.Positions    `json:"positions" doc:"ledger positions that were read"`
	// Attempts are the recorded attempts to the number around the claimed
	// instant, of every controller, by when they were dialled.
	Attempts []CaseAttempt `json:"attempts"`
	// Others counts the attempts at other times.
	Others int `json:"attempts_at_other_times"`
	// Declared says who declared the claimed caller number; filled where no
	// attempt bears it.
	Declared []Declaration `json:"caller_number_declared_by"`
	// Summary says in a sentence what the log shows.
	Summary string `json:"summary"`
}

// CaseAttempt is one attempt with what was said and known.
type CaseAttempt struct {
	Attempt     string             `json:"attempt"`
	Event       events.Identity    `json:"event"`
	Controller  string             `json:"controller"`
	Processor   string             `json:"processor"`
	Campaign    string             `json:"campaign"`
	DialledAt   events.Instant     `json:"dialled_at"`
	CLI         string             `json:"cli" doc:"presented; empty = withheld"`
	Disposition events.Disposition `json:"disposition"`
	// MatchesCLI: the claimed number was presented.
	MatchesCLI bool `json:"matches_cli"`
	// Gate is what the gate said before the call; absent: it was not asked, or
	// no record of it is known.
	Gate *CaseDecision `json:"gate,omitempty"`
	// Known is what the rules made of what was known when it was dialled.
	Known    rules.Proof     `json:"known"`
	State    json.RawMessage `json:"state" doc:"the contact as known when it was dialled"`
	Findings []rules.Finding `json:"findings"`
}

// CaseDecision is a recorded answer of the gate.
type CaseDecision struct {
	Event   events.Identity       `json:"event"`
	At      events.Instant        `json:"at"`
	Verdict events.Verdict        `json:"verdict"`
	Reasons []events.ReasonEffect `json:"reasons"`
	Pack    string                `json:"pack"`
}

// Declaration is one declaration of a caller number.
type Declaration struct {
	Event  events.Identity `json:"event"`
	Holder string          `json:"holder"`
	From   events.Date     `json:"from"`
	To     events.Date     `json:"to,omitzero"`
	// Valid: on the day of the claimed call, or of AsOf without one.
	Valid bool `json:"valid_that_day"`
}

// CaseFile gathers what the log knows of a complaint. A contact of which
// nothing is recorded gives a file without attempts.
func CaseFile(ctx context.Context, v view.Reader, decode Decoder, engine Assessor, q CaseQuestion) (Case, error) {
	c := Case{Contact: q.Contact, ClaimedAt: q.ClaimedAt, CLI: q.CLI, AsOf: q.AsOf, Positions: q.Positions, Attempts: []CaseAttempt{}, Declared: []Declaration{}}
	stored, err := v.History(ctx, q.Contact, q.Positions)
	if err != nil && !errors.Is(err, view.ErrUnknown) {
		return Case{}, fmt.Errorf("inquiry load contact: %w", err)
	}
	if err == nil {
		h, err := historyOf(decode, stored)
		if err != nil {
			return Case{}, err
		}
		if err := c.attempts(ctx, v, decode, engine, h, q); err != nil {
			return Case{}, err
		}
	}
	if q.CLI != "" && !slices.ContainsFunc(c.Attempts, func(a CaseAttempt) bool { return a.MatchesCLI }) {
		if err := c.declared(ctx, v, decode, q); err != nil {
			return Case{}, err
		}
	}
	c.Summary = c.summary()
	return c, nil
}

func (c *Case) attempts(ctx context.Context, v view.Reader, decode Decoder, engine Assessor, h *contact.History, q CaseQuestion) error {
	around := cmp.Or(q.Around, aroundDefault)
	facts := contact.View(h, contact.AsOf(q.AsOf))
	references := map[view.CampaignRef]*rules.Reference{}
	for _, f := range facts {
		a, ok := rules.AttemptOf(f)
		if !ok {
			continue
		}
		if q.ClaimedAt != 0 && (a.DialledAt < q.ClaimedAt-around || a.DialledAt > q.ClaimedAt+around) {
			c.Others++
			continue
		}
		campaign := view.CampaignRef{Controller: a.Controller, Campaign: a.Campaign}
		ref := references[campaign]
		if ref == nil {
			var err error
			if ref, err = Reference(ctx, v, decode, campaign, q.Positions); err != nil {
				return err
			}
			references[campaign] = ref
		}
		state, err := json.Marshal(contact.Fold(contact.View(h, contact.Finding(a.DialledAt, q.AsOf))))
		if err != nil {
			return fmt.Errorf("inquiry encode state: %w", err)
		}
		assessed := engine.Assess(h, ref, a, q.AsOf)
		entry := CaseAttempt{
			Attempt: a.ID, Event: f.Identity(), Controller: a.Controller, Processor: a.Processor, Campaign: a.Campaign, DialledAt: a.DialledAt, CLI: a.CLI,
			Disposition: a.Outcome.Disposition, MatchesCLI: q.CLI != "" && a.CLI == q.CLI, Gate: decisionOf(facts, f), Known: assessed.Proof, State: state, Findings: assessed.Findings,
		}
		if entry.Findings == nil {
			entry.Findings = []rules.Finding{}
		}
		c.Attempts = append(c.Attempts, entry)
	}
	slices.SortFunc(c.Attempts, func(a, b CaseAttempt) int {
		return cmp.Or(cmp.Compare(a.DialledAt, b.DialledAt), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Event.Source, b.Event.Source))
	})
	return nil
}

// decisionOf finds the gate's answer on which the call relied: the one that it
// names, else one for its attempt id.
func decisionOf(facts []*contact.Fact, call *contact.Fact) *CaseDecision {
	d := call.Data.(*events.CallConcluded)
	var best *contact.Fact
	for _, f := range facts {
		issued, ok := f.Data.(*events.DecisionIssued)
		if !ok || f.Controller != call.Controller {
			continue
		}
		if f.ID == d.Decision || (best == nil && issued.Attempt == call.ID) {
			best = f
		}
	}
	if best == nil {
		return nil
	}
	issued := best.Data.(*events.DecisionIssued)
	reasons := issued.Reasons
	if reasons == nil {
		reasons = []events.ReasonEffect{}
	}
	return &CaseDecision{Event: best.Identity(), At: best.Time, Verdict: issued.Verdict, Reasons: reasons, Pack: issued.Pack}
}

// declared looks up who declared the claimed caller number.
func (c *Case) declared(ctx context.Context, v view.Reader, decode Decoder, q CaseQuestion) error {
	facts, err := referenceFacts(ctx, v, decode, q.Positions, q.AsOf)
	if err != nil {
		return err
	}
	day := events.DateOf(cmp.Or(q.ClaimedAt, q.AsOf), events.Rome)
	for _, f := range facts {
		d, ok := f.Data.(*events.CallerIDDeclared)
		if ok && slices.Contains(d.CLIs, q.CLI) {
			c.Declared = append(c.Declared, Declaration{f.Identity(), d.Holder, d.From, d.To, d.From <= day && (d.To == 0 || day <= d.To)})
		}
	}
	return nil
}

func (c *Case) summary() string {
	matching := 0
	for i := range c.Attempts {
		if c.Attempts[i].MatchesCLI {
			matching++
		}
	}
	valid := slices.ContainsFunc(c.Declared, func(d Declaration) bool { return d.Valid })
	switch {
	case len(c.Attempts) > 0 && c.CLI == "":
		return fmt.Sprintf("%d attempts to this number are recorded around the claimed time.", len(c.Attempts))
	case matching > 0:
		return fmt.Sprintf("%d of %d recorded attempts presented the claimed caller number.", matching, len(c.Attempts))
	case c.CLI == "":
		return "No attempt to this number is recorded around the claimed time."
	case valid:
		return "No recorded attempt presented the claimed caller number; it was declared by the holders named."
	case len(c.Declared) > 0:
		return "No recorded attempt presented the claimed caller number; it was declared, but not for that day."
	}
	return "No recorded attempt presented the claimed caller number, and nobody ever declared it: somebody may have used the controller's name."
}
