// Command readme runs the commands that README.md tells a newcomer to type, so
// that none of them stops being true: every sh fence in order, in the
// repository, after make demo. A fence that serves is started and kept until
// the end; a question alone in its fence may be answered with no; make lines
// are left to .ci/run, and a test checks that they stand there.
//
//	go run ./scripts/readme README.md
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// ready is where a server on its default address says that it works.
const ready = "http://127.0.0.1:8080/readyz"

// patience is how long a server may take until it is ready, and until it has
// stopped.
const patience = 60 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) != 1 {
		return errors.New("name one file, such as README.md")
	}
	page, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	fences, err := parse(string(page))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for _, f := range fences {
		if f.language != "sh" || f.makes() {
			continue
		}
		fmt.Fprintf(out, "%s:%d\n", args[0], f.line)
		if f.serves() {
			stop, fault := serve(ctx, f.body)
			if fault != nil {
				return fmt.Errorf("%s:%d: %w", args[0], f.line, fault)
			}
			defer func() { err = errors.Join(err, stop()) }()
			continue
		}
		cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", f.body)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil && !(f.asks() && cmd.ProcessState.ExitCode() == 1) {
			return fmt.Errorf("%s:%d: %w:\n%s", args[0], f.line, err, f.body)
		}
	}
	return nil
}

// serve starts a server and waits until it is ready; the function that it
// returns ends it.
func serve(ctx context.Context, command string) (stop func() error, err error) {
	var said strings.Builder
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the server ended: %w:\n%s", err, said.String())
		case <-deadline.C:
			return nil, errors.Join(fmt.Errorf("the server was not ready after %s", patience), cmd.Process.Kill())
		case <-tick.C:
			if answers(ctx) {
				tick.Stop()
				return func() error { return end(cmd, ended) }, nil
			}
		}
	}
}

// answers reports whether the server says that it is ready.
func answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ready, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// end stops the server as an operator does.
func end(cmd *exec.Cmd, ended <-chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the server, asked to stop: %w", err)
		}
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("the server did not stop within %s", patience), cmd.Process.Kill())
	}
}
