package clienttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
)

func number(i int) string { return fmt.Sprintf("+39340%07d", i) }

func stop(controller string, i int) events.FeedMessage {
	return events.FeedMessage{Kind: events.FeedRevocation, Effect: events.FeedStop, Controller: controller, Phone: number(i)}
}

func resume(controller string, i int) events.FeedMessage {
	m := stop(controller, i)
	m.Effect = events.FeedResume
	return m
}

func call(i int) client.Call {
	return client.Call{Phone: number(i), Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Campaign: "K-A", Lists: []string{}}
}

// follower follows a feed and remembers what it was told.
type follower struct {
	*client.Suppressions
	mu    sync.Mutex
	stops []string
	errs  []error
}

// follow starts a dialer of controller A that is closed when the test ends;
// change edits its options.
func follow(t testing.TB, nc *nats.Conn, change func(*client.FollowOptions)) *follower {
	t.Helper()
	d := &follower{}
	o := client.FollowOptions{
		Controller: "A", Dialer: "d-1", Processor: "callcentre", AckEvery: 10 * time.Millisecond, Backoff: 5 * time.Millisecond,
		OnStop:  func(m events.FeedMessage) { d.mu.Lock(); defer d.mu.Unlock(); d.stops = append(d.stops, m.Phone) },
		OnError: func(err error) { d.mu.Lock(); defer d.mu.Unlock(); d.errs = append(d.errs, err) },
	}
	if change != nil {
		change(&o)
	}
	s, err := client.Follow(context.Background(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	d.Suppressions = s
	return d
}

func (d *follower) told() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.stops)
}

// faults says what OnError heard that is of a kind.
func (d *follower) faults(kind error) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, err := range d.errs {
		if errors.Is(err, kind) {
			n++
		}
	}
	return n
}

// current waits until the dialer may call somebody.
func (d *follower) current(t testing.TB) {
	t.Helper()
	if err := d.WaitCurrent(soon(t)); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		t.Fatalf("%v; faults %v", err, d.errs)
	}
}

// caughtUp waits until the dialer has applied all that the feed has said.
func (d *follower) caughtUp(t testing.TB, f *feed) {
	t.Helper()
	var position uint64
	f.set(func(f *feed) { position = f.position })
	eventually(t, fmt.Sprintf("position %d is applied", position), func() bool { return d.Position() >= position && d.Current() == nil })
}

// agrees compares the set with what the feed holds.
func (d *follower) agrees(t testing.TB, f *feed, numbers int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range numbers {
		_, own := f.standing[feedKey{controller: "A", phone: number(i), kind: events.FeedRevocation}]
		_, every := f.standing[feedKey{phone: number(i), kind: events.FeedRevocation}]
		if v := d.MayCall(call(i)); (len(kinds(v)) > 0) != (own || every) {
			t.Errorf("number %d: %s, the feed has own %v, every %v", i, v, own, every)
		}
	}
}

func TestSnapshotThenTail(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	for i := range 250 { // three pages
		f.say(stop([]string{"A", "B", ""}[i%3], i))
	}
	d := follow(t, connect(t, srv.URL()), nil)
	if v := d.MayCall(call(900)); v.Allowed {
		t.Errorf("before anything was heard: %s", v)
	}
	d.current(t)
	d.agrees(t, f, 260)
	if told := d.told(); len(told) > 0 {
		t.Errorf("of the first snapshot OnStop heard %v", told)
	}
	f.say(stop("A", 300), stop("B", 301), stop("", 302), stop("A", 300), resume("A", 0))
	d.caughtUp(t, f)
	d.agrees(t, f, 310)
	if told := d.told(); !slices.Equal(slices.Sorted(slices.Values(told)), []string{number(300), number(302)}) {
		t.Errorf("OnStop heard %v", told)
	}
	f.say(stop("B", 303)) // others' messages are passed
	d.caughtUp(t, f)
	if v := d.MayCall(call(303)); !v.Allowed {
		t.Errorf("another controller's: %s", v)
	}
	d.Close()
	if v := d.MayCall(call(900)); v.Allowed || v.Reasons[0].Code != client.CodeStopped {
		t.Errorf("after Close: %s", v)
	}
	if n := consumers(t, f); n != 0 {
		t.Errorf("%d consumers are left", n)
	}
}

func consumers(t testing.TB, f *feed) int {
	t.Helper()
	return len(consumerNames(t, f))
}

func consumerNames(t testing.TB, f *feed) (names []string) {
	t.Helper()
	s, err := f.js.Stream(soon(t), events.FeedStream)
	if err != nil {
		t.Fatal(err)
	}
	for name := range s.ConsumerNames(soon(t)).Name() {
		names = append(names, name)
	}
	return names
}

// TestAFloodIsAppliedWhole: more than one request of the consumer brings.
func TestAFloodIsAppliedWhole(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	d := follow(t, connect(t, srv.URL()), nil)
	d.current(t)
	const many = 3000
	var flood []events.FeedMessage
	for i := range many {
		flood = append(flood, stop([]string{"A", "B", "A", ""}[i%4], i))
	}
	f.say(flood...)
	d.caughtUp(t, f)
	d.agrees(t, f, many)
	if n := len(d.told()); n != many*3/4 {
		t.Errorf("OnStop heard %d times, want %d", n, many*3/4)
	}
	if n := f.snapshots(); n != 1 {
		t.Errorf("%d snapshots were taken", n)
	}
}

func TestNothingIsMissedWhileDisconnected(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	wire := embeddedtest.WireBy(t, func(o ...nats.Option) (*nats.Conn, error) { return client.Connect(srv.URL(), "d-1", o...) })
	d := follow(t, wire.Conn, func(o *client.FollowOptions) { o.Suppressions.MaxAge = time.Second })
	d.current(t)
	wire.Down()
	for i := range 20 {
		f.say(stop("A", i))
	}
	eventually(t, "the dialer doubts", func() bool {
		v := d.MayCall(call(900))
		return !v.Allowed && v.Reasons[0].Code == client.CodeSilent
	})
	if told := d.told(); len(told) > 0 {
		t.Errorf("OnStop heard %v without a connection", told)
	}
	wire.Up()
	d.caughtUp(t, f)
	d.agrees(t, f, 30)
	if n, told := f.snapshots(), d.told(); n != 1 || len(told) != 20 {
		t.Errorf("%d snapshots, OnStop heard %d times; want the tail alone, 20", n, len(told))
	}
}

func TestAConsumerThatIsDeletedIsMadeAgain(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	d := follow(t, connect(t, srv.URL()), nil)
	d.current(t)
	s, err := f.js.Stream(soon(t), events.FeedStream)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		eventually(t, "two consumers", func() bool { return consumers(t, f) == 2 })
		for _, name := range consumerNames(t, f) {
			if err := s.DeleteConsumer(soon(t), name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				t.Fatal(err)
			}
		}
		f.say(stop("A", round), stop("", 10+round))
		d.caughtUp(t, f)
		d.agrees(t, f, 20)
	}
	if n := f.snapshots(); n != 1 {
		t.Errorf("%d snapshots were taken, the tail had everything", n)
	}
}

// TestAMessageThatSomebodyElseTookIsFetchedAgain: the consumer's numbering shows
// the gap, at the next message or in the broker's word of how far it is.
func TestAMessageThatSomebodyElseTookIsFetchedAgain(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	d := follow(t, connect(t, srv.URL()), nil)
	d.current(t)
	for round := range 4 {
		eventually(t, "two consumers", func() bool { return consumers(t, f) == 2 })
		inbox := f.nc.NewInbox()
		taken, err := f.nc.SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range consumerNames(t, f) {
			if err := f.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+events.FeedStream+"."+name, inbox, []byte(`{"batch":8,"expires":5000000000}`)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 1 + round { // of two who wait, each is given every other
			f.say(stop("A", 10*round+i))
		}
		if round > 0 {
			if _, err := taken.NextMsgWithContext(soon(t)); err != nil {
				t.Fatal(err)
			}
		}
		d.caughtUp(t, f)
		d.agrees(t, f, 50)
		if err := taken.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.snapshots(); n != 1 {
		t.Errorf("%d snapshots were taken, the tail had everything", n)
	}
}

func TestABrokerThatRestartsLosesNothing(t *testing.T) {
	folder := t.TempDir()
	srv := broker(t, folder, "127.0.0.1:0")
	url := srv.URL()
	f := startFeed(t, url)
	d := follow(t, connect(t, url), nil)
	d.current(t)
	f.say(stop("A", 1))
	d.caughtUp(t, f)
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	broker(t, folder, strings.TrimPrefix(url, "nats://"))
	eventually(t, "the feed is back", f.nc.IsConnected)
	f.say(stop("A", 2), resume("A", 1))
	d.caughtUp(t, f)
	d.agrees(t, f, 5)
}

func TestASilentFeedBlocks(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	d := follow(t, connect(t, srv.URL()), func(o *client.FollowOptions) { o.Suppressions.MaxAge = 500 * time.Millisecond })
	d.current(t)
	blocks := func(code client.ReasonCode) {
		t.Helper()
		eventually(t, "blocked: "+string(code), func() bool {
			v := d.MayCall(call(900))
			return !v.Allowed && v.Reasons[0].Code == code
		})
	}
	f.set(func(f *feed) { f.silent = true })
	blocks(client.CodeSilent)
	f.set(func(f *feed) { f.silent = false })
	d.current(t)
	f.set(func(f *feed) { f.behind = time.Minute })
	blocks(client.CodeLagging)
	f.set(func(f *feed) { f.behind = 0 })
	d.current(t)
}

// TestACursorThatFellOutTakesASnapshot: what the stream no longer has, the
// snapshot says, and OnStop hears of it.
func TestACursorThatFellOutTakesASnapshot(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, f *feed){
		"messages aged": func(t *testing.T, f *feed) {
			s, err := f.js.Stream(soon(t), events.FeedStream)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(soon(t), jetstream.WithPurgeKeep(2)); err != nil {
				t.Fatal(err)
			}
		},
		"stream made anew": func(t *testing.T, f *feed) {
			if err := f.js.DeleteStream(soon(t), events.FeedStream); err != nil {
				t.Fatal(err)
			}
			f.provision()
			f.set(func(f *feed) { f.position = 0 })
			for i := range 60 { // positions are beyond the old ones
				f.say(stop("B", 100+i))
			}
		},
		"stream made anew and short": func(t *testing.T, f *feed) {
			if err := f.js.DeleteStream(soon(t), events.FeedStream); err != nil {
				t.Fatal(err)
			}
			f.provision()
			f.set(func(f *feed) { f.position = 0 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := broker(t, t.TempDir(), "127.0.0.1:0")
			f := startFeed(t, srv.URL())
			wire := embeddedtest.WireBy(t, func(o ...nats.Option) (*nats.Conn, error) { return client.Connect(srv.URL(), "d-1", o...) })
			d := follow(t, wire.Conn, nil)
			for i := range 20 {
				f.say(stop("A", i))
			}
			d.current(t)
			d.caughtUp(t, f)
			before := len(d.told())
			wire.Down()
			f.say(resume("A", 3))
			for i := range 20 {
				f.say(stop("A", 20+i))
			}
			lose(t, f)
			wire.Up()
			eventually(t, "a second snapshot", func() bool { return f.snapshots() >= 2 })
			eventually(t, "the last stop is known", func() bool {
				v := d.MayCall(call(39))
				return !v.Allowed && d.Current() == nil
			})
			d.agrees(t, f, 60)
			if told := d.told()[before:]; !slices.Equal(slices.Sorted(slices.Values(told)), numbersOf(20, 40)) {
				t.Errorf("OnStop heard %v", told)
			}
			f.say(stop("A", 50))
			d.caughtUp(t, f)
			d.agrees(t, f, 60)
		})
	}
}

func numbersOf(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, number(i))
	}
	return out
}

// TestAMessageThatCannotBeReadTakesASnapshot: what cannot be read may stop
// anybody.
func TestAMessageThatCannotBeReadTakesASnapshot(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	d := follow(t, connect(t, srv.URL()), nil)
	d.current(t)
	for n, body := range []string{`{"kind":`, `{"kind":"revocation","effect":"stop","controller":"A","phone":"340 123"}`} {
		ack, err := f.js.Publish(soon(t), events.FeedSubject("A", events.FeedRevocation), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		f.set(func(f *feed) { f.position = ack.Sequence; f.standing[feedKey{phone: number(n)}] = stop("A", n) })
		eventually(t, "the snapshot that bears it is taken", func() bool {
			v := d.MayCall(call(n))
			return !v.Allowed && v.Reasons[0].Code == client.CodeSuppressed && d.Current() == nil
		})
	}
	if n := d.faults(client.ErrMessage); n < 2 {
		t.Errorf("OnError heard of %d messages", n)
	}
}

func TestASnapshotIsTakenWholeOrAgain(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	for i := range 250 {
		f.say(stop("A", i))
	}
	for name, spoil := range map[string]func([]events.FeedPage) []events.FeedPage{
		"a page is missing":   func(p []events.FeedPage) []events.FeedPage { return append(p[:1], p[2:]...) },
		"pages change places": func(p []events.FeedPage) []events.FeedPage { p[0], p[1] = p[1], p[0]; return p },
		"another position":    func(p []events.FeedPage) []events.FeedPage { p[2].Position++; return p },
		"beyond the stream": func(p []events.FeedPage) []events.FeedPage {
			p[0].Position, p[1].Position, p[2].Position = 900, 900, 900
			return p
		},
		"a fault of the feed":  func(p []events.FeedPage) []events.FeedPage { p[1].Error = "the view is away"; return p },
		"a number that is not": func(p []events.FeedPage) []events.FeedPage { p[1].Messages[0].Phone = "x"; return p },
	} {
		t.Run(name, func(t *testing.T) {
			f.set(func(f *feed) { f.broken = spoil })
			before := f.snapshots()
			d := follow(t, connect(t, srv.URL()), nil)
			d.current(t)
			d.agrees(t, f, 260)
			if n := f.snapshots() - before; n != 2 {
				t.Errorf("%d snapshots were taken, want a second one", n)
			}
		})
	}
}

func TestTheAppliedPositionIsAcknowledged(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	f.say(stop("A", 1))
	d := follow(t, connect(t, srv.URL()), nil)
	eventually(t, "the snapshot is acknowledged", func() bool { return f.acked() == events.FeedAck{Dialer: "d-1", Processor: "callcentre", Position: 1} })
	f.say(stop("A", 2), stop("A", 3), stop("B", 4))
	eventually(t, "the tail is acknowledged", func() bool { return f.acked().Position >= 3 })
	f.set(func(f *feed) { f.refusal = []events.Fault{{Code: "dialer_unknown", Hint: "register the dialer"}} })
	if _, err := d.Acknowledge(soon(t)); err == nil || !strings.Contains(err.Error(), "dialer_unknown") {
		t.Errorf("refused: %v", err)
	}
	f.set(func(f *feed) { f.refusal = nil })
	on := follow(t, connect(t, srv.URL()), func(o *client.FollowOptions) { o.AckEvery, o.Dialer = -1, "d-2" })
	on.current(t)
	on.caughtUp(t, f)
	if p, err := on.Acknowledge(soon(t)); err != nil || p != 4 || f.acked().Dialer != "d-2" {
		t.Errorf("on request: %d %v", p, err)
	}
	on.Close()
	if _, err := on.Acknowledge(soon(t)); err == nil {
		t.Error("acknowledged after Close")
	}
	if _, err := client.NewSuppressions(client.SuppressionOptions{}).Acknowledge(soon(t)); !errors.Is(err, client.ErrNotFollowing) {
		t.Errorf("without following: %v", err)
	}
}

// TestTwoUnderOneNameBothHearEverything: a mistake of the operator's must not
// make one of them miss a revocation.
func TestTwoUnderOneNameBothHearEverything(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	first, second := follow(t, connect(t, srv.URL()), nil), follow(t, connect(t, srv.URL()), nil)
	first.current(t)
	second.current(t)
	for i := range 50 {
		f.say(stop("A", i))
	}
	for _, d := range []*follower{first, second} {
		d.caughtUp(t, f)
		d.agrees(t, f, 60)
	}
}

func TestFollowSaysWhatItsOptionsLack(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	_, err := client.Follow(t.Context(), connect(t, srv.URL()), client.FollowOptions{Dialer: "d"})
	if err == nil || !strings.Contains(err.Error(), "Controller") || !strings.Contains(err.Error(), "Processor") {
		t.Errorf("error %v", err)
	}
}

// TestWhateverHappensTheSetIsTheFeeds plays random faults between random
// messages.
func TestWhateverHappensTheSetIsTheFeeds(t *testing.T) {
	srv := broker(t, t.TempDir(), "127.0.0.1:0")
	f := startFeed(t, srv.URL())
	wire := embeddedtest.WireBy(t, func(o ...nats.Option) (*nats.Conn, error) { return client.Connect(srv.URL(), "d-1", o...) })
	d := follow(t, wire.Conn, nil)
	rnd := rand.New(rand.NewPCG(9, 4))
	const contacts = 40
	for round := range 12 {
		down := false
		for range 30 {
			i := rnd.IntN(contacts)
			c := []string{"A", "A", "B", ""}[rnd.IntN(4)]
			f.say([]events.FeedMessage{stop(c, i), stop(c, i), resume(c, i)}[rnd.IntN(3)])
			switch rnd.IntN(12) {
			case 0:
				wire.Cut()
			case 1:
				wire.Down()
				down = true
			case 2:
				wire.Up()
				down = false
			case 3:
				for _, name := range consumerNames(t, f) {
					if err := f.js.DeleteConsumer(soon(t), events.FeedStream, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
						t.Fatal(err)
					}
				}
			case 4:
				if !down { // FEED loses what is old; what is on its way to a dialer is young
					d.caughtUp(t, f)
				}
				s, err := f.js.Stream(soon(t), events.FeedStream)
				if err == nil {
					err = s.Purge(soon(t), jetstream.WithPurgeKeep(uint64(1+rnd.IntN(5))))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if down {
			wire.Up()
		}
		d.caughtUp(t, f)
		d.agrees(t, f, contacts)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}
