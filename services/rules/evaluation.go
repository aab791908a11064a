package rules

import (
	"slices"
	"strconv"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// evaluation is the context that all rules of one evaluation share: the
// attempt, the state at the cut, and the derived predicates of rules.md 3, each
// worked out once.
type evaluation struct {
	engine  *Engine
	pack    *Pack
	history *contact.History
	glance
	a    Attempt
	t    events.Instant
	day  events.Date   // date(t)
	time time.Duration // wall clock in Rome since midnight
	asOf events.Instant

	facts []*contact.Fact
	state contact.State

	campaign campaign
	rows     []contact.Row // current rows of n on lists of K
	channel  events.Channel
	oldLaw   bool // before DPR 26/2022
	register registerView
	grants   []grantView
	bases    basisSet
	best     *grantView
	chain    thirdParty

	hits []hit
	refs []*contact.Fact // scratch of reference look-ups
}

// hit is one rule that speaks.
type hit struct {
	rule     *attemptRule
	effect   events.Verdict // "" = none
	kind     events.Kind    // "" = no finding
	severity events.Severity
	evidence Evidence
}

// campaign is what campaign.opened and campaign.closed say of K.
type campaign struct {
	known    bool
	opened   *contact.Fact
	openedAt events.Instant
	closedAt events.Instant // zero: open
	lists    []string
	clis     []string
	sector   events.Sector
	product  string
	owner    string
}

// prepare fills the context for one cut.
func (e *evaluation) prepare(cut contact.Cut, sense *contact.Sensitivity) {
	e.cut, e.sense = cut, sense
	e.hits = e.hits[:0]
	e.facts = e.history.Look(e.facts[:0], cut, sense)
	e.state.Refold(e.facts)
	e.day, e.time = clockOf(e.t)
	e.oldLaw = e.day < e.pack.DPR26From
	e.channel = callable(e.a.Channel)
	e.readCampaign()
	e.rows = e.currentRows(e.rows[:0])
	e.readRegister()
	e.readGrants()
	e.readBases()
}

// callable reads messaging as sms (rules.md 4.6).
func callable(c events.Channel) events.Channel {
	if c == events.ChannelMessaging {
		return events.ChannelSMS
	}
	return c
}

func (e *evaluation) readCampaign() {
	e.campaign = campaign{owner: e.a.Controller, product: e.a.Product}
	e.refs = e.look(e.refs[:0], refKey{refCampaign, e.a.Controller, e.a.Campaign})
	for _, f := range e.refs {
		switch d := f.Data.(type) {
		case *events.CampaignOpened:
			if e.campaign.known {
				continue // the earliest counts
			}
			e.campaign.known, e.campaign.opened, e.campaign.openedAt = true, f, f.Time
			e.campaign.lists, e.campaign.clis, e.campaign.sector = d.Lists, d.CLIs, d.Sector
			if d.ProductOwner != "" {
				e.campaign.owner = d.ProductOwner
			}
			if e.campaign.product == "" {
				e.campaign.product = d.Product
			}
		case *events.CampaignClosed:
			if e.campaign.closedAt == 0 {
				e.campaign.closedAt = f.Time
			}
		}
	}
}

// currentRows are the additions of n to lists of K that no later-or-equal
// removal undid (rules.md 4.6, IT-LST-01).
func (e *evaluation) currentRows(dst []contact.Row) []contact.Row {
	for _, r := range e.state.Rows {
		if slices.Contains(e.campaign.lists, r.Data.List) && r.Time > removedAt(&e.state, r.Data.List) {
			dst = append(dst, r)
		}
	}
	return dst
}

// removedAt is the latest removal of the contact from a list; 0 for none.
func removedAt(s *contact.State, list string) events.Instant {
	for _, m := range s.Removals {
		if m.List == list {
			return m.Time
		}
	}
	return 0
}

// scope helpers: messaging and sms are one channel.

func inChannels(s events.ChannelSet, c events.Channel) bool {
	if c == events.ChannelSMS {
		return s.Has(events.ChannelSMS) || s.Has(events.ChannelMessaging)
	}
	return s.Has(c)
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

// withdrawn is W[C, pu, ch]; nil for none.
func (e *evaluation) withdrawn(controller string, pu events.Purpose, ch events.Channel) *contact.Withdrawal {
	var out *contact.Withdrawal
	for i := range e.state.Withdrawals {
		w := &e.state.Withdrawals[i]
		if w.Controller == controller && w.Purposes.Has(pu) && inChannels(w.Channels, ch) && (out == nil || w.Time > out.Time) {
			out = w
		}
	}
	return out
}

// opposed is O[C, pu, ch]; nil for none.
func (e *evaluation) opposed(controller string, pu events.Purpose, ch events.Channel) *contact.Opposition {
	var out *contact.Opposition
	for i := range e.state.Oppositions {
		o := &e.state.Oppositions[i]
		if binds(o, controller) && o.Purposes.Has(pu) && inChannels(o.Channels, ch) && (out == nil || o.Time > out.Time) {
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
