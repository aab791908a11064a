package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

var readCases = []testCase{
	{"partitions are those of the creation", func(t *testing.T, in Instance, _ *Clock) {
		if got := in.Log.Partitions(); got != Partitions {
			t.Errorf("P = %d", got)
		}
	}},
	{"last names every stream, 0 for an empty one", func(t *testing.T, in Instance, _ *Clock) {
		Append(t, in.Log, Entry(0, 1, 200), Entry(0, 2, 200), Entry(-1, 3, 200))
		last, err := in.Log.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := ledger.Positions{"LEDGER_00": 2, "LEDGER_01": 0, "LEDGER_02": 0, "LEDGER_03": 0, ledger.Reference: 1}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Error(diff)
		}
	}},
	{"read returns up to limit records in order", func(t *testing.T, in Instance, _ *Clock) {
		fill(t, in.Log, 2500)
		for _, c := range []struct {
			from  ledger.Sequence
			limit int
			want  int
		}{{1, 10, 10}, {0, 3, 3}, {2491, 100, 10}, {2500, 1, 1}, {2501, 5, 0}, {9999, 5, 0}, {1, 2500, 2500}, {7, 1, 1}, {1, 0, 0}} {
			list, err := in.Log.Read(t.Context(), ledger.Partition(0), c.from, c.limit)
			if err != nil {
				t.Fatalf("from %d: %v", c.from, err)
			}
			if len(list) != c.want {
				t.Errorf("from %d limit %d: %d records, want %d", c.from, c.limit, len(list), c.want)
			}
			for i, r := range list {
				if want := max(c.from, 1) + ledger.Sequence(i); r.Sequence != want || r.Stream != ledger.Partition(0) {
					t.Fatalf("from %d: record %d is %s:%d", c.from, i, r.Stream, r.Sequence)
				}
			}
		}
	}},
	{"bodies belong to the caller", func(t *testing.T, in Instance, _ *Clock) {
		fill(t, in.Log, 3)
		before := All(t, in.Log)
		for _, r := range All(t, in.Log)[ledger.Partition(0)] {
			clear(r.Body)
		}
		if diff := differ(before, All(t, in.Log)); diff != "" {
			t.Error("what a caller did to its copy shows in the log:", diff)
		}
	}},
	{"a missing position gives ErrGone", func(t *testing.T, in Instance, _ *Clock) {
		fill(t, in.Log, 50)
		in.Head(ledger.Partition(0), 21)
		for _, c := range []struct {
			from  ledger.Sequence
			limit int
			gone  bool
		}{{1, 1, true}, {20, 5, true}, {15, 50, true}, {21, 5, false}, {21, 100, false}} {
			if _, err := in.Log.Read(t.Context(), ledger.Partition(0), c.from, c.limit); errors.Is(err, ledger.ErrGone) != c.gone {
				t.Errorf("from %d: %v", c.from, err)
			}
		}
	}},
	{"a stream that the log does not have gives ErrGone", func(t *testing.T, in Instance, _ *Clock) {
		if _, err := in.Log.Read(t.Context(), ledger.Partition(77), 1, 1); !errors.Is(err, ledger.ErrGone) {
			t.Errorf("%v", err)
		}
	}},
	{"reading ends with its context", func(t *testing.T, in Instance, _ *Clock) {
		fill(t, in.Log, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := in.Log.Read(ctx, ledger.Partition(0), 1, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Read: %v", err)
		}
		if _, err := in.Log.Last(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Last: %v", err)
		}
		if _, err := in.Log.Follow(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: %v", err)
		}
	}},
	{"as of an instant resolves to the last event not after it", asOf},
	{"durability says what an acknowledgement means", func(t *testing.T, in Instance, _ *Clock) {
		d, err := in.Log.Durability(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d.Replicas < 1 || d.Majority != d.Replicas/2+1 || d.Version == "" || len(d.Faults) > 0 {
			t.Errorf("%+v", d)
		}
	}},
}

// fill appends n small entries to the first partition.
func fill(t *testing.T, log ledger.Ledger, n int) {
	t.Helper()
	list := make([]ledger.Entry, n)
	for i := range list {
		list[i] = Entry(0, i, 150)
	}
	Append(t, log, list...)
}

func asOf(t *testing.T, in Instance, clock *Clock) {
	stamps := map[ledger.Stream][]events.Instant{}
	for i := range 40 {
		clock.Move(1_000_000_000)
		p := Append(t, in.Log, Entry(i%3, i, 150), Entry(-1, i, 150))
		for _, one := range p {
			stamps[one.Stream] = append(stamps[one.Stream], one.RecordedAt)
		}
	}
	for _, r := range []events.Instant{Epoch, Epoch.Add(1_000_000_000), Epoch.Add(20_500_000_000), clock.Now() - 1, clock.Now(), events.MaxInstant} {
		want := ledger.Positions{}
		for _, s := range ledger.Streams(Partitions) {
			want[s] = 0
			for i, at := range stamps[s] {
				if at <= r {
					want[s] = ledger.Sequence(i + 1)
				}
			}
		}
		got, err := ledger.Resolve(t.Context(), in.Log, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("as of %s: %s", r, diff)
		}
	}
}

var beatCases = []testCase{
	{"no beat at first", func(t *testing.T, in Instance, _ *Clock) {
		got, err := in.Log.Beats(t.Context())
		if err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	}},
	{"the youngest beat of each family is kept, also across a restart", func(t *testing.T, in Instance, clock *Clock) {
		want := map[events.Family]ledger.Beat{}
		for round := range 3 {
			for i, f := range events.Families[:3+round%3] {
				b := ledger.Beat{Family: f, Instant: clock.Now().Add(1500_000), Positions: ledger.Positions{ledger.Reference: ledger.Sequence(10*round + i + 1)}}
				if err := in.Log.PublishBeat(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				want[f] = b
				clock.Move(1_000_000_000)
			}
		}
		for name, log := range map[string]ledger.Ledger{"same": in.Log, "reopened": in.Reopen()} {
			got, err := log.Beats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(name, diff)
			}
		}
	}},
	{"a beat that cannot be stored is an error that says unavailable", func(t *testing.T, in Instance, clock *Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := in.Log.PublishBeat(ctx, ledger.Beat{Family: events.FamilyGrants, Instant: clock.Now()})
		if !errors.Is(err, ledger.ErrUnavailable) {
			t.Error(err)
		}
		if got, err := in.Log.Beats(t.Context()); err != nil || len(got) != 0 {
			t.Error(fmt.Sprint(got), err)
		}
	}},
}
