package natsintake_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/intaketest"
	"github.com/assenso/assenso/services/intake/natsintake"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"))
}

func broker(t *testing.T) (*server.Server, *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "test", DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatalf("new server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(0))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s, nc
}

func TestConformance(t *testing.T) {
	intaketest.Run(t, func(t *testing.T) intaketest.Harness {
		s, nc := broker(t)
		ctx := context.Background()
		if err := natsintake.Provision(ctx, nc, natsintake.Settings{MaxBytes: 512 << 10}); err != nil {
			t.Fatalf("provision: %v", err)
		}
		i := natsintake.Open(nc, nil)
		t.Cleanup(i.Close)
		return intaketest.Harness{
			Port: i, Sender: i,
			Queued: func(t *testing.T, f events.Family, n int) []intake.Submission { return queued(t, nc, f, n) },
			Fill: func(t *testing.T, f events.Family) {
				sub := intaketest.Grant("fill")
				sub.Family = f
				for _, size := range []int{16 << 10, 1 << 10, 1} {
					for sub.Body = make([]byte, size); i.Submit(ctx, []intake.Submission{sub})[0] == nil; {
					}
				}
			},
			Cut: func(*testing.T) { s.Shutdown() },
		}
	})
}

// queued reads a family's queue from its beginning.
func queued(t *testing.T, nc *nats.Conn, f events.Family, n int) []intake.Submission {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := js.OrderedConsumer(ctx, natsintake.StreamOf(f), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatalf("consumer: %v", err)
	}
	batch, err := c.Fetch(n)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	var out []intake.Submission
	for m := range batch.Messages() {
		family, source, typ, err := events.ParseIntakeSubject(m.Subject())
		if err != nil {
			t.Fatalf("subject %q: %v", m.Subject(), err)
		}
		h := m.Headers()
		if h.Get(jetstream.MsgIDHeader) != "" {
			t.Error("a submission bears a message id: the broker would swallow its retry")
		}
		out = append(out, intake.Submission{
			Family: family, Source: source, Type: typ, Body: m.Data(),
			Token: h.Get(intake.HeaderToken), Ref: h.Get(intake.HeaderRef), Trace: h.Get(intake.HeaderTrace),
		})
	}
	if len(out) != n {
		t.Fatalf("%d of %d in the queue: %v", len(out), n, batch.Error())
	}
	return out
}

// TestStreams: the queues have the settings of design.md 4.
func TestStreams(t *testing.T) {
	_, nc := broker(t)
	ctx := context.Background()
	for range 2 { // the second time finds them
		if err := natsintake.Provision(ctx, nc, natsintake.Settings{}); err != nil {
			t.Fatalf("provision: %v", err)
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range events.Families {
		s, err := js.Stream(ctx, natsintake.StreamOf(f))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		c := s.CachedInfo().Config
		if c.Retention != jetstream.LimitsPolicy || c.Storage != jetstream.FileStorage || c.Discard != jetstream.DiscardNew ||
			!c.AllowAtomicPublish || c.MaxAge != 0 || c.MaxBytes < 64<<20 || c.MaxMsgs != -1 || c.MaxMsgsPerSubject != -1 {
			t.Errorf("%s: settings %+v", f, c)
		}
	}
	if err := natsintake.Provision(ctx, nc, natsintake.Settings{MaxBytes: 1 << 20}); err != nil {
		t.Fatalf("provision anew: %v", err)
	}
	if s, err := js.Stream(ctx, "INTAKE_GRANTS"); err != nil || s.CachedInfo().Config.MaxBytes != 1<<20 {
		t.Errorf("an operator's byte limit was not taken: %v", err)
	}
}

// TestForeignPublisher: a publisher without this package gets JetStream's own
// answer as the first acknowledgement.
func TestForeignPublisher(t *testing.T) {
	_, nc := broker(t)
	if err := natsintake.Provision(context.Background(), nc, natsintake.Settings{MaxBytes: 1 << 20}); err != nil {
		t.Fatalf("provision: %v", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(context.Background(), "intake.revocations.app%2Ea.consent.revoked.v1", []byte(`{}`))
	if err != nil || ack.Stream != "INTAKE_REVOCATIONS" || ack.Sequence != 1 {
		t.Fatalf("ack %+v, error %v", ack, err)
	}
	if got := queued(t, nc, events.FamilyRevocations, 1)[0]; got.Source != "app.a" || got.Type != events.TypeConsentRevoked {
		t.Errorf("queued %+v", got)
	}
}
