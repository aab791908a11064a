package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/ledger"
)

// feedKey is what a message is about.
type feedKey struct {
	controller, phone, list string
	kind                    events.FeedKind
}

func keyOf(m *events.FeedMessage) feedKey {
	k := feedKey{controller: m.Controller, phone: m.Phone, kind: m.Kind}
	if m.Phone == "" {
		k.list = strings.Join(m.Lists, " ")
	}
	return k
}

// feed speaks the wire contract of events/feed.go over a real broker. It keeps
// what stands in a map and decides nothing.
type feed struct {
	t  testing.TB
	nc *nats.Conn
	js jetstream.JetStream

	mu       sync.Mutex
	standing map[feedKey]events.FeedMessage
	position uint64
	silent   bool
	broken   func(pages []events.FeedPage) []events.FeedPage // of the next snapshot
	asked    int                                             // snapshots
	acks     []events.FeedAck
	refusal  []events.Fault // of acknowledgements
	behind   time.Duration  // the feed, from the ledger
}

const feedBeatEvery = 20 * time.Millisecond

// startFeed runs a feed on a broker until the test ends.
func startFeed(t testing.TB, url string, options ...nats.Option) *feed {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), silent}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{t: t, nc: nc, standing: map[feedKey]events.FeedMessage{}}
	if f.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	f.provision()
	for subject, handle := range map[string]nats.MsgHandler{"feedsnapshot.*": f.snapshot, "feedack.*": f.acknowledge} {
		if _, err := nc.Subscribe(subject, handle); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var beats sync.WaitGroup
	beats.Go(func() { f.beat(ctx) })
	t.Cleanup(func() { cancel(); beats.Wait(); nc.Close() })
	return f
}

// provision makes an empty FEED stream.
func (f *feed) provision() {
	f.t.Helper()
	_, err := f.js.CreateStream(soon(f.t), jetstream.StreamConfig{Name: events.FeedStream, Subjects: []string{"feed.>"}})
	if err != nil {
		f.t.Fatal(err)
	}
}

// say publishes messages and keeps what stands.
func (f *feed) say(messages ...events.FeedMessage) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var under []jetstream.PubAckFuture
	for _, m := range messages {
		body, err := json.Marshal(m)
		if err != nil {
			f.t.Fatal(err)
		}
		ack, err := f.js.PublishAsync(events.FeedSubject(m.Controller, m.Kind), body)
		if err != nil {
			f.t.Fatal(err)
		}
		under = append(under, ack)
		if m.Effect == events.FeedStop {
			f.standing[keyOf(&m)] = m
		} else {
			delete(f.standing, keyOf(&m))
		}
	}
	for _, ack := range under {
		select {
		case a := <-ack.Ok():
			f.position = a.Sequence
		case err := <-ack.Err():
			f.t.Fatal(err)
		}
	}
}

// snapshot answers in pages of 100.
func (f *feed) snapshot(m *nats.Msg) {
	var request events.FeedSnapshotRequest
	if err := json.Unmarshal(m.Data, &request); err != nil || request.Dialer == "" {
		f.t.Errorf("snapshot request %s: %v", m.Data, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	pages := []events.FeedPage{{Position: f.position}}
	for _, m2 := range slices.SortedFunc(maps.Values(f.standing), func(a, b events.FeedMessage) int { return strings.Compare(a.Phone, b.Phone) }) {
		if c := events.SubjectToken(m2.Controller); c != events.NoToken && events.FeedSnapshotSubject(m2.Controller) != m.Subject {
			continue
		}
		last := &pages[len(pages)-1]
		if len(last.Messages) == 100 {
			pages = append(pages, events.FeedPage{Position: f.position, Page: len(pages)})
			last = &pages[len(pages)-1]
		}
		last.Messages = append(last.Messages, m2)
	}
	pages[len(pages)-1].Done = true
	if f.broken != nil {
		pages, f.broken = f.broken(pages), nil
	}
	for i := range pages {
		f.respond(m, pages[i])
	}
}

func (f *feed) respond(m *nats.Msg, answer any) {
	body, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) { // the test is over while a dialer still asks
		f.t.Errorf("respond: %v", err)
	}
}

func (f *feed) acknowledge(m *nats.Msg) {
	var ack events.FeedAck
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		f.t.Errorf("acknowledgement %s: %v", m.Data, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acks = append(f.acks, ack)
	f.respond(m, events.FeedAcked{Position: ack.Position, Errors: f.refusal})
}

// acked is the youngest acknowledgement.
func (f *feed) acked() events.FeedAck {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.acks) == 0 {
		return events.FeedAck{}
	}
	return f.acks[len(f.acks)-1]
}

// set changes how the feed behaves.
func (f *feed) set(change func(*feed)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// snapshots counts how often one was asked for.
func (f *feed) snapshots() (n int) {
	f.set(func(f *feed) { n = f.asked })
	return n
}

func (f *feed) beat(ctx context.Context) {
	tick := time.NewTicker(feedBeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f.mu.Lock()
		now := events.InstantOf(time.Now())
		b := events.FeedBeat{At: now.Add(-f.behind), Sent: now, Position: f.position}
		if body, err := json.Marshal(b); err == nil && !f.silent && f.nc.IsConnected() {
			_ = f.nc.Publish(events.FeedBeatSubject, body) // a heartbeat that is lost is what the tests are about
		}
		f.mu.Unlock()
	}
}

// broker runs a broker that others can reach, until the test ends or it is
// closed.
func broker(t testing.TB, folder, listen string) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Options{Data: folder, Listen: listen, Mode: ledger.Fast})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}
