package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/natsledger"
)

func init() { register("ledger", benchLedger) }

const (
	eventSize = 600  // bytes of a stored event
	rawBatch  = 1000 // the broker's largest atomic batch
)

// benchLedger measures the append path against the bare broker, sync always:
// atomic batches of 1000 into one stream, one after the other, against Append
// with 4,000 entries pending over four partitions; then single appends and
// following from the start. Bare broker and Append alternate in rounds, so that
// a noisy neighbour disturbs both.
func benchLedger(ctx context.Context, s settings) error {
	srv, err := embedded.Start(ctx, embedded.Options{Data: filepath.Join(s.dir, "ledger")})
	if err != nil {
		return err
	}
	defer func() { _ = srv.Close() }() // measured; the folder goes
	nc, err := srv.Conn()
	if err != nil {
		return err
	}
	defer nc.Close()
	bulk, err := srv.Bulk()
	if err != nil {
		return err
	}
	defer bulk.Close()
	log, err := natsledger.Open(ctx, nc, natsledger.Options{Create: true, Bulk: bulk, Sync: natsledger.SyncOf(srv)})
	if err != nil {
		return err
	}
	defer log.Close()

	const rounds = 4
	load := &appendLoad{log: log}
	raw, err := newRawLoad(ctx, nc)
	if err != nil {
		return err
	}
	var rawRate, appendRate float64
	for range rounds {
		for _, m := range []struct {
			rate *float64
			run  func(context.Context, time.Duration) (float64, error)
		}{{&rawRate, raw.run}, {&appendRate, load.pending4000}} {
			r, err := m.run(ctx, s.seconds/rounds)
			if err != nil {
				return err
			}
			*m.rate += r / rounds
		}
	}
	s.figure("bare broker, atomic batches of 1000, one stream", rawRate, "events/s")
	s.figure("Append, 4000 pending, four partitions", appendRate, "events/s")
	s.figure("ratio (at least 0.5 wanted)", appendRate/rawRate, "")
	single, err := load.oneByOne(ctx, s.seconds/rounds)
	if err != nil {
		return err
	}
	s.figure("Append, one pending", single, "events/s")
	before := processorTime()
	followed, err := followAll(ctx, log)
	if err != nil {
		return err
	}
	used := float64((processorTime() - before).Microseconds()) / float64(load.n)
	s.figure("Follow from the start (at least 150000 wanted)", followed, "events/s")
	s.figure("Follow, processor time of broker and reader", used, "µs/event")
	return nil
}

// rawLoad publishes straight to the broker.
type rawLoad struct {
	js jetstream.JetStream
	n  int
}

func newRawLoad(ctx context.Context, nc *nats.Conn) (*rawLoad, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	conf := natsledger.Config("LEDGER_RAW", 1)
	conf.Name, conf.Subjects = "RAW", []string{"raw.>"}
	_, err = js.CreateStream(ctx, conf)
	return &rawLoad{js: js}, err
}

func (l *rawLoad) run(ctx context.Context, d time.Duration) (float64, error) {
	body := make([]byte, eventSize)
	begun, done := time.Now(), 0
	for time.Since(begun) < d {
		msgs := make([]*nats.Msg, rawBatch)
		for i := range msgs {
			l.n++
			msgs[i] = &nats.Msg{Subject: "raw.consent.granted.v1.acme", Header: nats.Header{jetstream.MsgIDHeader: {fmt.Sprintf("%032d", l.n)}}, Data: body}
		}
		if _, err := jetstreamext.PublishMsgBatch(ctx, l.js, msgs, jetstreamext.BatchFlowControl{}); err != nil {
			return 0, err
		}
		done += len(msgs)
	}
	return float64(done) / time.Since(begun).Seconds(), nil
}

// appendLoad appends through the port.
type appendLoad struct {
	log *natsledger.Ledger
	mu  sync.Mutex
	n   int
}

// entries makes n new entries dealt over the partitions.
func (l *appendLoad) entries(n int) []ledger.Entry {
	l.mu.Lock()
	first := l.n
	l.n += n
	l.mu.Unlock()
	out := make([]ledger.Entry, n)
	for i := range out {
		k := first + i
		key := events.ContactKey{0, byte(k), byte(k >> 24), byte(k >> 16), byte(k >> 8), 1}
		p := key.Partition(l.log.Partitions())
		head := make([]byte, 0, eventSize)
		head = append(head, `{"data":{"note":"`...)
		for len(head) < eventSize-160 {
			head = append(head, 'x')
		}
		out[i] = ledger.Entry{
			Subject: fmt.Sprintf("ledger.%02d.consent.granted.v1.acme", p), Contact: key,
			MessageID: fmt.Sprintf("%032x", k), Head: append(head, `"},"recordedtime":"`...),
			Tail: []byte(`","source":"bench","specversion":"1.0","time":"2026-11-23T09:00:00.000Z","type":"consent.granted.v1"}`),
		}
	}
	return out
}

// pending4000 keeps 4,000 entries pending: forty callers with a hundred each.
func (l *appendLoad) pending4000(ctx context.Context, d time.Duration) (float64, error) {
	const callers, each = 40, 100
	begun := time.Now()
	counts, errs := make([]int, callers), make([]error, callers)
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			for time.Since(begun) < d && errs[w] == nil {
				errs[w] = l.appendAll(ctx, l.entries(each))
				counts[w] += each
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begun).Seconds(), errors.Join(errs...)
}

func (l *appendLoad) oneByOne(ctx context.Context, d time.Duration) (float64, error) {
	begun, done := time.Now(), 0
	for ; time.Since(begun) < d; done++ {
		if err := l.appendAll(ctx, l.entries(1)); err != nil {
			return 0, err
		}
	}
	return float64(done) / time.Since(begun).Seconds(), nil
}

func (l *appendLoad) appendAll(ctx context.Context, entries []ledger.Entry) error {
	placed, err := l.log.Append(ctx, entries)
	for _, p := range placed {
		err = errors.Join(err, p.Err)
	}
	return err
}

// followAll reads the whole log once with a follower and returns events a
// second.
func followAll(ctx context.Context, log ledger.Ledger) (float64, error) {
	last, err := log.Last(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, at := range last {
		total += int(at)
	}
	f, err := log.Follow(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer f.Stop()
	begun := time.Now()
	for left := total; left > 0; {
		list, err := f.Next(ctx, 1000)
		if err != nil {
			return 0, err
		}
		left -= len(list)
	}
	return float64(total) / time.Since(begun).Seconds(), nil
}

// processorTime is what this process has used so far; a busy machine disturbs
// it less than the wall clock.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
