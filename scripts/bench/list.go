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
// each: in process and over HTTP from the text of the numbers to answers with
// their Merkle root, and beside them, in the same run on all cores, what a
// membership test of the same numbers takes in Redis (SMISMEMBER) and in
// PostgreSQL (= ANY). The gate evaluates the law for each number; the others
// say whether it is in a set. One number of ten is of no contact.
func benchList(ctx context.Context, s settings) error {
	for _, n := range s.contacts {
		if err := listWith(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

func listWith(ctx context.Context, s settings, contacts int) (err error) {
	fmt.Fprintf(s.out, "with %d contacts, %d numbers\n", contacts, s.numbers)
	list := numbersToCheck(s.numbers, contacts)
	ruled, checked, err := listInGate(ctx, s, contacts, list)
	if err != nil {
		return err
	}
	runtime.GC()
	for _, other := range []struct {
		name    string
		measure func(context.Context, settings, int, []string) (float64, error)
	}{{"Redis SMISMEMBER", listInRedis}, {"PostgreSQL = ANY", listInPostgres}} {
		rate, err := other.measure(ctx, s, contacts, list)
		if errors.Is(err, errNotThere) {
			fmt.Fprintf(s.out, "%s not measured: %v\n", other.name, err)
			continue
		}
		if err != nil {
			return err
		}
		s.figure(other.name+", membership", rate, "numbers/s")
		s.figure("number to ruling as a multiple of "+other.name, ruled/rate, "")
		s.figure("list check, answers and root included, likewise", checked/rate, "")
	}
	return nil
}

// errNotThere: the other side could not be installed or started.
var errNotThere = errors.New("not there")

// numbersToCheck draws different numbers, nine of ten those of contacts, in
// random order.
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

// listInGate loads a house and returns the numbers a second that are ruled on,
// and those of whole list checks, in process.
func listInGate(ctx context.Context, s settings, contacts int, list []string) (ruled, checked float64, err error) {
	folder := filepath.Join(s.dir, fmt.Sprint("list-", contacts))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, 0, err
	}
	cfg := whole.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen = folder, "127.0.0.1:0", "127.0.0.1:0"
	cfg.Gate.SnapshotEvery = time.Hour
	h, err := whole.Open(ctx, cfg, whole.Options{Log: zap.NewNop(), GateLedger: func(key func(events.Phone) events.ContactKey) (gate.Ledger, gate.Index) {
		people := newPopulation(contacts, key, wallClock)
		return people, people
	}})
	if err != nil {
		return 0, 0, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- h.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := caughtUp(ctx, h.Gate()); err != nil {
		return 0, 0, err
	}
	s.figure("events read from the log", float64(contacts*eventsPerContact)/time.Since(begin).Seconds(), "events/s")
	gateMemory(s, h.Gate().Stats())
	runtime.GC()
	if ruled, err = listCore(ctx, s, h, list); err != nil {
		return 0, 0, err
	}
	stopProfile, err := profile(s.profile)
	if err != nil {
		return 0, 0, err
	}
	checked, err = listInProcess(ctx, s, h, list)
	if err = errors.Join(err, stopProfile()); err != nil {
		return 0, 0, err
	}
	return ruled, checked, listOverHTTP(ctx, s, h, list)
}

// listAttempt is the question that the lists are asked.
func listAttempt() rules.Attempt {
	return rules.Attempt{Controller: "A", Campaign: "K-A", Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, CLI: populationCLI}
}

// repeatedly runs passes over the list until a figure's time is over, and
// returns the numbers a second of the median pass and the CPU time of one number.
func repeatedly(ctx context.Context, s settings, n int, pass func() error) (rate float64, cpu time.Duration, err error) {
	var took []time.Duration
	used, end := cpuTime(), time.Now().Add(s.seconds)
	for len(took) < 2 || time.Now().Before(end) {
		begin := time.Now()
		if err := pass(); err != nil {
			return 0, 0, err
		}
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		took = append(took, time.Since(begin))
	}
	cpu = (cpuTime() - used) / time.Duration(len(took)*n)
	slices.Sort(took)
	return float64(n) / took[len(took)/2].Seconds(), cpu, nil
}

// listCore measures what stands between the text of a number and its ruling:
// normalising, HMAC, look-up and law, on all cores.
func listCore(ctx context.Context, s settings, h *whole.House, list []string) (float64, error) {
	rate, cpu, err := repeatedly(ctx, s, len(list), func() error {
		l, err := h.Gate().OpenList(ctx, listAttempt(), 0)
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
	})
	if err != nil {
		return 0, err
	}
	s.figure("number to ruling, all cores", rate, "numbers/s")
	s.figure("number to ruling, CPU time", float64(cpu.Nanoseconds()), "ns/number")
	return rate, nil
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

// listInProcess measures whole list checks: lines in, answer lines and Merkle
// root out.
func listInProcess(ctx context.Context, s settings, h *whole.House, list []string) (float64, error) {
	var totals listcheck.Totals
	written := 0
	rate, cpu, err := repeatedly(ctx, s, len(list), func() error {
		l, err := h.Gate().OpenList(ctx, listAttempt(), 0)
		if err != nil {
			return err
		}
		at := 0
		written = 0
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
		totals, err = run.Do(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	s.figure("list check, in process", rate, "numbers/s")
	s.figure("list check, CPU time", float64(cpu.Nanoseconds()), "ns/number")
	s.figure("answers", float64(written)/float64(len(list)), "bytes/number")
	fmt.Fprintf(s.out, "  %d allow, %d warn, %d block, root %s\n", totals.Allow, totals.Warn, totals.Block, totals.Root)
	return rate, nil
}

// listOverHTTP measures a whole list check through the door, its recorded
// commitment included.
func listOverHTTP(ctx context.Context, s settings, h *whole.House, list []string) error {
	question := `{"controller":"A","campaign":"K-A","cli":"` + populationCLI + `"}` + "\n"
	text := question + strings.Join(list, "\n") + "\n"
	rate, _, err := repeatedly(ctx, s, len(list), func() error {
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
		if _, sum, err := listcheck.ParseAnswer(last); err != nil || sum.Count != len(list) || lines != len(list)+1 {
			return fmt.Errorf("%d lines, the last is %s (%v)", lines, last, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.figure("list check, over HTTP, recorded", rate, "numbers/s")
	return nil
}
