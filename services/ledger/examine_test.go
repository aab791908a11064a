package ledger_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/memledger"
)

// failed names the checks that are not OK and insists on advice for each.
func failed(t *testing.T, checks []ledger.Check) string {
	t.Helper()
	var names []string
	for _, c := range checks {
		if c.Name == "" || c.Detail == "" || c.OK != (c.Remedy == "") {
			t.Errorf("check without words: %+v", c)
		}
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

func TestExamine(t *testing.T) {
	clock := ledgertest.NewClock()
	log := ledgertest.NewFaulty(memledger.New(memledger.Options{Clock: clock.Now}))
	beat := func() {
		for _, f := range events.Families {
			if err := log.PublishBeat(t.Context(), ledger.Beat{Family: f, Instant: clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func(asked ledger.Mode) string { return failed(t, ledger.Examine(t.Context(), log, asked, clock.Now())) }
	if got := look(ledger.Fast); got != "recorders' beats" {
		t.Errorf("before the first beat: %q", got)
	}
	beat()
	ledgertest.Append(t, log, ledgertest.Entries(0, 20)...)
	if got := look(ledger.Fast); got != "" {
		t.Errorf("all is well, yet %q", got)
	}
	if got := look(ledger.Strict); got != "ledger durability" {
		t.Errorf("memory asked to be strict: %q", got)
	}
	clock.Move(6 * time.Second)
	if got := look(ledger.Fast); got != "recorders' beats" {
		t.Errorf("old beats: %q", got)
	}
	clock.Move(-6 * time.Second)
	clock.Move(-time.Minute)
	if got := look(ledger.Fast); got != "clock" {
		t.Errorf("a clock that is behind: %q", got)
	}
	for _, step := range []ledgertest.Step{ledgertest.StepBeats, ledgertest.StepLast, ledgertest.StepRead} {
		log.Fail(step, ledgertest.Absent)
		if got := look(ledger.Fast); got == "" {
			t.Errorf("%s fails and nothing shows", step)
		}
	}
}

// weak is a log with a weakened stream.
type weak struct{ *memledger.Ledger }

// Durability implements ledger.Ledger.
func (w weak) Durability(ctx context.Context) (ledger.Durability, error) {
	d, err := w.Ledger.Durability(ctx)
	d.Faults = []string{"LEDGER_01: max_age is 1h0m0s"}
	return d, err
}

func TestExamineNamesWeakenedSettings(t *testing.T) {
	checks := ledger.Examine(t.Context(), weak{memledger.New(memledger.Options{})}, ledger.Fast, ledgertest.Epoch)
	if checks[1].OK || !strings.Contains(checks[1].Detail, "LEDGER_01: max_age is 1h") {
		t.Errorf("%+v", checks[1])
	}
}
