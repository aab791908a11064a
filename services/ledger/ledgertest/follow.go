package ledgertest

import (
	"context"
	"errors"
	"testing"

	"github.com/assenso/assenso/services/ledger"
)

var followCases = []testCase{
	{"everything stored comes, each stream in order", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entries(0, 700)...)
		if diff := differ(All(t, in.Log), Drain(t, in.Log, nil)); diff != "" {
			t.Error(diff)
		}
	}},
	{"it begins after the given positions; a missing stream counts as 0", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entries(0, 100)...)
		after := ledger.Positions{"LEDGER_00": 5, "LEDGER_01": 20, ledger.Reference: 19}
		want := map[ledger.Stream][]ledger.Record{}
		for s, list := range All(t, in.Log) {
			if rest := list[after[s]:]; len(rest) > 0 {
				want[s] = rest
			}
		}
		if diff := differ(want, Drain(t, in.Log, after)); diff != "" {
			t.Error(diff)
		}
	}},
	{"first what is stored, then what comes", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entries(0, 50)...)
		f := follow(t, in.Log, nil)
		got := receive(t, f, nil, 50, 7)
		for round := range 5 {
			appended := make(chan struct{})
			go func() {
				defer close(appended)
				if _, err := in.Log.Append(t.Context(), Entries(1000*(round+1), 40)); err != nil {
					t.Error(err)
				}
			}()
			got = receive(t, f, got, 40, 1000)
			<-appended
		}
		if diff := differ(All(t, in.Log), got); diff != "" {
			t.Error(diff)
		}
	}},
	{"several followers do not disturb each other", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entries(0, 60)...)
		a, b := follow(t, in.Log, nil), follow(t, in.Log, ledger.Positions{"LEDGER_00": 3})
		one := receive(t, a, nil, 30, 5)
		receive(t, b, nil, 57, 100)
		if diff := differ(All(t, in.Log), receive(t, a, one, 30, 100)); diff != "" {
			t.Error(diff)
		}
	}},
	{"it survives a broken connection without gaps or repetitions", func(t *testing.T, in Instance, _ *Clock) {
		f := follow(t, in.Log, nil)
		got := map[ledger.Stream][]ledger.Record{}
		for round := range 5 {
			list := Entries(100*round, 100)
			retryUntilStored(t, in.Log, list, mustAppend(t, in.Log, list))
			in.Interrupt()
			got = receive(t, f, got, 100, 30)
		}
		if diff := differ(All(t, in.Log), got); diff != "" {
			t.Error(diff)
		}
	}},
	{"next ends with its own context and goes on with another", func(t *testing.T, in Instance, _ *Clock) {
		f := follow(t, in.Log, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Next(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Next: %v", err)
		}
		waiting, stopWaiting := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := f.Next(waiting, 1)
			ended <- err
		}()
		stopWaiting()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting Next: %v", err)
		}
		Append(t, in.Log, Entry(0, 1, 200))
		Next(t, f, 1)
	}},
	{"next ends with the context of follow", func(t *testing.T, in Instance, _ *Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		f, err := in.Log.Follow(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Stop()
		cancel()
		if _, err := f.Next(t.Context(), 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Next: %v", err)
		}
	}},
	{"after stop next says so, also to one that waits", func(t *testing.T, in Instance, _ *Clock) {
		f := follow(t, in.Log, nil)
		ended := make(chan error)
		go func() {
			_, err := f.Next(t.Context(), 1)
			ended <- err
		}()
		f.Stop()
		f.Stop()
		if err := <-ended; !errors.Is(err, ledger.ErrStopped) {
			t.Errorf("waiting Next: %v", err)
		}
		if _, err := f.Next(t.Context(), 1); !errors.Is(err, ledger.ErrStopped) {
			t.Errorf("Next: %v", err)
		}
	}},
	{"a position beyond the end gives ErrGone", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entry(0, 1, 200))
		for _, after := range []ledger.Positions{{"LEDGER_00": 2}, {"LEDGER_01": 1}, {"LEDGER_77": 1}} {
			if _, err := in.Log.Follow(t.Context(), after); !errors.Is(err, ledger.ErrGone) {
				t.Errorf("after %v: %v", after, err)
			}
		}
	}},
	{"a hole gives ErrGone for ever, after what lies before it", func(t *testing.T, in Instance, _ *Clock) {
		fill(t, in.Log, 20)
		in.Head(ledger.Partition(0), 11)
		f := follow(t, in.Log, nil)
		for range 2 {
			if _, err := f.Next(t.Context(), 10); !errors.Is(err, ledger.ErrGone) {
				t.Errorf("Next: %v", err)
			}
		}
		rest := follow(t, in.Log, ledger.Positions{"LEDGER_00": 10})
		if got := receive(t, rest, nil, 10, 100)["LEDGER_00"]; got[0].Sequence != 11 {
			t.Errorf("after the hole: %d", got[0].Sequence)
		}
	}},
}

func follow(t *testing.T, log ledger.Reader, after ledger.Positions) ledger.Follower {
	t.Helper()
	f, err := log.Follow(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// receive adds n records of f to got.
func receive(t *testing.T, f ledger.Follower, got map[ledger.Stream][]ledger.Record, n, limit int) map[ledger.Stream][]ledger.Record {
	t.Helper()
	if got == nil {
		got = map[ledger.Stream][]ledger.Record{}
	}
	for n > 0 {
		list := Next(t, f, min(limit, n))
		got[list[0].Stream] = append(got[list[0].Stream], list...)
		n -= len(list)
	}
	return got
}

func mustAppend(t *testing.T, log ledger.Appender, list []ledger.Entry) []ledger.Placed {
	t.Helper()
	placed, err := log.Append(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return placed
}
