package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// lossySender loses receipts: the first lose calls fail before anything left.
type lossySender struct {
	intake.Sender
	mu   sync.Mutex
	lose int
}

func (s *lossySender) Send(ctx context.Context, list []intake.Addressed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lose > 0 {
		s.lose--
		return errors.New("bus is away")
	}
	return s.Sender.Send(ctx, list)
}

// TestEachStepFails breaks each step in the ways a step can break, twice in a
// row, heals it, and looks at the whole state: every event once in effect, the
// reject once, and a receipt for everybody.
func TestEachStepFails(t *testing.T) {
	for _, c := range []struct {
		step   string
		script []failure
	}{
		{"reject", []failure{absent, absent}},
		{"reject", []failure{lost, lost}},
		{"vault", []failure{absent, absent}},
		{"vault", []failure{lost, lost}},
		{"ledger", []failure{absent, absent}},
		{"ledger", []failure{lost, lost}},
		{"ledger", []failure{half, half}},
		{"ledger", []failure{half, lost, absent}},
	} {
		t.Run(fmt.Sprintf("%s %v", c.step, c.script), func(t *testing.T) {
			r := newRig(t, events.FamilyRevocations)
			script := &r.log.faults
			switch c.step {
			case "vault":
				script = &r.vault.faults
			case "reject":
				script = &r.vault.sealing
			}
			script.plan(nil, c.script...)
			r.submit(revoke("1", "+393401234567"), revoke("bad", "nobody"), revoke("2", "+393401234568"), revoke("1", "+393401234567"), revoke("1", "+393401234569"))
			r.run(nil)
			got := r.receipts(5)
			var results []intake.Result
			for _, g := range got {
				results = append(results, g.Result)
			}
			// The copy that a failed try stored is this very submission: no duplicate.
			want := []intake.Result{intake.Recorded, intake.Rejected, intake.Recorded, intake.Duplicate, intake.Conflict}
			if !slices.Equal(results, want) {
				t.Errorf("results %v, want %v", results, want)
			}
			r.settled()
			r.check([]string{"1", "1", "2"}, 1)
			if n := len(r.alarms); n != 1 {
				t.Errorf("%d alarms for one reject", n)
			}
		})
	}
}

// TestLostReceipt: a receipt that was missed comes when the sender submits
// again with the same identity.
func TestLostReceipt(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	sender := &lossySender{Sender: r.queue, lose: 1}
	r.run(func(c *Config) { c.Receipts = sender })
	r.submit(revoke("1", "+393401234567"))
	r.settled()
	r.submit(revoke("1", "+393401234567"))
	if got := r.receipts(1)[0]; got.Result != intake.Duplicate || got.Sequence != 1 || got.RecordedTime.IsZero() {
		t.Errorf("receipt %+v", got)
	}
	r.settled()
	r.check([]string{"1"}, 0)
}

// TestDiesAtEachStep kills the recorder ahead of and behind each step; another
// one, which remembers nothing, goes on with the same queue.
func TestDiesAtEachStep(t *testing.T) {
	for _, step := range []string{"reject", "vault", "ledger", "receipts"} {
		for _, how := range []failure{diesAhead, diesAfter} {
			t.Run(fmt.Sprintf("%s %d", step, how), func(t *testing.T) { diesAt(t, step, how) })
		}
	}
}

func diesAt(t *testing.T, step string, how failure) {
	r := newRig(t, events.FamilyRevocations)
	die, died := make(chan struct{}), make(chan struct{})
	kill := sync.OnceFunc(func() { close(die) })
	sender := &dyingSender{Sender: r.queue}
	switch step {
	case "reject":
		r.vault.sealing.plan(kill, how)
	case "vault":
		r.vault.plan(kill, how)
	case "ledger":
		r.log.plan(kill, how)
	case "receipts":
		sender.faults.plan(kill, how)
	}
	r.submit(revoke("1", "+393401234567"), revoke("bad", "nobody"), revoke("2", "+393401234568"))

	// The first life ends without grace and without a word.
	cfg := r.cfg
	cfg.Receipts = sender
	rec, err := New(cfg)
	if err != nil {
		t.Fatalf("new recorder: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(died)
		abort(ctx, t, r, rec)
	}()
	<-die
	cancel()
	<-died

	r.run(nil)
	results := map[string]intake.Result{}
	for len(results) < 3 {
		g := r.receipts(1)[0]
		results[g.ID] = g.Result
	}
	if results["bad"] != intake.Rejected || results["1"] == intake.Conflict || results["2"] == intake.Conflict {
		t.Errorf("results %v", results)
	}
	r.settled()
	r.check([]string{"1", "2"}, 1)
}

// dyingSender dies ahead of or behind the receipts.
type dyingSender struct {
	intake.Sender
	faults
}

func (s *dyingSender) Send(ctx context.Context, list []intake.Addressed) error {
	switch s.next() {
	case diesAhead:
		return s.death(ctx)
	case diesAfter:
		if err := s.Sender.Send(ctx, list); err != nil {
			return err
		}
		return s.death(ctx)
	}
	return s.Sender.Send(ctx, list)
}

// abort feeds the queue to Handle as the worker does, and acknowledges nothing
// that Handle did not finish: a process that was killed.
func abort(ctx context.Context, t *testing.T, r *rig, rec *Recorder) {
	batch := r.queued()
	err := rec.Handle(ctx, batch)
	if ctx.Err() == nil {
		t.Errorf("the first life did not die: %v", err)
	}
}
