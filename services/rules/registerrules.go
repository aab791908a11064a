package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

func rpo01(e *evaluation) (hit, bool) {
	if !operatorOrPaper(e.channel) || !e.opposedNumber() {
		return hit{}, false
	}
	return block(e.withGrants(e.registerEvidence())), true
}

func rpo02(e *evaluation) (hit, bool) {
	if !isCall(e.channel) || !e.consultationRequired() {
		return hit{}, false
	}
	r := &e.register
	if r.valid == nil {
		return block(e.consultationEvidence()), true
	}
	if left := int(r.expires - e.day); left < e.pack.PhoneMarginDays {
		return hit{effect: events.VerdictWarn, evidence: e.registerEvidence()}, true
	}
	return hit{}, false
}

func rpo03(e *evaluation) (hit, bool) {
	if e.part == "" || !e.consultationRequired() || e.startedEarlier() || e.consulted() {
		return hit{}, false
	}
	ev := e.note().say("campaign", e.a.Campaign)
	for _, f := range e.screenings() {
		if d := f.Data.(*events.RegisterScreeningCompleted); phoneIfAbsent(d.Register) == e.part {
			ev.fact(f.Identity()).say("expired_batch", d.Batch)
		}
	}
	return block(ev), true
}

func phoneIfAbsent(r events.Register) events.Register {
	if r == "" {
		return events.RegisterPhone
	}
	return r
}

func rpo05(e *evaluation) (hit, bool) { return e.reported(defectDead) }

func rpo06(e *evaluation) (hit, bool) {
	if e.a.Basis == events.BasisContractConsent && !e.anyException() {
		return block(e.withGrants(e.contractEvidence())), true
	}
	if e.bases.first() != events.BasisContractConsent {
		return hit{}, false
	}
	for i := range e.grants {
		g := &e.grants[i]
		if !g.provesContract() {
			continue
		}
		last := g.contract.EndedOn + events.Date(e.pack.AfterEndDays)
		if g.contract.EndedOn == 0 || int(last-e.day) >= e.pack.AfterEndMarginDays {
			return hit{}, false
		}
	}
	return hit{effect: events.VerdictWarn, evidence: e.contractEvidence()}, true
}

func (e *evaluation) anyException() bool {
	for i := range e.grants {
		if g := &e.grants[i]; !g.void && g.exception {
			return true
		}
	}
	return false
}

func (e *evaluation) contractEvidence() *evidence {
	ev := e.note().say("product_owner", e.campaign.owner)
	for i := range e.state.Contracts {
		c := &e.state.Contracts[i]
		if c.Controller != e.a.Controller {
			continue
		}
		ev.fact(c.Identity, c.EndedBy).say("contract", c.ID).on("ended_on", c.EndedOn)
		if c.Data != nil {
			ev.on("started_on", c.Data.StartedOn)
		}
	}
	return ev
}

func rpo08(e *evaluation) (hit, bool) {
	if e.a.Batch == "" {
		return hit{}, false
	}
	ev, known := e.note(), false
	for _, f := range e.batch() {
		if f.Controller == e.a.Controller {
			return hit{}, false
		}
		known = true
		ev.fact(f.Identity()).say("made_by", f.Controller)
	}
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if a.Batch != e.a.Batch {
			continue
		}
		if a.Controller == e.a.Controller {
			return hit{}, false
		}
		known = true
		ev.fact(a.Identity).say("made_by", a.Controller)
	}
	if !known {
		return hit{}, false
	}
	return block(ev.say("batch", e.a.Batch)), true
}

func rpo09(e *evaluation) (hit, bool) {
	if e.channel != events.ChannelPaperMail || e.exempt() || e.register.valid != nil {
		return hit{}, false
	}
	return block(e.consultationEvidence()), true
}

// consultationEvidence is what there is instead of a valid answer.
func (e *evaluation) consultationEvidence() *evidence {
	ev := e.registerEvidence()
	if e.register.last == nil {
		ev.say("missing", "answer")
	}
	return ev
}

func rpo10(e *evaluation) (hit, bool) {
	if e.channel != events.ChannelAutomatedCall || !e.opposedNumber() {
		return hit{}, false
	}
	return block(e.withGrants(e.registerEvidence()).say("mode", string(e.a.Mode))), true
}

func rpo11(e *evaluation) (hit, bool) {
	if !e.found("IT-RPO-02") && !e.found("IT-RPO-09") {
		return hit{}, false
	}
	if e.law.oldLaw && !e.consultationRequired() {
		return hit{}, false
	}
	f := e.missedBy(e.screenings())
	if f == nil {
		f = e.missedBy(e.batch())
	}
	if f == nil {
		return hit{}, false
	}
	d := f.Data.(*events.RegisterScreeningCompleted)
	return block(e.note().fact(f.Identity()).say("batch", d.Batch).digest("set_root", d.SetRoot)), true
}

// missedBy returns the first consultation of C that counts at t and has no
// answer for n; nil for none.
func (e *evaluation) missedBy(consultations []*contact.Fact) *contact.Fact {
	for _, f := range consultations {
		if f.Controller == e.a.Controller && e.counts(f) && !e.answered(f.Data.(*events.RegisterScreeningCompleted).Batch) {
			return f
		}
	}
	return nil
}

// answered reports whether the batch holds any answer for n, invalid included.
func (e *evaluation) answered(batch string) bool {
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if a.Controller == e.a.Controller && a.Register == e.part && a.Batch == batch {
			return true
		}
	}
	return false
}

func rpo12(e *evaluation) (hit, bool) {
	r := &e.register
	if r.status != events.AnswerSelective || r.inWindow || (!e.found("IT-RPO-01") && !e.found("IT-RPO-10")) {
		return hit{}, false
	}
	return block(e.registerEvidence()), true
}

func rpo13(e *evaluation) (hit, bool) {
	if e.a.Basis != events.BasisRequest || e.bases.any(basisRequest) {
		return hit{}, false
	}
	ev, asked := e.note(), false
	for i := range e.state.Requests {
		if q := &e.state.Requests[i]; q.Controller == e.a.Controller {
			asked = true
			ev.fact(q.Identity).at("requested", q.Time)
			if c := e.consumedBy(q.Time); c != nil {
				ev.fact(c.Identity).say("used_up_by", c.ID)
			}
		}
	}
	if !asked {
		ev.say("missing", "request")
	}
	h := block(ev)
	if !asked {
		h.kind = events.KindPotential
	}
	return h, true
}

func rpo14(e *evaluation) (hit, bool) {
	h, ok := e.reported(defectUncertain)
	h.kind = events.KindPotential
	return h, ok
}

func rpo15(e *evaluation) (hit, bool) {
	if e.a.Basis != events.BasisDirectory || e.state.Directory.InDirectory {
		return hit{}, false
	}
	d := &e.state.Directory
	ev := e.note().fact(d.Identity).on("extracted_on", d.ExtractedOn)
	if d.ExtractedOn == 0 {
		ev.say("missing", "extract of a directory")
	}
	return block(ev), true
}
