package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Touch names attempts that a new fact can concern. Every field that is set
// narrows it: an attempt is touched when it matches all of them. Instants
// compare with the attempt's dialled_at, both ends included.
type Touch struct {
	Contact    events.ContactKey // attempts to this contact
	Controller string            // attempts of this controller
	Campaign   string            // attempts of this campaign (with Controller)
	List       string            // attempts of campaigns that name this list
	CLI        string            // attempts that present this number
	Agent      string            // attempts of this agent
	Processor  string            // attempts dialled by this processor
	Batch      string            // attempts that cite this consultation
	From       events.Instant    // dialled_at ≥ From
	To         events.Instant    // dialled_at ≤ To; events.MaxInstant for no end
	// EndsFrom, where not zero: only attempts whose last instant is ≥ EndsFrom.
	EndsFrom events.Instant
}

// Touches returns which recorded attempts a newly recorded fact can concern,
// besides the attempt itself when the fact is a call. It may name too many,
// never too few, as long as the rules of rules.md hold:
//
//   - A fact counts only for attempts dialled at or after its time (View drops
//     later facts), so every touch begins there.
//   - opposition.registered also answers IT-OPP-02 of attempts dialled before
//     it, whose end lies at most opposition.record_minutes before it.
//   - A consent that was given in a call is judged by that call's findings
//     (IT-CON-09), and that call was dialled after the fact as well; so the
//     attempts after it are touched all the same, of the whole contact, or, for
//     reference facts that decide the basis, of the whole controller.
//
// A correction and the second variant of an identity reach back: use
// TouchesOfDispute with every fact of the target identity. Object rules are
// evaluated when a report is built and need no touch.
func (e *Engine) Touches(f *contact.Fact) []Touch {
	from := f.Time
	t := Touch{Controller: f.Controller, From: from, To: events.MaxInstant}
	switch d := f.Data.(type) {
	case *events.OppositionRegistered:
		minutes := e.packs.At(from).RecordMinutes
		return []Touch{
			{Contact: f.Subject, From: from, To: events.MaxInstant},
			{Contact: f.Subject, To: from, EndsFrom: from - events.Instant(minutes)*60_000_000},
		}
	case *events.CallConcluded:
		return []Touch{
			{Contact: f.Subject, From: d.DialledAt, To: events.MaxInstant},
			{Controller: f.Controller, Campaign: f.Campaign, From: d.DialledAt, To: events.MaxInstant}, // IT-RPO-03: only if Starts did not cover it
		}
	case *events.EventCorrected:
		return nil
	}
	if !f.Subject.IsZero() {
		return []Touch{{Contact: f.Subject, From: from, To: events.MaxInstant}}
	}
	switch d := f.Data.(type) {
	case *events.CampaignClosed, *events.ScriptPublished, *events.ScriptAcknowledged:
		t.Campaign = f.Campaign
	case *events.CampaignOpened, *events.NoticePublished, *events.ProcessorAppointed, *events.ProcessorDismissed,
		*events.CodeAdhered, *events.OrderIssued:
	case *events.ListActivated:
		t.List, t.Controller = d.List, ""
	case *events.ListRetired:
		t.List, t.Controller = d.List, ""
	case *events.RegisterScreeningCompleted:
		return []Touch{t, {Batch: d.Batch, From: from, To: events.MaxInstant}}
	case *events.CallerIDDeclared:
		var out []Touch
		for _, cli := range d.CLIs {
			out = append(out, Touch{CLI: cli, From: from, To: events.MaxInstant})
		}
		return out
	case *events.CallerIDTested:
		t.CLI, t.Controller = d.CLI, ""
	case *events.AgentCertified:
		t.Agent = d.Agent
	case *events.SuppressionAcknowledged:
		t.Controller, t.Processor = "", d.Processor // also_controllers may be concerned
	default:
		return nil // no attempt-level rule reads it
	}
	return []Touch{t}
}

// TouchesOfDispute returns which attempts can change when an identity gets a
// correction or a further variant: those that any variant of it, as recorded
// or amended, touches, at whatever time. facts are all recorded facts of the
// identity and all corrections that name it, in any order.
func (e *Engine) TouchesOfDispute(facts []*contact.Fact) []Touch {
	var target, corrections contact.Slot
	for _, f := range facts {
		if f.Type == events.TypeEventCorrected {
			corrections.Add(f)
		} else {
			target.Add(f)
		}
	}
	if len(corrections.Facts()) > 0 {
		target.Correct(&corrections)
	}
	var out []Touch
	for _, f := range target.Forms() {
		for _, t := range e.Touches(f) {
			t.From, t.To, t.EndsFrom = 0, events.MaxInstant, 0
			out = append(out, t)
		}
	}
	return out
}

// Concerns reports whether the touch names the attempt, whose campaign works
// on the given lists.
func (t *Touch) Concerns(a *Attempt, lists []string) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	n := a.Normalised()
	if !t.Contact.IsZero() && t.Contact != n.Contact {
		return false
	}
	if n.DialledAt < t.From || n.DialledAt > t.To || (t.EndsFrom != 0 && (n.Outcome == nil || n.Outcome.End < t.EndsFrom)) {
		return false
	}
	listed := t.List == ""
	for _, l := range lists {
		listed = listed || l == t.List
	}
	return listed && same(t.Controller, n.Controller) && same(t.Campaign, n.Campaign) && same(t.CLI, n.CLI) &&
		same(t.Agent, n.Agent) && same(t.Processor, n.Processor) && same(t.Batch, n.Batch)
}
