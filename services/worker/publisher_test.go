package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/worker"
)

func messages(n int) []*message.Message {
	var out []*message.Message
	for i := range n {
		out = append(out, message.NewMessage(fmt.Sprint("m", i), []byte("x")))
	}
	return out
}

func (q *queue) stored() uint64 {
	q.t.Helper()
	s, err := q.js.Stream(context.Background(), stream)
	if err != nil {
		q.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// TestPublisherAtomic: all or nothing; more than fits is refused before
// anything leaves.
func TestPublisherAtomic(t *testing.T) {
	q := newQueue(t)
	pub := worker.NewPublisher(worker.PublisherConfig{JetStream: q.js, Atomic: true})
	if err := pub.Publish("queue.a", messages(worker.MaxAtomic)...); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if n := q.stored(); n != worker.MaxAtomic {
		t.Fatalf("%d stored", n)
	}
	var fail *worker.PublishError
	err := pub.Publish("queue.a", messages(worker.MaxAtomic+1)...)
	if !errors.As(err, &fail) || len(fail.Refused) != worker.MaxAtomic+1 || len(fail.Unknown) != 0 {
		t.Errorf("error %v", err)
	}
	if n := q.stored(); n != worker.MaxAtomic {
		t.Errorf("%d stored after a refusal", n)
	}
}

// TestPublisherRefused: the broker's own refusal is known to have stored nothing.
func TestPublisherRefused(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		q := newQueue(t)
		cfg := jetstream.StreamConfig{Name: stream, Subjects: []string{"queue.>"}, AllowAtomicPublish: true, MaxMsgs: 1, Discard: jetstream.DiscardNew}
		if _, err := q.js.UpdateStream(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		pub := worker.NewPublisher(worker.PublisherConfig{JetStream: q.js, Atomic: atomic})
		var fail *worker.PublishError
		err := pub.Publish("queue.a", messages(3)...)
		want := []string{"m1", "m2"}
		if atomic {
			want = []string{"m0", "m1", "m2"}
		}
		if !errors.As(err, &fail) || !slices.Equal(fail.Refused, want) || len(fail.Unknown) != 0 {
			t.Errorf("atomic %v: error %v, refused %v", atomic, err, fail)
		}
	}
}

// TestPublisherContext: the context of the message is honoured, and what is not
// known is said.
func TestPublisherContext(t *testing.T) {
	q := newQueue(t)
	q.js.Conn().Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	list := messages(2)
	list[0].SetContext(ctx)
	pub := worker.NewPublisher(worker.PublisherConfig{JetStream: q.js, Timeout: time.Hour})
	var fail *worker.PublishError
	if err := pub.Publish("queue.a", list...); !errors.As(err, &fail) || len(fail.Refused)+len(fail.Unknown) != 2 {
		t.Errorf("error %v", err)
	}
	ended, stop := context.WithCancel(context.Background())
	stop()
	list[0].SetContext(ended)
	if err := pub.Publish("queue.a", list...); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// TestPublisherClosed: nothing leaves after Close.
func TestPublisherClosed(t *testing.T) {
	q := newQueue(t)
	pub := worker.NewPublisher(worker.PublisherConfig{JetStream: q.js, Deduplicate: true})
	for range 2 { // the same ids are stored once
		if err := pub.Publish("queue.a", messages(2)...); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	if err := pub.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := pub.Publish("queue.a", messages(1)...); !errors.Is(err, worker.ErrPublisherClosed) {
		t.Errorf("error %v", err)
	}
	if n := q.stored(); n != 2 {
		t.Errorf("%d stored", n)
	}
}
