package memledger_test

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/memledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	ledgertest.Run(t, ledgertest.Harness{New: func(t *testing.T, clock func() events.Instant) ledgertest.Instance {
		log := memledger.New(memledger.Options{Partitions: ledgertest.Partitions, Clock: clock})
		return ledgertest.Instance{
			Log: log,
			Head: func(s ledger.Stream, at ledger.Sequence) {
				for n := ledger.Sequence(1); n < at; n++ {
					log.Remove(s, n)
				}
			},
			Interrupt: func() {},
			Reopen:    func() ledger.Ledger { return log },
		}
	}})
}

func TestAFullStreamSaysSo(t *testing.T) {
	log := memledger.New(memledger.Options{MaxEntries: 2})
	placed, err := log.Append(t.Context(), []ledger.Entry{ledgertest.Entry(0, 1, 100), ledgertest.Entry(0, 2, 100), ledgertest.Entry(0, 3, 100), ledgertest.Entry(1, 4, 100)})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range placed {
		if errors.Is(p.Err, ledger.ErrFull) != (i == 2) {
			t.Errorf("entry %d: %v", i, p.Err)
		}
	}
}

func TestIdsAreForgottenAfterTheWindow(t *testing.T) {
	clock := ledgertest.NewClock()
	log := memledger.New(memledger.Options{Clock: clock.Now})
	e := ledgertest.Entry(0, 1, 100)
	ledgertest.Append(t, log, e)
	clock.Move(memledger.Window)
	if !ledgertest.Append(t, log, e)[0].Duplicate {
		t.Error("forgotten within the window")
	}
	clock.Move(time.Microsecond)
	if p := ledgertest.Append(t, log, e)[0]; p.Duplicate || p.Sequence != 2 {
		t.Errorf("still known beyond the window: %+v", p)
	}
}

func TestAHoleInTheMiddleComesAfterWhatLiesBeforeIt(t *testing.T) {
	log := memledger.New(memledger.Options{})
	for i := range 9 {
		ledgertest.Append(t, log, ledgertest.Entry(0, i, 100))
	}
	log.Remove("LEDGER_00", 5)
	f, err := log.Follow(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	if got := ledgertest.Next(t, f, 100); len(got) != 4 {
		t.Errorf("%d records before the hole at 5", len(got))
	}
	if _, err := f.Next(t.Context(), 1); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("at the hole: %v", err)
	}
}

func TestACutTailIsFoundByFollowers(t *testing.T) {
	log := memledger.New(memledger.Options{})
	for i := range 9 {
		ledgertest.Append(t, log, ledgertest.Entry(0, i, 100))
	}
	log.Truncate("LEDGER_00", 6)
	if _, err := log.Follow(t.Context(), ledger.Positions{"LEDGER_00": 9}); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("Follow after the cut: %v", err)
	}
}
