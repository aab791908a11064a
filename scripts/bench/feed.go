package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	program "github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
)

func init() { register("feed", benchFeed) }

// benchFeed measures how long a revocation takes from the CRM's publish to the
// dialers, on the whole program with sync always: idle, and beside background
// load. "recorded" is the ledger's receipt, "applied" the moment at which a
// dialer over NATS, and one over server-sent events, has read the stop.
func benchFeed(ctx context.Context, s settings) (err error) {
	b, err := startFeedBench(ctx, s.dir)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return err
	}
	idle, err := b.measure(ctx, s.seconds, 0)
	if err != nil {
		return err
	}
	idle.print(s, "idle")
	endProfile, err := profile(s.profile)
	if err != nil {
		return err
	}
	loaded, err := b.measure(ctx, s.seconds, s.rate)
	if err = errors.Join(err, endProfile()); err != nil {
		return err
	}
	loaded.print(s, fmt.Sprintf("under %d calls/s", s.rate))
	return nil
}

// revocationsPerSecond are published while measuring.
const revocationsPerSecond = 20

// feedBench is the program with a CRM and two dialers.
type feedBench struct {
	crm     *nats.Conn
	js      jetstream.JetStream
	queue   *natsintake.Intake
	closers []func() error
	sent    int
	calls   int

	mu      sync.Mutex
	revoked map[string]*passage // by event id
}

// passage is when one revocation came where.
type passage struct {
	published, recorded, overNATS, overSSE time.Time
	said                                   time.Duration // from the recorded time to the feed's publish
}

func (b *feedBench) close() error {
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	return errors.Join(errs...)
}

func startFeedBench(ctx context.Context, dir string) (*feedBench, error) {
	b := &feedBench{revoked: map[string]*passage{}}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return b, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return b, err
	}
	cfg := program.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen = dir+"/data", "127.0.0.1:0", address
	h, err := program.Open(ctx, cfg, program.Options{Log: zap.NewNop()})
	if err != nil {
		return b, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- h.Run(running) }()
	b.closers = append(b.closers, func() error { stop(); return <-ended })
	if b.crm, err = nats.Connect("nats://" + address); err != nil {
		return b, err
	}
	b.closers = append(b.closers, func() error { b.crm.Close(); return nil })
	if b.js, err = jetstream.New(b.crm); err != nil {
		return b, err
	}
	b.queue = natsintake.Open(b.crm, nil)
	b.closers = append(b.closers, func() error { b.queue.Close(); return nil })
	if _, err := b.crm.Subscribe("receipts.*.bench", b.receipt); err != nil {
		return b, err
	}
	if err := b.dialNATS(ctx, address); err != nil {
		return b, err
	}
	return b, b.dialSSE(ctx, "http://"+h.Address())
}

func (b *feedBench) note(id string, mark func(*passage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.revoked[id]; p != nil {
		mark(p)
	}
}

func (b *feedBench) receipt(m *nats.Msg) {
	now := time.Now()
	var r intake.Receipt
	if json.Unmarshal(m.Data, &r) == nil {
		b.note(r.ID, func(p *passage) { p.recorded = now })
	}
}

// dialNATS is a dialer that reads FEED.
func (b *feedBench) dialNATS(ctx context.Context, address string) error {
	conn, err := nats.Connect("nats://" + address)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func() error { conn.Close(); return nil })
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, events.FeedStream, jetstream.OrderedConsumerConfig{FilterSubjects: events.FeedFilters("A")})
	if err != nil {
		return err
	}
	reading, err := consumer.Consume(func(m jetstream.Msg) {
		now := time.Now()
		var f events.FeedMessage
		if json.Unmarshal(m.Data(), &f) == nil {
			b.note(f.Cause.ID, func(p *passage) { p.overNATS, p.said = now, f.Sent.Sub(f.Recorded) })
		}
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func() error { reading.Stop(); return nil })
	return nil
}

// dialSSE is a dialer that reads server-sent events.
func (b *feedBench) dialSSE(ctx context.Context, base string) error {
	for end := time.Now().Add(20 * time.Second); ; {
		req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, base+"/v1/feed?controller=A&dialer=bench", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		current := make(chan bool, 1)
		go b.readSSE(resp.Body, current)
		if ok := <-current; ok {
			b.closers = append(b.closers, resp.Body.Close)
			return nil
		}
		if time.Now().After(end) {
			return errors.New("the feed does not become current")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (b *feedBench) readSSE(body io.Reader, current chan<- bool) {
	in := bufio.NewScanner(body)
	told := false
	for name := ""; in.Scan(); {
		field, value, _ := strings.Cut(in.Text(), ": ")
		switch {
		case field == "event":
			name = value
			if value == "current" && !told {
				told = true
				current <- true
			}
		case field == "data" && name == "suppression":
			now := time.Now()
			var f events.FeedMessage
			if json.Unmarshal([]byte(value), &f) == nil {
				b.note(f.Cause.ID, func(p *passage) { p.overSSE = now })
			}
		}
	}
	if !told {
		current <- false
	}
}

// passages are the spans of one measurement.
type passages struct{ recorded, overNATS, overSSE, toNATS, said []time.Duration }

// measure publishes revocations for a while, beside rate calls a second.
func (b *feedBench) measure(ctx context.Context, d time.Duration, rate int) (*passages, error) {
	load, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.load(load, rate) }()
	if rate > 0 {
		time.Sleep(time.Second) // until the load flows
	}
	b.mu.Lock()
	b.revoked = map[string]*passage{}
	b.mu.Unlock()
	tick := time.NewTicker(time.Second / revocationsPerSecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(d); err == nil && time.Now().Before(end); <-tick.C {
		err = b.revoke(ctx)
	}
	out, lost := b.collect()
	for end := time.Now().Add(10 * time.Second); lost > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		out, lost = b.collect()
	}
	stop()
	if err = errors.Join(err, <-done); err == nil && lost > 0 {
		err = fmt.Errorf("%d revocations did not come to a dialer", lost)
	}
	return out, err
}

// collect sums up; lost counts the revocations that are not everywhere yet.
func (b *feedBench) collect() (*passages, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, lost := &passages{}, 0
	for _, p := range b.revoked {
		if p.recorded.IsZero() || p.overNATS.IsZero() || p.overSSE.IsZero() {
			lost++
			continue
		}
		out.recorded = append(out.recorded, p.recorded.Sub(p.published))
		out.overNATS = append(out.overNATS, p.overNATS.Sub(p.published))
		out.overSSE = append(out.overSSE, p.overSSE.Sub(p.published))
		out.toNATS = append(out.toNATS, p.overNATS.Sub(p.recorded))
		out.said = append(out.said, p.said)
	}
	return out, lost
}

func (b *feedBench) revoke(ctx context.Context) error {
	b.sent++
	id := fmt.Sprintf("w-%d", b.sent)
	m := nats.NewMsg(events.IntakeSubject(events.FamilyRevocations, "crm.bench", events.TypeConsentRevoked))
	m.Header.Set(intake.HeaderToken, "bench")
	m.Data = fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"crm.bench","type":"consent.revoked.v1","time":%q,"controller":"A","data":{"phone":"+39347%07d","medium":"app"}}`,
		id, time.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano), b.sent)
	b.mu.Lock()
	b.revoked[id] = &passage{published: time.Now()}
	b.mu.Unlock()
	_, err := b.js.PublishMsg(ctx, m)
	return err
}

// load publishes calls at a rate until ctx ends.
func (b *feedBench) load(ctx context.Context, rate int) error {
	if rate == 0 {
		return nil
	}
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	at := time.Now().Add(-time.Hour).UTC()
	for {
		batch := make([]intake.Submission, rate*int(pause)/int(time.Second))
		for i := range batch {
			b.calls++
			batch[i] = intake.Submission{Family: events.FamilyOutcomes, Source: "dialer.bench", Type: events.TypeCallConcluded, Body: fmt.Appendf(nil,
				`{"specversion":"1.0","id":"c-%d","source":"dialer.bench","type":"call.concluded.v1","time":%q,"controller":"A","campaign":"K-A","data":{"phone":"+39340%07d","dialled_at":%q,`+
					`"purpose":"marketing","channel":"operator_call","processor":"P1","cli":"+390844100100","mode":"preview","disposition":"no_answer"}}`,
				b.calls, at.Format(time.RFC3339Nano), b.calls%200_000, at.Format(time.RFC3339Nano))}
		}
		if err := errors.Join(b.queue.Submit(ctx, batch)...); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *passages) print(s settings, when string) {
	for _, row := range []struct {
		what string
		list []time.Duration
	}{
		{"published to recorded", p.recorded}, {"published to applied, NATS", p.overNATS}, {"published to applied, SSE", p.overSSE}, {"recorded to applied, NATS", p.toNATS},
		{"  stamped to published by the feed", p.said},
	} {
		slices.Sort(row.list)
		at := func(q float64) float64 {
			return float64(row.list[min(len(row.list)-1, int(q*float64(len(row.list))))].Microseconds()) / 1000
		}
		if len(row.list) == 0 {
			continue
		}
		fmt.Fprintf(s.out, "%-52s p50 %8.2f  p99 %8.2f  max %8.2f ms  (%d)\n", row.what+", "+when, at(0.5), at(0.99), at(1), len(row.list))
	}
}
