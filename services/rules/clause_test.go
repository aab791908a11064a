package rules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// The tests of the clauses start from one world in which controller A may call
// the person on Tuesday 10 March 2026 at 11:00, and change one thing.

// rome reads "YYYY-MM-DD HH:MM[:SS[.fff]]" as Rome wall-clock time, later
// instant, or a date as its midnight.
func rome(t testing.TB, s string) events.Instant {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			d := events.NewDate(at.Date())
			return wall(d, events.InstantOf(at).Sub(d.In(time.UTC)))
		}
	}
	t.Fatalf("no time: %q", s)
	return 0
}

func date(t testing.TB, s string) events.Date {
	t.Helper()
	d, err := events.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stage is one world under test.
type stage struct {
	t       testing.TB
	facts   []*contact.Fact
	attempt Attempt
	asOf    events.Instant
}

const cli = "+390844100100"

// grant is a consent without defect.
func grant(change ...func(*events.ConsentGranted)) *events.ConsentGranted {
	g := &events.ConsentGranted{
		Purposes: events.PurposeMarketing.Bit(), Channels: events.ChannelOperatorCall.Bit(), SourceRef: "s",
		Notice: &events.NoticeRef{ID: "N", Version: "1", SHA256: events.Digest{1}},
		Proof:  &events.Proof{Kind: events.ProofSignedForm, SHA256: events.Digest{2}, Immutable: true},
	}
	for _, c := range change {
		c(g)
	}
	return g
}

// newStage is the world without a consent.
func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{t: t}
	s.ref("campaign", "A", "K", "2026-02-01 09:00", &events.CampaignOpened{
		Purpose: "marketing", Channels: 1, Sector: events.SectorTelecom, Product: "plan", Lists: []string{"L"}, CLIs: []string{cli},
	})
	s.ref("acquired", "A", "", "2026-02-01 09:00", &events.ListAcquired{List: "L"})
	s.ref("active", "A", "", "2026-02-05 18:00", &events.ListActivated{List: "L"})
	s.ref("code", "A", "", "2024-09-28", &events.CodeAdhered{From: date(t, "2024-09-28")})
	s.ref("notice", "A", "", "2016-01-01", &events.NoticePublished{Notice: "N", Version: "1", SHA256: events.Digest{1}, EffectiveFrom: date(t, "2016-01-01")})
	s.ref("script", "A", "K", "2026-02-01 09:00", &events.ScriptPublished{Script: "S"})
	s.ref("ack", "A", "K", "2026-02-01 10:00", &events.ScriptAcknowledged{Script: "S", Processor: "P1"})
	s.ref("p1", "A", "", "2020-01-01", &events.ProcessorAppointed{Processor: "P1", From: date(t, "2020-01-01"), PenaltyClause: true, ROC: &events.ROC{Number: "1", From: 1}})
	s.ref("cli", "", "", "2020-01-01", &events.CallerIDDeclared{Holder: "P1", CLIs: []string{cli}, From: date(t, "2020-01-01")})
	s.ref("batch", "A", "", "2026-03-03 12:00", &events.RegisterScreeningCompleted{Batch: "B", List: "L", SnapshotAt: rome(t, "2026-03-03 10:00")})
	s.add("row", "A", "2026-02-01 09:05", &events.ListContactAdded{List: "L", Source: "s", Collector: "A", AcquiredOn: date(t, "2025-12-01")})
	s.screened("answer", "B", "2026-03-03 10:00", events.AnswerClear, "")
	s.attempt = Attempt{
		ID: "a", Contact: person, Controller: "A", Campaign: "K", DialledAt: rome(t, "2026-03-10 11:00"), Purpose: events.PurposeMarketing,
		Channel: events.ChannelOperatorCall, Processor: "P1", CLI: cli, AgentReserved: true, Basis: events.BasisConsent,
	}
	return s
}

func (s *stage) put(id, controller, campaign string, subject events.ContactKey, at string, d events.Payload) *contact.Fact {
	s.t.Helper()
	i := rome(s.t, at)
	// The factory wants rapid's T only to fail; its digest needs no luck.
	f := contact.NewFact(events.Event{
		ID: id, Source: "src", Type: d.EventType(), Time: i, Received: i, Recorded: i, Controller: controller,
		Campaign: campaign, Subject: subject, Data: d,
	}, events.Digest{byte(len(s.facts)), 1}, nil, "S", uint64(len(s.facts))+1)
	s.facts = append(s.facts, f)
	return f
}

func (s *stage) ref(id, controller, campaign, at string, d events.Payload) *contact.Fact {
	s.t.Helper()
	return s.put(id, controller, campaign, events.ContactKey{}, at, d)
}

func (s *stage) add(id, controller, at string, d events.Payload) *contact.Fact {
	s.t.Helper()
	return s.put(id, controller, "", person, at, d)
}

// screened adds a register answer; on is the date it bears, "" for none.
func (s *stage) screened(id, batch, snapshot string, a events.RegisterAnswer, on string) {
	s.t.Helper()
	d := &events.RegisterScreened{Batch: batch, SnapshotAt: rome(s.t, snapshot), Answer: a}
	if on != "" {
		d.OppositionDate = date(s.t, on)
	}
	s.add(id, "A", snapshot, d)
}

// called adds an earlier attempt of A.
func (s *stage) called(id, at string, change ...func(*events.CallConcluded)) {
	s.t.Helper()
	c := &events.CallConcluded{DialledAt: rome(s.t, at), Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall,
		Processor: "P1", CLI: cli, AgentReserved: true, Disposition: events.DispositionNoAnswer}
	for _, f := range change {
		f(c)
	}
	s.put(id, "A", "K", person, at, c)
}

// answered makes a call human-answered.
func answered(c *events.CallConcluded) {
	c.AnsweredAt, c.Disposition = c.DialledAt+5*second, events.DispositionNotInterested
}

// mute makes a call silent.
func mute(c *events.CallConcluded) {
	c.AnsweredAt, c.Disposition = c.DialledAt+5*second, events.DispositionSilent
}

// drop takes a fact out of the world.
func (s *stage) drop(ids ...string) *stage {
	s.facts = slices.DeleteFunc(s.facts, func(f *contact.Fact) bool { return slices.Contains(ids, f.ID) })
	return s
}

// gate returns the verdict and the reasons at the attempt's instant.
func (s *stage) gate() string {
	h, ref := build(s.facts)
	d := testEngine(s.t).Gate(h, ref, s.attempt, s.attempt.DialledAt)
	parts := []string{string(d.Verdict)}
	for _, r := range d.Reasons {
		parts = append(parts, r.Rule)
	}
	return strings.Join(parts, " ")
}

// findings returns rules and kinds as of asOf, by default a month later.
func (s *stage) findings() string {
	asOf := s.asOf
	if asOf == 0 {
		asOf = s.attempt.DialledAt + 30*day
	}
	h, ref := build(s.facts)
	var parts []string
	for _, f := range testEngine(s.t).Assess(h, ref, s.attempt, asOf).Findings {
		if f.Kind == events.KindConfirmed {
			parts = append(parts, f.Rule)
		} else {
			parts = append(parts, f.Rule+" "+string(f.Kind))
		}
	}
	return strings.Join(parts, ", ")
}

// proof returns what the report says of the basis.
func (s *stage) proof() Proof {
	h, ref := build(s.facts)
	return testEngine(s.t).Assess(h, ref, s.attempt, s.attempt.DialledAt+30*day).Proof
}

// clause is one case: a change of the world, and what the rules must say.
type clause struct {
	name     string
	change   func(*stage)
	gate     string
	findings string // "=": the reasons of the gate, all CONFIRMED
}

func check(t *testing.T, cases []clause) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			c.change(s)
			want := c.findings
			if want == "=" {
				want = strings.Join(strings.Fields(c.gate)[1:], ", ")
			}
			if got := s.gate(); got != c.gate {
				t.Errorf("gate says %q, want %q", got, c.gate)
			}
			if got := s.findings(); got != want {
				t.Errorf("findings are %q, want %q", got, want)
			}
		})
	}
}

func (s *stage) consent(at string, change ...func(*events.ConsentGranted)) {
	s.t.Helper()
	s.add("g", "A", at, grant(change...))
}
