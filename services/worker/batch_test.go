package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/worker"
)

// queue is a stream with one durable for tests of batches.
type queue struct {
	t      *testing.T
	js     jetstream.JetStream
	leases *worker.Leases
}

const stream = "QUEUE"

func newQueue(t *testing.T) *queue {
	js := broker(t)
	_, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: stream, Subjects: []string{"queue.>"}, AllowAtomicPublish: true})
	if err != nil {
		t.Fatalf("create stream: %v", err)
	}
	return &queue{t, js, leases(t, js, time.Second)}
}

func (q *queue) publish(from, to int) {
	q.t.Helper()
	pub := worker.NewPublisher(worker.PublisherConfig{JetStream: q.js})
	var msgs []*message.Message
	for i := from; i <= to; i++ {
		msgs = append(msgs, message.NewMessage(fmt.Sprint("m", i), []byte(fmt.Sprintf("%04d", i))))
	}
	if err := pub.Publish("queue.a", msgs...); err != nil {
		q.t.Fatalf("publish: %v", err)
	}
}

func (q *queue) subscribe(change func(*worker.SubscriberConfig)) (*worker.Subscriber, <-chan *message.Message) {
	q.t.Helper()
	cfg := worker.SubscriberConfig{
		JetStream: q.js, Leases: q.leases, Durable: "d", Stream: func(string) string { return stream },
		MaxMessages: 10, Backoff: time.Millisecond, Idle: 50 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	sub, err := worker.NewBatch(cfg)
	if err != nil {
		q.t.Fatalf("new subscriber: %v", err)
	}
	q.t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			q.t.Errorf("close: %v", err)
		}
	})
	out, err := sub.Subscribe(context.Background(), "any")
	if err != nil {
		q.t.Fatalf("subscribe: %v", err)
	}
	return sub, out
}

func (q *queue) next(out <-chan *message.Message) *message.Message {
	q.t.Helper()
	select {
	case m, ok := <-out:
		if !ok {
			q.t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(20 * time.Second):
		q.t.Fatal("no batch came")
		return nil
	}
}

func numbersOf(m *message.Message) []string {
	var out []string
	for _, one := range worker.BatchOf(m) {
		out = append(out, string(one.Body))
	}
	return out
}

// floor waits until the broker has the acknowledgement floor at want.
func (q *queue) floor(want uint64) {
	q.t.Helper()
	q.eventually(fmt.Sprintf("acknowledgement floor at %d", want), func() bool {
		c, err := q.js.Consumer(context.Background(), stream, "d")
		return err == nil && c.CachedInfo().AckFloor.Stream == want
	})
}

func (q *queue) eventually(what string, is func() bool) {
	q.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) { // polls a state that has no event
		if time.Now().After(deadline) {
			q.t.Fatalf("never: %s", what)
		}
	}
}

func (q *queue) first() uint64 {
	q.t.Helper()
	s, err := q.js.Stream(context.Background(), stream)
	if err != nil {
		q.t.Fatal(err)
	}
	return s.CachedInfo().State.FirstSeq
}

// TestBatchOrder: batches cover the stream in order, without gaps, and none is
// larger than asked for.
func TestBatchOrder(t *testing.T) {
	q := newQueue(t)
	q.publish(1, 95)
	_, out := q.subscribe(nil)
	var got []string
	for len(got) < 95 {
		m := q.next(out)
		batch := numbersOf(m)
		if len(batch) == 0 || len(batch) > 10 {
			t.Fatalf("batch of %d", len(batch))
		}
		got = append(got, batch...)
		m.Ack()
	}
	for i, n := range got {
		if n != fmt.Sprintf("%04d", i+1) {
			t.Fatalf("%d: %s", i, n)
		}
	}
	q.floor(95)
}

// TestBatchOneInFlight: nothing comes before the batch under way is answered,
// and a refused batch comes again whole, before anything younger.
func TestBatchOneInFlight(t *testing.T) {
	q := newQueue(t)
	q.publish(1, 30)
	_, out := q.subscribe(nil)
	m := q.next(out)
	first := numbersOf(m)
	select {
	case <-out:
		t.Fatal("a second batch while the first is under way")
	case <-time.After(50 * time.Millisecond): // the absence of an event has no event
	}
	for range 3 {
		m.Nack()
		m = q.next(out)
		if again := numbersOf(m); !slices.Equal(again, first) {
			t.Fatalf("after a refusal %v, want %v", again, first)
		}
	}
	q.floor(0)
	m.Ack()
	if second := numbersOf(q.next(out)); second[0] != fmt.Sprintf("%04d", len(first)+1) {
		t.Errorf("after %v comes %v", first, second)
	}
	q.floor(uint64(len(first)))
}

// TestBatchBytes: a batch ends where it would grow beyond the limit; one
// message alone may be larger.
func TestBatchBytes(t *testing.T) {
	q := newQueue(t)
	ctx := context.Background()
	for _, size := range []int{400, 400, 400, 5000, 100} {
		if _, err := q.js.Publish(ctx, "queue.a", []byte(strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
	}
	_, out := q.subscribe(func(c *worker.SubscriberConfig) { c.MaxBytes = 1000 })
	total := 0
	for total < 5 {
		m := q.next(out)
		size := 0
		for _, one := range worker.BatchOf(m) {
			size += len(one.Body)
			total++
		}
		if n := len(worker.BatchOf(m)); size > 1000 && n > 1 {
			t.Errorf("%d messages of %d bytes", n, size)
		}
		m.Ack()
	}
}

// TestBatchCloseDuring: closing during a batch gives it its grace; what was
// acknowledged stays so, the rest comes again to the next subscriber.
func TestBatchCloseDuring(t *testing.T) {
	for _, finishes := range []bool{true, false} {
		t.Run(fmt.Sprint("finishes ", finishes), func(t *testing.T) {
			q := newQueue(t)
			q.publish(1, 40)
			grace := 20 * time.Second
			if !finishes {
				grace = 10 * time.Millisecond
			}
			sub, out := q.subscribe(func(c *worker.SubscriberConfig) { c.Grace = grace })
			one := q.next(out)
			done := len(numbersOf(one))
			one.Ack()
			two := q.next(out)
			var closed sync.WaitGroup
			closed.Go(func() {
				if err := sub.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			if finishes {
				done += len(numbersOf(two))
				two.Ack()
			} else {
				<-two.Context().Done()
			}
			closed.Wait()
			if _, open := <-out; open {
				t.Error("a batch after close")
			}
			_, out = q.subscribe(nil)
			if next := numbersOf(q.next(out)); next[0] != fmt.Sprintf("%04d", done+1) {
				t.Errorf("the next subscriber begins with %v, want %d", next, done+1)
			}
		})
	}
}

// TestBatchPurge: the queue is purged up to the floor, never beyond.
func TestBatchPurge(t *testing.T) {
	q := newQueue(t)
	q.publish(1, 100)
	_, out := q.subscribe(func(c *worker.SubscriberConfig) { c.PurgeEvery, c.Idle = 30, time.Hour })
	handled := 0
	for handled < 60 {
		m := q.next(out)
		handled += len(numbersOf(m))
		m.Ack()
	}
	q.eventually("purged to the floor", func() bool { return q.first() > 30 })
	if first := q.first(); first > uint64(handled)+1 {
		t.Errorf("purged up to %d, handled %d", first, handled)
	}
}

// TestBatchTidies: an idle queue keeps nothing that was handled.
func TestBatchTidies(t *testing.T) {
	q := newQueue(t)
	q.publish(1, 5)
	_, out := q.subscribe(func(c *worker.SubscriberConfig) { c.PurgeEvery = 1000 })
	for handled := 0; handled < 5; {
		m := q.next(out)
		handled += len(numbersOf(m))
		m.Ack()
	}
	q.eventually("purged when idle", func() bool { return q.first() == 6 })
	q.publish(6, 6)
	if got := numbersOf(q.next(out)); got[0] != "0006" {
		t.Errorf("after the purge comes %v", got)
	}
}

// TestStolenMessages: messages that the broker handed to somebody else come all
// the same, in order, and are not acknowledged before they did.
func TestStolenMessages(t *testing.T) {
	q := newQueue(t)
	_, out := q.subscribe(nil)
	q.publish(1, 3)
	m := q.next(out)
	for got := numbersOf(m); ; got = append(got, numbersOf(m)...) {
		m.Ack()
		if len(got) == 3 {
			break
		}
		m = q.next(out)
	}
	ctx := context.Background()
	thief, err := q.js.Consumer(ctx, stream, "d")
	if err != nil {
		t.Fatal(err)
	}
	stolen := make(chan int, 1)
	go func() {
		n := 0
		if batch, err := thief.Fetch(20, jetstream.FetchMaxWait(2*time.Second)); err == nil {
			for range batch.Messages() {
				n++
			}
		}
		stolen <- n
	}()
	for i := 4; i <= 40; i++ {
		q.publish(i, i)
	}
	want := 4
	for want <= 40 {
		m := q.next(out)
		for _, n := range numbersOf(m) {
			if n != fmt.Sprintf("%04d", want) {
				t.Fatalf("%s came where %d was due", n, want)
			}
			want++
		}
		m.Ack()
	}
	if n := <-stolen; n == 0 {
		t.Log("the thief got nothing this time; the order held all the same")
	}
	q.floor(40)
}

// TestDeletedMessages: a hole that somebody made in the queue is passed over.
func TestDeletedMessages(t *testing.T) {
	q := newQueue(t)
	q.publish(1, 5)
	s, err := q.js.Stream(context.Background(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{2, 3} {
		if err := s.DeleteMsg(context.Background(), n); err != nil {
			t.Fatal(err)
		}
	}
	_, out := q.subscribe(nil)
	var got []string
	for len(got) < 3 {
		m := q.next(out)
		got = append(got, numbersOf(m)...)
		m.Ack()
	}
	if want := []string{"0001", "0004", "0005"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestRepeatedHeader: a header that comes twice is legal; its first value
// counts.
func TestRepeatedHeader(t *testing.T) {
	q := newQueue(t)
	msg := natsMsg("queue.a", map[string][]string{"Receipt-Token": {"one", "two"}, "Empty": {}})
	if _, err := q.js.PublishMsg(context.Background(), msg); err != nil {
		t.Fatal(err)
	}
	_, out := q.subscribe(nil)
	one := worker.BatchOf(q.next(out))[0]
	if got := one.Get("Receipt-Token"); got != "one" {
		t.Errorf("header %q", got)
	}
	if one.Get("Empty") != "" || one.Get("Absent") != "" {
		t.Error("an absent header has a value")
	}
}
