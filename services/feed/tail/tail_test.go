package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/feed"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"))
}

// acting plays the feed on a real broker.
type acting struct {
	t      *testing.T
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	kv     jetstream.KeyValue
	last   uint64
}

func act(t *testing.T) (*acting, *Reader) {
	t.Helper()
	srv := embeddedtest.Start(t)
	a := &acting{t: t, nc: embeddedtest.Conn(t, srv), js: embeddedtest.JetStream(t, srv)}
	var err error
	a.stream, err = a.js.CreateStream(t.Context(), feed.StreamConfig(1, 0))
	a.must(err)
	a.kv, err = a.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: feed.CursorBucket})
	a.must(err)
	r, err := New(embeddedtest.Conn(t, srv))
	a.must(err)
	return a, r
}

func (a *acting) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// say publishes a stop of a controller.
func (a *acting) say(controller string) {
	a.t.Helper()
	body, err := json.Marshal(events.FeedMessage{Kind: events.FeedRevocation, Effect: events.FeedStop, Controller: controller, Cause: events.Identity{ID: fmt.Sprint("w", a.last+1)}})
	a.must(err)
	ack, err := a.js.Publish(a.t.Context(), events.FeedSubject(controller, events.FeedRevocation), body)
	a.must(err)
	a.last = ack.Sequence
}

// beat says how far the feed is.
func (a *acting) beat() {
	a.t.Helper()
	body, err := json.Marshal(events.FeedBeat{At: events.InstantOf(time.Now()), Position: a.last, Sent: events.InstantOf(time.Now())})
	a.must(err)
	a.must(a.nc.Publish(events.FeedBeatSubject, body))
}

// serve answers snapshots with pages.
func (a *acting) serve(pages ...events.FeedPage) {
	a.t.Helper()
	_, err := a.nc.Subscribe(events.FeedSnapshotSubject("A"), func(m *nats.Msg) {
		for _, p := range pages {
			body, err := json.Marshal(p)
			if err == nil {
				err = m.Respond(body)
			}
			if err != nil {
				a.t.Error(err)
			}
		}
	})
	a.must(err)
	a.must(a.nc.Flush())
}

// next reads the next item; beats make it come.
func (a *acting) next(f *Tail) Item {
	a.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Millisecond)
		item, err := f.Next(ctx)
		cancel()
		if err == nil {
			return item
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			a.t.Fatal(err)
		}
		a.beat()
	}
	a.t.Fatal("no item in time")
	return Item{}
}

// follow starts a tail that ends with the test.
func (a *acting) follow(r *Reader, q Request) *Tail {
	a.t.Helper()
	q.Controller = "A"
	f, err := r.Follow(a.t.Context(), q)
	a.must(err)
	a.t.Cleanup(f.Close)
	return f
}

func at(n uint64) *uint64 { return &n }

func TestSnapshotThenTailThenCurrent(t *testing.T) {
	a, r := act(t)
	a.say("A")
	a.say("B")
	a.serve(events.FeedPage{Position: 2, Messages: []events.FeedMessage{{Kind: events.FeedRevocation}}}, events.FeedPage{Page: 1, Position: 2, Messages: []events.FeedMessage{{Kind: events.FeedOpposition}}, Done: true})
	a.say("A") // 3, after the snapshot
	a.say("B") // 4, not for this dialer
	a.say("")  // 5, for all
	f := a.follow(r, Request{Dialer: "d"})
	var got []string
	for range 5 {
		i := a.next(f)
		got = append(got, fmt.Sprint(i.Kind, " ", i.Position, " ", i.Message.Position))
	}
	want := []string{"suppression 0 0", "suppression 0 0", "suppression 3 3", "suppression 5 5", "current 5 0"}
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	a.say("B") // 6
	if i := a.next(f); i.Kind != Heartbeat || i.Position < 5 {
		t.Errorf("then %+v", i)
	}
	// A heartbeat never overtakes what was said before it.
	for range 50 {
		a.say("A")
		a.beat()
	}
	for heard := uint64(6); heard < a.last; { // the messages 7 to a.last are all for this dialer
		i := a.next(f)
		if i.Kind == Suppression {
			heard = i.Position
		} else if i.Position > heard {
			t.Fatalf("a heartbeat at %d after message %d", i.Position, heard)
		}
	}
}

func TestWhereATailBegins(t *testing.T) {
	a, r := act(t)
	for range 9 {
		a.say("A")
	}
	a.serve(events.FeedPage{Position: 9, Done: true})
	a.must(a.stream.Purge(t.Context(), jetstream.WithPurgeSequence(4)))
	for _, d := range []struct {
		dialer   string
		position uint64
	}{{"behind", 2}, {"within", 5}, {"never", 0}} {
		_, err := a.kv.Put(t.Context(), feed.CursorKey("A", d.dialer), fmt.Appendf(nil, `{"position":%d}`, d.position))
		a.must(err)
	}
	for _, c := range []struct {
		name  string
		q     Request
		first uint64 // position of the first message; 0 = none, the snapshot comes first
	}{
		{"from a position that is held", Request{Dialer: "d", From: at(5)}, 6},
		{"from just before the first", Request{Dialer: "d", From: at(3)}, 4},
		{"from a position that is gone", Request{Dialer: "d", From: at(2)}, 0},
		{"from beyond the end", Request{Dialer: "d", From: at(99)}, 0},
		{"from nothing, though there is a cursor", Request{Dialer: "within", From: at(0)}, 0},
		{"from the cursor", Request{Dialer: "within"}, 6},
		{"from a cursor that is gone", Request{Dialer: "behind"}, 0},
		{"without having acknowledged", Request{Dialer: "never"}, 0},
		{"without a cursor", Request{Dialer: "new"}, 0},
	} {
		f := a.follow(r, c.q)
		i := a.next(f)
		if c.first == 0 && i.Kind != Current || c.first != 0 && (i.Kind != Suppression || i.Position != c.first) {
			t.Errorf("%s: first %+v, want %d", c.name, i, c.first)
		}
		f.Close()
	}
}

// Somebody deletes the consumer: the tail goes on where it was.
func TestADeletedConsumer(t *testing.T) {
	a, r := act(t)
	a.serve(events.FeedPage{Done: true})
	f := a.follow(r, Request{Dialer: "d"})
	a.say("A")
	for a.next(f).Position != 1 {
	}
	for round := range 3 {
		names := a.stream.ConsumerNames(t.Context())
		for name := range names.Name() {
			a.must(a.stream.DeleteConsumer(t.Context(), name))
		}
		a.must(names.Err())
		for range 5 {
			a.say("A")
		}
		for want := a.last - 4; want <= a.last; {
			i := a.next(f)
			if i.Kind != Suppression {
				continue
			}
			if i.Position != want {
				t.Fatalf("round %d: message %d, want %d", round, i.Position, want)
			}
			want++
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	a, r := act(t)
	ctx := t.Context()
	if _, err := r.Lag(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("lag without a feed: %v", err)
	}
	if _, err := r.Acknowledge(ctx, "A", events.FeedAck{Dialer: "d"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("acknowledgement without a feed: %v", err)
	}
	ends := func(what string) {
		t.Helper()
		f, err := r.Follow(ctx, Request{Controller: "A", Dialer: "d"})
		a.must(err)
		defer f.Close()
		if _, err := f.Next(ctx); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ends("no feed")
	a.serve(events.FeedPage{Error: "not now", Done: true})
	ends("a failed snapshot")
}

func TestAMissingPageIsNoSnapshot(t *testing.T) {
	a, r := act(t)
	a.serve(events.FeedPage{Position: 1}, events.FeedPage{Position: 1, Page: 2, Done: true})
	f, err := r.Follow(t.Context(), Request{Controller: "A", Dialer: "d"})
	a.must(err)
	defer f.Close()
	if _, err := f.Next(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

func TestAClosedTail(t *testing.T) {
	a, r := act(t)
	a.serve(events.FeedPage{Done: true})
	f := a.follow(r, Request{Dialer: "d"})
	a.next(f)
	f.Close()
	for {
		if _, err := f.Next(t.Context()); err != nil {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("error %v", err)
			}
			return
		}
	}
}

// A reader that takes nothing is let go, and what it can still take is in
// order.
func TestASlowReader(t *testing.T) {
	a, r := act(t)
	r.stall = 50 * time.Millisecond
	a.serve(events.FeedPage{Done: true})
	f := a.follow(r, Request{Dialer: "d"})
	for range buffered + 10 {
		body, err := json.Marshal(events.FeedMessage{Kind: events.FeedRevocation, Effect: events.FeedStop, Controller: "A"})
		a.must(err)
		_, err = a.js.PublishAsync(events.FeedSubject("A", events.FeedRevocation), body)
		a.must(err)
	}
	f.ended.Wait()
	var last uint64
	for {
		i, err := f.Next(t.Context())
		if err != nil {
			if !errors.Is(err, ErrSlow) {
				t.Errorf("error %v", err)
			}
			break
		}
		if i.Position < last {
			t.Errorf("%d after %d", i.Position, last)
		}
		last = i.Position
	}
	if last == 0 {
		t.Error("nothing was handed out")
	}
}
