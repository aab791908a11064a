package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Attempt is one call attempt as the rules see it: asked about before the
// dial, or read from a call.concluded by AttemptOf. Absent strings are empty;
// Processor, OriginCountry and AgentCountry have no default here, use
// Normalised.
type Attempt struct {
	ID         string
	Source     string // of the call.concluded; "" for a question
	Contact    events.ContactKey
	Controller string
	Campaign   string
	// DialledAt is t, the instant that the rules test.
	DialledAt events.Instant
	// RecordedAt is when the ledger learnt of the attempt; LED-01 compares it
	// with DialledAt. Zero: not compared.
	RecordedAt    events.Instant
	Purpose       events.Purpose // declared
	Channel       events.Channel
	Processor     string // who dials; "" = the controller
	CLI           string // "" = withheld
	OriginCountry string // "" = IT
	AgentCountry  string // "" = IT
	Roaming       bool
	Mode          events.DiallerMode
	Agent         string
	AgentReserved bool
	Basis         events.Basis // declared
	Grant         string       // event id cited as evidence
	Request       string       // event id cited as evidence
	Batch         string       // consultation relied upon
	Product       string       // "" = that of the campaign
	Decision      Claim
	Outcome       *Outcome // nil: not concluded
}

// Claim says on which decision of the gate an attempt relied (LED-05). The
// zero Claim means "not evaluated".
type Claim struct {
	Made bool   // evaluate LED-05
	Ref  string // event id of a decision.issued, resolved in the history
	// At and Verdict give the decision itself, for hypothetical attempts; they
	// count when At is not zero.
	At      events.Instant
	Verdict events.Verdict
}

// Outcome is how a call ended.
type Outcome struct {
	Disposition        events.Disposition
	AnsweredAt         events.Instant // zero: not answered
	ReleasedAt         events.Instant // zero: not known
	End                events.Instant // last known instant of the call
	Silent             bool
	ComfortNoise       bool
	Statements         []events.Statement
	ConsentBeforePitch bool
	Deflected          bool
	Upsell             bool
}

// HumanAnswered reports whether a person was spoken to (rules.md 3).
func (o *Outcome) HumanAnswered() bool {
	return o != nil && !o.AnsweredAt.IsZero() && o.Disposition.Human()
}

// Normalised returns a with the defaults of events.md 4.4 filled in.
func (a Attempt) Normalised() Attempt {
	if a.Processor == "" {
		a.Processor = a.Controller
	}
	if a.OriginCountry == "" {
		a.OriginCountry = "IT"
	}
	if a.AgentCountry == "" {
		a.AgentCountry = "IT"
	}
	return a
}

// AttemptOf reads the attempt out of a call.concluded; ok is false for any
// other fact. LED-05 is evaluated for it.
func AttemptOf(f *contact.Fact) (a Attempt, ok bool) {
	d, ok := f.Data.(*events.CallConcluded)
	if !ok {
		return Attempt{}, false
	}
	a = Attempt{
		ID: f.ID, Source: f.Source, Contact: f.Subject, Controller: f.Controller, Campaign: f.Campaign,
		DialledAt: d.DialledAt, RecordedAt: f.Recorded, Purpose: d.Purpose, Channel: d.Channel,
		Processor: d.Processor, CLI: d.CLI, OriginCountry: d.OriginCountry, AgentCountry: d.AgentCountry,
		Roaming: d.Roaming, Mode: d.Mode, Agent: d.Agent, AgentReserved: d.AgentReserved,
		Basis: d.Basis, Grant: d.Grant, Request: d.Request, Batch: d.Batch, Product: d.Product,
		Decision: Claim{Made: true, Ref: d.Decision}, Outcome: outcomeOf(d),
	}
	return a.Normalised(), true
}

func outcomeOf(d *events.CallConcluded) *Outcome {
	return &Outcome{
		Disposition: d.Disposition, AnsweredAt: d.AnsweredAt, ReleasedAt: d.ReleasedAt,
		End:    max(d.DialledAt, d.AnsweredAt, d.AgentConnectedAt, d.ReleasedAt),
		Silent: silent(d), ComfortNoise: d.ComfortNoise == nil || *d.ComfortNoise, Statements: d.Statements,
		ConsentBeforePitch: d.ConsentBeforePitch, Deflected: d.Deflected, Upsell: d.Upsell,
	}
}

// silent: the flag, else the disposition (rules.md 3).
func silent(d *events.CallConcluded) bool {
	if d.Silent != nil {
		return *d.Silent
	}
	return d.Disposition == events.DispositionSilent
}

// humanAnswered reports whether a recorded call reached a person.
func humanAnswered(d *events.CallConcluded) bool {
	return !d.AnsweredAt.IsZero() && d.Disposition.Human()
}
