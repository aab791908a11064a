package projection_test

import (
	"context"
	"testing"

	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/view"
)

// rebuild runs one projection over the log from where it stands to the end.
func rebuild(b *testing.B, log *projectiontest.Log, store view.Store, p projection.Projection) {
	b.Helper()
	follows(b, log, store, p, projection.Config{})
}

func follows(b *testing.B, log *projectiontest.Log, store view.Store, p projection.Projection, cfg projection.Config) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	run := projection.NewRunner(log, store, p, cfg)
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx) }()
	err := run.AwaitIdle(ctx, log.End())
	cancel()
	_ = <-ended // cancelled
	if err != nil {
		b.Fatal(err)
	}
}

// One operation is one event of a plausible day, from zero.
func BenchmarkConsentState(b *testing.B) {
	log := projectiontest.Day(1, max(b.N/8, 10), b.N)
	store := openView(b)
	b.ReportAllocs()
	b.ResetTimer()
	rebuild(b, log, store, consentstate.New(nil))
}

// The same over the index that consentstate has built.
func BenchmarkViolations(b *testing.B) {
	log := projectiontest.Day(1, max(b.N/8, 10), b.N)
	store := openView(b)
	rebuild(b, log, store, consentstate.New(nil))
	law := engine(b)
	b.ReportAllocs()
	b.ResetTimer()
	rebuild(b, log, store, violations.New(law))
}

// One operation is one late event of a contact that has 1,000 events already,
// three such contacts, in batches of at most 60.
func BenchmarkViolationsLate(b *testing.B) {
	const contacts, before = 3, 15_000
	log := projectiontest.Busy(1, contacts, before+b.N)
	store := openView(b)
	rebuild(b, log, store, consentstate.New(nil))
	law := engine(b)
	first := &projectiontest.Log{Streams: log.Prefix(100 * before / (before + b.N))}
	rebuild(b, first, store, violations.New(law))
	left := log.Len() - first.Len()
	b.ReportAllocs()
	b.ResetTimer()
	follows(b, log, store, violations.New(law), projection.Config{MaxBatch: 60})
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(left), "ms/event")
}
