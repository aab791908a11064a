package rules

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// registerView is the controller's knowledge of the public register for the
// attempt's channel (rules.md 3.1).
type registerView struct {
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
	if e.part == "" {
		return
	}
	e.readStatus()
	e.readHorizon()
	e.readValidity()
	r.barUp = r.status == events.AnswerOpposed || (r.status == events.AnswerSelective && !r.inWindow)
	if e.law.oldLaw { // DPR 178/2010: the bar concerns directory numbers only
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
		if a.Register != e.part || a.Answer == events.AnswerInvalid {
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
	for i := range e.state.Listed {
		if l := &e.state.Listed[i]; l.Controller == e.a.Controller && l.Register == e.part {
			r.observe(midnight(l.On+1), events.AnswerOpposed, false, l.Identity)
		}
	}
	for i := range e.state.Delisted {
		if l := &e.state.Delisted[i]; l.Controller == e.a.Controller && l.Register == e.part {
			r.observe(midnight(l.On), events.AnswerClear, false, l.Identity)
		}
	}
	for i := range e.state.Lifts {
		if l := &e.state.Lifts[i]; l.Controller == e.a.Controller && l.Register == e.part {
			r.observe(midnight(l.From), events.AnswerSelective, within(e.day, l.From, l.To), l.Identity)
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
	for i := range e.state.Listed {
		if l := &e.state.Listed[i]; l.Controller == e.a.Controller && l.Register == e.part {
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
		if a.Controller != e.a.Controller || a.Register != e.part || a.Answer == events.AnswerInvalid {
			continue
		}
		if r.last == nil || a.Snapshot > r.last.Snapshot {
			r.last = a
		}
		end := dateOf(a.Snapshot) + events.Date(e.days)
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
	case e.part == "" || e.law.oldLaw || r.high == 0 || d > r.high:
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
	if !e.law.oldLaw {
		return true
	}
	first := e.bases.first()
	return e.state.Directory.InDirectory && (first == "" || first == events.BasisDirectory)
}

func (e *evaluation) registerEvidence() *evidence {
	r := &e.register
	ev := e.note()
	if r.last != nil {
		ev.fact(r.last.Identity).say("batch", r.last.Batch).at("snapshot", r.last.Snapshot).
			say("answer", string(r.last.Answer)).on("expires", dateOf(r.last.Snapshot)+events.Date(e.days))
	}
	ev.fact(r.windowBy, r.highBy)
	return ev.say("status", string(r.status)).on("horizon_from", r.low).on("horizon_to", r.high)
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
