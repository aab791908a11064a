package rules

import (
	"testing"

	"github.com/assenso/assenso/events"
)

// GDPR 6, 7; Codice privacy 130: scope, proof, freedom, age.
func TestGrantDefects(t *testing.T) {
	type change = func(*events.ConsentGranted)
	with := func(c change) func(*stage) { return func(s *stage) { s.consent("2026-02-20 12:00", c) } }
	check(t, []clause{
		{"none", with(func(*events.ConsentGranted) {}), "allow", ""},
		{"another product", with(func(g *events.ConsentGranted) { g.Products = []string{"fibre"} }), "block IT-CON-06", "="},
		{"the product among others", with(func(g *events.ConsentGranted) { g.Products = []string{"fibre", "plan"} }), "allow", ""},
		{"automated consent whose notice extends to operators", with(func(g *events.ConsentGranted) {
			g.Channels, g.NoticeExtendsToOperator = events.ChannelAutomatedCall.Bit(), true
		}), "allow", ""},
		{"automated consent whose notice does not", with(func(g *events.ConsentGranted) { g.Channels = events.ChannelAutomatedCall.Bit() }), "block IT-CON-06", "="},
		{"valid to yesterday", with(func(g *events.ConsentGranted) { g.ValidTo = dateOf(noon) - 1 }), "block IT-CON-01", "="},
		{"valid to today", with(func(g *events.ConsentGranted) { g.ValidTo = dateOf(noon) }), "allow", ""},
		{"no place of collection", with(func(g *events.ConsentGranted) { g.SourceRef = "" }), "block IT-CON-03", "="},
		{"no notice", with(func(g *events.ConsentGranted) { g.Notice = nil }), "block IT-CON-03", "="},
		{"no proof", with(func(g *events.ConsentGranted) { g.Proof = nil }), "block IT-CON-03", "="},
		{"proof that can be changed", with(func(g *events.ConsentGranted) { g.Proof.Immutable = false }), "block IT-CON-03", "="},
		{"double opt-in confirmed at the dial", with(func(g *events.ConsentGranted) {
			g.Proof.Kind, g.Proof.ConfirmedAt = events.ProofDoubleOptIn, noon-2*hour
		}), "allow", ""},
		{"double opt-in confirmed a second later", with(func(g *events.ConsentGranted) {
			g.Proof.Kind, g.Proof.ConfirmedAt = events.ProofDoubleOptIn, noon-2*hour+second
		}), "block IT-CON-03", "="},
		{"address that was never notified", with(func(g *events.ConsentGranted) { g.Proof.Kind = events.ProofIPNotification }), "block IT-CON-03", "="},
		{"pre-ticked and not proven", with(func(g *events.ConsentGranted) { g.PreTicked, g.SourceRef = true, "" }), "block IT-CON-03 IT-CON-04", "="},
		{"two purposes in one control", with(func(g *events.ConsentGranted) { g.PurposesInControl = 2 }), "block IT-CON-04", "="},
	})
}

// rules.md 3.2: aged and pre-GDPR consents, re-verification.
func TestAgeOfConsent(t *testing.T) {
	check(t, []clause{
		{"twenty-four months to the day", func(s *stage) { s.consent("2024-03-10 23:00") }, "allow", ""},
		{"a day more", func(s *stage) { s.consent("2024-03-09 23:00") }, "warn IT-CON-08", "IT-CON-08 POTENTIAL"},
		{"verified again", func(s *stage) {
			s.consent("2020-03-09 23:00")
			s.add("v", "A", "2024-03-10", &events.ConsentReverified{Grant: "g", Result: "confirmed"})
		}, "allow", ""},
		{"asked again and not confirmed", func(s *stage) {
			s.consent("2020-03-09 23:00")
			s.add("v", "A", "2024-03-10", &events.ConsentReverified{Grant: "g", Result: "not_confirmed"})
		}, "warn IT-CON-08", "IT-CON-08 POTENTIAL"},
		{"one young grant is enough", func(s *stage) {
			s.consent("2020-03-09")
			s.add("g2", "A", "2026-01-01", grant())
		}, "allow", ""},
		{"the last instant before the GDPR", func(s *stage) { s.consent("2018-05-24 23:59:59.999") }, "block IT-CON-08", "="},
		{"the first instant of the GDPR", func(s *stage) { s.consent("2018-05-25 00:00") }, "warn IT-CON-08", "IT-CON-08 POTENTIAL"},
	})
}

// GDPR 7(3), 21: restrictions, ties, superseding.
func TestRestrictions(t *testing.T) {
	check(t, []clause{
		{"withdrawal at the instant of the grant", func(s *stage) {
			s.consent("2026-02-20 12:00")
			s.add("w", "A", "2026-02-20 12:00", &events.ConsentRevoked{})
		}, "block IT-CON-05", "="},
		{"grant a moment after the withdrawal", func(s *stage) {
			s.consent("2026-02-20 12:00:00.001")
			s.add("w", "A", "2026-02-20 12:00", &events.ConsentRevoked{})
		}, "allow", ""},
		{"a refusal withdraws", func(s *stage) {
			s.consent("2026-02-20 12:00")
			s.add("w", "A", "2026-02-21 12:00", &events.ConsentRefused{})
		}, "block IT-CON-05", "="},
		{"withdrawal without any consent", func(s *stage) { s.add("w", "A", "2026-02-21 12:00", &events.ConsentRevoked{}) },
			"block IT-CON-01 IT-CON-05", "="},
		{"a later grant with a defect does not supersede", func(s *stage) {
			s.add("o", "A", "2026-02-19", &events.OppositionRegistered{ReceivedBy: "P1"})
			s.consent("2026-02-20 12:00", func(g *events.ConsentGranted) { g.PreTicked = true })
		}, "block IT-CON-04 IT-OPP-01", "="},
		{"a later grant killed by the register alone does", func(s *stage) {
			s.add("o", "A", "2026-02-19", &events.OppositionRegistered{ReceivedBy: "P1"})
			s.consent("2026-02-20 12:00")
			s.screened("x", "B-O", "2026-03-05 10:00", events.AnswerOpposed, "2026-03-01")
		}, "block IT-RPO-01 IT-RPO-05", "="},
		{"an opposition to Z that names A", func(s *stage) {
			s.consent("2026-01-10")
			s.add("o", "Z", "2026-03-09", &events.OppositionRegistered{ReceivedBy: "P1", AlsoControllers: []string{"A"}})
		}, "block IT-OPP-01", "="},
		{"an opposition for another purpose", func(s *stage) {
			s.consent("2026-01-10")
			s.add("o", "A", "2026-03-09", &events.OppositionRegistered{Purposes: events.PurposeMarketResearch.Bit()})
		}, "allow", ""},
		{"heard by the controller, unknown to the call centre", func(s *stage) {
			s.consent("2026-01-10")
			s.add("o", "A", "2026-03-09", &events.OppositionRegistered{})
		}, "block IT-OPP-01", "IT-OPP-01, IT-OPP-04"},
		{"heard by the controller, confirmed by the call centre", func(s *stage) {
			s.consent("2026-01-10")
			s.add("o", "A", "2026-03-09", &events.OppositionRegistered{})
			s.ref("k", "A", "", "2026-03-09 12:00", &events.SuppressionAcknowledged{Opposition: "o", Processor: "P1"})
		}, "block IT-OPP-01", "="},
		{"reassigned at the instant of the grant", func(s *stage) {
			s.consent("2026-02-20 12:00")
			s.add("x", "", "2026-02-20 12:00", &events.NumberReassigned{})
		}, "block IT-CON-01 IT-CON-13", "="},
		{"reassigned for another controller only", func(s *stage) {
			s.consent("2026-02-20 12:00")
			s.add("x", "Z", "2026-02-20 12:00", &events.NumberReassigned{})
		}, "allow", ""},
	})
}

// rules.md 3.3: the best grant and what is reported.
func TestBestGrant(t *testing.T) {
	check(t, []clause{
		{"in scope goes before later", func(s *stage) {
			s.add("g1", "A", "2026-01-10", grant(func(g *events.ConsentGranted) { g.PreTicked = true }))
			s.add("g2", "A", "2026-02-10", grant(func(g *events.ConsentGranted) { g.Purposes = events.PurposeProfiling.Bit() }))
		}, "block IT-CON-04", "="},
		{"the cited one goes before all", func(s *stage) {
			s.attempt.Grant = "g2"
			s.add("g1", "A", "2026-01-10", grant(func(g *events.ConsentGranted) { g.PreTicked = true }))
			s.add("g2", "A", "2026-02-10", grant(func(g *events.ConsentGranted) { g.Purposes = events.PurposeProfiling.Bit() }))
		}, "block IT-CON-06", "="},
		{"else the later", func(s *stage) {
			s.add("g1", "A", "2026-01-10", grant(func(g *events.ConsentGranted) { g.PreTicked = true }))
			s.add("g2", "A", "2026-02-10", grant(func(g *events.ConsentGranted) { g.SourceRef = "" }))
		}, "block IT-CON-03", "="},
		{"at one instant the smaller id", func(s *stage) {
			s.add("g2", "A", "2026-02-10", grant(func(g *events.ConsentGranted) { g.SourceRef = "" }))
			s.add("g1", "A", "2026-02-10", grant(func(g *events.ConsentGranted) { g.PreTicked = true }))
		}, "block IT-CON-04", "="},
	})
}

// Cass. 11019/2021: a consent given in an unlawful call.
func TestTaintedConsent(t *testing.T) {
	given := func(g *events.ConsentGranted) { g.CollectionAttempt = "c" }
	check(t, []clause{
		{"the call was lawful", func(s *stage) {
			s.consent("2026-01-10")
			s.called("c", "2026-03-09 11:00")
			s.add("g2", "A", "2026-03-09 11:00:30", grant(given))
			s.add("v", "A", "2026-03-09 12:00", &events.ConsentInvalidated{Grant: "g", Reason: events.InvalidBundled})
		}, "allow", ""},
		{"the call broke an opposition", func(s *stage) {
			s.add("o", "A", "2026-03-08", &events.OppositionRegistered{ReceivedBy: "P1"})
			s.called("c", "2026-03-09 11:00")
			s.add("g2", "A", "2026-03-09 11:00:30", grant(given))
		}, "block IT-CON-09 IT-OPP-01", "="},
		{"the call broke hours only", func(s *stage) {
			s.consent("2026-01-10", func(g *events.ConsentGranted) { g.ValidTo = date(s.t, "2026-03-09") })
			s.called("c", "2026-03-09 21:00")
			s.add("g2", "A", "2026-03-09 21:00:30", grant(given))
		}, "allow", ""},
		{"the call is not known", func(s *stage) { s.add("g2", "A", "2026-03-09 11:00:30", grant(given)) }, "allow", ""},
		{"the opposition was learnt after the call: hindsight taints nothing", func(s *stage) {
			o := s.add("o", "A", "2026-03-08", &events.OppositionRegistered{ReceivedBy: "P1"})
			o.Received, o.Recorded = rome(s.t, "2026-03-10 10:00"), rome(s.t, "2026-03-10 10:00")
			s.called("c", "2026-03-09 11:00")
			s.add("g2", "A", "2026-03-09 11:00:30", grant(given))
		}, "allow", ""},
	})
}

// Code of conduct, art. 13: the chain of a bought row.
func TestThirdPartyChain(t *testing.T) {
	bought := func(change ...func(*events.ConsentGranted)) func(*stage) {
		return func(s *stage) {
			s.drop("row", "script")
			s.attempt.Basis = events.BasisThirdParty
			s.add("row", "A", "2026-02-01", &events.ListContactAdded{List: "L", Vendor: "V", Source: "s", Collector: "V", AcquiredOn: 1})
			s.ref("script", "A", "K", "2026-02-01", &events.ScriptPublished{Script: "S", ThirdPartyIntro: true})
			s.add("gv", "V", "2026-01-10", grant(append([]func(*events.ConsentGranted){func(g *events.ConsentGranted) {
				g.Purposes, g.Recipients = events.PurposeThirdPartyDisclosure.Bit(), &events.Recipients{Controllers: []string{"A"}}
			}}, change...)...))
		}
	}
	and := func(first, then func(*stage)) func(*stage) { return func(s *stage) { first(s); then(s) } }
	check(t, []clause{
		{"complete", bought(), "warn IT-CON-07", ""},
		{"recipients name the sector", bought(func(g *events.ConsentGranted) { g.Recipients = &events.Recipients{Sectors: []events.Sector{"telecom"}} }), "warn IT-CON-07", ""},
		{"recipients name another", bought(func(g *events.ConsentGranted) { g.Recipients = &events.Recipients{Controllers: []string{"Z"}} }), "block IT-CON-07", "="},
		{"not proven", bought(func(g *events.ConsentGranted) { g.SourceRef = "" }), "block IT-CON-07", "="},
		{"not free", bought(func(g *events.ConsentGranted) { g.PreTicked = true }), "block IT-CON-07", "="},
		{"a notice that A never saw is no defect here", bought(func(g *events.ConsentGranted) { g.Notice.Version = "9" }), "warn IT-CON-07", ""},
		{"withdrawn toward the vendor", and(bought(), func(s *stage) { s.add("w", "V", "2026-01-11", &events.ConsentRevoked{}) }), "block IT-CON-07", "="},
		{"older than the entry in the register", and(bought(), func(s *stage) {
			s.add("l", "A", "2026-01-20", &events.RegisterListed{ListedOn: date(s.t, "2026-01-20")})
		}), "block IT-CON-07", "="},
		{"a later script without introduction", and(bought(), func(s *stage) {
			s.ref("script2", "A", "K", "2026-02-02", &events.ScriptPublished{Script: "S"})
		}), "block IT-CON-07", "="},
		{"by text message too", and(bought(), func(s *stage) { s.attempt.Channel = events.ChannelSMS }), "warn IT-CON-07", ""},
	})
}

// rules.md 3.3: what the report says of the basis.
func TestProof(t *testing.T) {
	s := newStage(t)
	s.consent("2026-02-28 12:00")
	s.add("g0", "A", "2026-01-10", grant())
	p := s.proof()
	if p.Basis != events.BasisConsent || p.Grant.ID != "g" || p.AgeDays != 10 || len(p.Defects) != 0 || p.RegisterStatus != events.AnswerClear {
		t.Errorf("proof = %+v, want the younger grant of ten days", p)
	}
	s = newStage(t)
	s.consent("2026-02-28 12:00", func(g *events.ConsentGranted) { g.PreTicked, g.SourceRef = true, "" })
	if p := s.proof(); p.Basis != "" || p.Grant.ID != "g" || len(p.Defects) != 2 || p.Defects[0] != "IT-CON-03" {
		t.Errorf("proof = %+v, want the best grant with two defects", p)
	}
}
