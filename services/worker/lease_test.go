package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assenso/assenso/services/worker"
)

func acquire(t *testing.T, l *worker.Leases, instance string) *worker.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	lease, err := l.Acquire(ctx, "service", instance)
	if err != nil {
		t.Fatalf("acquire for %s: %v", instance, err)
	}
	t.Cleanup(lease.Release)
	return lease
}

// TestLeaseExcludes: while one holds the lease nobody else gets it; a release
// gives it on without a takeover.
func TestLeaseExcludes(t *testing.T) {
	js := broker(t)
	l := leases(t, js, 400*time.Millisecond)
	one := acquire(t, l, "one")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // five times the lease
	defer cancel()
	if _, err := l.Acquire(ctx, "service", "two"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second holder: %v", err)
	}
	if one.Context().Err() != nil {
		t.Fatal("a lease that is renewed was lost")
	}
	one.Release()
	if acquire(t, l, "two").Takeover() {
		t.Error("a released lease counts as taken over")
	}
}

// TestLeaseExpires: a holder that says nothing is replaced after the TTL, and
// the successor knows that something may be under way.
func TestLeaseExpires(t *testing.T) {
	js := broker(t)
	l := leases(t, js, 300*time.Millisecond)
	if _, err := js.Publish(context.Background(), "lease.service", []byte(`{"instance":"dead","nonce":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if !acquire(t, l, "two").Takeover() {
		t.Error("a lease of a silent holder counts as released")
	}
}

// TestLeaseRestart: a new life of the same instance need not wait, and the old
// life ends.
func TestLeaseRestart(t *testing.T) {
	js := broker(t)
	l := leases(t, js, time.Second)
	old := acquire(t, l, "one")
	if acquire(t, l, "one").Takeover() {
		t.Error("a restart counts as a takeover")
	}
	select {
	case <-old.Context().Done():
	case <-time.After(20 * time.Second):
		t.Error("the old life still holds the lease")
	}
}

// TestLeaseLost: a holder that cannot renew gives up before another may begin.
func TestLeaseLost(t *testing.T) {
	js := broker(t)
	l := leases(t, js, 300*time.Millisecond)
	one := acquire(t, l, "one")
	if err := js.DeleteStream(context.Background(), worker.LeaseStream); err != nil {
		t.Fatal(err)
	}
	select {
	case <-one.Context().Done():
	case <-time.After(20 * time.Second):
		t.Error("a lease that cannot be renewed is still held")
	}
}

// TestLeaseSameName: two services under one name by mistake do not take the
// lease from each other for ever.
func TestLeaseSameName(t *testing.T) {
	q := newQueue(t)
	active := make(chan int, 100)
	for i := range 2 {
		_, out := q.subscribe(func(c *worker.SubscriberConfig) {
			c.Instance = "twin"
			c.OnActive = func(ctx context.Context, _ *worker.Lease) { active <- i }
		})
		if i == 0 {
			<-active
		}
		go func() {
			for m := range out {
				m.Ack()
			}
		}()
	}
	if second := <-active; second != 1 {
		t.Fatalf("service %d became active", second)
	}
	// Taking the lease from each other they would change places at every look,
	// twenty times a lease; on a starved machine one may lose it by itself.
	changes := 0
	for end := time.After(2500 * time.Millisecond); ; { // two and a half leases: the absence of an event has no event
		select {
		case <-active:
			if changes++; changes > 5 {
				t.Fatal("two of one name take the lease from each other")
			}
			continue
		case <-end:
		}
		return
	}
}
