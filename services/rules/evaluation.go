package rules

import (
	"slices"
	"strconv"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// evaluation is the context that all rules of one evaluation share: the
// setting, the state at the cut, and the derived predicates of rules.md 3, each
// worked out once.
type evaluation struct {
	*setting
	own     setting          // where the setting is not a prepared one
	history *contact.History // nil: settled says what is known of the contact
	settled []*contact.Fact
	doubt   bool // settled facts do not suffice

	facts []*contact.Fact
	state contact.State

	rows         []contact.Row       // current rows of n on lists of K
	withdrawal   *contact.Withdrawal // W[C, pu, ch]; nil: none
	opposition   *contact.Opposition // O[C, pu, ch]; nil: none
	erasure      *contact.Mark       // E[C]; nil: none
	reassignment *contact.Mark       // X; nil: none
	register     registerView
	grants       []grantView
	bases        basisSet
	best         *grantView
	chain        thirdParty

	hits []spoken
}

// hit is what a rule says.
type hit struct {
	effect   events.Verdict // "" = none
	kind     events.Kind    // "" = no finding
	evidence *evidence      // good until the next note; nil where none is wanted
}

// spoken is one rule that has spoken.
type spoken struct {
	rule     *attemptRule
	effect   events.Verdict // of its hit
	kind     events.Kind    // of its hit
	severity events.Severity
	evidence Evidence
}

// prepare fills the context for one cut of the history.
func (e *evaluation) prepare(cut contact.Cut, sense *contact.Sensitivity) {
	e.begin(cut, sense)
	e.facts = e.history.Look(e.facts[:0], cut, sense)
	e.read()
}

// prepareSettled fills the context from the settled facts as of t.
func (e *evaluation) prepareSettled() {
	e.facts = e.facts[:0]
	for _, f := range e.settled {
		if f.Time <= e.t && f.Received <= e.t && f.Recorded <= e.t {
			e.facts = append(e.facts, f)
		}
	}
	e.read()
}

// read folds the facts and works out the predicates.
func (e *evaluation) read() {
	e.hits = e.hits[:0]
	e.state.Refold(e.facts)
	e.derive()
}

// derive works the predicates out of the state.
func (e *evaluation) derive() {
	e.rows = e.currentRows(e.rows[:0])
	c := e.a.Controller
	e.withdrawal, e.opposition = e.withdrawn(c, e.purpose), e.opposed(c, e.purpose)
	e.erasure, e.reassignment = e.erased(c), e.reassigned(c)
	e.readRegister()
	e.readGrants()
	e.readBases()
}

// currentRows are the additions of n to lists of K that no later-or-equal
// removal undid (rules.md 4.6, IT-LST-01).
func (e *evaluation) currentRows(dst []contact.Row) []contact.Row {
	for i := range e.state.Rows {
		r := &e.state.Rows[i]
		if slices.Contains(e.campaign.lists, r.Data.List) && r.Time > removedAt(&e.state, r.Data.List) {
			dst = append(dst, *r)
		}
	}
	return dst
}

// removedAt is the latest removal of the contact from a list; 0 for none.
func removedAt(s *contact.State, list string) events.Instant {
	for i := range s.Removals {
		if m := &s.Removals[i]; m.List == list {
			return m.Time
		}
	}
	return 0
}

// call channels, consent-only channels (rules.md 3).

func isCall(c events.Channel) bool {
	return c == events.ChannelOperatorCall || c == events.ChannelAutomatedCall
}

func consentOnly(c events.Channel) bool {
	return c == events.ChannelAutomatedCall || c == events.ChannelSMS || c == events.ChannelMessaging || c == events.ChannelEmail
}

// operatorOrPaper are the channels that the directory opens.
func operatorOrPaper(c events.Channel) bool {
	return c == events.ChannelOperatorCall || c == events.ChannelPaperMail
}

// withdrawn is W[C, pu, ch] for any controller and purpose; nil for none.
func (e *evaluation) withdrawn(controller string, pu events.PurposeSet) *contact.Withdrawal {
	var out *contact.Withdrawal
	for i := range e.state.Withdrawals {
		w := &e.state.Withdrawals[i]
		if w.Controller == controller && w.Purposes&pu != 0 && w.Channels&e.channels != 0 && (out == nil || w.Time > out.Time) {
			out = w
		}
	}
	return out
}

// opposed is O[C, pu, ch] for any controller and purpose; nil for none.
func (e *evaluation) opposed(controller string, pu events.PurposeSet) *contact.Opposition {
	var out *contact.Opposition
	for i := range e.state.Oppositions {
		o := &e.state.Oppositions[i]
		if binds(o, controller) && o.Purposes&pu != 0 && o.Channels&e.channels != 0 && (out == nil || o.Time > out.Time) {
			out = o
		}
	}
	return out
}

// binds reports whether the opposition was made to the controller or names it.
func binds(o *contact.Opposition, controller string) bool {
	return o.Controller == controller || slices.Contains(o.Also, controller)
}

// erased is E[C]; nil for none.
func (e *evaluation) erased(controller string) *contact.Mark {
	for i := range e.state.Erased {
		if e.state.Erased[i].Controller == controller {
			return &e.state.Erased[i]
		}
	}
	return nil
}

// reassigned is X for the controller: the later of its own and that of all.
func (e *evaluation) reassigned(controller string) *contact.Mark {
	var out *contact.Mark
	for i := range e.state.Reassigned {
		m := &e.state.Reassigned[i]
		if (m.Controller == controller || m.Controller == "") && (out == nil || m.Time > out.Time) {
			out = m
		}
	}
	return out
}

func withdrawnAt(w *contact.Withdrawal) events.Instant {
	if w == nil {
		return 0
	}
	return w.Time
}

func opposedAt(o *contact.Opposition) events.Instant {
	if o == nil {
		return 0
	}
	return o.Time
}

func markedAt(m *contact.Mark) events.Instant {
	if m == nil {
		return 0
	}
	return m.Time
}

// within reports from ≤ d ≤ to, where a zero to is open.
func within(d, from, to events.Date) bool { return from <= d && (to == 0 || d <= to) }

func number(n int) string { return strconv.Itoa(n) }
