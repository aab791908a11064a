package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// registerView is the controller's knowledge of the public register for the
// attempt's channel (rules.md 3.1).
type registerView struct {
	register events.Register       // "" = the channel has none
	days     int                   // validity of an answer
	status   events.RegisterAnswer // "" = unknown
	at       events.Instant        // of the latest observation
	inWindow bool                  // date(t) inside every window of the latest selective observations
	windowBy events.Identity
	barUp    bool
	low      events.Date // L; 0 = missing
	high     events.Date // U; 0 = no horizon
	highBy   events.Identity
	valid    *contact.Answer // valid answer with the latest expiry
	expires  events.Date     // of valid
	last     *contact.Answer // latest answer of C that is not invalid
}

func (e *evaluation) readRegister() {
	r := &e.register
	*r = registerView{}
	switch {
	case isCall(e.channel):
		r.register, r.days = events.RegisterPhone, e.pack.PhoneDays
	case e.channel == events.ChannelPaperMail:
		r.register, r.days = events.RegisterPostal, e.pack.PaperDays
	default:
		return
	}
	e.readStatus()
	e.readHorizon()
	e.readValidity()
	r.barUp = r.status == events.AnswerOpposed || (r.status == events.AnswerSelective && !r.inWindow)
	if e.oldLaw { // DPR 178/2010: the bar concerns directory numbers only
		r.barUp = r.barUp && operatorOrPaper(e.channel) && e.state.Directory.InDirectory
	}
}

// observe takes one observation: the latest decides, ties go opposed >
// selective > clear; several windows of one instant must all contain date(t).
func (r *registerView) observe(at events.Instant, value events.RegisterAnswer, inWindow bool, by events.Identity) {
	rank := func(a events.RegisterAnswer) int {
		switch a {
		case "":
			return 0
		case events.AnswerClear:
			return 1
		case events.AnswerSelective:
			return 2
		}
		return 3 // opposed, and any value of a later contract version
	}
	switch {
	case r.status != "" && at < r.at, at == r.at && rank(value) < rank(r.status):
	case r.status == "" || at > r.at || rank(value) > rank(r.status):
		r.at, r.status, r.inWindow, r.windowBy = at, value, inWindow, by
		if rank(value) == 3 {
			r.status = events.AnswerOpposed
		}
	case value == events.AnswerSelective:
		r.inWindow = r.inWindow && inWindow
	}
}

// answersSeen calls f with every answer that counts for C: its own, and that
// of a cited batch made in another's name, selective there read as opposed.
func (e *evaluation) answersSeen(f func(a *contact.Answer, value events.RegisterAnswer)) {
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if a.Register != e.register.register || a.Answer == events.AnswerInvalid {
			continue
		}
		switch {
		case a.Controller == e.a.Controller:
			f(a, a.Answer)
		case e.a.Batch != "" && a.Batch == e.a.Batch && a.Answer == events.AnswerSelective:
			f(a, events.AnswerOpposed)
		case e.a.Batch != "" && a.Batch == e.a.Batch:
			f(a, a.Answer)
		}
	}
}

func (e *evaluation) readStatus() {
	r := &e.register
	e.answersSeen(func(a *contact.Answer, value events.RegisterAnswer) {
		r.observe(a.Snapshot, value, within(e.day, a.From, a.To), a.Identity)
	})
	for _, l := range e.state.Listed {
		if l.Controller == e.a.Controller && l.Register == r.register {
			r.observe((l.On + 1).In(events.Rome), events.AnswerOpposed, false, l.Identity)
		}
	}
	for _, l := range e.state.Delisted {
		if l.Controller == e.a.Controller && l.Register == r.register {
			r.observe(l.On.In(events.Rome), events.AnswerClear, false, l.Identity)
		}
	}
	for _, l := range e.state.Lifts {
		if l.Controller == e.a.Controller && l.Register == r.register {
			r.observe(l.From.In(events.Rome), events.AnswerSelective, within(e.day, l.From, l.To), l.Identity)
		}
	}
}

// readHorizon works out L and U.
func (e *evaluation) readHorizon() {
	r := &e.register
	var known events.Date // H
	var knownBy events.Identity
	raise := func(d events.Date, by events.Identity) {
		if d > known {
			known, knownBy = d, by
		}
	}
	for _, l := range e.state.Listed {
		if l.Controller == e.a.Controller && l.Register == r.register {
			raise(l.On, l.Identity)
		}
	}
	var lastDated events.Instant
	var undated *contact.Answer // the latest
	e.answersSeen(func(a *contact.Answer, value events.RegisterAnswer) {
		switch {
		case value == events.AnswerClear:
		case a.Date != 0:
			raise(a.Date, a.Identity)
			lastDated = max(lastDated, a.Snapshot)
		case undated == nil || a.Snapshot > undated.Snapshot:
			undated = a
		}
	})
	r.low, r.high, r.highBy = known, known, knownBy
	if undated == nil || undated.Snapshot <= lastDated {
		return
	}
	if d := dateOf(undated.Snapshot); d > r.high {
		r.high, r.highBy = d, undated.Identity
	}
	e.answersSeen(func(a *contact.Answer, value events.RegisterAnswer) {
		if value == events.AnswerClear && a.Snapshot < undated.Snapshot {
			r.low = max(r.low, dateOf(a.Snapshot))
		}
	})
}

func (e *evaluation) readValidity() {
	r := &e.register
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if a.Controller != e.a.Controller || a.Register != r.register || a.Answer == events.AnswerInvalid {
			continue
		}
		if r.last == nil || a.Snapshot > r.last.Snapshot {
			r.last = a
		}
		end := dateOf(a.Snapshot) + events.Date(r.days)
		if a.Snapshot <= e.t && e.day <= end && end > r.expires {
			r.valid, r.expires = a, end
		}
	}
}

// grantLife says what the register's horizon means for a grant of date d.
type grantLife uint8

const (
	alive grantLife = iota
	uncertain
	dead
)

// life is dead, uncertain or alive (rules.md 3.1); always alive where the
// channel has no register and under DPR 178/2010.
func (e *evaluation) life(d events.Date) grantLife {
	r := &e.register
	switch {
	case r.register == "" || e.oldLaw || r.high == 0 || d > r.high:
		return alive
	case d < r.low:
		return dead
	}
	return uncertain
}

// consultationRequired is the extra condition of DPR 178/2010 for IT-RPO-02,
// -03 and -11: directory numbers called on that basis or on none.
func (e *evaluation) consultationRequired() bool {
	if e.exempt() {
		return false
	}
	if !e.oldLaw {
		return true
	}
	first := e.bases.first()
	return e.state.Directory.InDirectory && (first == "" || first == events.BasisDirectory)
}

// unexpired reports whether a snapshot still counts at t.
func (e *evaluation) unexpired(snapshot events.Instant) bool {
	return snapshot <= e.t && e.day <= dateOf(snapshot)+events.Date(e.register.days)
}

func (e *evaluation) registerEvidence() *evidence {
	r := &e.register
	ev := new(evidence)
	if r.last != nil {
		ev.fact(r.last.Identity).say("batch", r.last.Batch).say("snapshot", r.last.Snapshot.String()).
			say("answer", string(r.last.Answer)).say("expires", (dateOf(r.last.Snapshot) + events.Date(r.days)).String())
	}
	ev.fact(r.windowBy, r.highBy)
	return ev.say("status", string(r.status)).say("horizon_from", r.low.String()).say("horizon_to", r.high.String())
}

// opposedNumber is the condition that IT-RPO-01 and IT-RPO-10 share.
func (e *evaluation) opposedNumber() bool {
	if !e.register.barUp || e.bases.any(basisRequest|basisInbound|basisConsent|basisContract) {
		return false
	}
	for i := range e.grants {
		if g := &e.grants[i]; !g.void && g.defects == defectUncertain {
			return false
		}
	}
	return true
}

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
		return block(e.registerEvidence()), true
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
	return block(e.registerEvidence()), true
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
