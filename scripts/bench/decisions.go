package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/gate"
	whole "github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/rules"
)

func init() { register("decisions", benchDecisions) }

// benchDecisions measures answers of the gate: in process, over NATS, over
// HTTP, with some millions of contacts loaded, six events each. The house
// around the gate is whole and durable (sync always): every signed answer is
// recorded through queue, recorder, ledger and views while the next ones are
// given. Questions over NATS and HTTP come at a fixed rate, whatever the
// answers do; a latency counts from the instant at which the question was due.
func benchDecisions(ctx context.Context, s settings) error {
	for _, n := range s.contacts {
		if err := decisionsWith(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

func decisionsWith(ctx context.Context, s settings, contacts int) (err error) {
	fmt.Fprintf(s.out, "with %d contacts\n", contacts)
	folder := filepath.Join(s.dir, fmt.Sprint(contacts))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	cfg := whole.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen = folder, "127.0.0.1:0", "127.0.0.1:0"
	cfg.Only = s.only
	if err := cfg.Check(); err != nil {
		return err
	}
	whole.UseThreads()
	var people *population
	h, err := whole.Open(ctx, cfg, whole.Options{Log: zap.NewNop(), GateLedger: func(key func(events.Phone) events.ContactKey) (gate.Ledger, gate.Index) {
		people = newPopulation(contacts, key, wallClock)
		return people, people
	}})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- h.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	if err := caughtUp(ctx, h.Gate()); err != nil {
		return err
	}
	took := time.Since(begin)
	s.figure("events read from the log", float64(contacts*eventsPerContact)/took.Seconds(), "events/s")
	gateMemory(s, h.Gate().Stats())
	if err := askInProcess(ctx, s, h); err != nil {
		return err
	}
	endProfile, err := profile(s.profile)
	if err != nil {
		return err
	}
	if err := errors.Join(askOverNATS(ctx, s, h), endProfile()); err != nil {
		return err
	}
	if err := askOverHTTP(ctx, s, h); err != nil {
		return err
	}
	return startFromSnapshot(ctx, s, people, filepath.Join(folder, "bench.snapshot"))
}

func wallClock() events.Instant { return events.InstantOf(time.Now()) }

// caughtUp waits until the gate answers without doubt.
func caughtUp(ctx context.Context, g *gate.Gate) error {
	for len(g.Ready()) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func gateMemory(s settings, st gate.Stats) {
	n := float64(st.Contacts)
	s.figure("memory of records and tables", float64(st.Records)/n, "bytes/contact")
	s.figure("memory of the filter of identities", float64(st.Filter)/n, "bytes/contact")
	s.figure("memory together, six events a contact", float64(st.Records+st.Filter)/n, "bytes/contact")
	s.figure("templates", float64(st.Templates), "")
}

// latencies prints what a run of answers took and returns the 99th percentile.
func (s settings) latencies(what string, all []time.Duration) time.Duration {
	slices.Sort(all)
	at := func(p float64) float64 {
		return float64(all[min(int(p*float64(len(all))), len(all)-1)].Nanoseconds()) / 1000
	}
	s.figure(what+", p50", at(0.50), "µs")
	s.figure(what+", p99", at(0.99), "µs")
	s.figure(what+", p99.9", at(0.999), "µs")
	s.figure(what+", answers", float64(len(all)), "")
	return time.Duration(at(0.99) * 1000)
}

func someone(contacts int) int { return rand.IntN(contacts) }

// askInProcess measures the gate alone, then with the signature.
func askInProcess(ctx context.Context, s settings, h *whole.House) error {
	contacts := h.Gate().Stats().Contacts
	keys := make([]rules.Attempt, 100_000)
	for i := range keys {
		keys[i] = rules.Attempt{Contact: h.ContactKey(populationPhone(someone(contacts))), Controller: "A", Campaign: "K-A",
			Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, CLI: populationCLI}
	}
	runtime.GC()
	var took []time.Duration
	verdicts := map[events.Verdict]int{}
	for i, end := 0, time.Now().Add(s.seconds); time.Now().Before(end) && ctx.Err() == nil; i++ {
		begin := time.Now()
		d := h.Gate().Decide(ctx, keys[i%len(keys)])
		took = append(took, time.Since(begin))
		verdicts[d.Verdict]++
	}
	s.latencies("in process, unsigned", took)
	fmt.Fprintf(s.out, "  verdicts %v\n", verdicts)
	took = took[:0]
	for end := time.Now().Add(s.seconds); time.Now().Before(end) && ctx.Err() == nil; {
		q := questionTo(contacts)
		begin := time.Now()
		if _, err := h.Issuer().Ask(ctx, q); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
		if h.Issuer().Unrecorded() > 20_000 { // the recording is not what is measured here
			time.Sleep(100 * time.Millisecond)
		}
	}
	s.latencies("in process, from the number, signed", took)
	return allRecorded(ctx, h)
}

// allRecorded waits until no receipt is left over.
func allRecorded(ctx context.Context, h *whole.House) error {
	for h.Issuer().Unrecorded() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func questionTo(contacts int) events.Question {
	return events.Question{Number: populationPhone(someone(contacts)).E164(), Controller: "A", Campaign: "K-A", CLI: populationCLI}
}

// askOverNATS measures answers over NATS beside a bare reply over the same
// broker: while nothing is recorded, and while as many answers are given and
// recorded in the house as the questions before asked for.
func askOverNATS(ctx context.Context, s settings, h *whole.House) error {
	contacts := h.Gate().Stats().Contacts
	took, err := dialer(ctx, "nats", h.BrokerURL(), s.rate, contacts, s.seconds)
	if err != nil {
		return err
	}
	answers := s.latencies(fmt.Sprintf("over NATS, signed, at %d questions/s", s.rate), took)
	s.figure("receipts not yet in the queue at the end", float64(h.Issuer().Unrecorded()), "")
	if err := allRecorded(ctx, h); err != nil {
		return err
	}
	stop, err := echo(ctx, h)
	if err != nil {
		return err
	}
	defer stop()
	if took, err = dialer(ctx, "echo", h.BrokerURL(), s.rate, contacts, s.seconds); err != nil {
		return err
	}
	s.latencies("raw reply over NATS, nothing recorded", took)
	asked := make(chan error, 1)
	go func() {
		_, err := paced(ctx, s.rate, s.seconds, func(ctx context.Context) error {
			_, err := h.Issuer().Ask(ctx, questionTo(contacts))
			return err
		})
		asked <- err
	}()
	took, err = dialer(ctx, "echo", h.BrokerURL(), s.rate, contacts, s.seconds)
	if err := errors.Join(err, <-asked); err != nil {
		return err
	}
	raw := s.latencies("raw reply over NATS, as many recorded meanwhile", took)
	s.figure("answers over NATS to raw replies, p99", float64(answers)/float64(raw), "of raw")
	return allRecorded(ctx, h)
}

// echoSubject is answered with the bytes of a receipt by nothing but a handler
// of the NATS client.
const echoSubject = "bench.echo"

// echo answers echoSubject until it is stopped.
func echo(ctx context.Context, h *whole.House) (stop func(), err error) {
	r, err := h.Issuer().Ask(ctx, questionTo(h.Gate().Stats().Contacts))
	if err != nil {
		return nil, err
	}
	reply := r.AppendCanonical(nil)
	nc, err := nats.Connect(h.BrokerURL())
	if err != nil {
		return nil, err
	}
	_, err = nc.Subscribe(echoSubject, func(m *nats.Msg) {
		// An answer that was not sent is one that the dialer misses.
		_ = m.Respond(reply)
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return nc.Close, nil
}

func askOverHTTP(ctx context.Context, s settings, h *whole.House) error {
	rate := max(s.rate/5, 1)
	took, err := dialer(ctx, "http", "http://"+h.Address(), rate, h.Gate().Stats().Contacts, s.seconds)
	if err != nil {
		return err
	}
	s.latencies(fmt.Sprintf("over HTTP, signed, at %d questions/s", rate), took)
	return allRecorded(ctx, h)
}

// startFromSnapshot measures how long it takes to save all and to start from it.
func startFromSnapshot(ctx context.Context, s settings, people *population, file string) error {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return err
	}
	open := func() (*gate.Gate, func() error, time.Duration, error) {
		g, err := gate.New(gate.Config{Ledger: people, Index: people, Engine: rules.NewEngine(packs), Clock: wallClock, Log: zap.NewNop(), Snapshot: file, SnapshotEvery: time.Hour})
		if err != nil {
			return nil, nil, 0, err
		}
		running, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		begin := time.Now()
		go func() { ended <- g.Run(running) }()
		err = caughtUp(ctx, g)
		end := func() error {
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
		return g, end, time.Since(begin), err
	}
	g, stop, took, err := open()
	if err != nil {
		return err
	}
	s.figure("start from the log alone", took.Seconds(), "s")
	begin := time.Now()
	err = g.Save(ctx)
	saved := time.Since(begin)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	s.figure("snapshot saved", saved.Seconds(), "s")
	if info, err := os.Stat(file); err == nil {
		s.figure("snapshot", float64(info.Size())/(1<<20), "MiB")
	}
	runtime.GC()
	_, stop, took, err = open()
	if err != nil {
		return err
	}
	s.figure("start from the snapshot", took.Seconds(), "s")
	return stop()
}
