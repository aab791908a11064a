package feed

import (
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

// told waits until FEED says what is wanted of a key, and returns it.
func (r *rig) told(controller string, key events.ContactKey, kind events.FeedKind, stop bool) events.FeedMessage {
	r.t.Helper()
	var m events.FeedMessage
	r.until("a word about "+string(kind), func() bool {
		var stands bool
		m, stands = r.stands(controller, key, kind)
		return stands == stop
	})
	return m
}

// Every cause of design.md 9 stops, and what ends it resumes.
func TestCauses(t *testing.T) {
	hour := events.Instant(time.Hour / time.Microsecond)
	today := events.DateOf(noon, events.Rome)
	for _, c := range []struct {
		name  string
		kind  events.FeedKind
		stop  []events.Payload // one hour apart, the last one a minute ago
		later time.Duration    // the clock moves before the stop
		lift  events.Payload
		wait  time.Duration // or it ends by time alone
		scope string
	}{
		{name: "revocation", kind: events.FeedRevocation, stop: []events.Payload{&events.ConsentRevoked{}}, lift: sound()},
		{name: "refusal", kind: events.FeedRevocation, stop: []events.Payload{sound(), &events.ConsentRefused{}}, lift: sound()},
		{name: "opposition", kind: events.FeedOpposition, stop: []events.Payload{&events.OppositionRegistered{}}, lift: sound()},
		{name: "opposed in the register", kind: events.FeedRegister, stop: []events.Payload{&events.RegisterScreened{Batch: "b", SnapshotAt: noon - hour, Answer: events.AnswerOpposed}},
			lift: &events.RegisterScreened{Batch: "c", SnapshotAt: noon, Answer: events.AnswerClear}},
		{name: "listed", kind: events.FeedRegister, stop: []events.Payload{&events.RegisterListed{ListedOn: today - 9}}, lift: &events.RegisterDelisted{DelistedOn: today - 1}},
		{name: "a window that closes", kind: events.FeedRegister, later: 5 * day,
			stop: []events.Payload{&events.RegisterSelectivelyRevoked{From: today - 3, To: today + 2}}, lift: sound()},
		{name: "a window that opens", kind: events.FeedRegister, stop: []events.Payload{&events.RegisterSelectivelyRevoked{From: today + 3, To: today + 9}}, wait: 3 * day},
		{name: "lapsed consent", kind: events.FeedConsent, later: 3 * day, stop: []events.Payload{lapsing(today + 1)}, lift: sound()},
		{name: "dead consent", kind: events.FeedConsent, stop: []events.Payload{sound(), &events.RegisterListed{ListedOn: today + 1}}, lift: &events.ContractConcluded{Contract: "k"}},
		{name: "expired answer", kind: events.FeedAnswer, later: 20 * day, stop: []events.Payload{&events.RegisterScreened{Batch: "b", SnapshotAt: noon - hour, Answer: events.AnswerClear}},
			lift: &events.RegisterScreened{Batch: "c", SnapshotAt: noon + 20*24*hour, Answer: events.AnswerClear}},
		{name: "erasure", kind: events.FeedErasure, stop: []events.Payload{sound(), &events.ErasureExecuted{}}, lift: sound()},
		{name: "reassigned number", kind: events.FeedErasure, stop: []events.Payload{sound(), &events.NumberReassigned{}}, lift: sound()},
		{name: "removed row", kind: events.FeedList, stop: []events.Payload{&events.ListContactAdded{List: "L"}, &events.ListContactRemoved{List: "L"}},
			lift: &events.ListContactAdded{List: "L"}, scope: "L"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.start()
			n, other := r.person(1), r.person(2)
			r.record(fact{controller: "A", data: notice(), time: noon - 1000*hour})
			for i, p := range c.stop {
				r.record(fact{controller: "A", contact: n, data: p, time: noon - events.Instant(len(c.stop)-i)*hour})
			}
			r.record(fact{controller: "A", contact: other, data: sound()})
			r.settle()
			if _, stands := r.stands("A", n, c.kind); stands == (c.later > 0) {
				t.Fatalf("before its time: stands %v; %+v", stands, r.messages(0))
			}
			r.clock.move(c.later)
			m := r.told("A", n, c.kind, true)
			if m.Phone != "+393400000001" || m.Cause.ID == "" || m.At > r.clock.now() || c.scope != "" && (len(m.Lists) != 1 || m.Lists[0] != c.scope) {
				t.Errorf("told as %+v", m)
			}
			if _, stands := r.stands("A", other, c.kind); stands && c.later == 0 {
				t.Error("another contact is stopped too")
			}
			switch {
			case c.wait > 0:
				r.clock.move(c.wait)
			case c.name == "dead consent":
				g := sound()
				g.Contract = "k"
				r.record(fact{controller: "A", contact: n, data: &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: 1}}, fact{controller: "A", contact: n, data: g})
			default:
				r.record(fact{controller: "A", contact: n, data: c.lift})
			}
			r.told("A", n, c.kind, false)
			r.settle()
			r.check()
		})
	}
}

func lapsing(to events.Date) events.Payload {
	g := sound()
	g.ValidTo = to
	return g
}

// A list, a controller and everybody are stopped by one message, and let go.
func TestListsAndOrders(t *testing.T) {
	r := newRig(t)
	r.start()
	today := events.DateOf(noon, events.Rome)
	n := r.person(1)
	r.record(
		fact{controller: "B", campaign: "K", data: &events.CampaignOpened{Purpose: events.PurposeMarketing, Channels: 1, Lists: []string{"L"}}},
		fact{controller: "A", data: &events.ListActivated{List: "L"}, time: noon - 5},
		fact{controller: "A", data: &events.ListAcquired{List: "M", Vendor: "V"}},
		fact{controller: "A", contact: n, data: &events.ListContactAdded{List: "X", Vendor: "V"}},
	)
	r.settle()
	if list := r.messages(0); len(list) != 0 {
		t.Fatalf("nothing stands, yet %+v", list)
	}
	r.record(fact{controller: "A", data: &events.ListRetired{List: "L"}})
	of := func(controller, list string, kind events.FeedKind) bool {
		_, ok := fold(nil, r.messages(0))[events.FeedKey{Controller: controller, List: list, Kind: kind}]
		return ok
	}
	r.until("the list to be stopped for those who work on it", func() bool { return of("A", "L", events.FeedList) && of("B", "L", events.FeedList) })
	r.record(fact{controller: "A", data: &events.ListActivated{List: "L"}})
	r.until("the list to be let go", func() bool { return !of("A", "L", events.FeedList) && !of("B", "L", events.FeedList) })

	r.record(fact{data: &events.OrderIssued{Kind: events.OrderProhibition, Authority: "g", Number: "1", From: today + 1, To: today + 2, Scope: events.OrderScope{All: true}}})
	r.settle()
	if of("", "", events.FeedOrder) {
		t.Fatal("an order holds before its day")
	}
	r.clock.move(day)
	r.until("everybody to be stopped", func() bool { return of("", "", events.FeedOrder) })
	r.clock.move(2 * day)
	r.until("everybody to be let go", func() bool { return !of("", "", events.FeedOrder) })

	r.record(fact{id: "order", controller: "A", data: &events.OrderIssued{Kind: events.OrderLimitation, Authority: "g", Number: "2", From: today, Scope: events.OrderScope{Vendors: []string{"V"}}}})
	r.settle()
	if m := r.told("A", n, events.FeedOrder, true); len(m.Lists) != 1 || m.Lists[0] != "X" || len(m.Purposes) != 0 {
		t.Errorf("a row of the vendor is told as %+v", m)
	}
	r.until("the vendor's list to be stopped and the controller let go", func() bool { return of("A", "M", events.FeedOrder) && !of("A", "", events.FeedOrder) })
	before := r.messages(0)
	coarse := 0
	for _, m := range before {
		if k := m.Key(); k == (events.FeedKey{Controller: "A", Kind: events.FeedOrder}) {
			coarse++
		}
	}
	if coarse != 2 {
		t.Errorf("while the vendor's rows were looked for the controller was told %d times, want stop and resume", coarse)
	}
	r.record(fact{controller: "A", data: &events.EventCorrected{Target: events.Identity{Source: "crm", ID: "order"}, Action: events.CorrectionVoid, Reason: "r"}})
	r.told("A", n, events.FeedOrder, false)
	r.settle()
	r.check()
}

// What is ahead of the clock is said when it is due, also by a feed that was
// away at that instant.
func TestFactsAheadOfTheClock(t *testing.T) {
	r := newRig(t)
	r.start()
	n, m := r.person(1), r.person(2)
	minute := events.Instant(time.Minute / time.Microsecond)
	r.record(
		fact{controller: "A", contact: n, data: &events.OppositionRegistered{}, time: noon + 10*minute},
		fact{controller: "A", contact: m, data: &events.ConsentRevoked{}, time: noon - minute, received: noon + 20*minute},
	)
	r.settle()
	if list := r.messages(0); len(list) != 0 {
		t.Fatalf("said before its time: %+v", list)
	}
	r.clock.move(10 * time.Minute)
	r.told("A", n, events.FeedOpposition, true)
	r.kill()
	r.clock.move(10 * time.Minute)
	r.start()
	r.told("A", m, events.FeedRevocation, true)
	r.settle()
	r.check()
}

// A revocation stops whatever is recorded before or after it, unless the grant
// is later.
func TestARevocationBeforeItsGrant(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	hour := events.Instant(time.Hour / time.Microsecond)
	w := fact{id: "w", controller: "A", contact: n, data: &events.ConsentRevoked{}, time: noon - hour}
	r.record(w, fact{controller: "A", contact: n, data: sound(), time: noon - 2*hour}, fact{controller: "A", data: notice(), time: noon - 3*hour})
	r.settle()
	r.record(w) // once more
	r.settle()
	list := r.messages(0)
	if len(list) != 1 || list[0].Effect != events.FeedStop || list[0].Cause.ID != "w" {
		t.Fatalf("told %+v, want one stop", list)
	}
	r.check()
}

// Each opposition is said, so that each can be acknowledged; a wider scope
// replaces a narrower one and a correction narrows it again.
func TestEveryOppositionIsSaid(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.record(
		fact{id: "o1", controller: "A", contact: n, data: &events.OppositionRegistered{Channels: events.ChannelSMS.Bit(), AlsoControllers: []string{"B"}}},
		fact{id: "o2", controller: "A", contact: n, data: &events.OppositionRegistered{Channels: events.ChannelEmail.Bit()}},
	)
	r.settle()
	seen := map[string]int{}
	for _, m := range r.messages(0) {
		seen[m.Controller+" "+m.Cause.ID]++
	}
	if seen["A o1"] != 1 || seen["A o2"] != 1 || seen["B o1"] != 1 || len(seen) != 3 {
		t.Errorf("said %v", seen)
	}
	r.check()
	r.record(fact{controller: "A", data: &events.EventCorrected{Target: events.Identity{Source: "crm", ID: "o2"}, Action: events.CorrectionVoid, Reason: "r"}})
	r.settle()
	r.check()
	m, _ := r.stands("A", n, events.FeedOpposition)
	if len(m.Channels) != 2 { // sms and messaging are one channel
		t.Errorf("after the correction %+v", m)
	}
}
