package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/natsledger"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

func init() { register("projection", benchProjection) }

// benchProjection rebuilds both projections of a plausible day from zero, each
// beside the bare ordered consumption of the same streams.
func benchProjection(ctx context.Context, s settings) error {
	log, total, err := dayLedger(ctx, s)
	if err != nil {
		return err
	}
	defer log.close()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return err
	}
	const rounds = 2
	var raw float64
	rates, allocs := map[string]float64{}, map[string]float64{}
	for round := range rounds {
		r, err := followAll(ctx, log.Ledger)
		if err != nil {
			return err
		}
		raw += r / rounds
		store, err := sqliteview.Open(ctx, filepath.Join(s.dir, fmt.Sprintf("view-%d.db", round)))
		if err != nil {
			return err
		}
		for _, p := range []projection.Projection{consentstate.New(nil), violations.New(rules.NewEngine(packs))} {
			rate, perEvent, err := rebuild(ctx, log.Ledger, store, p, total)
			if err != nil {
				return errors.Join(err, store.Close())
			}
			rates[p.Projection().Name] += rate / rounds
			allocs[p.Projection().Name] += perEvent / rounds
		}
		if err := store.Close(); err != nil {
			return err
		}
	}
	s.figure("bare ordered consumption, all streams", raw, "events/s")
	for _, p := range []struct {
		name   string
		wanted float64
	}{{consentstate.Name.Name, 0.10}, {violations.Name.Name, 0.05}} {
		s.figure(p.name+", rebuild from zero", rates[p.name], "events/s")
		s.figure(fmt.Sprintf("%s, ratio (at least %.2f wanted)", p.name, p.wanted), rates[p.name]/raw, "")
		s.figure(p.name+", allocations", allocs[p.name], "per event")
	}
	return nil
}

// rebuild runs one projection from zero to the end of the ledger.
func rebuild(ctx context.Context, log ledger.Ledger, store view.Store, p projection.Projection, total int) (rate, allocs float64, err error) {
	last, err := log.Last(ctx)
	if err != nil {
		return 0, 0, err
	}
	end := make(map[string]uint64, len(last))
	for stream, n := range last {
		end[string(stream)] = uint64(n)
	}
	running, cancel := context.WithCancel(ctx)
	run := projection.NewRunner(log, store, p, projection.Config{})
	ended := make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	go func() { ended <- run.Run(running) }()
	waited := make(chan error, 1)
	go func() { waited <- run.AwaitIdle(running, end) }()
	select {
	case err = <-waited:
		rate = float64(total) / time.Since(begun).Seconds()
		cancel()
		_ = <-ended // cancelled
	case err = <-ended:
		cancel()
		_ = <-waited // cancelled
	}
	runtime.ReadMemStats(&after)
	return rate, float64(after.Mallocs-before.Mallocs) / float64(total), err
}

// dayLog is a ledger that holds a day.
type dayLog struct {
	*natsledger.Ledger
	closers []func()
}

func (d *dayLog) close() {
	for _, c := range slices.Backward(d.closers) {
		c()
	}
}

// dayLedger records a day of telemarketing, 40,000 events for each second that
// a figure may take.
func dayLedger(ctx context.Context, s settings) (*dayLog, int, error) {
	n := int(40_000 * s.seconds.Seconds())
	day := projectiontest.Day(1, n/8, n)
	srv, err := embedded.Start(ctx, embedded.Options{Data: filepath.Join(s.dir, "ledger")})
	if err != nil {
		return nil, 0, err
	}
	d := &dayLog{closers: []func(){func() { _ = srv.Close() }}}
	nc, err := srv.Conn()
	if err != nil {
		d.close()
		return nil, 0, err
	}
	d.closers = append(d.closers, nc.Close)
	bulk, err := srv.Bulk()
	if err != nil {
		d.close()
		return nil, 0, err
	}
	d.closers = append(d.closers, bulk.Close)
	var clock atomic.Int64
	d.Ledger, err = natsledger.Open(ctx, nc, natsledger.Options{Create: true, Bulk: bulk, Sync: natsledger.SyncOf(srv),
		Clock: func() events.Instant { return events.Instant(clock.Load()) }})
	if err != nil {
		d.close()
		return nil, 0, err
	}
	d.closers = append(d.closers, func() { d.Ledger.Close() })
	if err := record(ctx, d.Ledger, day, &clock); err != nil {
		d.close()
		return nil, 0, err
	}
	return d, day.Len(), nil
}

// recorded is an entry with the stamp that it is to get.
type recorded struct {
	entry ledger.Entry
	at    events.Instant
}

// record appends the day in the order of its stamps.
func record(ctx context.Context, log *natsledger.Ledger, day *projectiontest.Log, clock *atomic.Int64) error {
	var all []recorded
	for _, bodies := range day.Streams {
		for _, body := range bodies {
			r, err := entryOf(body, log.Partitions())
			if err != nil {
				return err
			}
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b recorded) int { return cmp.Compare(a.at, b.at) })
	for chunk := range slices.Chunk(all, 1000) {
		entries := make([]ledger.Entry, len(chunk))
		for i := range chunk {
			entries[i] = chunk[i].entry
		}
		clock.Store(int64(chunk[len(chunk)-1].at))
		placed, err := log.Append(ctx, entries)
		for _, p := range placed {
			err = errors.Join(err, p.Err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func entryOf(body []byte, partitions int) (recorded, error) {
	e, err := codec.Decode(body)
	if err != nil {
		return recorded{}, err
	}
	digest, err := codec.Digest(body)
	if err != nil {
		return recorded{}, err
	}
	stamp := []byte(`"recordedtime":"` + e.Recorded.String())
	at := bytes.LastIndex(body, stamp)
	if at < 0 {
		return recorded{}, errors.New("an event of the day bears no stamp")
	}
	partition := "ref"
	if !e.Subject.IsZero() {
		partition = fmt.Sprintf("%02d", e.Subject.Partition(partitions))
	}
	return recorded{at: e.Recorded, entry: ledger.Entry{
		Subject: events.LedgerSubject(partition, e.Type, e.Controller), Contact: e.Subject, MessageID: events.MessageID(e.Identity(), digest),
		Head: body[:at+len(`"recordedtime":"`)], Tail: body[at+len(stamp):],
	}}, nil
}
