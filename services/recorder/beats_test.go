package recorder

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/worker"
)

func beat(t *testing.T, r *rig, rec *Recorder) ledger.Beat {
	t.Helper()
	if err := rec.Beat(context.Background()); err != nil {
		t.Fatalf("beat: %v", err)
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.beats[len(r.log.beats)-1]
}

// TestBeatWhileAppending: an entry that is stamped and not yet stored holds the
// beat before its stamp (design.md 4, 6).
func TestBeatWhileAppending(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	r.log.hold = make(chan struct{})
	rec, _ := r.run(nil)
	idle := beat(t, r, rec)
	r.submit(revoke("1", "+393401234567"))
	<-r.log.holding
	for range 5 { // however late it is
		if b := beat(t, r, rec); b.Instant > idle.Instant.Add(time.Hour) || len(b.Positions) != 0 {
			t.Fatalf("beat %+v", b)
		}
	}
	during := beat(t, r, rec)
	close(r.log.hold)
	got := r.receipts(1)[0]
	r.settled()
	if during.Instant > got.RecordedTime {
		t.Errorf("a beat at %s, and then an entry stamped %s was stored", during.Instant, got.RecordedTime)
	}
	after := beat(t, r, rec)
	if after.Instant <= got.RecordedTime || after.Positions[ledger.Stream(got.Stream)] != 1 || after.Family != events.FamilyRevocations {
		t.Errorf("beat after the append: %+v, entry at %s", after, got.RecordedTime)
	}
}

// TestBeatWhileUnsettled: an entry whose answer was lost may still come; the
// beat waits until a repetition has settled it.
func TestBeatWhileUnsettled(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	rec, err := New(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.log.plan(nil, lost, absent)
	r.submit(revoke("1", "+393401234567"))
	ctx := context.Background()
	if err := rec.Handle(ctx, r.queued()); err == nil {
		t.Fatal("the answer was lost and Handle says nothing")
	}
	stored := r.log.stamps[ledger.StreamOf(r.log.events()[0].Subject, 4)][0]
	if b := beat(t, r, rec); b.Instant > stored {
		t.Errorf("beat at %s while an entry of %s is unsettled", b.Instant, stored)
	}
	if err := rec.Handle(ctx, r.queued()); err == nil {
		t.Fatal("the ledger is away and Handle says nothing")
	}
	if b := beat(t, r, rec); b.Instant > stored {
		t.Errorf("beat at %s after a refusal that settles nothing", b.Instant)
	}
	if err := rec.Handle(ctx, r.queued()); err != nil {
		t.Fatalf("handle: %v", err)
	}
	if b := beat(t, r, rec); b.Instant <= stored {
		t.Errorf("beat at %s although all is settled", b.Instant)
	}
}

// TestHorizon: whatever the order of beats, appends and lost answers, no stamp
// lies before a horizon that was told earlier.
func TestHorizon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &ticking{now: start}
		h := horizon{clock: clock.read}
		var told, pending events.Instant // pending: stamp of an entry that may still come
		stamp := func() {
			at := clock.read()
			if at < told {
				t.Fatalf("stamp %s after a beat at %s", at, told)
			}
			if pending == 0 {
				pending = at
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"append", "lost", "refused", "beat"}).Draw(t, "step") {
			case "append":
				h.begin()
				stamp()
				told = max(told, h.instant())
				h.end(true)
				pending = 0
			case "lost":
				h.begin()
				stamp()
				h.end(false)
			case "refused":
				was := h.unsettled()
				h.begin()
				h.end(!was)
			case "beat":
				told = max(told, h.instant())
			}
			if pending != 0 && pending < told {
				t.Fatalf("told %s, and an entry of %s may still come", told, pending)
			}
		}
	})
}

// TestMonotone: a clock that steps back stands still instead.
func TestMonotone(t *testing.T) {
	readings := []events.Instant{5, 3, 4, 9, 8}
	clock := Monotone(func() events.Instant {
		next := readings[0]
		readings = readings[1:]
		return next
	})
	for _, want := range []events.Instant{5, 5, 5, 9, 9} {
		if got := clock(); got != want {
			t.Errorf("reading %d, want %d", got, want)
		}
	}
}

// TestStandby: of two instances one records and beats; the other takes over
// when it ends, and at most one beats at a time.
func TestStandby(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	one, stopOne := r.run(nil)
	r.submit(revoke("1", "+393401234567"))
	r.receipts(1)
	two, _ := r.run(func(c *Config) { c.Instance = "two" })
	r.submit(revoke("2", "+393401234567"))
	r.receipts(1)
	if !one.Active() || two.Active() {
		t.Errorf("active: one %v, two %v", one.Active(), two.Active())
	}
	if err := two.Ready(); err != nil {
		t.Errorf("standing by is ready: %v", err)
	}
	stopOne()
	r.submit(revoke("3", "+393401234567"), revoke("1", "+393401234567"))
	got := r.receipts(2)
	if got[0].Result != intake.Recorded || got[1].Result != intake.Duplicate || !two.Active() {
		t.Errorf("after the takeover: %+v", got)
	}
	r.settled()
	r.check([]string{"1", "2", "3"}, 0)
}

// TestSteppingIn: an instance that falls silent without releasing its lease is
// replaced, and its successor records at once but does not beat before the
// takeover grace: what the other had handed to the broker may still come.
func TestSteppingIn(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	if _, err := r.js.Publish(context.Background(), "lease.INTAKE_REVOCATIONS-recorder-revocations", []byte(`{"instance":"frozen","nonce":"n"}`)); err != nil {
		t.Fatal(err)
	}
	r.submit(revoke("1", "+393401234567"))
	short, err := worker.OpenLeases(context.Background(), r.js, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	rec, stop := r.run(func(c *Config) { c.TakeoverGrace, c.Leases = time.Hour, short })
	if got := r.receipts(1)[0]; got.Result != intake.Recorded || !rec.Active() {
		t.Errorf("receipt %+v", got)
	}
	r.settled()
	stop()
	r.log.mu.Lock()
	early := len(r.log.beats)
	r.log.mu.Unlock()
	if early != 0 {
		t.Errorf("%d beats within the grace", early)
	}
	r.check([]string{"1"}, 0)

	r.run(nil) // a restart of the same instance has nothing to wait for
	r.submit(revoke("2", "+393401234567"))
	r.receipts(1)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // polls a state that has no event
		r.log.mu.Lock()
		n := len(r.log.beats)
		r.log.mu.Unlock()
		if n > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no beat after a restart")
		}
	}
}
