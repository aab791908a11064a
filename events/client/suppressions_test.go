package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

// hand is a clock that a test moves: local time, and the feed's beside it.
type hand struct {
	now  time.Time
	away time.Duration // the feed's clock from ours
}

func newHand() *hand { return &hand{now: time.Now(), away: 3 * time.Hour} }

func (h *hand) clock() time.Time { return h.now }

func (h *hand) feed() events.Instant { return events.InstantOf(h.now.Add(h.away)) }

// beat is a heartbeat sent now by a feed that is a second behind the ledger.
func (h *hand) beat(position uint64) events.FeedBeat {
	return events.FeedBeat{At: h.feed().Add(-time.Second), Sent: h.feed(), Position: position}
}

// following returns a set of controller A that is current at a position.
func following(t testing.TB, h *hand, position uint64, snapshot ...events.FeedMessage) *Suppressions {
	t.Helper()
	s := NewSuppressions(SuppressionOptions{Controller: "A", Clock: h.clock})
	n := s.Snapshot()
	if err := n.Add(snapshot...); err != nil {
		t.Fatal(err)
	}
	n.Commit(position)
	if err := s.Beat(h.beat(position)); err != nil {
		t.Fatal(err)
	}
	if err := s.Current(); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	phone = "+393401234567"
	other = "+393407654321"
)

// marketing is a call of which everything is known.
func marketing(number string) Call {
	return Call{Phone: number, Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Campaign: "K-A", Lists: []string{"L-A"}}
}

func stop(kind events.FeedKind, number string) events.FeedMessage {
	return events.FeedMessage{Kind: kind, Effect: events.FeedStop, Controller: "A", Phone: number, Contact: contactOf(number)}
}

// contactOf stands for the pepper's HMAC.
func contactOf(number string) (k events.ContactKey) {
	if number != "" {
		k = events.ContactKey([]byte(strings.Repeat(number, 2)[:16]))
		k[0], k[7] = number[len(number)-1], number[len(number)-2]
	}
	return k
}

func codes(v Verdict) string {
	var all []string
	for _, r := range v.Reasons {
		c := string(r.Code)
		if r.Code == CodeSuppressed {
			c = string(r.Kind)
		}
		all = append(all, c)
	}
	return strings.Join(all, " ")
}

func TestScopesNarrowAndWhatIsNotKnownStops(t *testing.T) {
	for _, c := range []struct {
		name string
		m    events.FeedMessage
		call func(*Call)
		want string
	}{
		{"all of a number", stop(events.FeedRevocation, phone), nil, "revocation"},
		{"another number", stop(events.FeedRevocation, other), nil, ""},
		{"every controller", func() events.FeedMessage { m := stop(events.FeedErasure, phone); m.Controller = ""; return m }(), nil, "erasure"},
		{"another controller", func() events.FeedMessage { m := stop(events.FeedErasure, phone); m.Controller = "B"; return m }(), nil, ""},
		{"another purpose", events.FeedMessage{Phone: phone, Purposes: []events.Purpose{events.PurposeMarketResearch}}, nil, ""},
		{"the purpose", events.FeedMessage{Phone: phone, Purposes: []events.Purpose{events.PurposeMarketResearch, events.PurposeMarketing}}, nil, "opposition"},
		{"a purpose not known", events.FeedMessage{Phone: phone, Purposes: []events.Purpose{events.PurposeService}}, func(c *Call) { c.Purpose = "" }, "opposition"},
		{"a purpose of the future", events.FeedMessage{Phone: phone, Purposes: []events.Purpose{"telepathy"}}, nil, "opposition"},
		{"another channel", events.FeedMessage{Phone: phone, Channels: []events.Channel{events.ChannelSMS}}, nil, ""},
		{"a channel not known", events.FeedMessage{Phone: phone, Channels: []events.Channel{events.ChannelSMS}}, func(c *Call) { c.Channel = "" }, "opposition"},
		{"a channel of the future", events.FeedMessage{Phone: phone, Channels: []events.Channel{"dream"}}, nil, "opposition"},
		{"another campaign", events.FeedMessage{Phone: phone, Campaigns: []string{"K-B"}}, nil, ""},
		{"the campaign", events.FeedMessage{Phone: phone, Campaigns: []string{"K-B", "K-A"}}, nil, "opposition"},
		{"a campaign not known", events.FeedMessage{Phone: phone, Campaigns: []string{"K-B"}}, func(c *Call) { c.Campaign = "" }, "opposition"},
		{"another list", events.FeedMessage{Phone: phone, Lists: []string{"L-B"}}, nil, ""},
		{"one of the lists", events.FeedMessage{Phone: phone, Lists: []string{"L-B"}}, func(c *Call) { c.Lists = []string{"L-A", "L-B"} }, "opposition"},
		{"lists not known", events.FeedMessage{Phone: phone, Lists: []string{"L-B"}}, func(c *Call) { c.Lists = nil }, "opposition"},
		{"from no list", events.FeedMessage{Phone: phone, Lists: []string{"L-B"}}, func(c *Call) { c.Lists = []string{} }, ""},
		{"a whole list", events.FeedMessage{Lists: []string{"L-A"}}, nil, "opposition"},
		{"another whole list", events.FeedMessage{Lists: []string{"L-B"}}, nil, ""},
		{"a whole list, lists not known", events.FeedMessage{Lists: []string{"L-B"}}, func(c *Call) { c.Lists = nil }, "opposition"},
		{"a whole list, from no list", events.FeedMessage{Lists: []string{"L-B"}}, func(c *Call) { c.Lists = []string{} }, ""},
		{"a whole campaign", events.FeedMessage{Campaigns: []string{"K-A"}}, nil, "opposition"},
		{"another whole campaign", events.FeedMessage{Campaigns: []string{"K-B"}}, nil, ""},
		{"a whole campaign, campaign not known", events.FeedMessage{Campaigns: []string{"K-B"}}, func(c *Call) { c.Campaign = "" }, "opposition"},
		{"a whole list for another purpose", events.FeedMessage{Lists: []string{"L-A"}, Purposes: []events.Purpose{events.PurposeService}}, nil, ""},
		{"the controller", events.FeedMessage{}, nil, "opposition"},
		{"the controller for another channel", events.FeedMessage{Channels: []events.Channel{events.ChannelSMS}}, nil, ""},
		{"by key", events.FeedMessage{Contact: contactOf(phone)}, func(c *Call) { c.Contact = contactOf(phone) }, "opposition"},
		{"by key alone", events.FeedMessage{Contact: contactOf(phone)}, func(c *Call) { *c = Call{Contact: contactOf(phone)} }, "opposition"},
		{"by number although the feed had a key only", events.FeedMessage{Contact: contactOf(phone)}, nil, ""},
		{"a kind of the future", events.FeedMessage{Phone: phone, Kind: "omen"}, nil, "omen"},
		{"an effect of the future", events.FeedMessage{Phone: phone, Effect: "perhaps"}, nil, "opposition"},
		{"no number", stop(events.FeedRevocation, phone), func(c *Call) { c.Phone = "" }, "number"},
		{"a number in national format", stop(events.FeedRevocation, phone), func(c *Call) { c.Phone = phone[3:] }, "number"},
		{"a number with blanks beside a key", stop(events.FeedRevocation, phone), func(c *Call) { c.Phone, c.Contact = "+39 340", contactOf(other) }, "number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.m.Kind == "" {
				c.m.Kind = events.FeedOpposition
			}
			if c.m.Effect == "" {
				c.m.Effect = events.FeedStop
			}
			if c.m.Controller == "" && c.m.Kind == events.FeedOpposition {
				c.m.Controller = "A"
			}
			h := newHand()
			s := following(t, h, 7, c.m)
			call := marketing(phone)
			if c.call != nil {
				c.call(&call)
			}
			v := s.MayCall(call)
			if codes(v) != c.want || v.Allowed != (c.want == "") {
				t.Errorf("%s, want %q", v, c.want)
			}
		})
	}
}

func TestALaterMessageOfOneKeyReplacesTheEarlier(t *testing.T) {
	s := following(t, newHand(), 7)
	apply := func(position uint64, m events.FeedMessage, news bool) {
		t.Helper()
		m.Position = position
		if got, err := s.Apply(m); err != nil || got != news {
			t.Errorf("message %d: news %v, want %v (%v)", position, got, news, err)
		}
	}
	is := func(want string) {
		t.Helper()
		if got := codes(s.MayCall(marketing(phone))); got != want {
			t.Errorf("reasons %q, want %q", got, want)
		}
	}
	revoked, register := stop(events.FeedRevocation, phone), stop(events.FeedRegister, phone)
	revoked.Ledger = events.FeedPlace{Stream: "LEDGER_01", Sequence: 9}
	apply(8, revoked, true)
	apply(9, register, true)
	apply(9, register, false) // again
	is("revocation register")
	if r := s.MayCall(marketing(phone)).Reasons[0]; r.Ledger != revoked.Ledger || r.String() != "revocation (LEDGER_01 9)" {
		t.Errorf("reason %+v: %s", r, r)
	}
	narrow := revoked
	narrow.Channels = []events.Channel{events.ChannelSMS}
	apply(10, narrow, true)
	is("register")
	resume := register
	resume.Effect = events.FeedResume
	apply(12, resume, false)
	is("")
	apply(11, register, false) // late: it no longer stands
	is("")
	apply(7, revoked, false) // the snapshot knows
	is("")
	if n := s.Len(); n != 1 {
		t.Errorf("%d contacts are suppressed, want 1 (by SMS)", n)
	}
	whole := events.FeedMessage{Kind: events.FeedList, Effect: events.FeedStop, Controller: "A", Lists: []string{"L-A"}}
	apply(13, whole, true)
	is("list")
	whole.Effect = events.FeedResume
	apply(14, whole, false)
	is("")
	s.Reach(20)
	apply(19, register, false) // known, since everything up to 20 is
	is("")
	apply(21, register, true)
	is("register")
}

func TestANumberAndItsKeyAreOneHoweverTheyBecameKnown(t *testing.T) {
	key := contactOf(phone)
	both, number, alone := stop(events.FeedRevocation, phone), stop(events.FeedRegister, phone), stop(events.FeedErasure, "")
	number.Contact, alone.Contact = events.ContactKey{}, key
	for _, order := range [][]events.FeedMessage{
		{both, number, alone}, {both, alone, number}, {number, both, alone}, {number, alone, both}, {alone, both, number}, {alone, number, both},
	} {
		s := following(t, newHand(), 7, order...)
		for _, c := range []Call{{Phone: phone}, {Contact: key}, {Phone: phone, Contact: key}} {
			v := s.MayCall(c)
			for _, kind := range []events.FeedKind{events.FeedRevocation, events.FeedRegister, events.FeedErasure} {
				if !strings.Contains(codes(v), string(kind)) || len(v.Reasons) != 3 {
					t.Errorf("%s lacks %s", v, kind)
				}
			}
		}
		if n := s.Len(); n != 1 {
			t.Errorf("%d contacts, want 1", n)
		}
		again := alone
		again.Effect, again.Position = events.FeedResume, 8
		if _, err := s.Apply(again); err != nil || strings.Contains(codes(s.MayCall(Call{Phone: phone})), "erasure") {
			t.Errorf("a resume by key alone: %s %v", s.MayCall(Call{Phone: phone}), err)
		}
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	s := following(t, newHand(), 7)
	for name, m := range map[string]events.FeedMessage{
		"no position":    {Kind: events.FeedOrder, Effect: events.FeedStop},
		"a number":       {Position: 8, Kind: events.FeedOrder, Effect: events.FeedStop, Phone: "340 123"},
		"without kind":   {Position: 8, Effect: events.FeedStop, Phone: phone},
		"without effect": {Position: 8, Kind: events.FeedOrder, Phone: phone},
	} {
		if _, err := s.Apply(m); !errors.Is(err, ErrMessage) || strings.Contains(err.Error(), "340") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Snapshot().Add(m); name != "no position" && !errors.Is(err, ErrMessage) {
			t.Errorf("%s in a snapshot: %v", name, err)
		}
	}
	if v := s.MayCall(marketing(phone)); !v.Allowed {
		t.Errorf("after messages that were refused: %s", v)
	}
}

func TestASnapshotTellsWhatTheSetDidNotHold(t *testing.T) {
	h := newHand()
	old, narrow := stop(events.FeedRevocation, phone), stop(events.FeedRegister, other)
	narrow.Channels = []events.Channel{events.ChannelSMS}
	list := events.FeedMessage{Kind: events.FeedList, Effect: events.FeedStop, Controller: "A", Lists: []string{"L-B"}}
	s := following(t, h, 7, old, narrow, list)
	n := s.Snapshot()
	wide, fresh, gone := stop(events.FeedRegister, other), stop(events.FeedOpposition, phone), list
	gone.Lists = []string{"L-C"}
	if err := n.Add(old, wide, fresh, list, gone); err != nil {
		t.Fatal(err)
	}
	news := n.Commit(20)
	if len(news) != 3 || news[0].Kind != events.FeedRegister || news[1].Kind != events.FeedOpposition || news[2].Lists[0] != "L-C" {
		t.Errorf("news %+v", news)
	}
	if v := s.MayCall(marketing(phone)); codes(v) != "behind revocation opposition" {
		t.Errorf("before a heartbeat that counts: %s", v)
	}
	if err := s.Beat(h.beat(20)); err != nil || codes(s.MayCall(marketing(phone))) != "revocation opposition" {
		t.Errorf("%v, %s", err, s.MayCall(marketing(phone)))
	}
}

func TestAVerdictSaysItself(t *testing.T) {
	if got := (Verdict{}).String(); got != "blocked" {
		t.Errorf("zero verdict: %q", got)
	}
	if got := (Verdict{Allowed: true}).String(); got != "allowed" {
		t.Errorf("%q", got)
	}
	v := Verdict{Reasons: []Reason{{Code: CodeRule, Rule: "R-1", Text: "So it is."}, {Code: CodeSilent}}}
	if got := v.String(); got != "blocked: R-1 (So it is); silent" {
		t.Errorf("%q", got)
	}
}
