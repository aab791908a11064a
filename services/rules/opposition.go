package rules

import (
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

func opp01(e *evaluation) (hit, bool) {
	o := e.opposition
	if o == nil || e.superseded(o.Time) {
		return hit{}, false
	}
	return block(e.oppositionEvidence(o)), true
}

func (e *evaluation) oppositionEvidence(o *contact.Opposition) *evidence {
	return e.note().fact(o.Identity).at("opposed", o.Time).say("received_by", o.ReceivedBy).
		say("medium", string(o.Medium)).say("call", o.Call).lag("lag", o.Recorded.Sub(o.Received))
}

// opp02: the person was sent elsewhere, or a refusal was not recorded in time.
// It looks past t, at everything recorded by now.
func opp02(e *evaluation) (hit, bool) {
	o := e.a.Outcome
	if o == nil {
		return hit{}, false
	}
	if o.Deflected {
		return finding(e.note().say("outcome", "deflected")), true
	}
	due := o.End.Add(time.Duration(e.pack.RecordMinutes) * time.Minute)
	if (o.Disposition != events.DispositionRefusedContact && o.Disposition != events.DispositionAskedRemoval) || e.asOf < due {
		return hit{}, false
	}
	if e.sense != nil && e.history.Contested() {
		e.sense.Disputed = true
	}
	all := contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: e.asOf, Known: e.cut.Known}
	for _, f := range contact.View(e.history, all) {
		d, ok := f.Data.(*events.OppositionRegistered)
		if !ok || f.Time < e.t || f.Time > due {
			continue
		}
		if binds(&contact.Opposition{Origin: contact.Origin{Controller: f.Controller}, Also: d.AlsoControllers}, e.a.Controller) {
			return hit{}, false
		}
	}
	return finding(e.note().say("outcome", string(o.Disposition)).at("due", due)), true
}

// opp04: what one call centre heard did not reach the other.
func opp04(e *evaluation) (hit, bool) {
	if !e.found("IT-OPP-01") || e.a.Processor == e.a.Controller {
		return hit{}, false
	}
	for i := range e.state.Oppositions {
		o := &e.state.Oppositions[i]
		if !binds(o, e.a.Controller) || o.Purposes&e.purpose == 0 || o.Channels&e.channels == 0 ||
			o.ReceivedBy == e.a.Processor || e.acknowledged(o) {
			continue
		}
		return finding(e.oppositionEvidence(o).say("processor", e.a.Processor)), true
	}
	return hit{}, false
}

// acknowledged reports whether A's processor confirmed the opposition by t.
func (e *evaluation) acknowledged(o *contact.Opposition) bool {
	ours := func(controller string) bool { return controller == o.Controller || controller == e.a.Controller }
	for i := range e.state.Acknowledgments {
		k := &e.state.Acknowledgments[i]
		if k.Opposition == o.ID && k.Processor == e.a.Processor && ours(k.Controller) {
			return true
		}
	}
	e.refs = e.look(e.refs[:0], refKey{refAck, o.ID, ""})
	for _, f := range e.refs {
		if f.Data.(*events.SuppressionAcknowledged).Processor == e.a.Processor && ours(f.Controller) {
			return true
		}
	}
	return false
}

// opp07: a suppressed number came back on a list.
func opp07(e *evaluation) (hit, bool) {
	o, x := e.opposition, e.erasure
	at := max(opposedAt(o), markedAt(x))
	if at == 0 || e.bases.any(basisRequest|basisInbound) || e.superseded(at) {
		return hit{}, false
	}
	for i := range e.rows {
		if r := &e.rows[i]; r.Time > at {
			ev := e.note()
			if o != nil {
				ev.fact(o.Identity)
			}
			if x != nil {
				ev.fact(x.Identity)
			}
			return block(ev.fact(r.Identity).say("list", r.Data.List).at("added", r.Time).at("suppressed", at)), true
		}
	}
	return hit{}, false
}
