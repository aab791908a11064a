package house

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/services/ledger"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// running is a house under test, with an HTTP door on a free port.
type running struct {
	*House
	url  string
	logs *observer.ObservedLogs
	stop func() error
}

// start opens and runs a house in a fresh folder; change edits its
// configuration.
func start(t *testing.T, change func(*Config)) *running {
	t.Helper()
	cfg := Default()
	cfg.Data, cfg.Listen, cfg.Ledger.Durability = t.TempDir()+"/data", "127.0.0.1:0", ledger.Fast
	if change != nil {
		change(&cfg)
	}
	return startWith(t, cfg, Options{})
}

func startWith(t *testing.T, cfg Config, o Options) *running {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	o.Log = zap.New(core)
	h, err := Open(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	r := &running{House: h, url: "http://" + h.Address(), logs: logs}
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		http.DefaultClient.CloseIdleConnections()
		return <-done
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			for _, e := range logs.FilterLevelExact(zap.WarnLevel).All() {
				t.Log(e.Message, e.ContextMap())
			}
		}
	})
	return r
}

// do sends a request and returns status and body.
func (r *running) do(t *testing.T, method, path, media, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// settle waits until everything recorded so far is final and applied.
func (r *running) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := r.Settle(ctx, r.Now()); err != nil {
		t.Fatal(err)
	}
}

func decode[T any](t *testing.T, b []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("decode: %v\n%s", err, b)
	}
	return v
}

// values lists what the fields of a log line say.
func values(fields map[string]any) []string {
	var out []string
	for k, v := range fields {
		out = append(out, fmt.Sprint(k, "=", v))
	}
	return out
}
