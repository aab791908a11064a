package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is one family's recorder with everything around it.
type rig struct {
	t      *testing.T
	nc     *nats.Conn
	js     jetstream.JetStream
	clock  *ticking
	log    *fakeLog
	vault  *fakeVault
	queue  *natsintake.Intake
	got    <-chan intake.Receipt
	logs   *observer.ObservedLogs
	cfg    Config
	alarms chan Alarm
}

const token = "door-1"

func newRig(t *testing.T, family events.Family) *rig {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "test", DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatalf("new server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	ctx := context.Background()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	must("provision intake", natsintake.Provision(ctx, nc, natsintake.Settings{MaxBytes: 64 << 20}))
	must("provision rejects", Provision(ctx, nc, 1))
	js, err := jetstream.New(nc)
	must("jetstream", err)
	leases, err := worker.OpenLeases(ctx, js, 10*time.Second, 1)
	must("leases", err)
	clock := &ticking{now: start}
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{
		t: t, nc: nc, js: js, clock: clock, log: newFakeLog(t, clock.read), vault: newFakeVault(),
		queue: natsintake.Open(nc, nil), logs: logs, alarms: make(chan Alarm, 1000),
	}
	t.Cleanup(r.queue.Close)
	rejects, err := NewRejects(nc, r.vault, clock.read)
	must("rejects", err)
	parked, err := NewParked(nc, r.vault, r.queue, clock.read)
	must("parked", err)
	got, stop, err := r.queue.Await(ctx, token)
	must("await", err)
	t.Cleanup(stop)
	r.got = got
	r.cfg = Config{
		Family: family, Conn: nc, Leases: leases, Instance: "one", Ledger: r.log, Vault: r.vault, Receipts: r.queue,
		Rejects: rejects, Parked: parked, Clock: clock.read, Logger: zap.New(core),
		Alarm: func(a Alarm) { r.alarms <- a }, BeatEvery: 20 * time.Millisecond, TakeoverGrace: 50 * time.Millisecond,
		Retry: worker.Retry{First: time.Millisecond, Most: 5 * time.Millisecond}, Idle: 100 * time.Millisecond,
	}
	return r
}

// run starts a recorder with a memory of its own and returns what ends it.
func (r *rig) run(change func(*Config)) (rec *Recorder, stop func()) {
	r.t.Helper()
	cfg := r.cfg
	if change != nil {
		change(&cfg)
	}
	rec, err := New(cfg)
	if err != nil {
		r.t.Fatalf("new recorder: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := rec.Run(ctx); err != nil {
			r.t.Errorf("run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	r.t.Cleanup(stop)
	return rec, stop
}

// submission builds one; data is JSON.
func submission(typ events.Type, id, data string) intake.Submission {
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"crm.a.example","type":%q,"time":"2026-03-04T09:00:00+01:00","controller":"A","data":%s}`, id, typ, data)
	return intake.Submission{Family: typ.Family(), Source: "crm.a.example", Type: typ, Token: token, Ref: "ref-" + id, Body: []byte(body)}
}

func revoke(id, phone string) intake.Submission {
	return submission(events.TypeConsentRevoked, id, `{"phone":"`+phone+`"}`)
}

func (r *rig) submit(list ...intake.Submission) {
	r.t.Helper()
	for i, err := range r.queue.Submit(context.Background(), list) {
		if err != nil {
			r.t.Fatalf("submit %d: %v", i, err)
		}
	}
}

// receipts waits for n receipts.
func (r *rig) receipts(n int) []intake.Receipt {
	r.t.Helper()
	var out []intake.Receipt
	deadline := time.After(20 * time.Second)
	for len(out) < n {
		select {
		case got := <-r.got:
			out = append(out, got)
		case <-deadline:
			r.t.Fatalf("%d of %d receipts came: %+v", len(out), n, out)
		}
	}
	return out
}

// settled waits until the queue is acknowledged to its end.
func (r *rig) settled() {
	r.t.Helper()
	stream := natsintake.StreamOf(r.cfg.Family)
	deadline := time.Now().Add(20 * time.Second)
	for {
		ctx := context.Background()
		s, err := r.js.Stream(ctx, stream)
		if err == nil {
			var c jetstream.Consumer
			if c, err = s.Consumer(ctx, "recorder-"+string(r.cfg.Family)); err == nil && c.CachedInfo().AckFloor.Stream >= s.CachedInfo().State.LastSeq {
				return
			}
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the queue is not acknowledged: %v", err)
		}
		time.Sleep(5 * time.Millisecond) // polls a state that has no event
	}
}

// check is the whole-state checker: the log holds exactly the given ids, each
// contact is in the vault, each reject is there once and bears no number.
func (r *rig) check(recorded []string, rejected int) {
	r.t.Helper()
	slices.Sort(recorded)
	if got := r.log.ids(); !slices.Equal(got, recorded) {
		r.t.Errorf("the ledger holds %v, want %v", got, recorded)
	}
	for _, e := range r.log.events() {
		if _, ok := r.vault.numbers[e.Subject]; !ok && !e.Subject.IsZero() {
			r.t.Errorf("the number of %s is not in the vault", e.ID)
		}
	}
	list, _, err := r.cfg.Rejects.List(context.Background(), "", "", MaxPage)
	if err != nil || len(list) != rejected {
		r.t.Errorf("%d rejects, want %d (%v)", len(list), rejected, err)
	}
	for _, one := range list {
		if _, err := r.cfg.Rejects.Original(context.Background(), one.Reject); err != nil {
			r.t.Errorf("original of reject %s: %v", one.Reject, err)
		}
	}
	r.noNumbers()
}

// noNumbers: no number stands in a log line or in a stream but the queue.
func (r *rig) noNumbers() {
	r.t.Helper()
	const digits = "340123"
	for _, line := range r.logs.All() {
		text, err := json.Marshal(line.ContextMap())
		if err != nil || strings.Contains(string(text)+line.Message, digits) {
			r.t.Errorf("a number stands in the log: %s %v", line.Message, err)
		}
	}
	rejected, _, err := r.cfg.Rejects.shelf.page(context.Background(), "", "", MaxPage)
	parked, _, again := r.cfg.Parked.shelf.page(context.Background(), "", "", MaxPage)
	if err != nil || again != nil {
		r.t.Errorf("read what was set aside: %v, %v", err, again)
	}
	for _, m := range slices.Concat(rejected, parked) {
		if strings.Contains(string(m.body), digits) {
			r.t.Errorf("a number stands among what was set aside: %s", m.body)
		}
	}
	for _, e := range r.log.streams {
		for _, body := range e {
			if strings.Contains(string(body), digits) {
				r.t.Error("a number stands in the ledger")
			}
		}
	}
}

func vaultNumber(e164 string) vault.Number { return vault.NewNumber(e164) }

// queued reads the family's queue from its beginning, as batches carry it.
func (r *rig) queued() []worker.Message {
	r.t.Helper()
	ctx := context.Background()
	s, err := r.js.Stream(ctx, natsintake.StreamOf(r.cfg.Family))
	if err != nil {
		r.t.Fatalf("queue: %v", err)
	}
	var out []worker.Message
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if err != nil {
			r.t.Fatalf("queue: %v", err)
		}
		out = append(out, worker.Message{
			Stream: natsintake.StreamOf(r.cfg.Family), Sequence: seq, Subject: m.Subject, Header: m.Header, Body: m.Data, StoredAt: m.Time.UTC(),
		})
	}
	return out
}
