package standing

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

var engine = sync.OnceValue(func() *rules.Engine {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		panic(err)
	}
	return rules.NewEngine(packs)
})

// noon is 12:00 UTC of a Tuesday; random instants lie around it.
var noon = events.NewDate(2026, 3, 10).In(time.UTC).Add(12 * time.Hour)

const hour = events.Instant(3_600_000_000)

var person = events.ContactKey{7}

func oneOf[T any](t *rapid.T, name string, of ...T) T { return rapid.SampledFrom(of).Draw(t, name) }

func moment(t *rapid.T, name string) events.Instant {
	return noon + events.Instant(rapid.IntRange(-30, 12).Draw(t, name))*8*hour
}

func civil(t *rapid.T, name string) events.Date {
	return events.DateOf(moment(t, name), events.Rome) + events.Date(rapid.IntRange(-20, 5).Draw(t, name+" days"))
}

// payload draws what happened to the person.
func payload(t *rapid.T) events.Payload {
	channels := oneOf(t, "channels", events.ChannelOperatorCall.Bit(), events.ChannelSMS.Bit(), events.AllChannels)
	switch rapid.IntRange(0, 15).Draw(t, "type") {
	case 0, 1, 2, 3:
		return &events.ConsentGranted{Purposes: events.PurposeMarketing.Bit() | events.PurposeMarketResearch.Bit(), Channels: channels, SourceRef: "s",
			Notice: &events.NoticeRef{ID: "N", Version: "1", SHA256: events.Digest{1}}, Contract: oneOf(t, "contract", "", "k"), ValidTo: oneOf(t, "valid", 0, civil(t, "valid to")),
			Proof: &events.Proof{Kind: oneOf(t, "proof", events.ProofSignedForm, events.ProofDoubleOptIn), Immutable: true, ConfirmedAt: moment(t, "confirmed")}}
	case 4:
		return &events.ConsentRevoked{Channels: channels}
	case 5:
		return &events.OppositionRegistered{Channels: channels, AlsoControllers: oneOf(t, "also", nil, []string{"B"})}
	case 6:
		return &events.ConsentInvalidated{Grant: oneOf(t, "grant", "e0", "e1", "e2"), Reason: oneOf(t, "reason", events.InvalidFake, events.InvalidOther)}
	case 7:
		return &events.RegisterListed{ListedOn: civil(t, "listed")}
	case 8:
		return &events.RegisterSelectivelyRevoked{From: civil(t, "from"), To: oneOf(t, "open", 0, civil(t, "to"))}
	case 9, 10:
		return &events.RegisterScreened{Batch: oneOf(t, "batch", "b", "c"), SnapshotAt: moment(t, "snapshot"), SelectiveFrom: civil(t, "window"), SelectiveTo: civil(t, "window end"),
			Answer: oneOf(t, "answer", events.AnswerClear, events.AnswerOpposed, events.AnswerSelective), Register: oneOf(t, "register", events.RegisterPhone, events.RegisterPostal)}
	case 11:
		return &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: civil(t, "started")}
	case 12:
		return &events.ContractEnded{Contract: "k", EndedOn: civil(t, "ended") - 10}
	case 13:
		return &events.ListContactAdded{List: oneOf(t, "list", "L", "M"), Vendor: oneOf(t, "vendor", "", "V")}
	case 14:
		return &events.ListContactRemoved{List: oneOf(t, "list", "L", "M")}
	default:
		return oneOf[events.Payload](t, "mark", &events.ErasureExecuted{}, &events.NumberReassigned{})
	}
}

// facts draws a history and the notice that its consents rest on.
func facts(t *rapid.T) ([]*contact.Fact, *rules.Reference) {
	make := func(i int, e events.Event) *contact.Fact {
		b, err := json.Marshal([]any{e, i})
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Source, e.Type, e.Recorded = fmt.Sprint("e", i), "s", e.Data.EventType(), noon-1000*hour
		return contact.NewFact(e, sha256.Sum256(b), nil, "S", uint64(i)+1)
	}
	ref := rules.NewReference()
	for i, c := range []string{"A", "B"} {
		ref.Add(make(100+i, events.Event{Controller: c, Time: noon - 2000*hour, Data: &events.NoticePublished{Notice: "N", Version: "1", SHA256: events.Digest{1}, EffectiveFrom: 1}}))
	}
	var out []*contact.Fact
	for i := range rapid.IntRange(1, 8).Draw(t, "facts") {
		e := events.Event{Controller: oneOf(t, "controller", "A", "A", "B"), Subject: person, Data: payload(t), Time: moment(t, "time")}
		e.Received = e.Time + oneOf(t, "late", 0, 0, 20*hour)
		out = append(out, make(i, e))
	}
	return out, ref
}

var orders = []Order{{Fact: contact.NewFact(events.Event{ID: "order", Source: "s", Type: events.TypeOrderIssued, Data: &events.OrderIssued{}}, events.Digest{9}, nil, "S", 1), Vendors: []string{"V"}, Lists: []string{"M"}}}

// said is what dialers are told of stops.
func said(stops []Stop) []string {
	var out []string
	for i := range stops {
		s := &stops[i]
		out = append(out, fmt.Sprint(s.Key, s.Purposes, s.Channels, s.Lists, s.Cause().ID, len(s.Causes)))
	}
	return out
}

// The order of the facts makes no difference.
func TestOrderOfFactsNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, ref := facts(t)
		at := moment(t, "at")
		one, next := OfContact(engine(), ref, contact.NewHistory(person, list), orders, at)
		other, again := OfContact(engine(), ref, contact.NewHistory(person, rapid.Permutation(list).Draw(t, "order")), orders, at)
		if d := cmp.Diff(said(one), said(other)); d != "" || next != again {
			t.Fatalf("stops differ, next %v and %v (-in order +shuffled):\n%s", next, again, d)
		}
	})
}

// Until the instant that OfContact names nothing changes by time alone.
func TestNothingChangesBeforeItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, ref := facts(t)
		h := contact.NewHistory(person, list)
		at := moment(t, "at")
		stops, next := OfContact(engine(), ref, h, orders, at)
		if next != 0 && next <= at {
			t.Fatalf("at %v the next change is at %v", at, next)
		}
		end := next
		if end == 0 {
			end = at + 24*400*hour
		}
		for _, later := range []events.Instant{at + 1, at + (end-at)/2, end - 24*hour, end - 1} {
			if later <= at || later >= end {
				continue
			}
			now, _ := OfContact(engine(), ref, h, orders, later)
			if d := cmp.Diff(said(stops), said(now)); d != "" {
				t.Fatalf("between %v and %v, at %v, the stops change:\n%s", at, end, later, d)
			}
		}
	})
}

// A stop is what the gate says too: an attempt in its scope is blocked, in
// whatever campaign, unless the person asked for the call.
func TestWhatIsStoppedTheGateBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, ref := facts(t)
		h := contact.NewHistory(person, list)
		at := moment(t, "at")
		pairs := map[string]bool{}
		_, _ = engine().Hindrances(h, ref, at, func(x rules.Hindrance) {
			pairs[fmt.Sprint(x.Controller, x.Purpose, x.Channel)] = true
			if x.By == nil || x.From == 0 {
				t.Fatalf("a hindrance without cause or beginning: %+v", x)
			}
			d := engine().GateInTime(h, ref, rules.Attempt{Contact: person, Controller: x.Controller, Purpose: x.Purpose, Channel: x.Channel, CLI: "+390844100100"}, at, events.MaxInstant)
			if d.Verdict != events.VerdictBlock {
				t.Fatalf("%+v, and the gate says %s", x, d.Verdict)
			}
			if want := ruleOf[x.Kind]; !slices.ContainsFunc(d.Reasons, func(r rules.Reason) bool { return slices.Contains(want, r.Rule) }) {
				t.Fatalf("%s by %s %s, and the gate gives other reasons: %+v", x.Kind, x.By.ID, x.Channel, d.Reasons)
			}
		})
		stops, _ := OfContact(engine(), ref, h, nil, at)
		for i := range stops {
			s := &stops[i]
			if s.Key.Kind == events.FeedList {
				continue
			}
			found := false
			for _, pu := range s.Purposes.List() {
				for _, ch := range events.Channels {
					found = found || pairs[fmt.Sprint(s.Key.Controller, pu, ch)]
				}
			}
			if !found {
				t.Fatalf("%+v stops what nothing hinders", s.Key)
			}
		}
	})
}

// And the other way: where the gate blocks because of what a person or the
// register said, a stop says so.
func TestWhatTheGateBlocksIsStopped(t *testing.T) {
	kinds := map[string]events.FeedKind{"IT-CON-05": events.FeedRevocation, "IT-OPP-01": events.FeedOpposition, "IT-RPO-01": events.FeedRegister, "IT-RPO-10": events.FeedRegister}
	rapid.Check(t, func(t *rapid.T) {
		list, ref := facts(t)
		h := contact.NewHistory(person, list)
		at := moment(t, "at")
		stops, _ := OfContact(engine(), ref, h, nil, at)
		a := rules.Attempt{Contact: person, Controller: oneOf(t, "calling", "A", "B"), Purpose: oneOf(t, "purpose", Calls.List()...), Channel: oneOf(t, "channel", events.Channels...)}
		for _, r := range engine().GateInTime(h, ref, a, at, events.MaxInstant).Reasons {
			kind, ok := kinds[r.Rule]
			if !ok {
				continue
			}
			if !slices.ContainsFunc(stops, func(s Stop) bool {
				return s.Key.Controller == a.Controller && s.Key.Kind == kind && s.Purposes.Has(a.Purpose) && (s.Channels == 0 || s.Channels.Has(a.Channel))
			}) {
				t.Fatalf("%s blocks %+v, and no stop says so: %v", r.Rule, a, said(stops))
			}
		}
	})
}

// ruleOf are the rules of which one must speak for a cause.
var ruleOf = map[events.FeedKind][]string{
	events.FeedRevocation: {"IT-CON-05"},
	events.FeedOpposition: {"IT-OPP-01"},
	events.FeedRegister:   {"IT-RPO-01", "IT-RPO-10", "IT-RPO-14", "IT-CON-03", "IT-CON-04"}, // the latter of the best grant, where another is uncertain
	events.FeedConsent:    {"IT-CON-01", "IT-CON-02", "IT-CON-03", "IT-CON-04", "IT-CON-06", "IT-CON-09", "IT-RPO-05", "IT-RPO-14", "IT-RPO-01", "IT-RPO-10", "IT-CON-13"},
	events.FeedErasure:    {"IT-CON-01", "IT-CON-02", "IT-CON-13", "IT-OPP-07", "IT-CON-05", "IT-CON-03", "IT-CON-06", "IT-RPO-01", "IT-RPO-10", "IT-RPO-05", "IT-RPO-14", "IT-OPP-01"},
	events.FeedAnswer:     {"IT-RPO-02", "IT-RPO-09"},
}
