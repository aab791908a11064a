package house

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/ledger"
)

// A broker of its own is stopped and started again under a house that works:
// doors, recorders, ledger, followers and leases come back by themselves, what
// was acknowledged is there, and nothing is there twice.
func TestTheBrokerRestartsUnderAWorkingHouse(t *testing.T) {
	cfg := quick(t)
	maker := startWith(t, cfg, Options{}) // makes the ledger: a broker elsewhere is given none on the way
	maker.settle(t)
	if err := maker.stop(); err != nil {
		t.Fatal(err)
	}
	run := func(listen string) *embedded.Server {
		t.Helper()
		broker, err := embedded.Start(t.Context(), embedded.Options{Data: cfg.Data, Listen: listen, Mode: ledger.Fast})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := broker.Close(); err != nil {
				t.Error(err)
			}
		})
		return broker
	}
	broker := run("127.0.0.1:0")
	address := strings.TrimPrefix(broker.URL(), "nats://")
	cfg.NATS.URL, cfg.Ledger.AcceptLoss, cfg.Gateway.ReceiptWait = broker.URL(), true, 200*time.Millisecond
	r := startWith(t, cfg, Options{})

	sent := make(chan int) // batches of which every event is acknowledged
	ended := make(chan error, 1)
	stop := make(chan struct{})
	go func() { ended <- deliver(t.Context(), r.url, sent, stop) }()
	batches := <-sent
	for range 3 {
		if err := broker.Close(); err != nil {
			t.Fatal(err)
		}
		broker = run(address)
		<-sent
		batches = <-sent // one that began after the start
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r.settle(t)
	checkOnce(t, r, batches*batchOf)
	for _, f := range events.Families {
		r.comesBack(t, f)
	}
	if err := r.stop(); err != nil {
		t.Errorf("the house gave up: %v", err)
	}
}

// comesBack waits until a recorder works. It may have lost its lease in the
// moment in which everything was settled, and takes it again.
func (r *running) comesBack(t *testing.T, f events.Family) {
	t.Helper()
	rec := r.recorders[f]
	for end := time.Now().Add(30 * time.Second); !rec.Active() || rec.Ready() != nil; {
		if time.Now().After(end) {
			t.Errorf("the recorder of %s did not come back: %v", f, rec.Ready())
			return
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

const batchOf = 20

// again is how long a sender waits before it sends a batch again.
const again = 10 * time.Millisecond

// deliver sends batches of revocations, each again until every event of it is
// acknowledged, and counts them into sent until stop.
func deliver(ctx context.Context, url string, sent chan<- int, stop <-chan struct{}) error {
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for n := 1; ; n++ {
		for {
			done, err := acknowledged(ctx, client, url, n)
			if err != nil {
				return fmt.Errorf("batch %d: %w", n, err)
			}
			if done {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
		select {
		case sent <- n:
		case <-stop:
			return nil
		}
	}
}

// acknowledged sends the n-th batch once.
func acknowledged(ctx context.Context, client *http.Client, url string, n int) (bool, error) {
	body := make([]string, batchOf)
	for i := range body {
		body[i] = fmt.Sprintf(`{"specversion":"1.0","id":"w-%d-%d","source":"app.a.example","type":"consent.revoked.v1","time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"+39340%07d","medium":"app"}}`, n, i, n*batchOf+i)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/events", strings.NewReader("["+strings.Join(body, ",")+"]"))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var answer struct{ Results []gateway.Item }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	for _, it := range answer.Results {
		switch it.Result {
		case gateway.Recorded, gateway.Duplicate, gateway.Accepted:
		case gateway.Unavailable:
			return false, nil
		default:
			return false, fmt.Errorf("%s is %s: %v", it.ID, it.Result, it.Errors)
		}
	}
	return len(answer.Results) == batchOf, nil
}

// checkOnce reads the whole ledger: at least the acknowledged events, each
// identity once.
func checkOnce(t *testing.T, r *running, want int) {
	t.Helper()
	last, err := r.ledger.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[events.Identity]int{}
	for stream, end := range last {
		for from := ledger.Sequence(1); from <= end; {
			page, err := r.ledger.Read(t.Context(), stream, from, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range page {
				e, err := codec.Decode(entry.Body)
				if err != nil {
					t.Fatal(err)
				}
				seen[e.Identity()]++
				from = entry.Sequence + 1
			}
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s stands %d times in the ledger", id.ID, n)
		}
	}
	for n := 1; n <= want/batchOf; n++ {
		for i := range batchOf {
			if id := fmt.Sprintf("w-%d-%d", n, i); seen[events.Identity{Source: "app.a.example", ID: id}] == 0 {
				t.Errorf("%s was acknowledged and is not in the ledger", id)
			}
		}
	}
}
