package feed

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"))
}

// check compares FEED with the ledger; nothing may have been erased.
func (r *rig) check() {
	r.t.Helper()
	if d := cmp.Diff(r.fromScratch(), scopes(fold(nil, r.messages(0)))); d != "" {
		r.t.Fatalf("FEED does not say what stands (-from scratch +FEED):\n%s", d)
	}
}

// dialer applies a snapshot and then the tail, and acknowledges.
type dialer struct {
	*rig
	name     string
	position uint64
	stands   map[events.FeedKey]events.FeedMessage
}

// dialer begins with the snapshots of both controllers.
func (r *rig) dialer(name string) *dialer {
	r.t.Helper()
	d := &dialer{rig: r, name: name, position: math.MaxUint64, stands: map[events.FeedKey]events.FeedMessage{}}
	for _, c := range []string{"A", "B"} {
		r.must(r.feed.cursors.know(r.t.Context(), c, name))
		r.must(r.feed.snapshot(r.t.Context(), c, func(at uint64) { d.position = min(d.position, at) }, func(list []events.FeedMessage) error {
			fold(d.stands, list)
			return nil
		}))
	}
	return d
}

// listen applies what came, and acknowledges it.
func (d *dialer) listen() {
	d.t.Helper()
	list := d.messages(d.position)
	fold(d.stands, list)
	if len(list) > 0 {
		d.position = list[len(list)-1].Position
	}
	for _, c := range []string{"A", "B"} {
		got, err := d.feed.acknowledge(d.t.Context(), c, events.FeedAck{Dialer: d.name, Processor: "P", Position: d.position})
		if err != nil || len(got.Errors) > 0 || got.Position < d.position {
			d.t.Fatalf("acknowledge %d: %+v, %v", d.position, got, err)
		}
	}
}

// check compares what the dialer knows with the ledger.
func (d *dialer) check() {
	d.t.Helper()
	if diff := cmp.Diff(d.fromScratch(), scopes(d.stands)); diff != "" {
		d.t.Fatalf("dialer %s does not know what stands (-from scratch +dialer):\n%s", d.name, diff)
	}
}

func TestARevocationStopsAndAGrantLifts(t *testing.T) {
	r := newRig(t)
	r.start()
	n := r.person(1)
	r.record(fact{id: "w", controller: "A", contact: n, data: &events.ConsentRevoked{Channels: events.ChannelSMS.Bit()}})
	r.settle()
	m, ok := r.stands("A", n, events.FeedRevocation)
	if !ok || m.Cause.ID != "w" || m.Phone != "+393400000001" || m.Ledger.Sequence != 1 || m.Type != events.TypeConsentRevoked {
		t.Fatalf("the revocation is told as %+v", m)
	}
	r.check()
	r.record(fact{controller: "A", contact: n, data: sound()})
	r.record(fact{controller: "A", data: notice()})
	r.settle()
	if m, ok := r.stands("A", n, events.FeedRevocation); ok {
		t.Fatalf("a later grant does not lift: %+v", m)
	}
	r.check()
}

// notice is the one that sound consents rest on.
func notice() events.Payload {
	return &events.NoticePublished{Notice: "N", Version: "1", SHA256: events.Digest{1}, EffectiveFrom: 1}
}

// sound is a consent without a defect, once its notice is published.
func sound() *events.ConsentGranted {
	return &events.ConsentGranted{
		Purposes: events.PurposeMarketing.Bit() | events.PurposeMarketResearch.Bit(), Channels: events.AllChannels, SourceRef: "s",
		Notice: &events.NoticeRef{ID: "N", Version: "1", SHA256: events.Digest{1}},
		Proof:  &events.Proof{Kind: events.ProofSignedForm, Immutable: true},
	}
}
