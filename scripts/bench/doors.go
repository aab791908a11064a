package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger/natsledger"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/recorder"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/vault/sqlvault"
	"github.com/assenso/assenso/services/worker"
)

func init() { register("doors", benchDoors) }

// benchDoors measures durable recording, sync always, as a share of the bare
// broker in the same run: the recorder alone, from a full queue to its receipts
// (vault upserts and ledger included), and the whole way from HTTP batches of
// 1000 to receipts, which crosses the disk twice. The bare broker is measured
// before, between and after.
func benchDoors(ctx context.Context, s settings) (err error) {
	h, err := openHouse(ctx, s.dir)
	defer func() { err = errors.Join(err, h.close()) }()
	if err != nil {
		return err
	}
	raw, err := newRawLoad(ctx, h.nc)
	if err != nil {
		return err
	}
	var bare float64
	const looks = 3
	look := func() error {
		r, err := raw.run(ctx, s.seconds/looks)
		bare += r / looks
		return err
	}
	if err := look(); err != nil {
		return err
	}
	alone, allocs, err := h.recorderAlone(ctx, s.seconds)
	if err != nil {
		return err
	}
	if err := look(); err != nil {
		return err
	}
	overHTTP, err := h.overHTTP(ctx, s.seconds)
	if err != nil {
		return err
	}
	if err := look(); err != nil {
		return err
	}
	s.figure("bare broker, atomic batches of 1000, one stream", bare, "events/s")
	s.figure("recorder alone, full queue to receipts", alone, "events/s")
	s.figure("  ratio", alone/bare, "")
	s.figure("  allocations, broker included", allocs, "per event")
	s.figure("HTTP batches of 1000 to receipts, 8 senders", overHTTP, "events/s")
	s.figure("  ratio (at least 0.25 wanted)", overHTTP/bare, "")
	return nil
}

// house is a broker, a ledger, a vault and the recorder of outcomes.
type house struct {
	nc, bulk *nats.Conn
	queue    *natsintake.Intake
	safe     vault.Vault
	cfg      recorder.Config
	closers  []func() error
	sent     int
}

func (h *house) close() error {
	var err error
	for i := len(h.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, h.closers[i]())
	}
	return err
}

func (h *house) atEnd(f func()) {
	h.closers = append(h.closers, func() error { f(); return nil })
}

// openHouse returns what was opened also with an error, to be closed.
func openHouse(ctx context.Context, dir string) (*house, error) {
	h := &house{}
	broker, err := embedded.Start(ctx, embedded.Options{Data: filepath.Join(dir, "doors")})
	if err != nil {
		return h, err
	}
	h.closers = append(h.closers, broker.Close)
	if h.nc, err = broker.Conn(); err != nil {
		return h, err
	}
	h.atEnd(h.nc.Close)
	if h.bulk, err = broker.Bulk(); err != nil {
		return h, err
	}
	h.atEnd(h.bulk.Close)
	clock := recorder.Monotone(func() events.Instant { return events.InstantOf(time.Now()) })
	log, err := natsledger.Open(ctx, h.nc, natsledger.Options{Create: true, Sync: natsledger.SyncOf(broker), Clock: clock, Bulk: h.bulk})
	if err != nil {
		return h, err
	}
	h.atEnd(log.Close)
	if h.safe, err = sqlvault.Open(ctx, sqlvault.Config{Folder: filepath.Join(dir, "vault")}); err != nil {
		return h, err
	}
	h.closers = append(h.closers, h.safe.Close)
	if err := errors.Join(natsintake.Provision(ctx, h.nc, natsintake.Settings{MaxBytes: 2 << 30}), recorder.Provision(ctx, h.nc, 1)); err != nil {
		return h, err
	}
	h.queue = natsintake.Open(h.nc, nil)
	h.atEnd(h.queue.Close)
	js, err := jetstream.New(h.nc)
	if err != nil {
		return h, err
	}
	leases, err := worker.OpenLeases(ctx, js, 0, 1)
	if err != nil {
		return h, err
	}
	rejects, err := recorder.NewRejects(h.nc, h.safe, clock)
	if err != nil {
		return h, err
	}
	parked, err := recorder.NewParked(h.nc, h.safe, h.queue, clock)
	if err != nil {
		return h, err
	}
	h.cfg = recorder.Config{
		Family: events.FamilyOutcomes, Conn: h.bulk, Leases: leases, Instance: "bench", Ledger: log, Vault: h.safe,
		Receipts: h.queue, Rejects: rejects, Parked: parked, Clock: clock,
	}
	return h, nil
}

// record runs a recorder while f does.
func (h *house) record(ctx context.Context, f func() error) error {
	rec, err := recorder.New(h.cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- rec.Run(ctx) }()
	err = f()
	cancel()
	return errors.Join(err, <-ended)
}

// call makes the next event: a call of the usual size, of one of 20,000 people.
func (h *house) call() []byte {
	h.sent++
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"c-%d","source":"dialer.p1.example","type":"call.concluded.v1","time":"2026-03-05T11:03:10+01:00","controller":"A","campaign":"K-A",`+
		`"data":{"phone":"+39340%07d","dialled_at":"2026-03-05T11:00:00+01:00","answered_at":"2026-03-05T11:00:12+01:00","agent_connected_at":"2026-03-05T11:00:13+01:00",`+
		`"released_at":"2026-03-05T11:03:10+01:00","purpose":"marketing","channel":"operator_call","processor":"P1","cli":"+390844100100","mode":"preview","agent":"agent-17",`+
		`"basis":"consent","batch":"B-9","decision":"d-5512","disposition":"asked_removal","statements":["identity","purpose","origin","rights","notice"]}}`, h.sent, h.sent%20000)
}

// recorderAlone fills the queue and then lets the recorder empty it.
func (h *house) recorderAlone(ctx context.Context, d time.Duration) (rate, allocs float64, err error) {
	n := max(20_000, int(d.Seconds()*20_000))
	for left := n; left > 0; left -= 4000 {
		batch := make([]intake.Submission, min(left, 4000))
		for i := range batch {
			batch[i] = intake.Submission{Family: events.FamilyOutcomes, Source: "dialer.p1.example", Type: events.TypeCallConcluded, Token: "bench", Body: h.call()}
		}
		if err := errors.Join(h.queue.Submit(ctx, batch)...); err != nil {
			return 0, 0, err
		}
	}
	got, stop, err := h.queue.Await(ctx, "bench")
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	err = h.record(ctx, func() error {
		for range n {
			select {
			case r := <-got:
				if r.Result != intake.Recorded {
					return fmt.Errorf("a new call was %s", r.Result)
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		rate = float64(n) / time.Since(begun).Seconds()
		runtime.ReadMemStats(&after)
		return nil
	})
	return rate, float64(after.Mallocs-before.Mallocs) / float64(n), err
}

// overHTTP posts arrays of 1000 from several senders, each waiting for the
// receipts of one before it sends the next.
func (h *house) overHTTP(ctx context.Context, d time.Duration) (float64, error) {
	g, err := gateway.New(gateway.Config{
		Version: "bench", Access: access.Local{}, Intake: h.queue, Rejects: struct{ gateway.Rejects }{}, Normalise: numbers.Normalise,
		Key: func(p events.Phone) events.ContactKey { return h.safe.Key(vault.NewNumber(p.E164())) },
		// Submissions do not touch these ports.
		Desk: struct{ gateway.Desk }{}, Gate: struct{ gateway.Gate }{}, Lists: struct{ gateway.Lists }{}, Reports: struct{ gateway.Reports }{}, Objects: struct{ gateway.Objects }{}, Enquiries: struct{ gateway.Enquiries }{}, Numbers: func(context.Context, events.ContactKey) (string, error) { return "", vault.ErrUnknown },
		RejectLog: struct{ gateway.RejectLog }{}, ParkedLog: struct{ gateway.ParkedLog }{}, Readiness: struct{ gateway.Readiness }{},
		Clock: h.cfg.Clock, Log: zap.NewNop(), ReceiptWait: time.Minute,
	})
	if err != nil {
		return 0, err
	}
	door := httptest.NewServer(g.Handler())
	defer door.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listening := make(chan error, 1)
	go func() { listening <- g.Receive(ctx) }()
	const senders, size = 8, 1000
	var mu sync.Mutex
	next := func() []byte {
		mu.Lock()
		defer mu.Unlock()
		var b bytes.Buffer
		for i := range size {
			b.WriteByte("[,"[min(i, 1)])
			b.Write(h.call())
		}
		b.WriteByte(']')
		return b.Bytes()
	}
	var rate float64
	err = h.record(ctx, func() error {
		begun := time.Now()
		counts, errs := make([]int, senders), make([]error, senders)
		var wg sync.WaitGroup
		for w := range senders {
			wg.Go(func() {
				for errs[w] == nil && time.Since(begun) < d {
					var n int
					n, errs[w] = post(ctx, door.URL+"/v1/events", next())
					counts[w] += n
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		rate = float64(total) / time.Since(begun).Seconds()
		return errors.Join(errs...)
	})
	cancel()
	if heard := <-listening; heard != nil && !errors.Is(heard, context.Canceled) {
		err = errors.Join(err, heard)
	}
	return rate, err
}

// post sends one batch and counts the items that were recorded.
func post(ctx context.Context, url string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var answer gateway.Batch
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("answer %s: %w", res.Status, err)
	}
	n := answer.Counts[gateway.Result(intake.Recorded)]
	if n == 0 {
		return 0, fmt.Errorf("answer %s: nothing recorded", res.Status)
	}
	return n, nil
}
