package events_test

import (
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

func benchBody(b *testing.B) []byte {
	b.Helper()
	return eventstest.NewGenerator(1).Submission(events.TypeCallConcluded)
}

// BenchmarkRecord is a recorder's work per submission without vault and ledger.
func BenchmarkRecord(b *testing.B) {
	body := benchBody(b)
	b.ReportAllocs()
	for b.Loop() {
		s, faults := events.Validate(body, events.ValidateOptions{Now: recordedAt, Normalise: eventstest.Normalise})
		if len(faults) > 0 {
			b.Fatal(faults)
		}
		if _, fault := s.Record(events.ContactKey{1}, events.ContactKey{}); fault != nil {
			b.Fatal(fault)
		}
	}
}

// BenchmarkPeek is the door's look at a submission.
func BenchmarkPeek(b *testing.B) {
	body := benchBody(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := events.Peek(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseInstant(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.ParseInstant("2026-03-05T11:03:10.123+01:00"); err != nil {
			b.Fatal(err)
		}
	}
}
