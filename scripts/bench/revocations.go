package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	whole "github.com/assenso/assenso/services/house"
)

func init() { register("revocations", benchRevocations) }

// benchRevocations measures how long a revocation takes from a CRM that
// publishes it over NATS to the receipt (recorded: on disk in queue and ledger),
// and to two dialers that have applied it, one that follows the feed over NATS,
// one over server-sent events: first with nothing else to do, then while another
// source submits call outcomes at a fixed rate. Everything is durable (sync
// always) and runs in one process with the house.
func benchRevocations(ctx context.Context, s settings) (err error) {
	cfg := whole.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen = filepath.Join(s.dir, "data"), "127.0.0.1:0", "127.0.0.1:0"
	whole.UseThreads()
	h, err := whole.Open(ctx, cfg, whole.Options{Log: zap.NewNop()})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	d, err := openDialers(ctx, h)
	if err != nil {
		return err
	}
	defer d.close()
	for h.Settle(ctx, h.Now()) != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := d.revoke(ctx, s, "idle", 0, int(50*s.seconds.Seconds())); err != nil {
		return err
	}
	loading, unload := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	go func() { loaded <- d.load(loading, "http://"+h.Address(), s.rate) }()
	begin := time.Now()
	err = d.revoke(ctx, s, fmt.Sprintf("under %d events/s", s.rate), 1_000_000, int(50*s.seconds.Seconds()))
	unload()
	if err = errors.Join(err, <-loaded); err != nil {
		return err
	}
	s.figure("background events stored in the queue", float64(d.background)/time.Since(begin).Seconds(), "events/s")
	return nil
}

// dialers are a CRM and two dialers of one controller.
type dialers struct {
	nc         *nats.Conn // the dialer's and the CRM's
	publisher  *client.Publisher
	set        *client.Suppressions
	cancel     context.CancelFunc
	sse        sync.WaitGroup
	background int

	mu      sync.Mutex
	overNC  map[string]time.Time // number → applied
	overSSE map[string]time.Time
	fault   error
}

func openDialers(ctx context.Context, h *whole.House) (*dialers, error) {
	d := &dialers{overNC: map[string]time.Time{}, overSSE: map[string]time.Time{}}
	var err error
	if d.nc, err = client.Connect(h.BrokerURL(), "bench"); err != nil {
		return nil, err
	}
	if d.publisher, err = client.NewPublisher(d.nc, client.PublisherOptions{Source: "crm.example"}); err != nil {
		return nil, err
	}
	d.set, err = client.Follow(ctx, d.nc, client.FollowOptions{Controller: "A", Dialer: "bench-nats", Processor: "P1", OnStop: func(m events.FeedMessage) {
		d.applied(d.overNC, m.Phone)
	}})
	if err != nil {
		return nil, err
	}
	if err := d.set.WaitCurrent(ctx); err != nil {
		return nil, err
	}
	following, cancel := context.WithCancel(ctx)
	d.cancel = cancel
	req, err := http.NewRequestWithContext(following, http.MethodGet, "http://"+h.Address()+"/v1/feed?controller=A&dialer=bench-sse", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("feed answered %s", answer.Status), answer.Body.Close())
	}
	current := make(chan struct{})
	d.sse.Go(func() {
		d.listen(bufio.NewScanner(answer.Body), current)
		_ = answer.Body.Close() // it ended with its context
	})
	select {
	case <-current:
		return d, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *dialers) close() {
	d.cancel()
	d.sse.Wait()
	d.set.Close()
	d.publisher.Close()
	d.nc.Close()
	http.DefaultClient.CloseIdleConnections()
}

func (d *dialers) applied(by map[string]time.Time, phone string) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := by[phone]; !known {
		by[phone] = now
	}
}

// listen is a dialer over server-sent events with a suppression set of its own.
func (d *dialers) listen(lines *bufio.Scanner, current chan struct{}) {
	set := client.NewSuppressions(client.SuppressionOptions{Controller: "A"})
	kind := ""
	for lines.Scan() {
		line := lines.Text()
		if v, ok := strings.CutPrefix(line, "event:"); ok {
			kind = strings.TrimSpace(v)
		}
		data, ok := strings.CutPrefix(line, "data:")
		if !ok {
			continue
		}
		switch kind {
		case "current":
			close(current)
		case "suppression":
			var m events.FeedMessage
			err := json.Unmarshal([]byte(data), &m)
			if err == nil {
				_, err = set.Apply(m)
			}
			if err != nil {
				d.mu.Lock()
				d.fault = errors.Join(d.fault, err)
				d.mu.Unlock()
				continue
			}
			d.applied(d.overSSE, m.Phone)
		}
	}
}

// revoke publishes revocations of different numbers, one at a time, 50 a second.
func (d *dialers) revoke(ctx context.Context, s settings, how string, from, n int) error {
	sent, receipts := make([]time.Time, n), make([]time.Time, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * 20 * time.Millisecond)))
		all.Go(func() {
			sent[i] = time.Now()
			r, err := d.publisher.Publish(ctx, client.Event{Type: events.TypeConsentRevoked, Time: time.Now(), Controller: "A", Phone: populationPhone(from + i).E164(),
				Data: map[string]any{"medium": "app"}})
			receipts[i] = time.Now()
			if errs[i] = err; err == nil && r.Result != client.Recorded {
				errs[i] = fmt.Errorf("result %s", r.Result)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	receipt, overNC, overSSE := make([]time.Duration, n), make([]time.Duration, n), make([]time.Duration, n)
	var late [2][]time.Duration // after the receipt
	for i := range n {
		phone := populationPhone(from + i).E164()
		at, err := d.heard(ctx, phone)
		if err != nil {
			return err
		}
		receipt[i], overNC[i], overSSE[i] = receipts[i].Sub(sent[i]), at[0].Sub(sent[i]), at[1].Sub(sent[i])
		for k := range late {
			late[k] = append(late[k], max(0, at[k].Sub(receipts[i])))
		}
	}
	s.revocationTimes("published → recorded, "+how, receipt)
	s.revocationTimes("published → applied over NATS, "+how, overNC)
	s.revocationTimes("published → applied over SSE, "+how, overSSE)
	s.revocationTimes("recorded → applied over NATS, "+how, late[0])
	s.revocationTimes("recorded → applied over SSE, "+how, late[1])
	return nil
}

func (s settings) revocationTimes(what string, all []time.Duration) {
	slices.Sort(all)
	ms := func(i int) float64 { return float64(all[i].Microseconds()) / 1000 }
	s.figure(what+", p50", ms(len(all)/2), "ms")
	s.figure(what+", p99", ms(min(len(all)*99/100, len(all)-1)), "ms")
	s.figure(what+", max", ms(len(all)-1), "ms")
}

// heard waits until both dialers have applied the stop of a number.
func (d *dialers) heard(ctx context.Context, phone string) (at [2]time.Time, err error) {
	for end := time.Now().Add(30 * time.Second); ; {
		d.mu.Lock()
		a, okA := d.overNC[phone]
		b, okB := d.overSSE[phone]
		err := d.fault
		d.mu.Unlock()
		switch {
		case err != nil:
			return at, err
		case okA && okB:
			return [2]time.Time{a, b}, nil
		case time.Now().After(end) || ctx.Err() != nil:
			return at, errors.Join(ctx.Err(), errors.New("a revocation did not reach both dialers within 30 s"))
		}
		time.Sleep(time.Millisecond)
	}
}

// load submits call outcomes at a rate, spread over 50,000 numbers, as a call
// centre's system does: batches over HTTP, each of what is due since the last
// one was on disk in the queue. Singly, the broker stores some 4,000 a second
// when each is synced (design.md 4).
func (d *dialers) load(ctx context.Context, url string, rate int) error {
	begin := time.Now()
	var body bytes.Buffer
	for ctx.Err() == nil {
		time.Sleep(loadEvery)
		due := min(int(time.Since(begin).Seconds()*float64(rate)), d.background+loadMost)
		body.Reset()
		for i := d.background; i < due; i++ {
			at := events.InstantOf(time.Now()).String()
			fmt.Fprintf(&body, `{"specversion":"1.0","id":"c-%d","source":"dialer.example","type":"call.concluded.v1","time":"%s","controller":"B","campaign":"K-B","data":{"phone":"%s","dialled_at":"%s","purpose":"marketing","channel":"operator_call","cli":"+390844100100","disposition":"no_answer"}}`+"\n",
				i, at, populationPhone(2_000_000+i%50_000).E164(), at)
		}
		if body.Len() == 0 {
			continue
		}
		if err := submit(url, &body); err != nil {
			return err
		}
		d.background = due
	}
	return nil
}

// loadEvery and loadMost bound the batches of the background load.
const (
	loadEvery = 20 * time.Millisecond
	loadMost  = 1000
)

// submit hands events in and waits until they are on disk in the queue.
func submit(url string, body io.Reader) error {
	req, err := http.NewRequest(http.MethodPost, url+"/v1/events", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Prefer", "respond-async")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 || bytes.Contains(text, []byte(`"result":"rejected"`)) || bytes.Contains(text, []byte(`"result":"unavailable"`)) {
		return fmt.Errorf("background load answered %s: %.300s", answer.Status, text)
	}
	return nil
}
