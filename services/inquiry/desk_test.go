package inquiry

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// stored is a view of a few events in memory: what the desk reads of it.
type stored struct {
	view.Reader
	events   []view.Event
	attempts []view.Attempt
	list     []view.Campaign
	progress view.Progress
}

func (s *stored) Progress(context.Context, view.Projection) (view.Progress, error) {
	return s.progress, nil
}

func (s *stored) Resolve(_ context.Context, r events.Instant) (view.Positions, error) {
	p := view.Positions{}
	for _, e := range s.events {
		if e.Recorded <= r {
			p[e.Stream] = max(p[e.Stream], e.Sequence)
		}
	}
	return p, nil
}

func (s *stored) History(_ context.Context, key events.ContactKey, asOf view.Positions) (view.History, error) {
	h := view.History{Contact: key}
	for _, e := range s.events {
		if e.Contact == key && asOf.Covers(e.Stream, e.Sequence) {
			h.Events = append(h.Events, e)
		}
	}
	if h.Events == nil {
		return h, view.ErrUnknown
	}
	return h, nil
}

func (s *stored) References(_ context.Context, after uint64, _ int, asOf view.Positions) ([]view.Event, error) {
	var out []view.Event
	for _, e := range s.events {
		if e.Contact.IsZero() && e.Sequence > after && asOf.Covers(e.Stream, e.Sequence) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *stored) Attempts(_ context.Context, c view.CampaignRef, asOf view.Positions, yield func(view.Attempt) error) error {
	for _, a := range s.attempts {
		if a.CampaignRef == c && asOf.Covers(a.Stream, a.Sequence) {
			if err := yield(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stored) Conflicts(context.Context, view.Positions) ([]view.Conflict, error) { return nil, nil }

func (s *stored) Identities(context.Context, []events.IdentityHash) (map[events.IdentityHash][]view.Variant, error) {
	return nil, nil
}

func (s *stored) Campaigns(context.Context) ([]view.Campaign, error) { return s.list, nil }

// askEngine notes what it was asked and allows everything.
type askEngine struct {
	pack    string
	facts   int
	attempt rules.Attempt
	starts  rules.Starts
}

func (e *askEngine) Gate(h *contact.History, ref *rules.Reference, a rules.Attempt, t events.Instant) rules.Decision {
	e.attempt, e.facts, e.starts = a, len(contact.View(h, contact.Gate(t))), ref.Starts(a.Controller, a.Campaign)
	return rules.Decision{Verdict: events.VerdictAllow, Pack: e.pack, ValidUntil: t + 1}
}

func at(s string) events.Instant {
	i, err := events.ParseInstant(s)
	if err != nil {
		panic(err) // a constant of a test, read before any test runs
	}
	return i
}

var (
	noon = at("2026-03-05T12:00:00Z")
	key  = events.ContactKey{7}
	kA   = view.CampaignRef{Controller: "A", Campaign: "K-A"}
)

func record(stream string, seq uint64, recorded events.Instant, body string) view.Event {
	e, err := events.Decode([]byte(body))
	if err != nil {
		panic(err) // a constant of a test
	}
	d, err := events.PayloadDigest([]byte(body))
	if err != nil {
		panic(err) // it was decoded
	}
	return view.Event{Stream: stream, Sequence: seq, Recorded: recorded, Contact: e.Subject, Identity: e.Identity().Hash(), Digest: d, Body: []byte(body)}
}

const (
	opened = `{"campaign":"K-A","controller":"A","data":{"channels":["operator_call"],"clis":["+390844100100"],"lists":["L-A"],"purpose":"marketing","sector":"telecom"},"id":"k","receivedtime":"2026-03-01T08:00:00.000Z","recordedtime":"2026-03-01T08:00:00.000Z","source":"crm","specversion":"1.0","time":"2026-03-01T08:00:00.000Z","type":"campaign.opened.v1"}`
	revoke = `{"controller":"A","data":{"line":"mobile"},"id":"w","receivedtime":"2026-03-04T08:00:00.000Z","recordedtime":"2026-03-04T09:00:00.000Z","source":"crm","specversion":"1.0","subject":"07000000000000000000000000000000","time":"2026-03-04T08:00:00.000Z","type":"consent.revoked.v1"}`
)

// desk is a desk at noon whose recorders have all beaten a second ago and
// whose view is current; change edits it.
func desk(change func(*Desk, *stored, map[events.Family]Beat)) (*Desk, *askEngine) {
	s := &stored{events: []view.Event{record("LEDGER_00", 1, at("2026-03-04T09:00:00Z"), revoke), record(view.Reference, 1, at("2026-03-01T08:00:00Z"), opened)},
		progress: view.Progress{"LEDGER_00": {Sequence: 1, Recorded: at("2026-03-04T09:00:00Z")}, view.Reference: {Sequence: 1, Recorded: at("2026-03-01T08:00:00Z")}}}
	beats := map[events.Family]Beat{}
	for _, f := range events.Families {
		beats[f] = Beat{Instant: noon.Add(-time.Second), Positions: view.Positions{"LEDGER_00": 1, view.Reference: 1}}
	}
	engine := &askEngine{pack: "it/2026-03"}
	d := &Desk{View: s, Projections: []view.Projection{{Name: "consentstate", Version: 1}}, Engine: engine, Decode: events.Decode, Clock: func() events.Instant { return noon }, Patience: time.Millisecond,
		Beats: func(context.Context) (map[events.Family]Beat, error) { return beats, nil }}
	if change != nil {
		change(d, s, beats)
	}
	return d, engine
}

func question() rules.Attempt { return rules.Attempt{Contact: key, Controller: "A", Campaign: "K-A"} }

func TestInDoubtNoCall(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Desk, *stored, map[events.Family]Beat)
		ask    func(*rules.Attempt)
		want   []string
	}{
		{"nothing in doubt", nil, nil, nil},
		{"a recorder never reported", func(_ *Desk, _ *stored, b map[events.Family]Beat) { delete(b, events.FamilyRevocations) }, nil, []string{rules.StaleLedger}},
		{"a recorder is silent", func(_ *Desk, _ *stored, b map[events.Family]Beat) {
			b[events.FamilyRevocations] = Beat{Instant: noon.Add(-6 * time.Second)}
		}, nil, []string{rules.StaleLedger}},
		{"the view lags", func(_ *Desk, _ *stored, b map[events.Family]Beat) {
			b[events.FamilyGrants] = Beat{Instant: noon, Positions: view.Positions{"LEDGER_00": 2}}
		}, nil, []string{rules.Behind}},
		{"unknown campaign", nil, func(a *rules.Attempt) { a.Campaign = "K-B" }, []string{rules.UnknownCampaign}},
		{"campaign opened later", nil, func(a *rules.Attempt) { a.DialledAt = at("2026-02-01T10:00:00Z") }, []string{rules.UnknownCampaign}},
		{"no pack", func(d *Desk, _ *stored, _ map[events.Family]Beat) { d.Engine.(*askEngine).pack = "" }, nil, []string{rules.MissingPack}},
		{"the past needs no fresh beat", func(d *Desk, _ *stored, _ map[events.Family]Beat) {
			d.Clock = func() events.Instant { return noon.Add(time.Hour) }
		}, func(a *rules.Attempt) { a.DialledAt = noon.Add(-time.Minute) }, nil},
		{"the present does", func(d *Desk, _ *stored, _ map[events.Family]Beat) {
			d.Clock = func() events.Instant { return noon.Add(time.Hour) }
		}, nil, []string{rules.StaleLedger}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, _ := desk(c.change)
			q := question()
			if c.ask != nil {
				c.ask(&q)
			}
			got, err := d.Decide(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var reasons []string
			for _, r := range got.Reasons {
				reasons = append(reasons, r.Rule)
				if r.Sentence == "" || r.Effect != events.VerdictBlock {
					t.Errorf("reason %+v", r)
				}
			}
			if diff := cmp.Diff(c.want, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if blocked := got.Verdict == events.VerdictBlock; blocked != (c.want != nil) {
				t.Errorf("verdict %s", got.Verdict)
			}
		})
	}
}

func TestTheEngineSeesHistoryAndEarlierCalls(t *testing.T) {
	call := view.Attempt{CampaignRef: kA, Contact: events.ContactKey{9}, DialledAt: noon.Add(-time.Hour), Known: noon.Add(-time.Hour), Stream: "LEDGER_00", Sequence: 1, ID: "c", Source: "d"}
	d, engine := desk(func(_ *Desk, s *stored, _ map[events.Family]Beat) { s.attempts = []view.Attempt{call} })
	got, err := d.Decide(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	if engine.facts != 1 || len(engine.starts) != 1 || engine.attempt.DialledAt != noon || engine.attempt.Processor != "A" {
		t.Errorf("asked with %d facts, starts %v, attempt %+v", engine.facts, engine.starts, engine.attempt)
	}
	if got.Contact != key || got.At != noon || got.Positions["LEDGER_00"] != 1 {
		t.Errorf("decision %+v", got)
	}
	early, engine := desk(func(_ *Desk, s *stored, _ map[events.Family]Beat) { s.attempts = []view.Attempt{call} })
	q := question()
	q.DialledAt = noon.Add(-2 * time.Hour)
	if _, err := early.Decide(t.Context(), q); err != nil || len(engine.starts) != 0 {
		t.Errorf("a question before the first call saw %v, %v", engine.starts, err)
	}
}

func TestReadsAtThreeClocks(t *testing.T) {
	d, _ := desk(nil)
	for _, c := range []struct {
		name   string
		cut    Cutoffs
		counts bool
		err    error
	}{
		{"latest", Cutoffs{}, true, nil},
		{"before its legal time", Cutoffs{At: at("2026-03-04T07:00:00Z")}, false, nil},
		{"before it was known", Cutoffs{Known: at("2026-03-04T07:00:00Z")}, false, nil},
		{"before it was recorded", Cutoffs{AsOf: AsOf{Instant: at("2026-03-04T08:30:00Z")}}, false, ErrUnknown},
		{"at its position", Cutoffs{AsOf: AsOf{Positions: view.Positions{"LEDGER_00": 1}}}, true, nil},
		{"before its position", Cutoffs{AsOf: AsOf{Positions: view.Positions{view.Reference: 1}}}, false, ErrUnknown},
		{"not final yet", Cutoffs{AsOf: AsOf{Instant: noon}}, false, &TooLateError{}},
		{"beyond the view", Cutoffs{AsOf: AsOf{Positions: view.Positions{"LEDGER_00": 2}}}, false, ErrBehind},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := d.Timeline(t.Context(), key, c.cut)
			var late, wantLate *TooLateError
			if errors.As(c.err, &wantLate) && errors.As(err, &late) {
				return
			}
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && (len(got.Entries) != 1 || got.Entries[0].Counts != c.counts) {
				t.Errorf("timeline %+v, want counts %v", got.Entries, c.counts)
			}
			state, err := d.Contact(t.Context(), key, c.cut)
			if c.err == nil && (err != nil || (string(state.State) != "{}") != c.counts || state.Line != "mobile") {
				t.Errorf("state %s of %s, %v; want something: %v", state.State, state.Line, err, c.counts)
			}
		})
	}
}

// Positions stand for the instant of their latest event: what is read is as of
// then, and known by then, unless other clocks are named.
func TestPositionsNameAnInstant(t *testing.T) {
	d, _ := desk(nil)
	got, err := d.Contact(t.Context(), key, Cutoffs{AsOf: AsOf{Positions: view.Positions{"LEDGER_00": 1}}})
	recorded := at("2026-03-04T09:00:00Z")
	if err != nil || got.Read.AsOf != recorded || got.Read.KnownAsOf != recorded || got.Read.At != recorded || got.Read.Positions["LEDGER_00"] != 1 {
		t.Errorf("read %+v, %v", got.Read, err)
	}
}

func TestAFinalInstantLiesBeforeEveryBeat(t *testing.T) {
	d, _ := desk(nil)
	r, p, err := d.Final(t.Context(), 0)
	if err != nil || r != noon.Add(-time.Second)-1 || p["LEDGER_00"] != 1 {
		t.Errorf("default: %s %v %v", r, p, err)
	}
	if r, p, err := d.Final(t.Context(), at("2026-03-02T00:00:00Z")); err != nil || r != at("2026-03-02T00:00:00Z") || p["LEDGER_00"] != 0 || p[view.Reference] != 1 {
		t.Errorf("earlier: %s %v %v", r, p, err)
	}
	var late *TooLateError
	if _, _, err := d.Final(t.Context(), noon); !errors.As(err, &late) || late.Latest != noon.Add(-time.Second)-1 {
		t.Errorf("too late: %v", err)
	}
	silent, _ := desk(func(_ *Desk, _ *stored, b map[events.Family]Beat) { delete(b, events.FamilyGrants) })
	if _, _, err := silent.Final(t.Context(), at("2026-03-02T00:00:00Z")); !errors.As(err, &late) || !late.Latest.IsZero() {
		t.Errorf("a family never beat: %v", err)
	}
	behind, _ := desk(func(_ *Desk, s *stored, _ map[events.Family]Beat) { s.progress = nil })
	if _, _, err := behind.Final(t.Context(), 0); !errors.Is(err, ErrBehind) {
		t.Errorf("view behind: %v", err)
	}
}

func TestCampaignsAreFoundByID(t *testing.T) {
	d, _ := desk(func(_ *Desk, s *stored, _ map[events.Family]Beat) {
		s.list = []view.Campaign{{CampaignRef: kA}, {CampaignRef: view.CampaignRef{Controller: "A", Campaign: "K"}}, {CampaignRef: view.CampaignRef{Controller: "B", Campaign: "K"}}}
	})
	for _, c := range []struct {
		controller, campaign string
		want                 view.CampaignRef
		err                  error
	}{
		{"", "K-A", kA, nil},
		{"B", "K", view.CampaignRef{Controller: "B", Campaign: "K"}, nil},
		{"", "K", view.CampaignRef{}, ErrAmbiguous},
		{"C", "K", view.CampaignRef{}, ErrUnknown},
	} {
		if got, err := d.Resolve(t.Context(), c.controller, c.campaign); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s/%s: %v %v", c.controller, c.campaign, got, err)
		}
	}
}

func TestAViewThatIsBehindDeniesNothing(t *testing.T) {
	d, _ := desk(func(_ *Desk, s *stored, _ map[events.Family]Beat) { s.progress, s.events = nil, nil })
	if _, err := d.Contact(t.Context(), key, Cutoffs{}); !errors.Is(err, ErrBehind) {
		t.Errorf("contact: %v", err)
	}
	if _, err := d.Campaigns(t.Context(), AsOf{}); !errors.Is(err, ErrBehind) {
		t.Errorf("campaigns: %v", err)
	}
	if _, err := d.Resolve(t.Context(), "A", "K-A"); !errors.Is(err, ErrBehind) {
		t.Errorf("campaign: %v", err)
	}
}

func TestParseAsOf(t *testing.T) {
	for in, want := range map[string]AsOf{"": {}, "2026-03-05T12:00:00Z": {Instant: noon}, "LEDGER_00:3,LEDGER_REF:4": {Positions: view.Positions{"LEDGER_00": 3, "LEDGER_REF": 4}}} {
		if got, err := ParseAsOf(in); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, bad := range []string{"x", "LEDGER_00", "LEDGER_00:", "LEDGER_00:-1", ":3", "a:1,"} {
		if _, err := ParseAsOf(bad); !errors.Is(err, ErrAsOf) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
