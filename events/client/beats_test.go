package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

func TestDoubtBlocks(t *testing.T) {
	h := newHand()
	s := NewSuppressions(SuppressionOptions{Controller: "A", Clock: h.clock})
	is := func(when, want string) {
		t.Helper()
		v := s.MayCall(marketing(phone))
		if got := codes(v); got != want || v.Allowed != (want == "") {
			t.Errorf("%s: %s, want %q", when, v, want)
		}
		if err := s.Current(); (err == nil) != (want == "") {
			t.Errorf("%s: Current says %v", when, err)
		}
	}
	beat := func(b events.FeedBeat) {
		t.Helper()
		if err := s.Beat(b); err != nil {
			t.Errorf("heartbeat: %v", err)
		}
	}
	is("at first", "starting")
	beat(h.beat(7))
	is("with a heartbeat and no snapshot", "starting")
	s.Snapshot().Commit(7)
	is("with a snapshot after the heartbeat", "behind")
	beat(h.beat(7))
	is("with both", "")
	h.now = h.now.Add(MaxAge - time.Nanosecond)
	is("just before five seconds", "")
	h.now = h.now.Add(time.Nanosecond)
	is("after five seconds", "silent")
	beat(h.beat(7))
	is("with a new heartbeat", "")
	h.now = h.now.Add(2 * time.Second)
	beat(h.beat(9))
	is("with a heartbeat ahead, while the one before is young", "")
	h.now = h.now.Add(3 * time.Second)
	beat(h.beat(9))
	is("with heartbeats ahead only", "behind")
	s.Reach(8)
	is("half applied", "behind")
	s.Reach(9)
	is("applied", "")
	h.now = h.now.Add(5 * time.Second)
	lagging := h.beat(9)
	lagging.At = lagging.Sent.Add(-MaxAge - time.Microsecond)
	beat(lagging)
	is("with a feed behind its ledger", "lagging")
	beat(h.beat(9))
	is("with a feed that caught up", "")
	s.Doubt("a gap")
	is("when the caller doubts", "starting")
	beat(h.beat(9))
	is("still", "starting")
}

// TestSleepCountsAsTime: the monotonic clock stands still while a machine
// sleeps. A clock without a monotonic part stands for the wall clock that went
// on meanwhile.
func TestSleepCountsAsTime(t *testing.T) {
	h := newHand()
	s := following(t, h, 7)
	h.now = h.now.Round(0).Add(time.Hour)
	if v := s.MayCall(marketing(phone)); codes(v) != "silent" {
		t.Errorf("after an hour: %s", v)
	}
	now := time.Now()
	if got := age(now.Add(3*time.Second), now); got != 3*time.Second {
		t.Errorf("with both clocks: %s", got)
	}
}

// TestHeartbeatsThatLayOnTheWayAreNotFresh: a connection that was stuck
// delivers old heartbeats at once.
func TestHeartbeatsThatLayOnTheWayAreNotFresh(t *testing.T) {
	h := newHand()
	s := following(t, h, 7)
	var stuck []events.FeedBeat
	for range 60 {
		h.now = h.now.Add(time.Second)
		stuck = append(stuck, h.beat(7))
	}
	for i, b := range stuck {
		if err := s.Beat(b); err != nil {
			t.Fatal(err)
		}
		late := time.Duration(len(stuck)-1-i) * time.Second
		want := late < MaxAge
		if v := s.MayCall(marketing(phone)); v.Allowed != want {
			t.Errorf("a heartbeat %s late: %s", late, v)
		}
	}
	h.away -= time.Minute // another feed, whose clock is behind
	h.now = h.now.Add(MaxAge)
	recovered := 0
	for i := range 3 * span {
		h.now = h.now.Add(time.Second)
		if err := s.Beat(h.beat(7)); err != nil {
			t.Fatal(err)
		}
		if s.MayCall(marketing(phone)).Allowed {
			recovered = i
			break
		}
	}
	if recovered == 0 || recovered > 2*span {
		t.Errorf("a feed with another clock is trusted again after %d heartbeats", recovered)
	}
}

// TestAFeedThatBeganAnewIsNotBelieved: its positions are low, so that all of
// them seem to be applied.
func TestAFeedThatBeganAnewIsNotBelieved(t *testing.T) {
	h := newHand()
	s := following(t, h, 1000)
	if err := s.Beat(h.beat(999)); err != nil { // sent before, heard after
		t.Errorf("a heartbeat that was overtaken: %v", err)
	}
	var err error
	for since := range 8 {
		h.now = h.now.Add(time.Second)
		if err = s.Beat(h.beat(3)); err != nil {
			break
		}
		if v := s.MayCall(marketing(phone)); v.Allowed != (since < 4) {
			t.Errorf("after %d low heartbeats: %s", since+1, v)
		}
	}
	if !errors.Is(err, errAnew) {
		t.Fatalf("error %v", err)
	}
	if v := s.MayCall(marketing(phone)); codes(v) != "starting" {
		t.Errorf("%s", v)
	}
	if err := s.Beat(h.beat(4)); err != nil {
		t.Errorf("said twice: %v", err)
	}
	s.Snapshot().Commit(5)
	h.now = h.now.Add(time.Second)
	if err := s.Beat(h.beat(5)); err != nil || !s.MayCall(marketing(phone)).Allowed {
		t.Errorf("after a new snapshot: %v %s", err, s.MayCall(marketing(phone)))
	}
}

func TestWaitCurrent(t *testing.T) {
	h := newHand()
	s := NewSuppressions(SuppressionOptions{Controller: "A", Clock: h.clock})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.WaitCurrent(ended); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "starting") {
		t.Errorf("error %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.WaitCurrent(t.Context()) }()
	s.Snapshot().Commit(7)
	if err := s.Beat(h.beat(8)); err != nil {
		t.Fatal(err)
	}
	s.Reach(8)
	if err := <-done; err != nil {
		t.Errorf("current: %v", err)
	}
}

func TestBoundsCanOnlyBeTightened(t *testing.T) {
	if s := NewSuppressions(SuppressionOptions{MaxAge: time.Hour}); s.opts.MaxAge != MaxAge {
		t.Errorf("MaxAge %s", s.opts.MaxAge)
	}
	if s := NewSuppressions(SuppressionOptions{MaxAge: time.Second}); s.opts.MaxAge != time.Second {
		t.Errorf("MaxAge %s", s.opts.MaxAge)
	}
}
