package clienttest

import (
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/house"
)

func opposition(id string) client.Event {
	return client.Event{ID: id, Time: legal.Add(1), Controller: "A", Phone: "+393401234567", Data: &events.OppositionRegistered{}}
}

// kinds lists what stands against a call, without doubts.
func kinds(v client.Verdict) (out []string) {
	for _, r := range v.Reasons {
		if r.Code == client.CodeSuppressed {
			out = append(out, string(r.Kind))
		}
	}
	return out
}

// TestWhatACRMPublishesADialerObeys goes the whole way: publisher, recorder,
// ledger, feed, dialer, acknowledgement, ledger.
func TestWhatACRMPublishesADialerObeys(t *testing.T) {
	folder := t.TempDir() + "/data"
	first, err := open(folder, nil, house.Options{})
	if err != nil {
		t.Fatal(err)
	}
	address := first.BrokerURL()
	nc := connect(t, address)
	p := publisher(t, nc, hasty)
	if r, err := p.Publish(soon(t), grant("g-1")); err != nil {
		t.Fatalf("%+v %v", r, err)
	}
	d := follow(t, connect(t, address), nil)
	d.current(t)
	person := client.Call{Phone: "+393401234567", Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Campaign: "K-A", Lists: []string{}}
	if v := d.MayCall(person); !v.Allowed {
		t.Errorf("before the opposition: %s", v)
	}
	if r, err := p.Publish(soon(t), opposition("o-1")); err != nil {
		t.Fatalf("%+v %v", r, err)
	}
	eventually(t, "the dialer obeys", func() bool { return strings.Contains(strings.Join(kinds(d.MayCall(person)), " "), "opposition") })
	if told := d.told(); len(told) == 0 || told[0] != person.Phone {
		t.Errorf("OnStop heard %q", told)
	}
	eventually(t, "the ledger knows that it obeys", func() bool { return inLedger(t, nc, events.TypeSuppressionAcknowledged) == 1 })

	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second, err := open(folder, func(c *house.Config) { c.NATS.Listen = strings.TrimPrefix(address, "nats://") }, house.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		d.Close()
		if err := second.stop(); err != nil {
			t.Error(err)
		}
	}()
	all := revocation("w-1")
	all.Data = &events.ConsentRevoked{}
	if r, err := p.Publish(soon(t), all); err != nil {
		t.Fatalf("after the restart: %+v %v", r, err)
	}
	eventually(t, "the dialer obeys after the restart", func() bool {
		v := d.MayCall(person)
		return d.Current() == nil && strings.Contains(strings.Join(kinds(v), " "), "revocation")
	})
	fresh := follow(t, connect(t, address), func(o *client.FollowOptions) { o.Dialer = "d-2" })
	fresh.current(t)
	if got, want := kinds(fresh.MayCall(person)), kinds(d.MayCall(person)); len(got) != len(want) {
		t.Errorf("a new dialer's snapshot says %q, the one that followed says %q", got, want)
	}
	fresh.Close()
}
