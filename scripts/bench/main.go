// Command bench measures the parts of the pipeline on this machine and prints
// each figure beside the one it is to be compared with, from the same run:
//
//	go run ./bench ledger
//	go run ./bench -seconds 10 -dir /var/tmp ledger
//
// Without names it runs every benchmark. A figure is only worth something
// beside its neighbour: disks and cores differ.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings of a run.
type settings struct {
	out     io.Writer
	dir     string        // a folder on the disk to be measured, empty
	seconds time.Duration // about how long one figure may take

	attempts int      // of the campaign whose report is built
	contacts []int    // in the gate's memory
	numbers  int      // of a list
	rate     int      // questions a second over NATS and HTTP
	only     []string // services of the house that answers; nil = all
	profile  string   // file for the CPU profile of that; empty = none
}

// benchmark measures something and prints its figures.
type benchmark func(ctx context.Context, s settings) error

var benchmarks = map[string]benchmark{}

// register adds a benchmark under a name; each file of this package does so
// once.
func register(name string, b benchmark) { benchmarks[name] = b }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == askArgument {
		return ask(ctx, args[1:], out)
	}
	names := slices.Sorted(maps.Keys(benchmarks))
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	dir := flags.String("dir", os.TempDir(), "folder on the disk to be measured")
	seconds := flags.Float64("seconds", 4, "about how long one figure may take")
	attempts := flags.Int("attempts", 100_000, "attempts of the campaign whose report is built")
	contacts := flags.String("contacts", "1000000", "contacts in the gate's memory, one run for each: 1000000,10000000")
	listed := flags.Int("numbers", 200_000, "numbers of a list")
	rate := flags.Int("rate", 5000, "questions a second over NATS")
	only := flags.String("only", "", "services of the house whose gate is asked, with commas between them, as of serve --only; to see what each of them costs the answers (default all)")
	profile := flags.String("profile", "", "file for a CPU profile of the report's build, of questions over NATS, or of a list check")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: bench [flags] [%s]\n", strings.Join(names, " | "))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		names = flags.Args()
	}
	sizes, err := parseSizes(*contacts)
	if err != nil {
		return err
	}
	var services []string
	if *only != "" {
		services = strings.Split(*only, ",")
	}
	for _, name := range names {
		b, ok := benchmarks[name]
		if !ok {
			return fmt.Errorf("there is no benchmark %q", name)
		}
		if err := runOne(ctx, name, b, *dir, settings{out: out, seconds: time.Duration(*seconds * float64(time.Second)), attempts: *attempts, profile: *profile, contacts: sizes, numbers: max(*listed, 1), rate: *rate, only: services}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// parseSizes reads numbers with commas between them.
func parseSizes(text string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1000 {
			return nil, fmt.Errorf("contacts: %q: write numbers of at least 1000 with commas between them", text)
		}
		out = append(out, n)
	}
	return out, nil
}

func runOne(ctx context.Context, name string, b benchmark, dir string, s settings) (err error) {
	if s.dir, err = os.MkdirTemp(dir, "assenso-bench-*"); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "# %s\n", name)
	return errors.Join(b(ctx, s), os.RemoveAll(s.dir))
}

// figure prints one line: what, how much, unit.
func (s settings) figure(what string, value float64, unit string) {
	fmt.Fprintf(s.out, "%-52s %12.2f %s\n", what, value, unit)
}
