package rules

import (
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// objectsAsOf returns "RULE OBJECT KIND" of every object finding.
func (s *stage) objectsAsOf(at string) string {
	s.t.Helper()
	h, ref := build(s.facts)
	found, err := testEngine(s.t).Objects(smallWorld{h, ref}, rome(s.t, at))
	if err != nil {
		s.t.Fatal(err)
	}
	var parts []string
	for _, f := range found {
		part := f.Rule + " " + f.Object
		if f.Kind != events.KindConfirmed {
			part += " " + string(f.Kind)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// objectClause is one case of section 5, judged at noon of 10 March unless it says otherwise.
type objectClause struct {
	name   string
	change func(*stage)
	asOf   string
	want   string
}

func checkObjects(t *testing.T, cases []objectClause) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.called("call-0", "2026-02-10 10:00")
			c.change(s)
			if c.asOf == "" {
				c.asOf = "2026-03-10 12:00"
			}
			if got := s.objectsAsOf(c.asOf); got != c.want {
				t.Errorf("findings are %q, want %q", got, c.want)
			}
		})
	}
}

// rules.md 5, LED-01..03: the log itself.
func TestLogRules(t *testing.T) {
	late := func(d events.Payload, lag events.Instant) func(*stage) {
		return func(s *stage) { s.add("e", "A", "2026-03-01", d).Recorded += lag }
	}
	sequence := func(numbers ...int64) func(*stage) {
		return func(s *stage) {
			for i, n := range numbers {
				s.ref("q"+number(i), "A", "", "2026-03-01", &events.ListScreened{List: "L"}).SourceSeq = n
			}
		}
	}
	complete := &events.OppositionRegistered{RefusedAt: 1, InsertedAt: 1, EntrySource: "call", RecordedBy: "a", Medium: "web"}
	checkObjects(t, []objectClause{
		{"an opposition after a minute", late(complete, 60*second), "", ""},
		{"an opposition after more than a minute", late(complete, 60*second+1), "", "LED-01 e"},
		{"a withdrawal after more than a minute", late(&events.ConsentRevoked{}, 61*second), "", "LED-01 e"},
		{"a refusal is of the grants family: a quarter of an hour", late(&events.ConsentRefused{}, 900*second), "", ""},
		{"a consent after more than a quarter of an hour", late(grant(), 900*second+1), "", "LED-01 e"},
		{"a clock six seconds ahead", late(grant(), -6*second), "", "LED-01 e"},
		{"a clock five seconds ahead", late(grant(), -5*second), "", ""},
		{"a redelivered copy is not late", func(s *stage) {
			f := s.add("e", "A", "2026-03-01", complete)
			copied := *f
			copied.Recorded += hour
			copied.Sequence = 99
			s.facts = append(s.facts, &copied)
		}, "", ""},
		{"a late event stays late though it is voided", func(s *stage) {
			late(grant(), hour)(s)
			s.ref("x", "A", "", "2026-03-05", &events.EventCorrected{Target: events.Identity{Source: "src", ID: "e"}, Action: events.CorrectionVoid, Reason: "r"})
		}, "", "LED-01 e"},
		{"numbers without a gap, in any order, one twice", sequence(7, 5, 6, 6), "", ""},
		{"a gap", sequence(5, 7, 70_000, 6), "", "LED-03 src"},
		{"a conflict of reference facts", func(s *stage) {
			s.ref("p1", "A", "", "2020-01-01", &events.ProcessorAppointed{Processor: "P2", From: 1, PenaltyClause: true})
		}, "", "LED-02 p1"},
		{"not before the second variant is recorded", func(s *stage) {
			s.ref("p1", "A", "", "2026-03-11", &events.ProcessorAppointed{Processor: "P2", From: 1, PenaltyClause: true})
		}, "", ""},
	})
}

// GDPR 12(3): the term of a request, with and without a contact.
func TestRightsDeadline(t *testing.T) {
	request := func(s *stage, id, at string) {
		s.ref(id, "A", "", at, &events.RightsRequested{Right: "access", Request: "R"})
	}
	checkObjects(t, []objectClause{
		{"the last day", func(s *stage) { request(s, "r", "2026-02-10 10:00") }, "2026-03-10 23:59", ""},
		{"the day after", func(s *stage) { request(s, "r", "2026-02-10 10:00") }, "2026-03-11 00:00", "IT-OPP-05 R"},
		{"closed on the last day, by a fact with a contact", func(s *stage) {
			request(s, "r", "2026-02-10 10:00")
			s.add("c", "A", "2026-03-10 23:00", &events.RightsClosed{Request: "R"})
		}, "2026-03-20 00:00", ""},
		{"closed too late", func(s *stage) {
			request(s, "r", "2026-02-10 10:00")
			s.ref("c", "A", "", "2026-03-11 00:00", &events.RightsClosed{Request: "R"})
		}, "2026-03-20 00:00", "IT-OPP-05 R"},
		{"closed for another controller", func(s *stage) {
			request(s, "r", "2026-02-10 10:00")
			s.ref("c", "Z", "", "2026-03-01", &events.RightsClosed{Request: "R"})
		}, "2026-03-20 00:00", "IT-OPP-05 R"},
		{"of two copies of a request the earlier counts", func(s *stage) {
			request(s, "r2", "2026-03-01 10:00")
			s.add("r1", "A", "2026-02-10 10:00", &events.RightsRequested{Right: "access", Request: "R"})
		}, "2026-03-20 00:00", "IT-OPP-05 R"},
	})
}

// Code of conduct 16-17: commissions follow their contract.
func TestCommissions(t *testing.T) {
	sale := func(s *stage, controller string) {
		s.add("k", "A", "2026-03-05", &events.ContractConcluded{Contract: "C", Channel: events.ContractByPhone, Origin: "none"})
		s.ref("pay", controller, "", "2026-03-06", &events.CommissionPaid{Contract: "C", Processor: "P1"})
	}
	checkObjects(t, []objectClause{
		{"of an unlawful contract", func(s *stage) { sale(s, "A") }, "", "IT-CDC-09 pay, IT-CDC-10 C"},
		{"of another controller's contract of that name", func(s *stage) { sale(s, "Z") }, "", "IT-CDC-10 C"},
		{"before the Code existed", func(s *stage) {
			s.add("k", "A", "2024-09-27", &events.ContractConcluded{Contract: "C", Channel: events.ContractByPhone})
			s.ref("pay", "A", "", "2024-09-27", &events.CommissionPaid{Contract: "C", Processor: "P1"})
		}, "", ""},
		{"of two contracts of one id the earlier counts", func(s *stage) {
			s.add("k1", "A", "2026-03-04", &events.ContractConcluded{Contract: "C", Channel: events.ContractByWeb})
			sale(s, "A")
		}, "", ""},
	})
}

// LED-01 findings can be taken apart, so that a late import fills no memory.
func TestLateEventsApart(t *testing.T) {
	s := newStage(t)
	s.called("call-0", "2026-02-10 10:00")
	for i := range 5 {
		s.add("g"+number(i), "A", "2026-03-01", grant()).Recorded += hour
	}
	h, ref := build(s.facts)
	taken := 0
	found, err := testEngine(t).ObjectsApart(smallWorld{h, ref}, noon, func(f Finding) {
		if f.Rule != "LED-01" || f.Contact != person {
			t.Errorf("taken apart: %+v", f)
		}
		taken++
	})
	if err != nil || len(found) != 0 || taken != 5 {
		t.Errorf("%d findings, %d taken apart, %v; want none and 5", len(found), taken, err)
	}
}

// The error of the world is the error of the rules.
func TestAWorldThatFails(t *testing.T) {
	if _, err := testEngine(t).Objects(brokenWorld{}, noon); err == nil || err.Error() != "scan contacts: disk on fire" {
		t.Errorf("error = %v", err)
	}
}

type brokenWorld struct{}

func (brokenWorld) Reference() *Reference                       { return NewReference() }
func (brokenWorld) Contacts(func(*contact.History) error) error { return errBroken }

var errBroken = brokenError("scan contacts: disk on fire")

type brokenError string

func (e brokenError) Error() string { return string(e) }
