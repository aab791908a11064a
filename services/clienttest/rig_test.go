package clienttest

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/ledger"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// assenso is a whole Assenso on a folder of its own.
type assenso struct {
	*house.House
	url  string // of the HTTP door
	stop func() error
}

// start runs an Assenso until the test ends; change edits its configuration.
func start(t testing.TB, change func(*house.Config)) *assenso {
	t.Helper()
	a, err := open(filepath.Join(t.TempDir(), "data"), change, house.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return a
}

// open runs an Assenso until its stop is called.
func open(folder string, change func(*house.Config), o house.Options) (*assenso, error) {
	cfg := house.Default()
	cfg.Data, cfg.Listen, cfg.NATS.Listen, cfg.Ledger.Durability = folder, "127.0.0.1:0", "127.0.0.1:0", ledger.Fast
	if change != nil {
		change(&cfg)
	}
	o.Log = zap.NewNop()
	h, err := house.Open(context.Background(), cfg, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	return &assenso{House: h, url: "http://" + h.Address(), stop: func() error {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		return <-done
	}}, nil
}

// connect returns a connection that is closed when the test ends.
func connect(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append([]nats.Option{nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0), silent}, options...)
	nc, err := client.Connect(url, "crm-a", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// silent keeps faults that a test provokes out of its output.
var silent = nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})

// publisher returns a publisher of source crm.a.example that is closed when the
// test ends; change edits its options.
func publisher(t testing.TB, nc *nats.Conn, change func(*client.PublisherOptions)) *client.Publisher {
	t.Helper()
	o := client.PublisherOptions{Source: "crm.a.example"}
	if change != nil {
		change(&o)
	}
	p, err := client.NewPublisher(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// soon is a deadline that no working test needs.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := soon(t)
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
