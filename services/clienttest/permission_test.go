package clienttest

import (
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/numbers"
)

// dialerOf are the subjects that a dialer of one controller needs, and no more.
func dialerOf(controller, user string) *natsserver.Permissions {
	publish := []string{events.FeedSnapshotSubject(controller), events.FeedAckSubject(controller), events.DecideSubject(controller), "$JS.API.STREAM.INFO." + events.FeedStream}
	for _, filter := range events.FeedFilters(controller) {
		publish = append(publish, "$JS.API.CONSUMER.CREATE."+events.FeedStream+".*."+filter)
	}
	for _, call := range []string{"MSG.NEXT", "DELETE"} {
		publish = append(publish, "$JS.API.CONSUMER."+call+"."+events.FeedStream+".*")
	}
	return &natsserver.Permissions{
		Publish:   &natsserver.SubjectPermission{Allow: publish},
		Subscribe: &natsserver.SubjectPermission{Allow: []string{client.InboxPrefix(user) + ".>", events.FeedBeatSubject}},
	}
}

// TestADialerNeedsToSeeItsControllerOnly: the broker's permissions can be as
// narrow as that, and what lies beyond them is said.
func TestADialerNeedsToSeeItsControllerOnly(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Listen: "127.0.0.1:0", Mode: ledger.Fast, Configure: func(o *natsserver.Options) {
		o.Users = append(o.Users, &natsserver.User{Username: "dialer", Password: "secret", Permissions: dialerOf("A", "dialer")},
			&natsserver.User{Username: "feed", Password: "secret"})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	f := startFeed(t, srv.URL(), nats.UserInfo("feed", "secret"))
	f.say(stop("A", 1), stop("B", 2))
	link := func(user string) *nats.Conn {
		nc, err := client.Connect(srv.URL(), user, nats.UserInfo("dialer", "secret"), silent)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	own := follow(t, link("dialer"), nil)
	own.current(t)
	f.say(stop("A", 3), stop("", 4), stop("B", 5))
	own.caughtUp(t, f)
	own.agrees(t, f, 6)
	eventually(t, "the position is acknowledged", func() bool { return f.acked().Position >= 4 })
	if n := own.faults(client.ErrNotPermitted); n > 0 {
		t.Errorf("%d faults of permission", n)
	}
	own.Close()
	for name, nc := range map[string]*nats.Conn{"another controller": link("dialer"), "another inbox": link("somebody")} {
		d := follow(t, nc, func(o *client.FollowOptions) {
			if name == "another controller" {
				o.Controller = "B"
			}
		})
		eventually(t, name+" is refused, and said", func() bool { return d.faults(client.ErrNotPermitted) > 0 })
		if v := d.MayCall(call(900)); v.Allowed {
			t.Errorf("%s: %s", name, v)
		}
		d.Close()
	}
}

// TestTheHandlerThatWasSetStillHears: the client listens to faults beside the
// program's own handler.
func TestTheHandlerThatWasSetStillHears(t *testing.T) {
	srv := embeddedtest.Start(t)
	heard := make(chan error, 16)
	nc := embeddedtest.Conn(t, srv, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { heard <- err }))
	p := publisher(t, nc, nil)
	slow, err := nc.SubscribeSync("flood")
	if err == nil {
		err = slow.SetPendingLimits(1, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := nc.Publish("flood", []byte("more than a byte")); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-heard:
		if !strings.Contains(err.Error(), "slow consumer") {
			t.Errorf("heard %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the program's handler heard nothing")
	}
	p.Close()
}

// TestNoNumberIsRefusedThatTheLedgerTakes: the client knows no numbering plans.
func TestNoNumberIsRefusedThatTheLedgerTakes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		country := rapid.SampledFrom([]string{"", "IT", "it", "GB", "QQ"}).Draw(rt, "country")
		written := rapid.OneOf(
			rapid.StringMatching(`\+?(39|44|1)?[ ./()-]?[0-9]{2,4}[ ./()-]?[0-9]{3,9}`), rapid.StringMatching(`[+ 0-9./()x-]{1,20}`), rapid.String(),
		).Draw(rt, "number")
		_, taken := numbers.Normalise(written, country)
		if _, code := client.FormOfNumber(written, country); code != "" && taken == "" {
			rt.Errorf("%q of %q is refused as %s", written, country, code)
		}
	})
}
