// Command chaos kills the program with SIGKILL at random moments under load,
// starts it again, and in the end holds everything that was acknowledged
// against the ledger, the state of every contact against a fold of the ledger,
// and every report against one that is rebuilt from the ledger alone.
//
//	go run ./scripts/chaos -program bin/assenso -cycles 50 -seed 1
//
// Meanwhile dialers follow the feed and ask the gate through all lives of the
// program.
//
// It fails when an acknowledged event is missing or lies elsewhere than its
// receipt said, when the ledger holds what nobody sent, when an event counts
// twice, when state or report differ, when a dialer was not told of a stop or
// knows another set of them than one that begins anew or than the ledger holds,
// or when an answer of the gate is not in the ledger. The same seed sends the same events
// and draws the same delays; what the machine does in between is its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: "+err.Error())
		os.Exit(1)
	}
}

// plan is what a run is asked to do.
type plan struct {
	program  string
	data     string // working folder; "" = a temporary one, removed when all is well
	cycles   int
	seed     uint64
	workers  int
	contacts int
	batch    int
	rate     int           // events a second of all senders; 0 = as many as are answered
	limit    time.Duration // for each wait on the program
}

func parse(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&p.program, "program", "bin/assenso", "the `FILE` to run and kill")
	flags.StringVar(&p.data, "data", "", "`FOLDER` to work in; it must be empty or missing (default a temporary one)")
	flags.IntVar(&p.cycles, "cycles", 50, "how often to kill")
	flags.Uint64Var(&p.seed, "seed", 1, "of events and delays")
	flags.IntVar(&p.workers, "workers", 4, "senders at once")
	flags.IntVar(&p.contacts, "contacts", 20_000, "numbers that the events are about")
	flags.IntVar(&p.batch, "batch", 50, "events a request")
	flags.IntVar(&p.rate, "rate", 2000, "events a second at most, so that a fast machine has the same work as a slow one; 0 = no bound")
	flags.DurationVar(&p.limit, "limit", time.Minute, "how long to wait for the program before giving up")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if p.cycles < 1 || p.workers < 1 || p.contacts < 1 || p.batch < 1 || p.batch > 1000 || p.rate < 0 || flags.NArg() > 0 {
		return p, errors.New("cycles, workers and contacts must be at least 1, batch between 1 and 1000, rate not negative; no other arguments")
	}
	return p, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	p, err := parse(args)
	if err != nil {
		return err
	}
	if p.data == "" {
		if p.data, err = os.MkdirTemp("", "assenso-chaos-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(p.data)
			} else {
				err = fmt.Errorf("%w (the data is kept in %s)", err, p.data)
			}
		}()
	}
	live := filepath.Join(p.data, "live")
	server, err := newProgram(p.program, live, p.limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close()) }()

	w := world{seed: p.seed, contacts: p.contacts}
	crew := newCrew(w, server.base, p)
	if err := begin(ctx, server, crew); err != nil {
		return err
	}
	dialers, err := openDialers(ctx, "nats://"+server.broker, "chaos", p.limit)
	if err != nil {
		return err
	}
	defer dialers.close()
	loaded, hangUp := crew.start(ctx), dialers.start(ctx, w, crew.book)
	stop := func() error { return errors.Join(crew.stop(loaded), hangUp()) }
	if err := kill(ctx, server, crew.book, p, out); err != nil {
		return errors.Join(err, stop())
	}
	if err := server.start(ctx); err != nil {
		return errors.Join(err, stop())
	}
	if err := errors.Join(stop(), server.ready(ctx)); err != nil {
		return err
	}
	asked, err := dialers.handIn(ctx, newAsker(server.base, p.limit))
	if err != nil {
		return err
	}
	until, err := crew.seal(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d cycles, %s\n%s\n", p.cycles, crew.book.summary(), asked)
	return verify(ctx, server, crew, dialers, p, until, out)
}

// begin starts the program for the first time and records the campaigns.
func begin(ctx context.Context, server *program, crew *crew) error {
	if err := server.start(ctx); err != nil {
		return err
	}
	if err := server.ready(ctx); err != nil {
		return err
	}
	return crew.open(ctx)
}

// kill ends the running program p.cycles times and starts it again in between.
// Of five kills one comes while the program still recovers from the last; the
// others come a moment after it has begun to acknowledge again.
func kill(ctx context.Context, server *program, book *book, p plan, out io.Writer) error {
	random := rand.New(rand.NewPCG(p.seed, 0))
	for cycle := 1; cycle <= p.cycles; cycle++ {
		early := random.IntN(5) == 0
		delay := time.Duration(random.IntN(1500)) * time.Millisecond
		if cycle > 1 {
			if err := server.start(ctx); err != nil {
				return fmt.Errorf("start %d: %w", cycle, err)
			}
		}
		if early {
			delay /= 3
		} else if err := working(ctx, server, book); err != nil {
			return fmt.Errorf("cycle %d: %w", cycle, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-server.ended:
			server.ended <- err
			return fmt.Errorf("cycle %d: the program ended by itself: %w:\n%s", cycle, err, server.said())
		case <-time.After(delay):
		}
		if err := server.kill(); err != nil {
			return err
		}
		if cycle%10 == 0 || cycle == p.cycles {
			fmt.Fprintf(out, "killed %d times\n", cycle)
		}
	}
	return nil
}

// working waits until the program acknowledges events again.
func working(ctx context.Context, server *program, book *book) error {
	before := book.acknowledged()
	ctx, cancel := context.WithTimeout(ctx, server.limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for book.acknowledged() == before {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the program acknowledged nothing for %s: %w:\n%s", server.limit, ctx.Err(), server.said())
		case err := <-server.ended:
			server.ended <- err
			return fmt.Errorf("the program ended by itself: %w:\n%s", err, server.said())
		case <-tick.C:
		}
	}
	return nil
}
