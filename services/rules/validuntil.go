package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// BearsOnDecisions reports whether a rule of section 4 reads facts of a type
// with a contact before the call is made. The others may be left out of what
// decisions are taken from, but their identities may not: a conflict may join
// them to a fact that counts.
func BearsOnDecisions(t events.Type) bool {
	switch t {
	case events.TypeDecisionIssued, events.TypeSuppressionAcknowledged, events.TypeRightsRequested, events.TypeRightsExtended,
		events.TypeRightsClosed, events.TypeComplaintReceived, events.TypeComplaintVerified, events.TypeAccessExercised,
		events.TypeEventCorrected:
		return false
	}
	return true
}

// validUntil is the first instant after t at which the answer may change by
// time alone. Everything that counts civil days changes at a Rome midnight;
// within a day only hours, rests after silent calls, pending confirmations and
// facts of the contact ahead of the clock change anything. It is a bound: the
// answer may well stay the same. A reference fact ahead of the clock is a fact
// that arrives: the bound does not foresee it.
func (e *evaluation) validUntil() events.Instant {
	until := e.until
	soon := func(at events.Instant) { until = sooner(until, e.t, at) }
	if e.campaign.closedAt > 0 {
		soon(e.campaign.closedAt + 1) // it is open still at the instant of its closing
	}
	for i := range e.state.Calls {
		c := &e.state.Calls[i]
		soon(c.Data.DialledAt + 1) // then it is an earlier attempt
		if c.Controller == e.a.Controller && silent(c.Data) {
			soon(e.pack.restUntil(c.Data.DialledAt))
		}
	}
	for i := range e.state.Grants {
		if p := e.state.Grants[i].Data.Proof; p != nil {
			soon(p.ConfirmedAt)
			soon(p.NotifiedAt)
		}
	}
	for i := range e.state.Answers {
		soon(e.state.Answers[i].Snapshot)
	}
	if e.history != nil {
		e.history.Pending(e.t, func(f *contact.Fact, at events.Instant) {
			if BearsOnDecisions(f.Type) {
				soon(at)
			}
		})
		return until
	}
	for _, f := range e.settled {
		if at := max(f.Time, f.Received); f.Recorded <= e.t && at > e.t && BearsOnDecisions(f.Type) {
			soon(at)
		}
	}
	return until
}
