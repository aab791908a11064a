package recorder_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/natsledger"
	"github.com/assenso/assenso/services/recorder"
	"github.com/assenso/assenso/services/vault/sqlvault"
	"github.com/assenso/assenso/services/worker"
)

// BenchmarkRecorder measures the recorder alone, with everything on disk: from
// a full queue to the receipts, vault upserts and ledger included.
func BenchmarkRecorder(b *testing.B) {
	ctx := context.Background()
	fail := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	broker, err := embedded.Start(ctx, embedded.Options{Data: filepath.Join(dir, "data")})
	fail(err)
	b.Cleanup(func() { fail(broker.Close()) })
	conn := func() *nats.Conn {
		nc, err := broker.Conn()
		fail(err)
		b.Cleanup(nc.Close)
		return nc
	}
	bulk, err := broker.Bulk()
	fail(err)
	b.Cleanup(bulk.Close)
	nc := conn()
	fail(natsintake.Provision(ctx, nc, natsintake.Settings{MaxBytes: 1 << 30}))
	fail(recorder.Provision(ctx, nc, 1))
	clock := recorder.Monotone(func() events.Instant { return events.InstantOf(time.Now()) })
	log, err := natsledger.Open(ctx, conn(), natsledger.Options{Create: true, Mode: ledger.Strict, Sync: natsledger.SyncOf(broker), Clock: clock, Bulk: bulk})
	fail(err)
	b.Cleanup(log.Close)
	safe, err := sqlvault.Open(ctx, sqlvault.Config{Folder: filepath.Join(dir, "vault")})
	fail(err)
	b.Cleanup(func() { fail(safe.Close()) })
	js, err := jetstream.New(nc)
	fail(err)
	leases, err := worker.OpenLeases(ctx, js, 0, 1)
	fail(err)
	queue := natsintake.Open(nc, nil)
	b.Cleanup(queue.Close)
	rejects, err := recorder.NewRejects(nc, safe, clock)
	fail(err)
	parked, err := recorder.NewParked(nc, safe, queue, clock)
	fail(err)

	var list []intake.Submission
	for i := range b.N {
		list = append(list, intake.Submission{
			Family: events.FamilyOutcomes, Source: "dialer.p1.example", Type: events.TypeCallConcluded, Token: "bench", Ref: fmt.Sprint(i),
			Body: fmt.Appendf(nil, `{"specversion":"1.0","id":"c-%d","source":"dialer.p1.example","type":"call.concluded.v1","time":"2026-03-05T11:03:10+01:00","controller":"A","campaign":"K-A",
"data":{"phone":"+39340%07d","dialled_at":"2026-03-05T11:00:00+01:00","answered_at":"2026-03-05T11:00:12+01:00","agent_connected_at":"2026-03-05T11:00:13+01:00",
"released_at":"2026-03-05T11:03:10+01:00","purpose":"marketing","channel":"operator_call","processor":"P1","cli":"+390844100100","mode":"preview","agent":"agent-17",
"basis":"consent","batch":"B-9","decision":"d-5512","disposition":"asked_removal","statements":["identity","purpose","origin","rights","notice"]}}`, i, i%20000),
		})
	}
	for from := 0; from < len(list); from += 4000 {
		for _, err := range queue.Submit(ctx, list[from:min(from+4000, len(list))]) {
			fail(err)
		}
	}
	reg := prometheus.NewRegistry()
	got, stop, err := queue.Await(ctx, "bench")
	fail(err)
	defer stop()
	rec, err := recorder.New(recorder.Config{
		Family: events.FamilyOutcomes, Conn: bulk, Leases: leases, Ledger: log, Vault: safe, Receipts: queue, Rejects: rejects, Parked: parked, Clock: clock, Metrics: reg,
	})
	fail(err)
	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	go func() { ended <- rec.Run(run) }()
	for range b.N {
		if r := <-got; r.Result != intake.Recorded {
			b.Fatalf("receipt %+v", r)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/event")
	cancel()
	fail(<-ended)
	steps(b, reg)
}

// cpu is the processor time of this process, broker included: the figure that
// other work on the machine does not change much.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// steps reports where the time went: microseconds an event in each step, of
// which the vault's and the ledger's overlap.
func steps(b *testing.B, reg *prometheus.Registry) {
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "assenso_recorder_step_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "step" {
					b.ReportMetric(m.GetHistogram().GetSampleSum()/float64(b.N)*1e6, "us/"+l.GetValue())
				}
			}
		}
	}
}
