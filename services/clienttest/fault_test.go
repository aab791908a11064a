package clienttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
)

// hasty makes a publisher that repeats soon.
func hasty(o *client.PublisherOptions) {
	o.AckWait, o.ReceiptWait, o.Backoff = 300*time.Millisecond, 50*time.Millisecond, 5*time.Millisecond
}

// without starts an Assenso that lacks the recorder of a family.
func without(t *testing.T, f events.Family) (a *assenso, folder string) {
	t.Helper()
	a = start(t, func(c *house.Config) {
		folder = c.Data
		c.Ledger.IntakeBytes = 1 << 20
		c.Only = slices.DeleteFunc(slices.Clone(house.Services), func(s string) bool { return s == house.RecorderOf(f) })
	})
	return a, folder
}

// recorder starts the recorder of a family beside an Assenso that lacks it.
func recorder(t *testing.T, a *assenso, folder string, f events.Family) {
	t.Helper()
	start(t, func(c *house.Config) {
		c.Data, c.NATS.URL, c.Ledger.AcceptLoss = folder, a.BrokerURL(), true
		c.Only = []string{house.RecorderOf(f)}
	})
}

// inLedger counts the recorded events of a type.
func inLedger(t *testing.T, nc *nats.Conn, typ events.Type) int {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for streams := js.ListStreams(soon(t), jetstream.WithStreamListSubject("ledger.>")); ; {
		s, ok := <-streams.Info()
		if !ok {
			if err := streams.Err(); err != nil {
				t.Fatal(err)
			}
			return count
		}
		stream, err := js.Stream(soon(t), s.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(soon(t), jetstream.WithSubjectFilter("ledger.>"))
		if err != nil {
			t.Fatal(err)
		}
		for subject, n := range info.State.Subjects {
			if strings.Contains(subject, "."+string(typ)+".") {
				count += int(n)
			}
		}
	}
}

// queued waits until so many submissions lie in the queue of revocations.
func queued(t *testing.T, nc *nats.Conn, n uint64) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("%d submissions in the queue", n), func() bool {
		s, err := js.Stream(soon(t), natsintake.StreamOf(events.FamilyRevocations))
		return err == nil && s.CachedInfo().State.Msgs >= n
	})
}

func TestAReceiptThatIsMissedIsBroughtByTheSameIdentity(t *testing.T) {
	a, folder := without(t, events.FamilyRevocations)
	nc := connect(t, a.BrokerURL())
	p := publisher(t, nc, hasty)
	w := p.PublishAsync(soon(t), revocation("w-1"))
	queued(t, nc, 3)
	recorder(t, a, folder, events.FamilyRevocations)
	r, err := w.Wait(soon(t))
	if err != nil || !r.InLedger() || r.Result == client.Conflict || r.Attempts < 3 {
		t.Errorf("%+v %v", r, err)
	}
	if n := inLedger(t, nc, events.TypeConsentRevoked); n != 1 {
		t.Errorf("%d events in the ledger, want 1", n)
	}
}

func TestAcceptedIsSaidWhereNoReceiptComes(t *testing.T) {
	a, _ := without(t, events.FamilyRevocations)
	p := publisher(t, connect(t, a.BrokerURL()), hasty)
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	r, err := p.Publish(ctx, revocation("w-1"))
	if !errors.Is(err, client.ErrNoReceipt) || !errors.Is(err, context.DeadlineExceeded) || r.Result != client.Accepted || r.ID != "w-1" || r.InLedger() {
		t.Errorf("%+v %v", r, err)
	}
}

// wired connects over a wire that the test can cut.
func wired(t *testing.T, a *assenso) *embeddedtest.Wire {
	t.Helper()
	return embeddedtest.WireBy(t, func(o ...nats.Option) (*nats.Conn, error) {
		return client.Connect(a.BrokerURL(), "crm-a", o...)
	})
}

func TestAnAcknowledgementThatIsLostMakesNoSecondEvent(t *testing.T) {
	a, folder := without(t, events.FamilyRevocations)
	wire := wired(t, a)
	p := publisher(t, wire.Conn, hasty)
	stored := wire.LoseAnswerTo(`"id":"w-1"`)
	w := p.PublishAsync(soon(t), revocation("w-1"))
	<-stored
	wire.Cut()
	nc := connect(t, a.BrokerURL())
	queued(t, nc, 2)
	recorder(t, a, folder, events.FamilyRevocations)
	r, err := w.Wait(soon(t))
	if err != nil || !r.InLedger() || r.Result == client.Conflict || r.Attempts < 2 {
		t.Errorf("%+v %v", r, err)
	}
	if n := inLedger(t, nc, events.TypeConsentRevoked); n != 1 {
		t.Errorf("%d events in the ledger, want 1", n)
	}
}

func TestAnEventThatNeverLeftIsSentAgain(t *testing.T) {
	a := start(t, nil)
	wire := wired(t, a)
	p := publisher(t, wire.Conn, hasty)
	cut := wire.CutBefore(`"id":"w-1"`)
	w := p.PublishAsync(soon(t), revocation("w-1"))
	<-cut
	if r, err := w.Wait(soon(t)); err != nil || !r.InLedger() {
		t.Errorf("%+v %v", r, err)
	}
	if n := inLedger(t, connect(t, a.BrokerURL()), events.TypeConsentRevoked); n != 1 {
		t.Errorf("%d events in the ledger, want 1", n)
	}
}

func TestAPublisherOutlivesARestart(t *testing.T) {
	folder := t.TempDir() + "/data"
	first, err := open(folder, nil, house.Options{})
	if err != nil {
		t.Fatal(err)
	}
	address := first.BrokerURL()
	nc := connect(t, address)
	p := publisher(t, nc, hasty)
	if r, err := p.Publish(soon(t), revocation("w-1")); err != nil {
		t.Fatalf("%+v %v", r, err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	under := []*client.Pending{p.PublishAsync(soon(t), revocation("w-1")), p.PublishAsync(soon(t), revocation("w-2"))}
	second, err := open(folder, func(c *house.Config) { c.NATS.Listen = strings.TrimPrefix(address, "nats://") }, house.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.stop(); err != nil {
			t.Error(err)
		}
	}()
	for i, want := range []client.Result{client.Duplicate, client.Recorded} {
		if r, err := under[i].Wait(soon(t)); err != nil || r.Result != want && r.Attempts < 2 {
			t.Errorf("event %d: %+v %v", i, r, err)
		}
	}
	if n := inLedger(t, nc, events.TypeConsentRevoked); n != 2 {
		t.Errorf("%d events in the ledger, want 2", n)
	}
}

func TestAFullQueueDelaysAndLosesNothing(t *testing.T) {
	a, folder := without(t, events.FamilyRevocations)
	nc := connect(t, a.BrokerURL())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	subject := events.IntakeSubject(events.FamilyRevocations, "crm.a.example", events.TypeConsentRevoked)
	for _, size := range []int{200 << 10, 10 << 10, 512, 1} {
		for err = nil; err == nil; {
			_, err = js.Publish(soon(t), subject, make([]byte, size))
		}
	}
	p := publisher(t, nc, hasty)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if r, err := p.Publish(ctx, revocation("w-1")); !errors.Is(err, client.ErrFull) || !errors.Is(err, client.ErrUnavailable) || r.Result != client.Unknown || r.Attempts < 2 {
		t.Errorf("%+v %v", r, err)
	}
	w := p.PublishAsync(soon(t), revocation("w-1"))
	recorder(t, a, folder, events.FamilyRevocations)
	if r, err := w.Wait(soon(t)); err != nil || !r.InLedger() {
		t.Errorf("after there was room: %+v %v", r, err)
	}
}

// guarded runs a broker that knows one user with the permissions given, and
// the queues of the intake.
func guarded(t *testing.T, allow *natsserver.Permissions) string {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Listen: "127.0.0.1:0", Mode: ledger.Fast, Configure: func(o *natsserver.Options) {
		o.Users = append(o.Users, &natsserver.User{Username: "crm", Password: "secret", Permissions: allow})
		o.NoAuthUser = ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	nc := embeddedtest.Conn(t, srv)
	if err := natsintake.Provision(t.Context(), nc, natsintake.Settings{MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	return srv.URL()
}

// TestWhatIsForbiddenIsSaidAtOnce: the broker says so apart from the call,
// which would only see a timeout.
func TestWhatIsForbiddenIsSaidAtOnce(t *testing.T) {
	own := events.SubjectToken("crm.a.example")
	inbox := client.InboxPrefix("crm-a") + ".>"
	allow := func(subjects ...string) *natsserver.SubjectPermission {
		return &natsserver.SubjectPermission{Allow: subjects}
	}
	for _, c := range []struct {
		name               string
		publish, subscribe *natsserver.SubjectPermission
		result             client.Result
		want               string
	}{
		{"another source", allow("intake.*.other.>"), allow(inbox, "receipts."+own+".>"), client.Unknown, "publish as source"},
		{"receipts of another source", allow("intake.*." + own + ".>"), allow(inbox, "receipts.other.>"), client.Accepted, "hear the receipts"},
		{"another inbox", allow("intake.*." + own + ".>"), allow("_INBOX.other.>", "receipts."+own+".>"), client.Unknown, "inbox prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc := connect(t, guarded(t, &natsserver.Permissions{Publish: c.publish, Subscribe: c.subscribe}), nats.UserInfo("crm", "secret"))
			p := publisher(t, nc, func(o *client.PublisherOptions) { o.AckWait, o.ReceiptWait = time.Hour, time.Hour })
			r, err := p.Publish(soon(t), revocation("w-1"))
			if !errors.Is(err, client.ErrNotPermitted) || !strings.Contains(err.Error(), c.want) || r.Result != c.result {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

func TestAClosedPublisherEndsWhatIsUnderWay(t *testing.T) {
	a, _ := without(t, events.FamilyRevocations)
	p := publisher(t, connect(t, a.BrokerURL()), func(o *client.PublisherOptions) { o.Pending = 3 })
	var under []*client.Pending
	for i := range 3 {
		under = append(under, p.PublishAsync(soon(t), revocation(fmt.Sprintf("w-%d", i))))
	}
	full, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if r, err := p.Publish(full, revocation("w-3")); !errors.Is(err, client.ErrUnavailable) || r.Attempts != 0 {
		t.Errorf("beyond Pending: %+v %v", r, err)
	}
	p.Close()
	for i, w := range under {
		if r, err := w.Wait(soon(t)); !errors.Is(err, client.ErrClosed) || r.Result == client.Recorded {
			t.Errorf("event %d: %+v %v", i, r, err)
		}
	}
	if r, err := p.Publish(soon(t), revocation("w-4")); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after Close: %+v %v", r, err)
	}
}
