package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/services/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("store is away")

// hosted is a service over a queue that records what it is given.
type hosted struct {
	*queue
	mu      sync.Mutex
	handled []string
	parked  []string
	causes  []error
	handle  func(batch []worker.Message) error
	parkErr error
	logs    *observer.ObservedLogs
	reg     *prometheus.Registry
	svc     *worker.Service
}

func host(t *testing.T, handle func(batch []worker.Message) error) *hosted {
	h := &hosted{queue: newQueue(t), handle: handle, reg: prometheus.NewRegistry()}
	core, logs := observer.New(zapcore.DebugLevel)
	h.logs = logs
	var err error
	h.svc, err = worker.New(worker.Config{
		Name: "test.service", JetStream: h.js, Leases: h.leases, Stream: stream, Durable: "d", MaxMessages: 16,
		Retry: worker.Retry{First: time.Millisecond, Most: 4 * time.Millisecond}, Idle: 50 * time.Millisecond,
		Transient: func(err error) bool { return errors.Is(err, errAway) },
		Handle: func(_ context.Context, batch []worker.Message) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if err := h.handle(batch); err != nil {
				return err
			}
			for _, m := range batch {
				h.handled = append(h.handled, string(m.Body))
			}
			return nil
		},
		Park: func(_ context.Context, m worker.Message, cause error) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if err := h.parkErr; err != nil {
				h.parkErr = nil
				return err
			}
			h.parked, h.causes = append(h.parked, string(m.Body)), append(h.causes, cause)
			return nil
		},
		Logger: zap.New(core), Metrics: h.reg,
	})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	return h
}

// run runs the service until the queue of n messages is acknowledged.
func (h *hosted) run(n int) {
	h.t.Helper()
	h.publish(1, n)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.svc.Run(ctx) }()
	h.eventually("the queue is empty", func() bool { return h.first() == uint64(n)+1 })
	cancel()
	if err := <-ended; err != nil {
		h.t.Errorf("run: %v", err)
	}
}

func (h *hosted) counter(name string) float64 {
	h.t.Helper()
	families, err := h.reg.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "assenso_worker_"+name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	h.t.Fatalf("no metric %s", name)
	return 0
}

func series(from, to int, but ...int) []string {
	var out []string
	for i := from; i <= to; i++ {
		if !slices.Contains(but, i) {
			out = append(out, fmt.Sprintf("%04d", i))
		}
	}
	return out
}

// TestServiceRetries: a transient fault repeats the batch and parks nothing.
func TestServiceRetries(t *testing.T) {
	tries := 0
	h := host(t, func([]worker.Message) error {
		if tries++; tries <= 5 {
			return fmt.Errorf("handle: %w", errAway)
		}
		return nil
	})
	h.run(20)
	if !slices.Equal(h.handled, series(1, 20)) || len(h.parked) != 0 {
		t.Errorf("handled %v, parked %v", h.handled, h.parked)
	}
	if n := h.counter("retries_total"); n != 5 {
		t.Errorf("%v retries counted, want 5", n)
	}
	if n := h.counter("messages_total"); n != 20 {
		t.Errorf("%v messages counted, want 20", n)
	}
	if err := h.svc.Ready(); err != nil {
		t.Errorf("ready after the fault has passed: %v", err)
	}
}

// TestServiceParks: poison is found among sound neighbours, which are handled
// in order; a panic is poison, and its value reaches neither log nor cause.
func TestServiceParks(t *testing.T) {
	h := host(t, func(batch []worker.Message) error {
		for _, m := range batch {
			switch string(m.Body) {
			case "0007":
				return errors.New("cannot be handled")
			case "0012":
				panic("secret 3401234567")
			}
		}
		return nil
	})
	h.parkErr = fmt.Errorf("park: %w", errAway) // the first try to park fails
	h.run(20)
	first := slices.IndexFunc(h.handled, func(s string) bool { return s == "0020" })
	if got := slices.Compact(slices.Sorted(slices.Values(h.handled))); !slices.Equal(got, series(1, 20, 7, 12)) || first < 0 {
		t.Errorf("handled %v", h.handled)
	}
	if want := []string{"0007", "0012"}; !slices.Equal(h.parked, want) {
		t.Errorf("parked %v, want %v", h.parked, want)
	}
	for _, cause := range h.causes {
		if strings.Contains(cause.Error(), "secret") {
			t.Errorf("cause quotes the panic: %v", cause)
		}
	}
	if s := h.causes[1].Error(); !strings.Contains(s, "service_test.go:") || !strings.Contains(s, "panicked (string)") {
		t.Errorf("cause of the panic: %s", s)
	}
	for _, line := range h.logs.All() {
		if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "secret") {
			t.Errorf("the log quotes the panic: %s", line.Message)
		}
	}
	if n := h.counter("parked_total"); n != 2 {
		t.Errorf("%v parked counted, want 2", n)
	}
}

// TestServiceConfig: what is missing is named before anything runs.
func TestServiceConfig(t *testing.T) {
	if _, err := worker.New(worker.Config{Name: "x"}); err == nil || !strings.Contains(err.Error(), "Handle") {
		t.Errorf("error %v", err)
	}
}
