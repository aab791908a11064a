package feed

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger/ledgertest"
)

// With the event index standing still a stop is said all the same; what takes
// back waits, and what was said in haste is taken back if it does not stand.
func TestAStopDoesNotWaitForTheViews(t *testing.T) {
	r := newRig(t)
	r.start()
	n, m := r.person(1), r.person(2)
	hour := events.Instant(time.Hour / time.Microsecond)
	r.record(fact{controller: "A", data: notice(), time: noon - 9*hour}, fact{id: "g", controller: "A", contact: n, data: sound(), time: noon - 2*hour},
		fact{controller: "A", contact: m, data: &events.ConsentRevoked{Channels: events.ChannelSMS.Bit()}, time: noon - 3*hour})
	r.settle()
	r.stopIndex()
	before := r.feed.Status().At
	r.record(
		fact{controller: "A", contact: n, data: &events.ConsentRevoked{}, time: noon - hour},
		fact{controller: "A", contact: m, data: &events.ConsentRevoked{Channels: events.ChannelEmail.Bit()}, time: noon - hour},
		fact{controller: "A", data: &events.OrderIssued{Kind: events.OrderProhibition, Authority: "g", Number: "1", From: events.DateOf(noon, events.Rome), Scope: events.OrderScope{Lists: []string{"L"}}}},
		fact{id: "w", controller: "B", contact: n, data: &events.OppositionRegistered{}},
		fact{id: "x", controller: "B", data: &events.EventCorrected{Target: events.Identity{Source: "crm", ID: "w"}, Action: events.CorrectionVoid, Reason: "r"}},
	)
	r.told("A", n, events.FeedRevocation, true)
	if w := r.told("A", m, events.FeedRevocation, true); len(w.Channels) != 3 && len(w.Channels) != 2 {
		t.Errorf("the wider revocation is told as %+v", w)
	}
	r.until("both scopes", func() bool { w, _ := r.stands("A", m, events.FeedRevocation); return len(w.Channels) == 3 }) // sms, messaging, email
	r.until("the order", func() bool {
		_, ok := fold(nil, r.messages(0))[events.FeedKey{Controller: "A", List: "L", Kind: events.FeedOrder}]
		return ok
	})
	r.told("B", n, events.FeedOpposition, true)
	r.beatAll()
	if at := r.feed.Status().At; at > before+events.Instant(time.Second/time.Microsecond) {
		t.Errorf("the feed claims to have settled what the views lack: %v after %v", at, before)
	}
	r.startIndex()
	r.told("B", n, events.FeedOpposition, false)
	r.settle()
	r.check()
}

// However many small batches wait for the event index, the next stop is said.
func TestStopsAreSaidHoweverFarTheViewsAreBehind(t *testing.T) {
	r := newRig(t)
	r.start()
	r.record(fact{controller: "A", data: notice(), time: noon - events.Instant(time.Hour/time.Microsecond)})
	r.settle()
	r.stopIndex()
	for i := range 100 { // each is read alone: the last one was told before it
		n := r.person(i)
		r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}})
		r.told("A", n, events.FeedRevocation, true)
	}
	r.startIndex()
	r.settle()
	r.check()
}

// Killed after FEED stored the messages and before their place was: nothing is
// missing afterwards, and what was said is not said again.
func TestKilledBetweenPublishAndCommit(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.record(fact{controller: "A", data: notice(), time: noon - 9})
	r.settle()
	saved := r.save()
	r.record(fact{id: "w", controller: "A", contact: n, data: &events.ConsentRevoked{}})
	r.settle()
	before := r.messages(0)
	r.kill()
	r.restore(saved)
	r.start()
	r.settle()
	if after := r.messages(0); len(after) != len(before) {
		t.Errorf("said %d messages, after the crash %d: %+v", len(before), len(after), after)
	}
	r.check()
	// The crash may hide that something was taken back and stands again.
	saved = r.save()
	r.record(fact{id: "x", controller: "A", data: &events.EventCorrected{Target: events.Identity{Source: "crm", ID: "w"}, Action: events.CorrectionVoid, Reason: "r"}})
	r.told("A", n, events.FeedRevocation, false)
	r.record(fact{controller: "A", data: &events.EventCorrected{Target: events.Identity{Source: "crm", ID: "x"}, Action: events.CorrectionVoid, Reason: "r"}})
	r.kill()
	r.restore(saved)
	r.start()
	r.told("A", n, events.FeedRevocation, true)
	r.settle()
	r.check()
}

// A message in FEED that the feed does not account for, as an unanswered try or
// a second feed leaves it, is noticed and put right.
func TestAStrayMessageIsPutRight(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}})
	r.settle()
	m, _ := r.stands("A", n, events.FeedRevocation)
	m.Effect, m.Position = events.FeedResume, 0
	body, err := json.Marshal(m)
	r.must(err)
	_, err = r.js.Publish(t.Context(), events.FeedSubject("A", events.FeedRevocation), body)
	r.must(err)
	_, err = r.js.Publish(t.Context(), events.FeedSubject("A", events.FeedRevocation), []byte("no message"))
	r.must(err)
	r.until("the stop to be said again", func() bool {
		info, err := r.js.Stream(t.Context(), events.FeedStream)
		r.must(err)
		return info.CachedInfo().State.LastSeq >= 4
	})
	raw, err := r.js.Stream(t.Context(), events.FeedStream)
	r.must(err)
	last, err := raw.GetMsg(t.Context(), 4)
	r.must(err)
	r.must(json.Unmarshal(last.Data, &m))
	if m.Effect != events.FeedStop || m.Contact != n {
		t.Errorf("after the stray resume the feed says %+v", m)
	}
	r.settle()
}

// A lost FEED is made again, with positions that go on, so that dialers notice.
func TestALostStreamIsMadeAgain(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}})
	r.settle()
	position := r.feed.Status().Position
	r.kill()
	r.must(r.js.DeleteStream(t.Context(), events.FeedStream))
	r.start()
	r.record(fact{controller: "A", contact: n, data: &events.OppositionRegistered{}})
	r.settle()
	list := r.messages(position)
	if len(list) != 1 || list[0].Position != position+1 || list[0].Kind != events.FeedOpposition {
		t.Errorf("after position %d: %+v", position, list)
	}
	var stands []events.FeedMessage
	r.must(r.feed.snapshot(t.Context(), "A", func(uint64) {}, func(page []events.FeedMessage) error { stands = append(stands, page...); return nil }))
	if len(stands) != 2 {
		t.Errorf("the snapshot holds %+v", stands)
	}
}

// While the recorders' beats cannot be read the feed says so by silence: its
// instant stays. Then it goes on.
func TestTheBeatStaysWhileTheLedgerIsAway(t *testing.T) {
	r := newRig(t)
	sub, err := r.conn.SubscribeSync(events.FeedBeatSubject)
	r.must(err)
	r.start()
	r.settle()
	faults := make([]ledgertest.Fault, 100_000)
	for i := range faults {
		faults[i] = ledgertest.Absent
	}
	calls := r.log.Calls(ledgertest.StepBeats)
	r.log.Fail(ledgertest.StepBeats, faults[:10]...)
	r.beatAll()
	r.until("ten beats without the ledger", func() bool { return r.log.Calls(ledgertest.StepBeats) >= calls+10 })
	var stuck, last events.FeedBeat
	same := 0
	for same < 5 {
		m, err := sub.NextMsg(10 * time.Second)
		r.must(err)
		r.must(json.Unmarshal(m.Data, &last))
		if last.At == stuck.At && last.At != 0 {
			same++
		} else {
			same = 0
		}
		stuck = last
	}
	r.settle()
	for last.At == stuck.At {
		m, err := sub.NextMsg(10 * time.Second)
		r.must(err)
		r.must(json.Unmarshal(m.Data, &last))
	}
	if last.At < stuck.At || last.Sent < last.At {
		t.Errorf("the beat went from %+v to %+v", stuck, last)
	}
	r.log.Fail(ledgertest.StepFollow, ledgertest.Absent, ledgertest.Absent)
	r.kill()
	r.start()
	r.record(fact{controller: "A", contact: r.person(1), data: &events.ConsentRevoked{}})
	r.settle()
	r.check()
}

// A number that the vault has forgotten leaves the key alone.
func TestAForgottenNumber(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.numbers.forget(n)
	r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}})
	if m := r.told("A", n, events.FeedRevocation, true); m.Phone != "" || m.Contact != n {
		t.Errorf("told as %+v", m)
	}
}

// An erasure deletes the controller's messages about the contact, securely,
// once its dialers have heard of it; other messages stay.
func TestAnErasureDeletesMessages(t *testing.T) {
	r := newRig(t)
	r.start()
	r.settle()
	d := r.dialer("d")
	n, other := r.person(1), r.person(2)
	r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}}, fact{controller: "B", contact: n, data: &events.ConsentRevoked{}},
		fact{controller: "A", contact: other, data: &events.ConsentRevoked{}})
	r.settle()
	d.listen()
	r.record(fact{controller: "A", contact: n, data: &events.ErasureExecuted{}})
	r.settle()
	if _, stands := r.stands("A", n, events.FeedErasure); !stands {
		t.Fatal("the erasure is not said")
	}
	if got := len(r.messages(0)); got != 4 {
		t.Fatalf("%d messages before the dialer heard of the erasure, want 4", got)
	}
	d.listen()
	r.until("the messages to be deleted", func() bool { return len(r.messages(0)) == 2 })
	for _, m := range r.messages(0) {
		if m.Controller == "A" && m.Contact == n {
			t.Errorf("there is still %+v", m)
		}
	}
	d.check()
	late := r.dialer("late")
	late.listen()
	late.check()
}

// A dialer that does not come back delays an erasure only so long.
func TestAnErasureDoesNotWaitForEver(t *testing.T) {
	r := newRig(t)
	r.start()
	r.settle()
	r.must(r.feed.cursors.know(t.Context(), "A", "gone"))
	n := r.person(1)
	r.record(fact{controller: "A", contact: n, data: &events.ConsentRevoked{}}, fact{controller: "A", contact: n, data: &events.ErasureExecuted{}})
	r.settle()
	r.clock.move(25 * time.Hour)
	r.until("the messages to be deleted", func() bool { return len(r.messages(0)) == 0 })
}

// What dialers acknowledge becomes one event for each opposition, the same
// however often it is tried: the intake fails, answers are lost, the feed is
// killed.
func TestAcknowledgementsAreReportedOnce(t *testing.T) {
	r := newRig(t)
	r.start()
	r.settle()
	d := r.dialer("d")
	want := map[string]bool{}
	for i := range 40 {
		n := r.person(i)
		r.record(fact{id: fmt.Sprint("o", i), controller: "A", contact: n, data: &events.OppositionRegistered{}})
		want[fmt.Sprint("o", i)] = true
		if i%10 != 9 {
			continue
		}
		r.settle()
		r.queue.mu.Lock()
		r.queue.fail = 3
		r.queue.mu.Unlock()
		d.listen()
		r.kill()
		r.start()
	}
	r.until("every opposition to be acknowledged", func() bool { return len(r.reported()) == len(want) })
	r.kill()
	for id := range r.reported() {
		if !want[id] {
			t.Errorf("acknowledged %s, which nobody opposed", id)
		}
	}
	list, err := r.feed.lag(t.Context())
	r.must(err)
	if len(list) != 2 || list[0].Behind != 0 || list[0].Position == 0 || list[0].Slowest == nil {
		t.Errorf("lag %+v", list)
	}
}

// reported are the oppositions that the intake was told are acknowledged; two
// events of one identity must be the same, byte for byte.
func (r *rig) reported() map[string]bool {
	r.t.Helper()
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	out, bodies := map[string]bool{}, map[string]string{}
	for _, s := range r.queue.got {
		got, faults := events.Validate(s.Body, events.ValidateOptions{Now: r.clock.now(), Family: events.FamilyOppositions, AllowSubject: true,
			Normalise: func(string, string) (events.Phone, string) { return events.Phone{}, "phone_invalid" }})
		if len(faults) > 0 {
			r.t.Fatalf("the feed submits %s: %v", s.Body, faults)
		}
		if before, ok := bodies[got.ID]; ok && before != string(s.Body) {
			r.t.Errorf("one identity, two events:\n%s\n%s", before, s.Body)
		}
		bodies[got.ID] = string(s.Body)
		var data struct {
			Data struct{ Opposition, Processor string }
		}
		r.must(json.Unmarshal(s.Body, &data))
		if data.Data.Processor != "P" || got.Subject.IsZero() || strings.Contains(string(s.Body), "+39") {
			r.t.Errorf("acknowledged as %s", s.Body)
		}
		out[data.Data.Opposition] = true
	}
	return out
}

// Snapshots and acknowledgements over NATS, as the contract says.
func TestOverNATS(t *testing.T) {
	r := newRig(t)
	r.start()
	for i := range 2*pageMost + 1 {
		r.record(fact{controller: "A", contact: r.person(i), data: &events.ConsentRevoked{}})
	}
	r.record(fact{controller: "B", contact: r.person(0), data: &events.ConsentRevoked{}})
	r.settle()
	inbox := nats.NewInbox()
	sub, err := r.conn.SubscribeSync(inbox)
	r.must(err)
	ask, err := json.Marshal(events.FeedSnapshotRequest{Dialer: "d"})
	r.must(err)
	r.must(r.conn.PublishRequest(events.FeedSnapshotSubject("A"), inbox, ask))
	stands := map[events.FeedKey]events.FeedMessage{}
	for n := 0; ; n++ {
		m, err := sub.NextMsg(10 * time.Second)
		r.must(err)
		var page events.FeedPage
		r.must(json.Unmarshal(m.Data, &page))
		if page.Page != n || page.Error != "" || page.Position != r.feed.Status().Position {
			t.Fatalf("page %d: %d of position %d, %q", n, page.Page, page.Position, page.Error)
		}
		if fold(stands, page.Messages); page.Done {
			break
		}
	}
	if len(stands) != 2*pageMost+1 {
		t.Errorf("the snapshot holds %d stops", len(stands))
	}
	for _, c := range []struct {
		ack  string
		code string
	}{
		{`{"dialer":"d","processor":"P","position":7}`, ""},
		{`{"dialer":"d","processor":"P","position":3}`, ""}, // never back
		{`{"processor":"P","position":3}`, "field_missing"},
		{`{"dialer":"d","position":99999}`, "value_unknown"},
		{`{"dialer":"d","processor":"P 1","position":3}`, "value_unknown"},
		{`{"dialer":"d","processor":"10.0.0.1","position":3}`, "value_unknown"}, // no event may bear it
		{`no json`, "json_invalid"},
	} {
		m, err := r.conn.Request(events.FeedAckSubject("A"), []byte(c.ack), 10*time.Second)
		r.must(err)
		var got events.FeedAcked
		r.must(json.Unmarshal(m.Data, &got))
		if c.code == "" && (len(got.Errors) != 0 || got.Position != 7) || c.code != "" && (len(got.Errors) != 1 || got.Errors[0].Code != c.code) {
			t.Errorf("%s: %+v", c.ack, got)
		}
	}
	cfg, err := r.js.Stream(t.Context(), events.FeedStream)
	r.must(err)
	s := cfg.CachedInfo().Config
	if s.MaxAge != 90*24*time.Hour || s.DenyDelete || s.DenyPurge || s.Storage != jetstream.FileStorage || s.Retention != jetstream.LimitsPolicy {
		t.Errorf("FEED has the settings %+v", s)
	}
}
