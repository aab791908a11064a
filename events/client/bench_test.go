package client

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/assenso/assenso/events"
)

// million is how many numbers the benchmarks suppress.
const million = 1_000_000

func benchNumber(i int) string { return fmt.Sprintf("+39340%07d", i) }

// full returns a set with n suppressed numbers, one in ten for two causes.
func full(b *testing.B, n int) *Suppressions {
	b.Helper()
	h := newHand()
	s := NewSuppressions(SuppressionOptions{Controller: "A", Clock: h.clock})
	snapshot := s.Snapshot()
	for i := range n {
		m := events.FeedMessage{
			Kind: events.FeedRevocation, Effect: events.FeedStop, Controller: "A", Phone: benchNumber(i), Contact: spreadContact(i),
			Channels: events.Channels[:1+i%3], Ledger: events.FeedPlace{Stream: "LEDGER_0" + string(rune('0'+i%4)), Sequence: uint64(i + 1)},
		}
		messages := []events.FeedMessage{m}
		if i%10 == 0 {
			m.Kind, m.Controller = events.FeedRegister, ""
			messages = append(messages, m)
		}
		if err := snapshot.Add(messages...); err != nil {
			b.Fatal(err)
		}
	}
	snapshot.Commit(uint64(n))
	if err := s.Beat(h.beat(uint64(n))); err != nil {
		b.Fatal(err)
	}
	return s
}

// spreadContact stands for the pepper's HMAC, whose bits are even.
func spreadContact(i int) (k events.ContactKey) {
	h := spread(uint64(i) + 1)
	for n := range k {
		k[n] = byte(h >> (n % 8 * 8))
	}
	k[15] ^= byte(i)
	return k
}

func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := full(b, million)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for range b.N {
		runtime.KeepAlive(s)
	}
	if s.Len() != million {
		b.Fatalf("%d numbers are suppressed", s.Len())
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/million, "B/number")
}

func BenchmarkMayCall(b *testing.B) {
	s := full(b, million)
	calls := make([]Call, 1<<14)
	for _, c := range []struct {
		name  string
		first int
	}{{"allowed", million}, {"blocked", 0}} {
		for i := range calls {
			calls[i] = marketing(benchNumber(c.first + i*61))
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			allowed, asked := 0, 0
			for b.Loop() {
				if s.MayCall(calls[asked%len(calls)]).Allowed {
					allowed++
				}
				asked++
			}
			if (allowed > 0) != (c.first > 0) {
				b.Fatalf("%d of %d calls are allowed", allowed, asked)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	s := full(b, million)
	messages := make([]events.FeedMessage, 1<<14)
	for i := range messages {
		messages[i] = stop(events.FeedRevocation, benchNumber(i*67))
		messages[i].Contact = spreadContact(i * 67)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := messages[i%len(messages)]
		m.Position = uint64(million + i + 1)
		if _, err := s.Apply(m); err != nil {
			b.Fatal(err)
		}
	}
}
