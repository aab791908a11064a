package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is the server under test, on one data folder and one port for all of
// its lives.
type program struct {
	path, data string
	address    string
	base       string // URL
	broker     string // host and port of NATS
	limit      time.Duration
	cmd        *exec.Cmd
	ended      chan error // of the present life; one value
	output     *tail
}

func newProgram(path, data string, limit time.Duration) (*program, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	broker, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return &program{path: path, data: data, address: address, base: "http://" + address, broker: broker, limit: limit}, nil
}

// freeAddress finds a port of loopback that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// start begins a life; the program is not ready yet when it returns.
func (p *program) start(ctx context.Context) error {
	p.output = &tail{}
	p.cmd = exec.CommandContext(ctx, p.path, "serve", "--data", p.data, "--listen", p.address)
	p.cmd.Env = append(os.Environ(), "ASSENSO_NATS__LISTEN="+p.broker)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return fmt.Errorf("start %s: %w: build it with make build", p.path, err)
	}
	ended := make(chan error, 1)
	p.ended = ended
	go func(cmd *exec.Cmd) { ended <- cmd.Wait() }(p.cmd)
	return nil
}

// ready waits until the program says that it works.
func (p *program) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := "no answer"
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the program was not ready within %s: %w: it said last: %s\n%s", p.limit, ctx.Err(), last, p.said())
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("the program ended by itself: %w:\n%s", err, p.said())
		case <-tick.C:
			status, answer, err := get(ctx, p.base+"/readyz")
			switch {
			case err == nil && status == http.StatusOK:
				return nil
			case err == nil:
				last = answer
			}
		}
	}
}

// level waits until the program is ready and its projections have applied all
// that is recorded; nothing may be sent meanwhile. It waits as long as they
// come nearer.
func (p *program) level(ctx context.Context) error {
	nearest, since := math.Inf(1), time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last := "no answer"; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("the program ended by itself: %w:\n%s", err, p.said())
		case <-tick.C:
		}
		if status, answer, err := get(ctx, p.base+"/readyz"); err == nil {
			last = answer
			behind, err := lag(answer)
			switch {
			case err != nil:
				return err
			case status == http.StatusOK && behind == 0:
				return nil
			case behind < nearest:
				nearest, since = behind, time.Now()
			}
		}
		if time.Since(since) > p.limit {
			return fmt.Errorf("the program came no nearer for %s: it said last: %s\n%s", p.limit, last, p.said())
		}
	}
}

// lag adds up how many events each projection is behind.
func lag(readiness string) (float64, error) {
	var answer struct {
		Lag map[string]float64 `json:"lag"`
	}
	if err := json.Unmarshal([]byte(readiness), &answer); err != nil {
		return 0, fmt.Errorf("read readiness: %w", err)
	}
	sum := 0.0
	for _, n := range answer.Lag {
		sum += n
	}
	return sum, nil
}

func get(ctx context.Context, url string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tailBytes))
	return resp.StatusCode, string(body), err
}

// kill ends the life at once; the kernel keeps what was written, the process
// gets no chance to write more. A life that had ended by itself is an error.
func (p *program) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the program: %w", err)
	}
	err := <-p.ended
	p.cmd = nil
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return fmt.Errorf("the program ended by itself before it was killed: %w:\n%s", err, p.said())
}

// finish ends the life as an operator does and expects exit code 0.
func (p *program) finish() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the program: %w", err)
	}
	defer func() { p.cmd = nil }()
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("the program, asked to stop: %w:\n%s", err, p.said())
		}
		return nil
	case <-time.After(p.limit):
		return errors.Join(fmt.Errorf("the program did not stop within %s", p.limit), p.kill())
	}
}

// close ends the life, if there is one, in any way.
func (p *program) close() error {
	if p.cmd == nil {
		return nil
	}
	return p.kill()
}

// said returns the end of what the program wrote in this life.
func (p *program) said() string { return p.output.String() }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
}

const tailBytes = 16 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > 4*tailBytes {
		kept := last(t.text.String())
		t.text.Reset()
		t.text.WriteString(kept)
	}
	return t.text.Write(b)
}

// String returns the last tailBytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return last(t.text.String())
}

func last(s string) string { return s[max(0, len(s)-tailBytes):] }
