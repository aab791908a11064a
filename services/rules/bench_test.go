package rules

import (
	"fmt"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// benchStage is the stage with a contact of so many facts: none, the usual six
// (row, answer, consent, three calls) or more (further calls, answers, a
// contract, a request, an opposition to another, older consents).
func benchStage(b *testing.B, facts int) (own []*contact.Fact, ref *Reference, a Attempt) {
	b.Helper()
	s := newStage(b)
	own = benchContact(s, facts)
	_, ref = build(s.facts)
	return own, ref, s.attempt
}

func benchContact(s *stage, facts int) []*contact.Fact {
	if facts == 0 {
		s.drop("row", "answer")
		return nil
	}
	s.consent("2026-01-10")
	s.called("c1", "2026-02-16 10:00")
	s.called("c2", "2026-03-07 10:00")
	s.called("c3", "2026-03-09 10:00")
	if facts > 6 {
		s.add("o", "Z", "2026-03-01", &events.OppositionRegistered{ReceivedBy: "P1"})
		s.add("k", "A", "2025-03-01", &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: date(s.t, "2025-03-01")})
		s.add("g2", "A", "2024-06-01", grant(func(g *events.ConsentGranted) { g.Contract = "k" }))
		s.add("v", "A", "2025-06-01", &events.ConsentReverified{Grant: "g2", Result: "confirmed"})
		s.add("q", "A", "2025-11-01", &events.CallbackRequested{})
		s.add("w", "A", "2025-01-01", &events.ConsentRevoked{})
		s.add("l", "A", "2023-03-01", &events.RegisterListed{ListedOn: date(s.t, "2023-03-01")})
		s.add("d", "", "2026-01-01", &events.DirectoryExtracted{ExtractedOn: date(s.t, "2026-01-01")})
	}
	for i := 1; len(ownFacts(s)) < facts; i++ {
		s.screened(fmt.Sprint("answer", i), fmt.Sprint("B", i), fmt.Sprintf("2026-02-%02d 10:00", i), events.AnswerClear, "")
	}
	return ownFacts(s)
}

func ownFacts(s *stage) []*contact.Fact {
	var out []*contact.Fact
	for _, f := range s.facts {
		if f.Subject == person {
			out = append(out, f)
		}
	}
	return out
}

// benchSizes are the sizes of a contact, in facts.
var benchSizes = []int{0, 6, 20}

func benchEach(b *testing.B, f func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt)) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("facts=%d", n), func(b *testing.B) {
			own, ref, a := benchStage(b, n)
			b.ReportAllocs()
			f(b, testEngine(b), own, ref, a)
		})
	}
}

// BenchmarkGate answers with a history that is at hand.
func BenchmarkGate(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt) {
		h := contact.NewHistory(person, own)
		for b.Loop() {
			if d := e.Gate(h, ref, a, a.DialledAt); (d.Verdict == events.VerdictAllow) != (len(own) > 0) {
				b.Fatal(d.Reasons)
			}
		}
	})
}

// BenchmarkGateFacts answers in full from settled facts.
func BenchmarkGateFacts(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt) {
		for b.Loop() {
			if d, ok := e.GateFacts(own, ref, a, a.DialledAt); !ok || (d.Verdict == events.VerdictAllow) != (len(own) > 0) {
				b.Fatal(d.Reasons)
			}
		}
	})
}

// BenchmarkPreparedVerdict answers one contact of a list check.
func BenchmarkPreparedVerdict(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt) {
		q := e.Prepare(ref, a, a.DialledAt)
		for b.Loop() {
			if r, ok := q.Verdict(own); !ok || (r.Verdict == events.VerdictAllow) != (len(own) > 0) {
				b.Fatal(r)
			}
		}
	})
}

// BenchmarkListCheck answers contacts of a list on all processors.
func BenchmarkListCheck(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt) {
		q := e.Prepare(ref, a, a.DialledAt)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if r, ok := q.Verdict(own); !ok || (r.Verdict == events.VerdictAllow) != (len(own) > 0) {
					b.Error(r)
				}
			}
		})
	})
}

// BenchmarkPrepare is the fixed cost of a list check.
func BenchmarkPrepare(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, _ []*contact.Fact, ref *Reference, a Attempt) {
		for b.Loop() {
			if e.Prepare(ref, a, a.DialledAt) == nil {
				b.Fatal("no question")
			}
		}
	})
}

// BenchmarkAssess judges an attempt that broke nothing, as a projection does.
func BenchmarkAssess(b *testing.B) {
	benchEach(b, func(b *testing.B, e *Engine, own []*contact.Fact, ref *Reference, a Attempt) {
		h := contact.NewHistory(person, own)
		a.RecordedAt = a.DialledAt + second
		for b.Loop() {
			if got := e.Assess(h, ref, a, a.DialledAt+day); (len(got.Findings) == 0) != (len(own) > 0) {
				b.Fatal(got.Findings)
			}
		}
	})
}
