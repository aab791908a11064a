package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/report"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

func init() { register("report", benchReport) }

// benchReport evaluates the attempts of one campaign, first the evaluation
// alone, then the whole report from the view: two campaigns, the second with a
// quarter of the attempts of the first, so that the growth of time and memory
// can be seen.
func benchReport(ctx context.Context, s settings) error {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return err
	}
	engine := rules.NewEngine(packs)
	for i, n := range []int{max(s.attempts/4, 1), s.attempts} {
		c, err := openCampaign(ctx, filepath.Join(s.dir, fmt.Sprintf("campaign-%d.db", i)), engine, n)
		if err != nil {
			return err
		}
		if i == 0 {
			err = c.assess(ctx, s)
		}
		if err == nil {
			err = c.report(ctx, s)
		}
		if err = errors.Join(err, c.store.Close()); err != nil {
			return err
		}
	}
	return nil
}

// stock is a view that holds one campaign.
type stock struct {
	store     *sqliteview.Store
	engine    *rules.Engine
	campaign  view.CampaignRef
	events    int
	asOf      events.Instant
	positions view.Positions
}

func openCampaign(ctx context.Context, path string, engine *rules.Engine, attempts int) (*stock, error) {
	store, err := sqliteview.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	c := &stock{store: store, engine: engine, campaign: view.CampaignRef{Controller: "A", Campaign: "K-A"}}
	log := projectiontest.Campaign(1, attempts)
	c.events, c.positions = log.Len(), log.End()
	for _, p := range []projection.Projection{consentstate.New(nil), violations.New(engine)} {
		if err := fill(ctx, log, store, p); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	progress, err := store.Progress(ctx, violations.Name)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c.asOf = progress.Recorded()
	return c, nil
}

// fill runs one projection over the log to its end.
func fill(ctx context.Context, log *projectiontest.Log, store view.Store, p projection.Projection) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := projection.NewRunner(log, store, p, projection.Config{})
	ended := make(chan error, 1)
	go func() {
		ended <- run.Run(ctx)
		cancel()
	}()
	err := run.AwaitIdle(ctx, log.End())
	cancel()
	if e := <-ended; !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	return err
}

// source is where reports of the stock come from; it notes what the parts took.
func (c *stock) source(objects, reference *time.Duration) report.Source {
	packs := c.engine.Packs()
	return report.Source{
		View: c.store, Decode: codec.Decode, Engine: c.engine, Packs: packs, Rules: packs.Rules(), Workers: runtime.GOMAXPROCS(0), Program: "bench",
		Objects: func(ctx context.Context, asOf view.Positions, r events.Instant) ([]rules.Finding, error) {
			begun := time.Now()
			defer func() { *objects = time.Since(begun) }()
			return inquiry.ObjectsBarLate(ctx, c.store, codec.Decode, c.engine, asOf, r)
		},
		Reference: func(ctx context.Context, k view.CampaignRef, asOf view.Positions) (*rules.Reference, error) {
			begun := time.Now()
			defer func() { *reference = time.Since(begun) }()
			return inquiry.Reference(ctx, c.store, codec.Decode, k, asOf)
		},
	}
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// assess measures Engine.Assess alone, on one goroutine, over decoded histories
// of up to 20,000 contacts, for as long as one figure may take.
func (c *stock) assess(ctx context.Context, s settings) error {
	const most = 20_000
	type attempt struct {
		history *contact.History
		rules.Attempt
	}
	var all []attempt
	seen := 0
	err := c.store.Scan(ctx, view.Selection{Campaign: &c.campaign}, c.positions, func(h view.History) error {
		facts := make([]*contact.Fact, len(h.Events))
		for i := range h.Events {
			f, err := projection.FactOf(&h.Events[i])
			if err != nil {
				return err
			}
			facts[i] = f
		}
		history := contact.NewHistory(h.Contact, facts)
		for _, f := range contact.View(history, contact.AsOf(c.asOf)) {
			if a, ok := rules.AttemptOf(f); ok {
				all = append(all, attempt{history, a})
			}
		}
		if seen++; seen == most {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	ref, err := inquiry.Reference(ctx, c.store, codec.Decode, c.campaign, c.positions)
	if err != nil {
		return err
	}
	done, found := 0, 0
	begun, cpu := time.Now(), cpuTime()
	for time.Since(begun) < s.seconds {
		for i := range min(1000, len(all)) {
			a := &all[(done+i)%len(all)]
			found += len(c.engine.Assess(a.history, ref, a.Attempt, c.asOf).Findings)
		}
		done += min(1000, len(all))
	}
	wall, used := time.Since(begun).Seconds(), (cpuTime() - cpu).Seconds()
	s.figure("attempts evaluated, one goroutine", float64(done)/wall, "per second")
	s.figure("attempts evaluated, by CPU time", float64(done)/used, "per second and core")
	s.figure("findings", float64(found)/float64(done), "per attempt")
	return nil
}

// report measures one report from the view to its JSON form.
func (c *stock) report(ctx context.Context, s settings) error {
	var objects, reference time.Duration
	source := c.source(&objects, &reference)
	heap := watchHeap()
	stop, err := profile(s.profile)
	if err != nil {
		return err
	}
	begun, cpu := time.Now(), cpuTime()
	r, err := report.Build(ctx, source, report.Question{Campaign: c.campaign, AsOf: c.asOf, Positions: c.positions})
	wall, used := time.Since(begun).Seconds(), (cpuTime() - cpu).Seconds()
	peak, before := heap.end()
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	n := r.Header.Attempts
	scale := 1e6 / float64(n)
	s.figure(fmt.Sprintf("report of %d attempts (%d events, %d findings)", n, c.events, len(r.Findings.Attempts)), wall, "s")
	s.figure("  of which reference facts", reference.Seconds(), "s")
	s.figure("  of which object rules over all contacts", objects.Seconds(), "s")
	s.figure(fmt.Sprintf("  scaled to a million attempts (%d were built)", n), wall*scale, "s")
	s.figure("  CPU time, scaled to a million attempts", used*scale, "s")
	s.figure("  heap before", before, "MB")
	s.figure("  peak heap", peak, "MB")
	var size counter
	begun = time.Now()
	if err := r.WriteJSON(&size); err != nil {
		return err
	}
	s.figure("  JSON form written", time.Since(begun).Seconds(), "s")
	s.figure("  JSON form", float64(size)/1e6, "MB")
	return nil
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// profile writes a CPU profile until the returned function is called; without
// a path it does nothing.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// heapWatch samples the heap in use, garbage that is not collected yet included.
type heapWatch struct {
	before, most uint64
	done         chan struct{}
	ended        sync.WaitGroup
}

const heapSample = 20 * time.Millisecond

func watchHeap() *heapWatch {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w := &heapWatch{before: m.HeapAlloc, most: m.HeapAlloc, done: make(chan struct{})}
	w.ended.Go(func() {
		tick := time.NewTicker(heapSample)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			w.most = max(w.most, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-w.done:
				return
			}
		}
	})
	return w
}

// end returns the peak and what there was before, in megabytes.
func (w *heapWatch) end() (peak, before float64) {
	close(w.done)
	w.ended.Wait()
	return float64(w.most) / 1e6, float64(w.before) / 1e6
}

// cpuTime is what this process has used of the cores. Asked for this process
// with a place for the answer, the call has no way to fail.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // see above
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
