package pbx

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/events"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The numbers of the tests: one that may be called, one with a warning, one
// that is in the register.
const (
	free   = "+393401234567"
	warned = "+393401234568"
	listed = "+393401234569"
)

// stub is a gate that knows three numbers and keeps the questions.
type stub struct {
	mu    sync.Mutex
	asked []events.Question
	// instead, where not nil, answers.
	instead func(ctx context.Context, q events.Question) (Answer, error)
}

// MayCall implements Gate.
func (s *stub) MayCall(ctx context.Context, q events.Question) (Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	instead := s.instead
	s.mu.Unlock()
	if instead != nil {
		return instead(ctx, q)
	}
	a := Answer{Number: q.Number, Decision: "d-1", ValidUntil: events.InstantOf(time.Date(2026, 3, 10, 20, 0, 0, 0, time.UTC))}
	if q.Country == "IT" && !strings.HasPrefix(q.Number, "+") {
		a.Number = "+39" + q.Number
	}
	switch a.Number {
	case free:
		a.Verdict = events.VerdictAllow
	case warned:
		a.Verdict, a.Reasons = events.VerdictWarn, []events.ReceiptReason{{Rule: "IT-LST-06", Effect: events.VerdictWarn}}
	case listed:
		a.Verdict = events.VerdictBlock
		a.Reasons = []events.ReceiptReason{{Rule: "IT-CON-01", Effect: events.VerdictWarn}, {Rule: "IT-RPO-01", Effect: events.VerdictBlock}, {Rule: "IT-RPO-05", Effect: events.VerdictBlock}}
	default:
		return Answer{}, &events.Refusal{Errors: []events.Fault{{Code: "phone_invalid", Field: "number"}}}
	}
	return a, nil
}

// questions returns what was asked.
func (s *stub) questions() []events.Question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]events.Question(nil), s.asked...)
}

// office is an attendant under test with its gate, log and metrics.
type office struct {
	*Attendant
	gate    *stub
	logs    *observer.ObservedLogs
	metrics *prometheus.Registry
}

// open makes an attendant for this machine's switch; change edits its
// configuration.
func open(t testing.TB, change func(*Config)) *office {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	o := &office{gate: &stub{}, logs: logs, metrics: prometheus.NewRegistry()}
	cfg := Config{Gate: o.gate, Log: zap.New(core), Metrics: o.metrics}
	if change != nil {
		change(&cfg)
	}
	var err error
	if o.Attendant, err = NewAttendant(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.checkLog(t) })
	return o
}

// checkLog fails when a number of the tests stands in a log line.
func (o *office) checkLog(t testing.TB) {
	t.Helper()
	for _, e := range o.logs.All() {
		line := e.Message
		for _, f := range e.Context {
			line += " " + f.String
		}
		if strings.Contains(line, "340123456") {
			t.Errorf("the log says a number: %s", line)
		}
	}
}

// count returns the value of a counter, 0 if it was never raised.
func (o *office) count(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() == name && strings.Join(values, " ") == strings.Join(labels, " ") {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// await polls a condition for at most ten seconds.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// serve runs a server until the end of the test, at which it must stop without
// an error.
func serve(t testing.TB, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var quietLog = zap.NewNop()
