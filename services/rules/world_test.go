package rules

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/contact"
	"pgregory.net/rapid"
)

var loaded = sync.OnceValues(func() (*Packs, error) { return LoadPacks(it.Files) })

func testEngine(t testing.TB) *Engine {
	t.Helper()
	packs, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return NewEngine(packs)
}

// person is the contact of the random worlds.
var person = events.ContactKey{7}

// noon is 12:00 UTC of a Tuesday; random instants lie within days around it.
var noon = events.NewDate(2026, 3, 10).In(time.UTC).Add(12 * time.Hour)

const (
	second = events.Instant(1_000_000)
	hour   = 3600 * second
	day    = 24 * hour
)

// moment draws an instant of a coarse grid, so that ties are frequent.
func moment(t *rapid.T, name string) events.Instant {
	return noon + events.Instant(rapid.IntRange(-20, 6).Draw(t, name))*8*hour
}

func civil(t *rapid.T, name string) events.Date { return dateOf(moment(t, name)) }

func oneOf[T any](t *rapid.T, name string, of ...T) T { return rapid.SampledFrom(of).Draw(t, name) }

// factory makes facts with digests like the recorder's.
type factory struct{ n uint64 }

func (m *factory) fact(t *rapid.T, id, controller, campaign string, subject events.ContactKey, d events.Payload, time, received, recorded events.Instant) *contact.Fact {
	m.n++
	b, err := json.Marshal([]any{d.EventType(), time, controller, campaign, subject, d})
	if err != nil {
		t.Fatal(err)
	}
	return contact.NewFact(events.Event{
		ID: id, Source: "src", Type: d.EventType(), Time: time, Received: received, Recorded: recorded,
		Controller: controller, Campaign: campaign, Subject: subject, Data: d,
	}, sha256.Sum256(b), nil, "S", m.n)
}

// clocks draws times of which some are late.
func clocks(t *rapid.T) (time, received, recorded events.Instant) {
	time = moment(t, "time")
	if rapid.IntRange(0, 2).Draw(t, "past") > 0 {
		time -= 30 * day
	}
	received = time
	if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
		received = moment(t, "received")
		received = max(received, time)
	}
	return time, received, max(received, moment(t, "recorded"))
}

// referencePayload draws one reference fact; ids repeat so that conflicts happen.
func referencePayload(t *rapid.T) (controller, campaign string, d events.Payload) {
	list := oneOf(t, "list", "L", "L2")
	processor := oneOf(t, "processor", "P1", "P2")
	switch rapid.IntRange(0, 16).Draw(t, "reference type") {
	case 0:
		return "A", "K", &events.CampaignOpened{Purpose: "marketing", Channels: 1, Sector: oneOf(t, "sector", events.SectorTelecom, events.SectorEnergy), Lists: []string{list}, CLIs: []string{"+390844100100"}}
	case 1:
		return "A", "K", &events.CampaignClosed{}
	case 2:
		return "A", "", &events.ListAcquired{List: list, Vendor: oneOf(t, "vendor", "", "V")}
	case 3, 4:
		return "A", "", &events.ListActivated{List: list}
	case 5:
		return "A", "", &events.ListRetired{List: list}
	case 6:
		return "A", "", &events.NoticePublished{Notice: "N", Version: "1", SHA256: events.Digest{1}, EffectiveFrom: civil(t, "effective") - 40}
	case 7:
		return "A", "K", &events.ScriptPublished{Script: "S", ThirdPartyIntro: rapid.Bool().Draw(t, "intro")}
	case 8:
		return "A", "K", &events.ScriptAcknowledged{Script: "S", Processor: processor}
	case 9:
		return "A", "", &events.ProcessorAppointed{Processor: processor, By: oneOf(t, "by", "", "P2"), From: civil(t, "from") - 30, ROC: &events.ROC{Number: "1", From: 1}}
	case 10:
		return "A", "", &events.ProcessorDismissed{Processor: processor, LastDay: civil(t, "last day")}
	case 11:
		return "", "", &events.CallerIDDeclared{Holder: oneOf(t, "holder", "A", "P1"), CLIs: []string{"+390844100100"}, From: 1}
	case 12:
		return "A", "", &events.CodeAdhered{From: civil(t, "adhered") - 30}
	case 13:
		return "A", "", &events.OrderIssued{Kind: events.OrderProhibition, From: civil(t, "order"), Scope: events.OrderScope{Lists: []string{list}}}
	case 14:
		return "", "", &events.AgentCertified{Agent: "agent", From: civil(t, "certified")}
	case 15:
		return "A", "", &events.SuppressionAcknowledged{Opposition: oneOf(t, "opposition", "c0", "c1", "c2"), Processor: processor}
	default:
		return oneOf(t, "consulting", "A", "A", "P1"), "", &events.RegisterScreeningCompleted{Batch: oneOf(t, "batch", "B1", "B2"), List: list, SnapshotAt: moment(t, "snapshot")}
	}
}

// contactPayload draws one fact of the person.
func contactPayload(t *rapid.T) (controller string, d events.Payload) {
	ref := oneOf(t, "ref", "c0", "c1", "c2", "c3")
	channels := oneOf(t, "channels", events.ChannelOperatorCall.Bit(), events.AllChannels)
	switch rapid.IntRange(0, 18).Draw(t, "contact type") {
	case 0, 1, 2:
		g := &events.ConsentGranted{Purposes: oneOf(t, "purposes", events.PurposeMarketing.Bit(), events.AllPurposes), Channels: channels, SourceRef: "s",
			Notice: &events.NoticeRef{ID: "N", Version: "1", SHA256: events.Digest{1}}, Proof: &events.Proof{Kind: events.ProofSignedForm, Immutable: true},
			Contract: oneOf(t, "contract", "", "k"), Recipients: &events.Recipients{Controllers: []string{"A"}}, CollectionAttempt: oneOf(t, "collection", "", "", ref)}
		return oneOf(t, "grantee", "A", "A", "V"), g
	case 3:
		return "A", &events.ConsentRevoked{Channels: channels}
	case 4:
		return "A", &events.OppositionRegistered{Channels: channels, ReceivedBy: oneOf(t, "taken by", "", "P1", "P2")}
	case 5:
		return "A", &events.RegisterListed{ListedOn: civil(t, "listed")}
	case 6:
		return "A", &events.RegisterSelectivelyRevoked{From: civil(t, "lift"), To: civil(t, "lift end")}
	case 7, 8, 9:
		answer := oneOf(t, "answer", events.AnswerClear, events.AnswerOpposed, events.AnswerSelective, events.AnswerInvalid)
		return oneOf(t, "asked by", "A", "A", "P1"), &events.RegisterScreened{Batch: oneOf(t, "batch", "B1", "B2"), SnapshotAt: moment(t, "snapshot"), Answer: answer, OppositionDate: oneOf(t, "dated", 0, civil(t, "date"))}
	case 10:
		return "A", &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: 1, Channel: events.ContractByPhone, Origin: ref}
	case 11:
		return "A", &events.ContractEnded{Contract: "k", EndedOn: civil(t, "ended") - 30}
	case 12:
		return "A", &events.CallbackRequested{}
	case 13, 14:
		return "A", &events.ListContactAdded{List: oneOf(t, "list", "L", "L2"), Vendor: oneOf(t, "vendor", "", "V"), Source: "s", Collector: "A", AcquiredOn: 1}
	case 15:
		return "A", &events.ListContactRemoved{List: "L"}
	case 16:
		return "", &events.DirectoryExtracted{InDirectory: rapid.Bool().Draw(t, "in"), ExtractedOn: civil(t, "extracted")}
	case 17:
		return "A", &events.ConsentInvalidated{Grant: ref, Reason: oneOf(t, "reason", events.InvalidTainted, events.InvalidOther)}
	default:
		return "A", call(t)
	}
}

func call(t *rapid.T) *events.CallConcluded {
	dialled := moment(t, "dialled")
	c := &events.CallConcluded{
		DialledAt: dialled, Purpose: events.PurposeMarketing, Channel: oneOf(t, "channel", events.Channels...), Processor: oneOf(t, "dialler", "", "P1", "P2"),
		CLI: "+390844100100", Basis: oneOf(t, "basis", events.BasisConsent, events.BasisRequest, events.BasisDirectory, events.BasisContractConsent),
		Batch: oneOf(t, "batch", "", "B1"), Agent: oneOf(t, "agent", "", "agent"), Disposition: oneOf(t, "disposition", events.DispositionNoAnswer, events.DispositionSilent, events.DispositionAskedRemoval, events.DispositionSale),
	}
	if rapid.Bool().Draw(t, "answered") {
		c.AnsweredAt, c.ReleasedAt = dialled+5*second, dialled+60*second
	}
	return c
}

// factsOf draws a world: reference facts r0…, contact facts c0…, corrections x0….
func factsOf(t *rapid.T) []*contact.Fact {
	m := &factory{}
	var out []*contact.Fact
	for range rapid.IntRange(4, 22).Draw(t, "reference facts") {
		out = append(out, m.reference(t))
	}
	for range rapid.IntRange(0, 10).Draw(t, "contact facts") {
		out = append(out, m.personal(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "corrections") {
		out = append(out, m.correction(t))
	}
	return out
}

func (m *factory) reference(t *rapid.T) *contact.Fact {
	id := fmt.Sprintf("r%d", rapid.IntRange(0, 30).Draw(t, "id"))
	controller, campaign, d := referencePayload(t)
	at, received, recorded := clocks(t)
	return m.fact(t, id, controller, campaign, events.ContactKey{}, d, at, received, recorded)
}

func (m *factory) personal(t *rapid.T) *contact.Fact {
	id := fmt.Sprintf("c%d", rapid.IntRange(0, 14).Draw(t, "id"))
	controller, d := contactPayload(t)
	at, received, recorded := clocks(t)
	campaign := ""
	if c, ok := d.(*events.CallConcluded); ok {
		campaign = "K"
		at = max(c.DialledAt, c.ReleasedAt)
		received = max(received, at)
		recorded = max(recorded, received)
	}
	return m.fact(t, id, controller, campaign, person, d, at, received, recorded)
}

func (m *factory) correction(t *rapid.T) *contact.Fact {
	at, received, recorded := clocks(t)
	target := fmt.Sprintf("%s%d", oneOf(t, "target", "r", "c", "x"), rapid.IntRange(0, 14).Draw(t, "target number"))
	d := &events.EventCorrected{Target: events.Identity{Source: "src", ID: target}, Action: events.CorrectionVoid, Reason: "r"}
	if rapid.Bool().Draw(t, "amend") {
		d.Action, d.NewTime = events.CorrectionAmend, moment(t, "new time")
		d.Data = map[string]any{"list": "L2", "products": []any{"p"}}
	}
	return m.fact(t, fmt.Sprintf("x%d", rapid.IntRange(0, 14).Draw(t, "id")), "A", "", events.ContactKey{}, d, at, received, recorded)
}

// build indexes the facts in the given order, as a projection would.
func build(facts []*contact.Fact) (*contact.History, *Reference) {
	ref := NewReference()
	byID := map[events.Identity][]*contact.Fact{}
	var own []*contact.Fact
	corrected := map[events.Identity]bool{}
	for _, f := range facts {
		byID[f.Identity()] = append(byID[f.Identity()], f)
		if c, ok := f.Data.(*events.EventCorrected); ok {
			corrected[c.Target] = true
			own = append(own, f)
		}
		if f.Subject.IsZero() {
			ref.Add(f)
		}
	}
	for _, f := range facts {
		variants := byID[f.Identity()]
		if f.Subject == person {
			own = append(own, variants...)
		}
		contested := corrected[f.Identity()] || slices.ContainsFunc(variants, func(g *contact.Fact) bool { return g.Digest != f.Digest })
		if contested && !f.Subject.IsZero() {
			ref.Dispute(f)
		} else {
			ref.AddCall(f)
		}
	}
	return contact.NewHistory(person, own), ref
}

// attempts lists a hypothetical attempt and every recorded call.
func attempts(t *rapid.T, facts []*contact.Fact) []Attempt {
	c := call(t)
	a, ok := AttemptOf(contact.NewFact(events.Event{ID: "a", Source: "q", Controller: "A", Campaign: "K", Subject: person, Data: c, Time: c.DialledAt, Received: c.DialledAt, Recorded: c.DialledAt}, events.Digest{}, nil, "S", 0))
	if !ok {
		t.Fatal("a call is no attempt")
	}
	out := []Attempt{a}
	for _, f := range facts {
		if b, ok := AttemptOf(f); ok {
			out = append(out, b)
		}
	}
	return out
}
