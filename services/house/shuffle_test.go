package house

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/memledger"
)

func TestShuffledReadingKeepsTheOrderOfEachStream(t *testing.T) {
	log := memledger.New(memledger.Options{Partitions: 2})
	var entries []ledger.Entry
	for i := range 60 {
		key := events.ContactKey{0, byte(i % 2), byte(i + 1)}
		entries = append(entries, ledger.Entry{
			Subject: events.LedgerSubject([]string{"00", "01"}[key.Partition(2)], events.TypeConsentGranted, "A"), Contact: key,
			MessageID: key.String(), Head: []byte(`{"recordedtime":"`), Tail: []byte(`"}`),
		})
	}
	placed, err := log.Append(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range placed {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
	}
	orders := map[string]bool{}
	for seed := range uint64(5) {
		f, err := shuffled{log, seed}.Follow(t.Context(), ledger.Positions{ledger.Partition(0): 3})
		if err != nil {
			t.Fatal(err)
		}
		got, order := map[ledger.Stream][]ledger.Sequence{}, ""
		for n := 0; n < 57; {
			records, err := f.Next(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				got[r.Stream] = append(got[r.Stream], r.Sequence)
				order += string(r.Stream[len(r.Stream)-1])
				n++
			}
		}
		orders[order] = true
		want := map[ledger.Stream][]ledger.Sequence{}
		for i := ledger.Sequence(1); i <= 30; i++ {
			want[ledger.Partition(1)] = append(want[ledger.Partition(1)], i)
			if i > 3 {
				want[ledger.Partition(0)] = append(want[ledger.Partition(0)], i)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("seed %d (-want +got):\n%s", seed, d)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Next(ended, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
		f.Stop()
		if _, err := f.Next(t.Context(), 1); !errors.Is(err, ledger.ErrStopped) {
			t.Errorf("after Stop: %v", err)
		}
	}
	if len(orders) < 2 {
		t.Error("every seed gave the same order")
	}
}
