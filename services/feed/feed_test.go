package feed

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
)

func (r *rig) check() {
	r.t.Helper()
	if d := cmp.Diff(r.fromScratch(), scopes(fold(nil, r.messages(0)))); d != "" {
		r.t.Fatalf("FEED does not say what stands (-from scratch +FEED):\n%s", d)
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

func TestTheBeatStaysWhileTheLedgerIsAway(t *testing.T) {
	r := newRig(t)
	r.start()
	r.settle()
	was := r.feed.Status().At
	if was == 0 || time.Duration(r.clock.now()-was) < 0 {
		t.Fatalf("status %+v", r.feed.Status())
	}
}
