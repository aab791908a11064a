package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

var appendCases = []testCase{
	{"the stored bytes are head, recorded time, tail", func(t *testing.T, in Instance, clock *Clock) {
		var b Books
		b.Record(t, in.Log, Entries(0, 12)...)
		Check(t, in.Log, &b)
		clock.Move(1500 * time.Microsecond) // a stamp of six digits
		p := b.Record(t, in.Log, Entry(0, 100, 200))
		Check(t, in.Log, &b)
		got := All(t, in.Log)[p[0].Stream][p[0].Sequence-1].Body
		if want := []byte(`"recordedtime":"2026-11-23T09:00:00.001500Z"`); !bytes.Contains(got, want) {
			t.Errorf("%s does not hold %s", got, want)
		}
	}},
	{"an event with a subject lies in its partition, any other in the reference stream", func(t *testing.T, in Instance, _ *Clock) {
		for p := range Partitions {
			if got := Append(t, in.Log, Entry(p, 1, 200))[0].Stream; got != ledger.Partition(p) {
				t.Errorf("partition %d: %s", p, got)
			}
		}
		if got := Append(t, in.Log, Entry(-1, 1, 200))[0].Stream; got != ledger.Reference {
			t.Errorf("without contact: %s", got)
		}
	}},
	{"entries of one call that go to one stream are stored in their order", func(t *testing.T, in Instance, _ *Clock) {
		for _, n := range []int{10, 130, 1100} {
			list := make([]ledger.Entry, n)
			for i := range list {
				list[i] = Entry(1, 10_000*n+i, 200)
			}
			last := ledger.Sequence(0)
			for i, p := range Append(t, in.Log, list...) {
				if p.Sequence != last+1 && last != 0 {
					t.Fatalf("of %d: entry %d at %d after %d", n, i, p.Sequence, last)
				}
				last = p.Sequence
			}
		}
	}},
	{"one entry that fails does not hold up the others", func(t *testing.T, in Instance, _ *Clock) {
		var b Books
		list := Entries(0, 60)
		list[10] = Entry(2, 10, ledger.MaxEntry+200)
		list[20].MessageID = ""
		list[30].Subject = "ledger.99.consent.granted.v1.acme"
		list[40].Subject = "intake.grants.crm.consent.granted.v1"
		for i, p := range b.Record(t, in.Log, list...) {
			var want error
			switch i {
			case 10:
				want = ledger.ErrTooLarge
			case 20, 30, 40:
				want = ledger.ErrMalformed
			}
			if !errors.Is(p.Err, want) {
				t.Errorf("entry %d: %v, want %v", i, p.Err, want)
			}
		}
		Check(t, in.Log, &b)
	}},
	{"an entry of MaxEntry bytes is stored, one more is too large", func(t *testing.T, in Instance, clock *Clock) {
		clock.Move(time.Microsecond)
		e := Entry(0, 1, 1000)
		e.Head = append(bytes.Repeat([]byte("x"), ledger.MaxEntry-len(e.Head)-len(e.Tail)-27), e.Head...)
		var b Books
		if p := b.Record(t, in.Log, e); p[0].Err != nil {
			t.Errorf("MaxEntry bytes: %v", p[0].Err)
		}
		Check(t, in.Log, &b)
		if n := len(All(t, in.Log)[ledger.Partition(0)][0].Body); n != ledger.MaxEntry {
			t.Errorf("%d bytes stored", n)
		}
		large := Entry(0, 2, 1000)
		large.Head = append(bytes.Repeat([]byte("x"), ledger.MaxEntry-len(large.Head)-len(large.Tail)-26), large.Head...)
		if p := b.Record(t, in.Log, large); !errors.Is(p[0].Err, ledger.ErrTooLarge) {
			t.Errorf("MaxEntry+1 bytes: %v", p[0].Err)
		}
	}},
	{"a known message id is not stored again and bears the first copy's place", duplicates},
	{"of two entries of one call with one message id the second is the duplicate", func(t *testing.T, in Instance, _ *Clock) {
		for _, n := range []int{5, 1000} {
			var b Books
			list := make([]ledger.Entry, n)
			for i := range list {
				list[i] = Entry(3, 10_000*n+i, 200)
			}
			list[n-1] = list[1]
			before := len(All(t, in.Log)[ledger.Partition(3)])
			placed := b.Record(t, in.Log, list...)
			first, second := placed[1], placed[n-1]
			if first.Duplicate || !second.Duplicate || second.Sequence != first.Sequence || second.RecordedAt != first.RecordedAt {
				t.Errorf("of %d: first %+v, second %+v", n, first, second)
			}
			if got := len(All(t, in.Log)[ledger.Partition(3)]) - before; got != n-1 {
				t.Errorf("%d stored of %d", got, n)
			}
		}
	}},
	{"stamps are not before the call and never step back", func(t *testing.T, in Instance, clock *Clock) {
		var last events.Instant
		for i, d := range []time.Duration{0, time.Second, -time.Hour, 500 * time.Millisecond, 2 * time.Hour} {
			clock.Move(d)
			begun := max(last, clock.Now())
			p := Append(t, in.Log, Entry(i%Partitions, i, 200))[0]
			if p.RecordedAt != begun {
				t.Errorf("step %d: stamp %s, want %s", i, p.RecordedAt, begun)
			}
			last = p.RecordedAt
		}
	}},
	{"no entries, no results", func(t *testing.T, in Instance, _ *Clock) {
		if got := Append(t, in.Log); len(got) != 0 {
			t.Errorf("%d results", len(got))
		}
	}},
	{"when ctx has ended the error is its and nothing is sent", func(t *testing.T, in Instance, _ *Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		placed, err := in.Log.Append(ctx, Entries(0, 5))
		if !errors.Is(err, context.Canceled) || len(placed) != 5 {
			t.Fatalf("%d results, error %v", len(placed), err)
		}
		for i, p := range placed {
			if p.Err != nil && !errors.Is(p.Err, ledger.ErrUnavailable) {
				t.Errorf("entry %d: %v", i, p.Err)
			}
		}
		b := Books{Entries: Entries(0, 5), Placed: placed}
		Check(t, in.Log, &b)
	}},
	{"append may be called from many goroutines", concurrent},
	{"what was acknowledged is there after a restart", func(t *testing.T, in Instance, _ *Clock) {
		var b Books
		b.Record(t, in.Log, Entries(0, 200)...)
		again := in.Reopen()
		Check(t, again, &b)
		b.Record(t, again, Entries(200, 100)...)
		Check(t, again, &b)
		for i, p := range b.Record(t, again, Entries(0, 30)...) {
			if !p.Duplicate {
				t.Errorf("entry %d was stored again after the restart", i)
			}
		}
		Check(t, again, &b)
	}},
}

func duplicates(t *testing.T, in Instance, clock *Clock) {
	for name, log := range map[string]ledger.Ledger{"same process": in.Log, "another process": in.Reopen()} {
		for _, n := range []int{5, 200} {
			var b Books
			base := 100_000 * (n + len(name))
			list := Entries(base, n)
			before := All(t, in.Log)
			first := Append(t, in.Log, list...)
			clock.Move(time.Second)
			second := Append(t, log, list...)
			for i := range list {
				want := first[i]
				want.Duplicate = true
				if second[i] != want {
					t.Errorf("%s, entry %d of %d: %+v, want %+v", name, i, n, second[i], want)
				}
			}
			stored := 0
			for s, records := range All(t, in.Log) {
				stored += len(records) - len(before[s])
			}
			if stored != n {
				t.Errorf("%s: %d stored, want %d", name, stored, n)
			}
			b.Entries, b.Placed = list, second
		}
	}
}

func concurrent(t *testing.T, in Instance, _ *Clock) {
	const callers, rounds, size = 16, 4, 40
	books := make([]Books, callers)
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			for r := range rounds {
				list := Entries((w*rounds+r)*size, size)
				placed, err := in.Log.Append(t.Context(), list)
				if err != nil {
					t.Error(err)
				}
				books[w].Entries = append(books[w].Entries, list...)
				books[w].Placed = append(books[w].Placed, placed...)
			}
		})
	}
	wg.Wait()
	var b Books
	for _, one := range books {
		b.Entries = append(b.Entries, one.Entries...)
		b.Placed = append(b.Placed, one.Placed...)
	}
	for i, p := range b.Placed {
		if p.Err != nil || p.Duplicate {
			t.Fatalf("entry %d: %+v", i, p)
		}
	}
	Check(t, in.Log, &b)
}

var faultCases = []testCase{
	{"an append that failed is repeated and stored once", func(t *testing.T, in Instance, clock *Clock) {
		for n, fault := range []Fault{Absent, Stored, Full, Half} {
			f := NewFaulty(in.Log)
			f.Fail(StepAppend, fault, fault)
			var b Books
			all := All(t, in.Log)
			list := Entries(1000*(n+1), 21)
			for _, p := range b.Record(t, f, list...) {
				if !errors.Is(p.Err, ledger.ErrUnavailable) {
					t.Fatalf("fault %d: %v", fault, p.Err)
				}
			}
			checkSince(t, in.Log, &b, all)
			clock.Move(time.Second)
			b.Record(t, f, list...)
			checkSince(t, in.Log, &b, all)
			placed := b.Record(t, f, list...)
			checkSince(t, in.Log, &b, all)
			for i, p := range placed {
				stored := fault == Stored || fault == Half && i < len(list)/2
				if p.Err != nil || p.Duplicate != stored {
					t.Errorf("fault %d, entry %d after the repetition: %+v", fault, i, p)
				}
			}
		}
	}},
	{"a broken connection loses nothing that was acknowledged", func(t *testing.T, in Instance, _ *Clock) {
		var b Books
		for round := range 8 {
			list := Entries(500*round, 300)
			done := make(chan []ledger.Placed)
			go func() {
				placed, err := in.Log.Append(t.Context(), list)
				if err != nil {
					t.Error(err)
				}
				done <- placed
			}()
			in.Interrupt()
			placed := <-done
			again := retryUntilStored(t, in.Log, list, placed)
			b.Entries, b.Placed = append(b.Entries, list...), append(b.Placed, again...)
			Check(t, in.Log, &b)
		}
	}},
}

// retryUntilStored repeats what failed, as a recorder does.
func retryUntilStored(t *testing.T, log ledger.Appender, list []ledger.Entry, placed []ledger.Placed) []ledger.Placed {
	t.Helper()
	for {
		failed := false
		for _, p := range placed {
			if p.Err != nil && !errors.Is(p.Err, ledger.ErrUnavailable) {
				t.Fatalf("not to be repeated: %v", p.Err)
			}
			failed = failed || p.Err != nil
		}
		if !failed {
			return placed
		}
		var err error
		if placed, err = log.Append(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
}

// checkSince is Check for what was appended after before was read.
func checkSince(t *testing.T, log ledger.Reader, b *Books, before map[ledger.Stream][]ledger.Record) {
	t.Helper()
	seen := map[string]string{}
	for s, list := range All(t, log) {
		for _, r := range list[len(before[s]):] {
			place := fmt.Sprintf("%s:%d", s, r.Sequence)
			if other, twice := seen[headOf(r.Body)]; twice {
				t.Errorf("%s is stored at %s and at %s", headOf(r.Body), other, place)
			}
			seen[headOf(r.Body)] = place
		}
	}
	for i, p := range b.Placed {
		if p.Err == nil && seen[string(b.Entries[i].Head)] != fmt.Sprintf("%s:%d", p.Stream, p.Sequence) {
			t.Errorf("entry %d acknowledged at %s:%d lies at %q", i, p.Stream, p.Sequence, seen[string(b.Entries[i].Head)])
		}
	}
}
