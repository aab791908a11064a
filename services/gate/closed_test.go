package gate

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

// permitted is a log in which contact 0 may be called, and contact 1 bears a
// consent given in a call, so that it is judged from its whole history.
func permitted() *projectiontest.Builder {
	b := projectiontest.Build()
	foundation(b)
	at := projectiontest.DayStart.Add(-3600e9)
	for i := range 2 {
		k := projectiontest.Contact(i)
		grant := map[string]any{"purposes": []string{"marketing"}, "channels": []string{"operator_call"}, "source_ref": "https://a.example/1",
			"notice": map[string]any{"id": "N", "version": "1", "sha256": sha},
			"proof":  map[string]any{"kind": "signed_form", "sha256": sha, "immutable": true}}
		if i == 1 {
			grant["collection_attempt"] = "nowhere"
		}
		b.At(at).Put(id("row", i), "crm", "list.contact_added", "A", "", at, k, map[string]any{"list": "L-A", "source": "web", "collector": "C", "acquired_on": "2026-01-15"})
		b.At(at).Put(id("rpo", i), "crm", "register.screened", "A", "", at, k, map[string]any{"batch": "B-A", "answer": "clear", "snapshot_at": at.Add(-48 * 3600e9).String()})
		b.At(at).Put(id("grant", i), "crm", "consent.granted", "A", "", at, k, grant)
	}
	return b
}

// recordable fails the test when a recorder would refuse the answer.
func recordable(t must, d Decision) {
	t.Helper()
	r := receiptOf(&d)
	r.Decision = uuid.Must(uuid.NewV7()).String()
	r.Asked.Attempt = cmp.Or(r.Asked.Attempt, r.Decision)
	recorded(t, &r)
}

func recorded(t must, r *events.Receipt) {
	t.Helper()
	s, faults := events.Validate(r.DecisionEvent(), events.ValidateOptions{Now: r.At, Family: events.FamilyOutcomes, Normalise: eventstest.Normalise, AllowSubject: true})
	if len(faults) > 0 {
		t.Fatalf("a recorder refuses the answer %s: %v", r.DecisionEvent(), faults)
	}
	if _, fault := s.Record(s.Subject, events.ContactKey{}); fault != nil {
		t.Fatalf("a recorder refuses the answer %s: %v", r.DecisionEvent(), fault)
	}
}

func id(what string, i int) string { return what + "-" + string(rune('a'+i)) }

func ask(i int) rules.Attempt {
	return rules.Attempt{Contact: projectiontest.Contact(i), Controller: "A", Campaign: "K-A", Purpose: events.PurposeMarketing,
		Channel: events.ChannelOperatorCall, CLI: "+390844100100"}
}

func noon() events.Instant { return projectiontest.DayStart.Add(4 * 3600e9) }

func has(d Decision, rule string) bool {
	return slices.ContainsFunc(d.Reasons, func(r rules.Reason) bool { return r.Rule == rule })
}

// In doubt no call (design.md 8): without fresh beats, without what they
// promise, without the history of an unsettled contact, without a campaign.
func TestGateFailsClosed(t *testing.T) {
	log := permitted().Log()
	plain := readPlainly(t, log)
	source := &logLedger{Log: log, clock: noon}
	g, stop := started(t, Config{Ledger: source, Index: plain, Engine: law(t), Clock: noon, Patience: time.Millisecond, Poll: time.Hour})
	defer stop()
	for i := range 2 {
		if d := g.Decide(t.Context(), ask(i)); d.Verdict != events.VerdictAllow {
			t.Fatalf("contact %d: %+v, want allow", i, d.Reasons)
		}
	}
	if why := g.Ready(); len(why) > 0 {
		t.Errorf("not ready: %q", why)
	}

	other := ask(0)
	other.Campaign = "K-none"
	if d := g.Decide(t.Context(), other); d.Verdict != events.VerdictBlock || !has(d, rules.UnknownCampaign) {
		t.Errorf("an unknown campaign: %+v", d.Reasons)
	} else {
		recordable(t, d)
	}

	source.stale.Store(true)
	g.readBeats(t.Context())
	if d := g.Decide(t.Context(), ask(0)); d.Verdict != events.VerdictBlock || !has(d, rules.StaleLedger) {
		t.Errorf("stale beats: %+v", d.Reasons)
	}
	if why := g.Ready(); len(why) == 0 {
		t.Error("ready with stale beats")
	}
	source.stale.Store(false)

	source.ahead.Store(true)
	g.readBeats(t.Context())
	if d := g.Decide(t.Context(), ask(0)); d.Verdict != events.VerdictBlock || !has(d, rules.Behind) {
		t.Errorf("beats ahead of what is applied: %+v", d.Reasons)
	}
	source.ahead.Store(false)
	g.readBeats(t.Context())

	plain.down.Store(true)
	g.mu.Lock()
	g.markFull(projectiontest.Contact(1)) // as if an event of the contact had come
	g.mu.Unlock()
	if d := g.Decide(t.Context(), ask(1)); d.Verdict != events.VerdictBlock || !has(d, rules.Unsettled) || has(d, rules.MissingPack) {
		t.Errorf("unsettled contact: %+v", d.Reasons)
	} else {
		recordable(t, d)
	}
	if d := g.Decide(t.Context(), ask(0)); d.Verdict != events.VerdictAllow {
		t.Errorf("another contact is blocked too: %+v", d.Reasons)
	}
	plain.down.Store(false)
	if d := g.Decide(t.Context(), ask(1)); d.Verdict != events.VerdictAllow {
		t.Errorf("settled again: %+v", d.Reasons)
	}
}

// Before the log is read nothing is allowed.
func TestGateKnowsNothingAtFirst(t *testing.T) {
	log := permitted().Log()
	g, err := New(Config{Ledger: &logLedger{Log: log, clock: noon}, Index: readPlainly(t, log), Engine: law(t), Clock: noon, Log: zap.NewNop(), Patience: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if why := g.Ready(); len(why) == 0 {
		t.Error("ready before anything was read")
	}
	if d := g.Decide(t.Context(), ask(0)); d.Verdict != events.VerdictBlock || !has(d, rules.Behind) {
		t.Errorf("%s %+v, want block with %s", d.Verdict, d.Reasons, rules.Behind)
	} else {
		recordable(t, d)
	}
}

// A hole in the log ends the gate.
func TestGateStopsAtAHole(t *testing.T) {
	log := permitted().Log()
	source := &holed{logLedger{Log: log, clock: noon}}
	g, err := New(Config{Ledger: source, Index: readPlainly(t, log), Engine: law(t), Clock: noon, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil || t.Context().Err() != nil {
		t.Errorf("error %v, want one that names the hole", err)
	}
}

// holed loses the first record of a partition.
type holed struct{ logLedger }

func (h *holed) Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error) {
	for i := range projectiontest.Partitions {
		if len(h.Streams[ledger.Partition(i)]) > 1 {
			after[ledger.Partition(i)]++
		}
	}
	return h.Log.Follow(ctx, after)
}

// A gate that starts from a snapshot answers like one that read everything, and
// takes copies of what the snapshot holds for copies.
func TestGateStartsFromASnapshot(t *testing.T) {
	engine := law(t)
	for seed := uint64(11); seed <= 14; seed++ {
		whole := projectiontest.Chaos(seed, 500)
		half := &projectiontest.Log{Streams: whole.Prefix(60)}
		var end atomic.Int64
		for _, f := range readPlainly(t, whole).facts {
			end.Store(max(end.Load(), int64(f.Recorded)))
		}
		clock := func() events.Instant { return events.Instant(end.Load()) }
		file := t.TempDir() + "/gate.snapshot"
		plain := readPlainly(t, whole)
		g, stop := started(t, Config{Ledger: &logLedger{Log: half, clock: clock}, Index: plain, Engine: engine, Clock: clock, Snapshot: file})
		if err := g.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		plain.asked.Store(0)
		source := &logLedger{Log: whole.Shuffled(seed), clock: clock}
		resumed, stopResumed := started(t, Config{Ledger: source, Index: plain, Engine: engine, Clock: clock, Snapshot: file})
		if got := resumed.writer.filtered[0]; got == 0 {
			t.Error("the snapshot was not used")
		}
		full, stopFull := started(t, Config{Ledger: source, Index: plain, Engine: engine, Clock: clock})
		for i := range 8 {
			for _, c := range []string{"A", "B"} {
				a := ask(i)
				a.Controller, a.Campaign, a.Processor = c, "K-"+c, "P1"
				x, y := resumed.Decide(t.Context(), a), full.Decide(t.Context(), a)
				if !answerOf(&x.Decision).equal(answerOf(&y.Decision)) {
					t.Errorf("seed %d, contact %d of %s:\n got %+v\nwant %+v", seed, i, c, answerOf(&x.Decision), answerOf(&y.Decision))
				}
			}
		}
		stopResumed()
		stopFull()
	}
}

// spoil makes the key readable by others.
func spoil(t *testing.T, folder string) {
	t.Helper()
	if err := os.Chmod(filepath.Join(folder, KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
}
