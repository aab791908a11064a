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
	"strings"
	"time"
)

// settings of a run.
type settings struct {
	out     io.Writer
	dir     string        // a folder on the disk to be measured, empty
	seconds time.Duration // about how long one figure may take
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
	names := slices.Sorted(maps.Keys(benchmarks))
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	dir := flags.String("dir", os.TempDir(), "folder on the disk to be measured")
	seconds := flags.Float64("seconds", 4, "about how long one figure may take")
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
	for _, name := range names {
		b, ok := benchmarks[name]
		if !ok {
			return fmt.Errorf("there is no benchmark %q", name)
		}
		if err := runOne(ctx, name, b, *dir, *seconds, out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func runOne(ctx context.Context, name string, b benchmark, dir string, seconds float64, out io.Writer) error {
	scratch, err := os.MkdirTemp(dir, "assenso-bench-*")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "# %s\n", name)
	err = b(ctx, settings{out: out, dir: scratch, seconds: time.Duration(seconds * float64(time.Second))})
	return errors.Join(err, os.RemoveAll(scratch))
}

// figure prints one line: what, how much, unit.
func (s settings) figure(what string, value float64, unit string) {
	fmt.Fprintf(s.out, "%-52s %12.2f %s\n", what, value, unit)
}
