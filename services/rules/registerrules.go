package rules

import (
	"github.com/assenso/assenso/events"
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
		return hit{effect: events.VerdictWarn, evidence: e.registerEvidence().done()}, true
	}
	return hit{}, false
}

func rpo03(e *evaluation) (hit, bool) {
	if e.register.register == "" || !e.consultationRequired() || e.called(e.a.Controller, e.a.Campaign, e.t) {
		return hit{}, false
	}
	ev := new(evidence).say("campaign", e.a.Campaign)
	for _, list := range e.campaign.lists {
		e.refs = e.look(e.refs[:0], refKey{refScreened, e.a.Controller, list})
		for _, f := range e.refs {
			d := f.Data.(*events.RegisterScreeningCompleted)
			if phoneIfAbsent(d.Register) != e.register.register {
				continue
			}
			if e.unexpired(d.SnapshotAt) {
				return hit{}, false
			}
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
	return hit{effect: events.VerdictWarn, evidence: e.contractEvidence().done()}, true
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
	ev := new(evidence).say("product_owner", e.campaign.owner)
	for i := range e.state.Contracts {
		c := &e.state.Contracts[i]
		if c.Controller != e.a.Controller {
			continue
		}
		ev.fact(c.Identity, c.EndedBy).say("contract", c.ID).say("ended_on", c.EndedOn.String())
		if c.Data != nil {
			ev.say("started_on", c.Data.StartedOn.String())
		}
	}
	return ev
}

func rpo08(e *evaluation) (hit, bool) {
	if e.a.Batch == "" {
		return hit{}, false
	}
	ev, known := new(evidence), false
	e.refs = e.look(e.refs[:0], refKey{refBatch, e.a.Batch, ""})
	for _, f := range e.refs {
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
	if e.oldLaw && !e.consultationRequired() {
		return hit{}, false
	}
	for _, list := range e.campaign.lists {
		if h, ok := e.missingFromBatch(refKey{refScreened, e.a.Controller, list}); ok {
			return h, true
		}
	}
	if e.a.Batch == "" {
		return hit{}, false
	}
	return e.missingFromBatch(refKey{refBatch, e.a.Batch, ""})
}

func (e *evaluation) missingFromBatch(k refKey) (hit, bool) {
	e.refs = e.look(e.refs[:0], k)
	for _, f := range e.refs {
		d := f.Data.(*events.RegisterScreeningCompleted)
		if f.Controller != e.a.Controller || phoneIfAbsent(d.Register) != e.register.register ||
			!e.unexpired(d.SnapshotAt) || e.answered(d.Batch) {
			continue
		}
		return block(new(evidence).fact(f.Identity()).say("batch", d.Batch).say("set_root", d.SetRoot.String())), true
	}
	return hit{}, false
}

// answered reports whether the batch holds any answer for n, invalid included.
func (e *evaluation) answered(batch string) bool {
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if a.Controller == e.a.Controller && a.Register == e.register.register && a.Batch == batch {
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
	ev, asked := new(evidence), false
	for i := range e.state.Requests {
		if q := &e.state.Requests[i]; q.Controller == e.a.Controller {
			asked = true
			ev.fact(q.Identity).say("requested", q.Time.String())
			if c := e.consumedBy(q.Time); c != nil {
				ev.fact(c.Identity).say("used_up_by", c.ID)
			}
		}
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
	return block(new(evidence).fact(d.Identity).say("extracted_on", d.ExtractedOn.String())), true
}
