package rules

import (
	"slices"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// setting is what an evaluation knows without looking at the contact: the
// attempt, the law of its day, and what the Reference says at the cut. Each
// look-up is made at most once, when a rule first asks for it. A prepared
// question makes all of them at the start and shares one setting among its
// contacts; nothing writes to it then.
type setting struct {
	glance
	engine *Engine
	law    *lawDay
	pack   *Pack
	a      Attempt
	t      events.Instant
	day    events.Date   // date(t)
	clock  time.Duration // wall clock in Rome since midnight
	asOf   events.Instant
	terse  bool // no evidence is wanted

	channel  events.Channel
	channels events.ChannelSet // the channel as a scope names it
	purpose  events.PurposeSet // the purpose as a scope names it
	part     events.Register   // of the channel; "" = it has none
	days     int               // validity of an answer of that part
	outside  bool              // t lies outside the hours of contact
	until    events.Instant    // valid_until of a contact without facts

	campaign campaign
	active   []answer // by list of the campaign
	found    [lookUps][]*contact.Fact
	looked   [lookUps]bool
	agreed   []appointment
	started  answer // IT-RPO-03: the campaign had an earlier call
	screened answer // IT-RPO-03: and a consultation that has not expired
	adhered  answer // C adheres to the Code on the day

	refs  []*contact.Fact // scratch of look-ups
	draft evidence        // scratch of note
}

// lookUp is a list of reference facts that an evaluation asks for once.
type lookUp uint8

const (
	ofNotices lookUp = iota
	ofScripts
	ofBatch
	ofScreenings
	ofDeclarations
	ofOrders
	ofProcessors
	lookUps
)

// answer is a yes or no that is found out at most once; the zero answer is not
// known yet.
type answer uint8

const (
	no answer = iota + 1
	yes
)

func answerOf(iff bool) answer {
	if iff {
		return yes
	}
	return no
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

// place sets what does not depend on a cut.
func (s *setting) place(e *Engine, ref *Reference, a Attempt, t, asOf events.Instant) {
	s.engine, s.ref, s.asOf, s.terse = e, ref, asOf, false
	s.a, s.t, s.law = a.Normalised(), t, e.law(t)
	s.pack = s.law.pack
	s.day, s.clock = clockOf(t)
	s.channel = callable(a.Channel)
	s.channels, s.purpose = scopeOf(s.channel), a.Purpose.Bit()
	s.part, s.days = "", 0
	switch {
	case isCall(s.channel):
		s.part, s.days = events.RegisterPhone, s.pack.PhoneDays
	case s.channel == events.ChannelPaperMail:
		s.part, s.days = events.RegisterPostal, s.pack.PaperDays
	}
	open, shut := s.pack.hours(s.law.kind)
	s.outside = s.law.kind == closedDay || s.clock < open || s.clock > shut
	s.until = s.law.ends
	if isCall(s.channel) {
		s.until = sooner(s.until, s.t, s.law.open)
		s.until = sooner(s.until, s.t, s.law.shut+1) // the closing instant itself is inside
	}
}

// begin starts anew at a cut.
func (s *setting) begin(cut contact.Cut, sense *contact.Sensitivity) {
	s.cut, s.sense = cut, sense
	s.looked = [lookUps]bool{}
	s.started, s.screened, s.adhered = 0, 0, 0
	s.readCampaign()
	s.active = append(s.active[:0], make([]answer, len(s.campaign.lists))...)
}

// lookAll makes every look-up that a rule about the contact can ask for, so
// that nothing writes to the setting any more, and leaves the Reference.
func (s *setting) lookAll() {
	s.notices()
	s.scripts()
	s.batch()
	s.orders()
	s.startedEarlier()
	s.consulted()
	s.codeBinds()
	for _, list := range s.campaign.lists {
		s.listActive(list)
	}
	s.ref = nil
}

// callable reads messaging as sms (rules.md 4.6).
func callable(c events.Channel) events.Channel {
	if c == events.ChannelMessaging {
		return events.ChannelSMS
	}
	return c
}

// scopeOf are the members of a scope that name the channel: messaging and sms
// are one.
func scopeOf(c events.Channel) events.ChannelSet {
	if c == events.ChannelSMS {
		return events.ChannelSMS.Bit() | events.ChannelMessaging.Bit()
	}
	return c.Bit()
}

func (s *setting) readCampaign() {
	s.campaign = campaign{owner: s.a.Controller, product: s.a.Product}
	s.refs = s.look(s.refs[:0], refKey{refCampaign, s.a.Controller, s.a.Campaign})
	for _, f := range s.refs {
		switch d := f.Data.(type) {
		case *events.CampaignOpened:
			if s.campaign.known {
				continue // the earliest counts
			}
			s.campaign.known, s.campaign.opened, s.campaign.openedAt = true, f, f.Time
			s.campaign.lists, s.campaign.clis, s.campaign.sector = d.Lists, d.CLIs, d.Sector
			if d.ProductOwner != "" {
				s.campaign.owner = d.ProductOwner
			}
			if s.campaign.product == "" {
				s.campaign.product = d.Product
			}
		case *events.CampaignClosed:
			if s.campaign.closedAt == 0 {
				s.campaign.closedAt = f.Time
			}
		}
	}
}

// once returns the facts of one look-up.
func (s *setting) once(what lookUp, k refKey) []*contact.Fact {
	if !s.looked[what] {
		s.found[what] = s.look(s.found[what][:0], k)
		s.looked[what] = true
	}
	return s.found[what]
}

// notices are those of C, the earliest first.
func (s *setting) notices() []*contact.Fact {
	return s.once(ofNotices, refKey{refNotice, s.a.Controller, ""})
}

// scripts are those of K and their acknowledgements, by time, then id.
func (s *setting) scripts() []*contact.Fact {
	return s.once(ofScripts, refKey{refScript, s.a.Controller, s.a.Campaign})
}

// batch are the consultations that the attempt cites.
func (s *setting) batch() []*contact.Fact {
	if s.a.Batch == "" {
		return nil
	}
	return s.once(ofBatch, refKey{refBatch, s.a.Batch, ""})
}

// declarations are those of the number that is presented.
func (s *setting) declarations() []*contact.Fact {
	return s.once(ofDeclarations, refKey{refDeclared, s.a.CLI, ""})
}

// screenings are the consultations of C for the lists of K, list by list.
func (s *setting) screenings() []*contact.Fact {
	if !s.looked[ofScreenings] {
		out := s.found[ofScreenings][:0]
		for _, list := range s.campaign.lists {
			out = s.look(out, refKey{refScreened, s.a.Controller, list})
		}
		s.found[ofScreenings], s.looked[ofScreenings] = out, true
	}
	return s.found[ofScreenings]
}

// orders are the prohibitions and limitations of C, then those of all, that
// are in force on the day.
func (s *setting) orders() []*contact.Fact {
	if !s.looked[ofOrders] {
		out := s.found[ofOrders][:0]
		for _, controller := range [...]string{s.a.Controller, ""} {
			s.refs = s.look(s.refs[:0], refKey{refOrder, controller, ""})
			for _, f := range s.refs {
				d := f.Data.(*events.OrderIssued)
				if (d.Kind == events.OrderProhibition || d.Kind == events.OrderLimitation) && within(s.day, d.From, d.To) {
					out = append(out, f)
				}
			}
		}
		s.found[ofOrders], s.looked[ofOrders] = out, true
	}
	return s.found[ofOrders]
}

// processors are the appointments of C as of the day.
func (s *setting) processors() []appointment {
	if !s.looked[ofProcessors] {
		facts := s.once(ofProcessors, refKey{refProcessor, s.a.Controller, ""})
		s.agreed = appointmentsAmong(s.agreed[:0], facts, s.day)
	}
	return s.agreed
}

// startedEarlier reports whether K had a call before t.
func (s *setting) startedEarlier() bool {
	if s.started == 0 {
		s.started = answerOf(s.called(s.a.Controller, s.a.Campaign, s.t))
	}
	return s.started == yes
}

// consulted reports whether a consultation of C for a list of K counts at t.
func (s *setting) consulted() bool {
	if s.screened == 0 {
		s.screened = answerOf(slices.ContainsFunc(s.screenings(), s.counts))
	}
	return s.screened == yes
}

// counts reports whether a consultation concerns the channel's part of the
// register and has not expired at t.
func (s *setting) counts(f *contact.Fact) bool {
	d := f.Data.(*events.RegisterScreeningCompleted)
	return phoneIfAbsent(d.Register) == s.part && s.unexpired(d.SnapshotAt)
}

// unexpired reports whether a snapshot still counts at t.
func (s *setting) unexpired(snapshot events.Instant) bool {
	return snapshot <= s.t && s.day <= dateOf(snapshot)+events.Date(s.days)
}

// codeBinds reports whether C adheres to the Code on the day.
func (s *setting) codeBinds() bool {
	if s.adhered == 0 {
		s.refs = s.look(s.refs[:0], refKey{refAdherence, s.a.Controller, ""})
		s.adhered = answerOf(slices.ContainsFunc(s.refs, codeInForce(s.day)))
	}
	return s.adhered == yes
}

// listActive reports whether a list of K may be dialled: activated, and not
// retired at the same time or later.
func (s *setting) listActive(list string) bool {
	i := slices.Index(s.campaign.lists, list)
	if s.active[i] != 0 {
		return s.active[i] == yes
	}
	var on, off events.Instant
	s.refs = s.look(s.refs[:0], refKey{refList, list, ""})
	for _, f := range s.refs {
		switch f.Type {
		case events.TypeListActivated:
			on = max(on, f.Time)
		case events.TypeListRetired:
			off = max(off, f.Time)
		}
	}
	s.active[i] = answerOf(on > off)
	return on > off
}

// sooner returns at where it lies after t and before until.
func sooner(until, t, at events.Instant) events.Instant {
	if at > t && at < until {
		return at
	}
	return until
}
