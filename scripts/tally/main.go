// Command tally runs go test and closes with the counts of what ran: a skipped
// test fails the run like a broken one, and so does a run without any test.
//
//	go run ./scripts/tally -count=1 ./services/...
//
// The one exception is a foreign suite that asks for what does not apply, see
// granted: each such skip is printed with its reason.
//
// Arguments go to go test as they stand. Output of passing tests is swallowed,
// that of failing ones printed whole; each package closes with go test's own
// line, the run with "N passed, N failed, N skipped". The exit code is 0 or 1.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally: "+err.Error())
		os.Exit(1)
	}
}

// run starts go test and reads its events until it ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	events, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w: install Go and put it on the PATH", err)
	}
	counts, readErr := read(events, out)
	waitErr := cmd.Wait()
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", counts.passed, counts.failed, len(counts.skipped)+counts.granted)
	switch {
	case readErr != nil:
		return readErr
	case len(counts.skipped) > 0:
		return fmt.Errorf("%d skipped, and a skip is a failure: %s", len(counts.skipped), strings.Join(counts.skipped, ", "))
	case waitErr != nil:
		return fmt.Errorf("go test: %w", waitErr)
	case counts.passed == 0:
		return fmt.Errorf("no test ran: check the packages %s", strings.Join(args, " "))
	}
	return nil
}

// counts is what a run of tests came to; subtests count like tests.
type counts struct {
	passed, failed int
	granted        int      // skips of a foreign suite that do not apply
	skipped        []string // package and test of all others
}

// granted are the cases of foreign suites that do not apply to us.
var granted = []struct {
	test *regexp.Regexp // package and test
	why  string
}{
	{regexp.MustCompile(`/services/worker TestPubSub/[^/]+/TestReconnect(/|$)`),
		"Watermill's suite restarts a server by a shell command, and ours runs inside the test"},
	{regexp.MustCompile(`/services/worker TestPubSub/[^/]+/TestNewSubscriberReceivesOldMessages/`),
		"Watermill's suite asks it of subscribers without a group; ours run it beside the suite, each with a group of its own"},
}

// reason says why a skip is granted, "" for one that is not.
func reason(test string) string {
	for _, g := range granted {
		if g.test.MatchString(test) {
			return g.why
		}
	}
	return ""
}

// event is a line of go test -json (go doc test2json); of the actions "start",
// "run", "pause", "cont" and "bench" nothing is needed.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
}

// read prints what a person needs to see of the events and counts the tests.
func read(in io.Reader, out io.Writer) (counts, error) {
	var c counts
	texts := map[string][]string{}
	dec := json.NewDecoder(bufio.NewReader(in))
	for {
		var e event
		if err := dec.Decode(&e); err == io.EOF {
			return c, nil
		} else if err != nil {
			return c, fmt.Errorf("read go test: %w", err)
		}
		name := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			if e.Test == "" && closing(e.Output) {
				fmt.Fprint(out, e.Output)
			} else {
				texts[name] = append(texts[name], e.Output)
			}
		case "pass":
			if e.Test != "" {
				c.passed++
			}
			delete(texts, name)
		case "skip":
			if why := reason(name); why != "" {
				c.granted++
				fmt.Fprintf(out, "does not apply: %s: %s\n", name, why)
			} else if e.Test != "" {
				c.skipped = append(c.skipped, name)
			}
		case "fail":
			if e.Test != "" {
				c.failed++
			}
			fmt.Fprint(out, strings.Join(texts[name], ""))
			delete(texts, name)
		}
	}
}

// closing reports whether a line of a package's output is go test's last word.
func closing(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "?   \t")
}
