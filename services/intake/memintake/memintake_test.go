package memintake_test

import (
	"context"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/intaketest"
	"github.com/assenso/assenso/services/intake/memintake"
)

func TestConformance(t *testing.T) {
	intaketest.Run(t, func(*testing.T) intaketest.Harness {
		const limit = intake.MaxBody
		m := memintake.New(limit)
		return intaketest.Harness{
			Port: m, Sender: m,
			Queued: func(t *testing.T, f events.Family, n int) []intake.Submission {
				got, err := m.Take(context.Background(), f, n)
				if err != nil {
					t.Fatalf("take: %v", err)
				}
				return got
			},
			Fill: func(t *testing.T, f events.Family) {
				s := intaketest.Grant("fill")
				for s.Family, s.Body = f, make([]byte, 1); m.Submit(context.Background(), []intake.Submission{s})[0] == nil; {
				}
			},
			Cut: func(*testing.T) { m.Cut(true) },
		}
	})
}
