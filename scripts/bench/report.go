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

// benchReport evaluates the attempts of a campaign, first the evaluation alone,
// then the whole report from the view, of two campaigns of one log, the second
// with a quarter of the attempts of the first, so that the growth of time and
// memory can be seen.
func benchReport(ctx context.Context, s settings) error {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return err
	}
	c, err := openStock(ctx, s, rules.NewEngine(packs))
	if err != nil {
		return err
	}
	campaigns := []view.CampaignRef{{Controller: "B", Campaign: "K-B"}, {Controller: "A", Campaign: "K-A"}}
	err = c.assess(ctx, s, campaigns[0])
	for _, k := range campaigns {
		if err == nil {
			err = c.report(ctx, s, k)
		}
	}
	return errors.Join(err, c.store.Close())
}

// stock is a view that holds two campaigns.
type stock struct {
	store     *sqliteview.Store
	engine    *rules.Engine
	events    int
	asOf      events.Instant
	positions view.Positions
}

func openStock(ctx context.Context, s settings, engine *rules.Engine) (*stock, error) {
	store, err := sqliteview.Open(ctx, filepath.Join(s.dir, "campaigns.db"))
	if err != nil {
		return nil, err
	}
	c := &stock{store: store, engine: engine}
	begun := time.Now()
	log := projectiontest.Campaigns(1, s.attempts, max(s.attempts/4, 1))
	c.events, c.positions = log.Len(), log.End()
	s.figure(fmt.Sprintf("set-up: a log of %d events", c.events), time.Since(begun).Seconds(), "s")
	for _, p := range []projection.Projection{consentstate.New(nil), violations.New(engine)} {
		begun = time.Now()
		if err := fill(ctx, log, store, p); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		s.figure("set-up: "+p.Projection().Name, time.Since(begun).Seconds(), "s")
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

// stopwatch notes what the parts of one report took.
type stopwatch struct {
	*inquiry.Judged
	reference, objects time.Duration
}

// Objects implements report.Campaign.
func (w *stopwatch) Objects(ctx context.Context, r events.Instant) ([]rules.Finding, error) {
	begun := time.Now()
	defer func() { w.objects = time.Since(begun) }()
	return w.Judged.Objects(ctx, r)
}

// source is where reports of the stock come from.
func (c *stock) source(watch *stopwatch) report.Source {
	packs := c.engine.Packs()
	return report.Source{
		View: c.store, Decode: codec.Decode, Engine: c.engine, Packs: packs, Rules: packs.Rules(), Workers: runtime.GOMAXPROCS(0), Program: "bench",
		Open: func(ctx context.Context, k view.CampaignRef, asOf view.Positions) (report.Campaign, error) {
			begun := time.Now()
			defer func() { watch.reference = time.Since(begun) }()
			opened, err := inquiry.OpenCampaign(ctx, c.store, codec.Decode, k, asOf)
			watch.Judged = &inquiry.Judged{Campaign: opened, Engine: c.engine}
			return watch, err
		},
	}
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// assess measures Engine.Assess alone, on one goroutine, over decoded histories
// of up to 20,000 contacts, for as long as one figure may take.
func (c *stock) assess(ctx context.Context, s settings, k view.CampaignRef) error {
	const most = 20_000
	type attempt struct {
		history *contact.History
		rules.Attempt
	}
	var all []attempt
	seen := 0
	err := c.store.Scan(ctx, view.Selection{Campaign: &k}, c.positions, func(h view.History) error {
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
	ref, err := inquiry.Reference(ctx, c.store, codec.Decode, k, c.positions)
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

// report measures one report from the view to its JSON form. What is held
// besides the finished report is the work; it must not grow with the attempts.
func (c *stock) report(ctx context.Context, s settings, k view.CampaignRef) error {
	var watch stopwatch
	heap := watchHeap()
	stop, err := profile(s.profile)
	if err != nil {
		return err
	}
	begun, cpu := time.Now(), cpuTime()
	r, err := report.Build(ctx, c.source(&watch), report.Question{Campaign: k, AsOf: c.asOf, Positions: c.positions})
	wall, used := time.Since(begun).Seconds(), (cpuTime() - cpu).Seconds()
	peak, before := heap.end()
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	n := r.Header.Attempts
	scale := 1e6 / float64(n)
	s.figure(fmt.Sprintf("report of %d attempts, %d findings", n, len(r.Findings.Attempts)), wall, "s")
	s.figure("  of which reference facts and first calls", watch.reference.Seconds(), "s")
	s.figure("  of which object rules", watch.objects.Seconds(), "s")
	s.figure("  CPU time", used, "s")
	s.figure(fmt.Sprintf("  per million attempts (%d were built)", n), wall*scale, "s")
	s.figure("  CPU time per million attempts", used*scale, "s")
	s.figure("  heap before", before, "MB")
	s.figure("  peak heap, garbage included", peak, "MB")
	held := heapInUse() - before
	s.figure("  heap afterwards, that is the report", held, "MB")
	if err := c.weigh(ctx, s, k, r.Digest, held); err != nil {
		return err
	}
	if err := c.everyContact(ctx, s, k); err != nil {
		return err
	}
	var size counter
	begun = time.Now()
	if err := r.WriteJSON(&size); err != nil {
		return err
	}
	s.figure("  JSON form written", time.Since(begun).Seconds(), "s")
	s.figure("  JSON form", float64(size)/1e6, "MB")
	return nil
}

// everyContact measures the object rules over every contact of the log, for
// comparison with those over the contacts that the report needs.
func (c *stock) everyContact(ctx context.Context, s settings, k view.CampaignRef) error {
	begun := time.Now()
	if _, err := inquiry.ObjectsBarLate(ctx, c.store, codec.Decode, c.engine, c.positions, c.asOf); err != nil {
		return err
	}
	s.figure(fmt.Sprintf("  object rules, had %s read every contact", k.Campaign), time.Since(begun).Seconds(), "s")
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

// heapWatch samples the heap in use, garbage that is not collected yet
// included.
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

// heapInUse is what is in use once garbage is collected, in megabytes.
func heapInUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
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
