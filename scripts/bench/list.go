package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gate"
	whole "github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/rules"
)

func init() { register("list", benchList) }

// benchList measures list checks against some millions of contacts, six events
// each, beside what a membership test of the same numbers takes in Redis
// (SMISMEMBER) and in PostgreSQL (= ANY) on all cores. The gate evaluates the law
// for each number; the others say whether it is in a set. One number of ten is of no
// contact. All are loaded first and then take turns, so that whatever else the
// machine does meets all of them; a figure is that of the median turn.
func benchList(ctx context.Context, s settings) error {
	for _, n := range s.contacts {
		if err := listWith(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

// contender is one way to answer for a whole list.
type contender struct {
	name string
	pass func() error
	// cpu is the CPU time used so far by whoever does the work; nil = not known.
	cpu func() (time.Duration, error)

	took []time.Duration
	used time.Duration
}

// rate is the numbers a second of the median pass.
func (c *contender) rate(n int) float64 {
	sorted := slices.Sorted(slices.Values(c.took))
	return float64(n) / sorted[len(sorted)/2].Seconds()
}

// turn makes one pass.
func (c *contender) turn() error {
	var before time.Duration
	var err error
	if c.cpu != nil {
		if before, err = c.cpu(); err != nil {
			return err
		}
	}
	begin := time.Now()
	if err := c.pass(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.took = append(c.took, time.Since(begin))
	if c.cpu != nil {
		after, err := c.cpu()
		if err != nil {
			return err
		}
		c.used += after - before
	}
	return nil
}

// leastTurns is how many passes each makes at least.
const leastTurns = 5

func listWith(ctx context.Context, s settings, contacts int) (err error) {
	fmt.Fprintf(s.out, "with %d contacts, %d numbers\n", contacts, s.numbers)
	list := numbersToCheck(s.numbers, contacts)
	h, stop, err := loadedHouse(ctx, s, contacts)
	if err != nil {
		return err
	}
	stops := []func() error{stop}
	defer func() {
		for _, stop := range slices.Backward(stops) {
			err = errors.Join(err, stop())
		}
	}()
	own := func() (time.Duration, error) { return cpuTime(), nil }
	all := []*contender{
		{name: "number to ruling", pass: func() error { return ruleOn(ctx, h, list) }, cpu: own},
		{name: "list check, answers and root included", pass: func() error { return checkInProcess(ctx, h, list) }, cpu: own},
		{name: "list check, over HTTP, recorded", pass: func() error { return checkOverHTTP(ctx, h, list) }, cpu: own},
	}
	ours := len(all)
	for _, load := range []func(context.Context, settings, int, []string) ([]*contender, func() error, error){redisSet, postgresTable} {
		more, stop, err := load(ctx, s, contacts, list)
		if errors.Is(err, errNotThere) {
			fmt.Fprintf(s.out, "not measured: %v\n", err)
			continue
		}
		if err != nil {
			return err
		}
		all, stops = append(all, more...), append(stops, stop)
	}
	runtime.GC()
	if err := s.takeTurns(ctx, all); err != nil {
		return err
	}
	for i, c := range all {
		s.figure(c.name, c.rate(len(list)), "numbers/s")
		if c.cpu != nil {
			s.figure("  CPU time", float64(c.used.Nanoseconds())/float64(len(c.took)*len(list)), "ns/number")
		}
		for _, mine := range all[:ours] {
			if i >= ours {
				s.figure("  "+mine.name+", as a multiple", mine.rate(len(list))/c.rate(len(list)), "")
			}
		}
	}
	return nil
}

// takeTurns lets all pass over the list one after the other, again and again. The
// first round is not counted.
func (s settings) takeTurns(ctx context.Context, all []*contender) error {
	stop, err := profile(s.profile)
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(len(all)) * s.seconds)
	for round := 0; round <= leastTurns || time.Now().Before(end); round++ {
		for _, c := range all {
			if err := errors.Join(ctx.Err(), c.turn()); err != nil {
				return err
			}
			if round == 0 {
				c.took, c.used = nil, 0
			}
		}
	}
	return stop()
}

// errNotThere: the other side could not be installed or started.
var errNotThere = errors.New("not there")

// numbersToCheck draws numbers, nine of ten those of contacts, in random order.
func numbersToCheck(n, contacts int) []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		at := rnd.IntN(contacts)
		if i%10 == 0 {
			at += contacts
		}
		out[i] = populationPhone(at).E164()
	}
	return out
}

// loadedHouse runs a house whose gate holds the contacts.
func loadedHouse(ctx context.Context, s settings, contacts int) (_ *whole.House, stop func() error, err error) {
	folder := filepath.Join(s.dir, fmt.Sprint("list-", contacts))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	cfg := whole.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen = folder, "127.0.0.1:0", "127.0.0.1:0"
	cfg.Gate.SnapshotEvery = time.Hour
	h, err := whole.Open(ctx, cfg, whole.Options{Log: zap.NewNop(), GateLedger: func(key func(events.Phone) events.ContactKey) (gate.Ledger, gate.Index) {
		people := newPopulation(contacts, key, wallClock)
		return people, people
	}})
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begin := time.Now()
	go func() {
		defer cancel() // nobody waits for a house that has ended
		ended <- h.Run(running)
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	if err := caughtUp(running, h.Gate()); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	s.figure("events read from the log", float64(contacts*eventsPerContact)/time.Since(begin).Seconds(), "events/s")
	gateMemory(s, h.Gate().Stats())
	return h, stop, nil
}

// openList asks the question of the lists.
func openList(ctx context.Context, h *whole.House) (*gate.List, error) {
	return h.Gate().OpenList(ctx, rules.Attempt{Controller: "A", Campaign: "K-A", Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, CLI: populationCLI}, 0)
}

// ruleOn does what stands between the text of a number and its ruling:
// normalising, HMAC, look-up and law, on all cores.
func ruleOn(ctx context.Context, h *whole.House, list []string) error {
	l, err := openList(ctx, h)
	if err != nil {
		return err
	}
	return sideBySide(len(list), listcheck.ChunkLines, func() func(from, to int) error {
		keys, out := make([]events.ContactKey, listcheck.ChunkLines), make([]listcheck.Answer, listcheck.ChunkLines)
		return func(from, to int) error {
			for i, number := range list[from:to] {
				phone, code := numbers.Normalise(number, "")
				if code != "" {
					return errors.New(code)
				}
				keys[i] = h.ContactKey(phone)
			}
			return l.Answer(ctx, keys[:to-from], out[:to-from])
		}
	})
}

// sideBySide cuts 0…n into parts and does them on all cores; worker makes the
// doer of each.
func sideBySide(n, part int, worker func() func(from, to int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for w := range errs {
		all.Go(func() {
			do := worker()
			for errs[w] == nil {
				from := int(next.Add(int64(part))) - part
				if from >= n {
					return
				}
				errs[w] = do(from, min(from+part, n))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// checkInProcess makes a whole list check: lines in, answer lines and Merkle
// root out.
func checkInProcess(ctx context.Context, h *whole.House, list []string) error {
	l, err := openList(ctx, h)
	if err != nil {
		return err
	}
	at, written := 0, 0
	run := listcheck.Run{List: l, Normalise: numbers.Normalise, Key: h.ContactKey, Country: "IT", At: l.Head().Instant,
		Read: func(c *listcheck.Chunk) error {
			for ; at < len(list) && !c.Full(); at++ {
				c.Add([]byte(list[at]))
			}
			if at == len(list) {
				return io.EOF
			}
			return nil
		},
		Write: func(lines []byte) error { written += len(lines); return nil }}
	totals, err := run.Do(ctx)
	if err == nil && (totals.Count != len(list) || totals.Allow == 0 || totals.Block == 0 || written == 0) {
		err = fmt.Errorf("%d numbers came to %+v in %d bytes", len(list), totals, written)
	}
	return err
}

// checkOverHTTP makes a whole list check through the door, its recorded
// commitment included.
func checkOverHTTP(ctx context.Context, h *whole.House, list []string) error {
	text := `{"controller":"A","campaign":"K-A","cli":"` + populationCLI + `"}` + "\n" + strings.Join(list, "\n") + "\n"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.Address()+"/v1/decisions:batch", strings.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReaderSize(resp.Body, 1<<20)
	lines, last := 0, []byte(nil)
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		lines++
		last = append(last[:0], text...)
	}
	if _, sum, err := listcheck.ParseAnswer(last); err != nil || sum == nil || sum.Count != len(list) || lines != len(list)+1 {
		return fmt.Errorf("%d lines, the last is %s (%v)", lines, last, err)
	}
	return nil
}
