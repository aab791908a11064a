package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/memledger"
)

func TestStreams(t *testing.T) {
	if diff := cmp.Diff([]ledger.Stream{"LEDGER_00", "LEDGER_01", "LEDGER_REF"}, ledger.Streams(2)); diff != "" {
		t.Error(diff)
	}
	for s, want := range map[ledger.Stream]string{"LEDGER_03": "ledger.03.", ledger.Reference: "ledger.ref.", ledger.Partition(255): "ledger.255."} {
		if got := ledger.SubjectPrefix(s); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
	if got := ledger.StreamOf(events.ContactKey{}, 4); got != ledger.Reference {
		t.Errorf("without contact: %s", got)
	}
	if got := ledger.StreamOf(events.ContactKey{1, 7}, 4); got != "LEDGER_03" {
		t.Errorf("0x0107 of 4: %s", got)
	}
}

func TestErrorsTellTheirClass(t *testing.T) {
	for _, err := range []error{ledger.ErrAmbiguous, ledger.ErrFull} {
		if !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%v does not wrap ErrUnavailable", err)
		}
	}
	for _, err := range []error{ledger.ErrTooLarge, ledger.ErrMalformed, ledger.ErrWeak, ledger.ErrGone} {
		if errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%v would be retried", err)
		}
	}
}

func TestDurabilityInWords(t *testing.T) {
	for want, d := range map[string]ledger.Durability{
		"acknowledged means: on disk on 1 of 1":              {Mode: ledger.Strict, Replicas: 1, Majority: 1},
		"acknowledged means: on disk on 2 of 3":              {Mode: ledger.Strict, Replicas: 3, Majority: 2},
		"acknowledged means: on disk on 1 of 1 within 100ms": {Mode: ledger.Bounded, SyncInterval: 100 * time.Millisecond, Replicas: 1, Majority: 1},
		"acknowledged means: in memory on 1 of 1":            {Mode: ledger.Fast, Replicas: 1, Majority: 1},
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRecordedAtReadsTheTopLevelStamp(t *testing.T) {
	e := ledgertest.Entry(0, 1, 100)
	at := ledgertest.Epoch.Add(1500 * time.Microsecond)
	if got, err := ledger.RecordedAt(e.Stamped(at)); err != nil || got != at {
		t.Errorf("%s, %v", got, err)
	}
	nested := []byte(`{"data":{"recordedtime":"2020-01-01T00:00:00.000Z"},"recordedtime":"2026-11-23T09:00:00.000Z","source":"x"}`)
	if got, err := ledger.RecordedAt(nested); err != nil || got != ledgertest.Epoch {
		t.Errorf("beside a nested member: %s, %v", got, err)
	}
	for _, bad := range []string{``, `{}`, `{"recordedtime":"`, `{"recordedtime":"yesterday"}`} {
		if _, err := ledger.RecordedAt([]byte(bad)); !errors.Is(err, ledger.ErrNoStamp) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStamperNeverStepsBack(t *testing.T) {
	clock := ledgertest.NewClock()
	s := ledger.NewStamper(clock.Now)
	first := s.Now()
	clock.Move(-time.Hour)
	if got := s.Now(); got != first {
		t.Errorf("after a step back: %s, want %s", got, first)
	}
	clock.Move(2 * time.Hour)
	if got := s.Now(); got != clock.Now() {
		t.Errorf("later: %s, want %s", got, clock.Now())
	}
}

func TestLatestAsOf(t *testing.T) {
	beats := map[events.Family]ledger.Beat{}
	for i, f := range events.Families {
		if _, ok := ledger.LatestAsOf(beats); ok {
			t.Errorf("an instant although %s never beat", f)
		}
		beats[f] = ledger.Beat{Family: f, Instant: ledgertest.Epoch.Add(time.Duration(10-i) * time.Second)}
	}
	if got, ok := ledger.LatestAsOf(beats); !ok || got != ledgertest.Epoch.Add(6*time.Second)-1 {
		t.Errorf("%s, %v; must lie just before the earliest", got, ok)
	}
}

// stamped is a log in memory of which the stamps are given: several recorders
// whose clocks differ.
func stamped(t interface {
	Context() context.Context
	Fatal(...any)
}, stamps []events.Instant) *memledger.Ledger {
	var now events.Instant
	log := memledger.New(memledger.Options{Partitions: 1, Clock: func() events.Instant { return now }})
	for n, at := range stamps {
		now = at // the ledger's own stamp never steps back; the last one counts
		e := ledgertest.Entry(-1, n, 10)
		e.Tail = append(at.AppendFormat([]byte(`","recordedtime":"`)), `"}`...)
		if placed, err := log.Append(t.Context(), []ledger.Entry{e}); err != nil || placed[0].Err != nil {
			t.Fatal(err, placed)
		}
	}
	return log
}

func TestResolveAgreesWithTheRunningMaximum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2500).Draw(t, "events")
		skew := rapid.SampledFrom([]int{0, 100, 5_000, 10_000}).Draw(t, "skew in ms")
		rng := rapid.IntRange(-skew, 0)
		stamps := make([]events.Instant, n)
		at := ledgertest.Epoch
		for i := range stamps {
			at = at.Add(time.Duration(1+i%7*30) * time.Millisecond)
			stamps[i] = at
			if i%11 == 3 {
				stamps[i] = at.Add(time.Duration(rng.Draw(t, "back")) * time.Millisecond)
			}
		}
		r := ledgertest.Epoch.Add(time.Duration(rapid.IntRange(-10, 120*n+10).Draw(t, "r in ms")) * time.Millisecond)
		want, top := ledger.Sequence(0), events.Instant(0)
		for i, s := range stamps {
			if top = max(top, s); top <= r {
				want = ledger.Sequence(i + 1)
			}
		}
		got, err := ledger.Resolve(t.Context(), stamped(t, stamps), r)
		if err != nil {
			t.Fatal(err)
		}
		if got[ledger.Reference] != want {
			t.Fatalf("as of %s: %d, want %d of %d", r, got[ledger.Reference], want, n)
		}
	})
}

func TestResolveReadsLittleOfALongStream(t *testing.T) {
	stamps := make([]events.Instant, 60_000)
	for i := range stamps {
		stamps[i] = ledgertest.Epoch.Add(time.Duration(i) * time.Second)
	}
	log := &counting{Reader: stamped(t, stamps)}
	got, err := ledger.Resolve(t.Context(), log, ledgertest.Epoch.Add(40_000*time.Second))
	if err != nil || got[ledger.Reference] != 40_001 {
		t.Fatalf("%v, %v", got, err)
	}
	if log.records > 2500 {
		t.Errorf("%d records read of 60,000", log.records)
	}
}

type counting struct {
	ledger.Reader
	records int
}

func (c *counting) Read(ctx context.Context, s ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	list, err := c.Reader.Read(ctx, s, from, limit)
	c.records += len(list)
	return list, err
}

func TestResolveMeetsHolesAndForeignBytes(t *testing.T) {
	log := stamped(t, []events.Instant{ledgertest.Epoch, ledgertest.Epoch + 1, ledgertest.Epoch + 2})
	log.Remove(ledger.Reference, 2)
	if _, err := ledger.Resolve(t.Context(), log, ledgertest.Epoch+5); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("over a hole: %v", err)
	}
}
