package rules

import (
	"testing"

	"github.com/assenso/assenso/events"
)

// rules.md 3.1: observations, status, ties, windows.
func TestRegisterStatus(t *testing.T) {
	directory := func(s *stage) {
		s.attempt.Basis = events.BasisDirectory
		s.add("d", "", "2026-02-01", &events.DirectoryExtracted{InDirectory: true, ExtractedOn: date(s.t, "2026-02-01")})
	}
	check(t, []clause{
		{"a listing of the day before the snapshot is older than it", func(s *stage) {
			directory(s)
			s.add("l", "A", "2026-03-02", &events.RegisterListed{ListedOn: date(s.t, "2026-03-02")})
		}, "allow", ""},
		{"a listing counts at 24:00 of its day, after a snapshot of that day", func(s *stage) {
			directory(s)
			s.add("l", "A", "2026-03-03", &events.RegisterListed{ListedOn: date(s.t, "2026-03-03")})
		}, "block IT-RPO-01", "="},
		{"a removal counts at 00:00 of its day", func(s *stage) {
			directory(s)
			s.add("l", "A", "2026-03-03", &events.RegisterListed{ListedOn: date(s.t, "2026-03-03")})
			s.add("m", "A", "2026-03-05", &events.RegisterDelisted{DelistedOn: date(s.t, "2026-03-05")})
		}, "allow", ""},
		{"tie: the removal of the next day is at the instant of the listing; opposed wins", func(s *stage) {
			directory(s)
			s.add("l", "A", "2026-03-03", &events.RegisterListed{ListedOn: date(s.t, "2026-03-03")})
			s.add("m", "A", "2026-03-04", &events.RegisterDelisted{DelistedOn: date(s.t, "2026-03-04")})
		}, "block IT-RPO-01", "="},
		{"tie: selective beats clear, and its window is over", func(s *stage) {
			directory(s)
			s.add("m", "A", "2026-03-05", &events.RegisterDelisted{DelistedOn: date(s.t, "2026-03-05")})
			s.add("x", "A", "2026-03-05", &events.RegisterSelectivelyRevoked{From: date(s.t, "2026-03-05"), To: date(s.t, "2026-03-09")})
		}, "block IT-RPO-01 IT-RPO-12", "="},
		{"two lifts of one instant: both windows must contain the day", func(s *stage) {
			directory(s)
			s.add("x", "A", "2026-03-05", &events.RegisterSelectivelyRevoked{From: date(s.t, "2026-03-05")})
			s.add("y", "A", "2026-03-05", &events.RegisterSelectivelyRevoked{From: date(s.t, "2026-03-05"), To: date(s.t, "2026-03-09")})
		}, "block IT-RPO-01 IT-RPO-12", "="},
		{"what another controller knows of the register is not A's knowledge", func(s *stage) {
			directory(s)
			s.add("l", "Z", "2026-03-05", &events.RegisterListed{ListedOn: date(s.t, "2026-03-05")})
		}, "allow", ""},
		{"the postal register says nothing of the telephone", func(s *stage) {
			directory(s)
			s.add("l", "A", "2026-03-05", &events.RegisterListed{ListedOn: date(s.t, "2026-03-05"), Register: events.RegisterPostal})
		}, "allow", ""},
		{"a batch in another's name counts when cited, its selective read as opposed", func(s *stage) {
			directory(s)
			s.attempt.Batch = "B-P"
			s.add("o", "P1", "2026-03-05 10:00", &events.RegisterScreened{Batch: "B-P", SnapshotAt: rome(s.t, "2026-03-05 10:00"), Answer: events.AnswerSelective})
		}, "block IT-RPO-01 IT-RPO-08", "="},
	})
}

// rules.md 3.1: L and U; dead, uncertain, alive.
func TestRegisterHorizon(t *testing.T) {
	undated := func(s *stage, snapshot string) {
		s.screened("u", "B-U", snapshot, events.AnswerOpposed, "")
	}
	check(t, []clause{
		{"day before the only dated answer: dead", func(s *stage) {
			s.consent("2026-02-28 12:00")
			s.screened("o", "B-O", "2026-03-05 10:00", events.AnswerOpposed, "2026-03-01")
		}, "block IT-RPO-01 IT-RPO-05", "="},
		{"same day: uncertain", func(s *stage) {
			s.consent("2026-03-01 12:00")
			s.screened("o", "B-O", "2026-03-05 10:00", events.AnswerOpposed, "2026-03-01")
		}, "block IT-RPO-14", "IT-RPO-14 POTENTIAL"},
		{"day after: alive", func(s *stage) {
			s.consent("2026-03-02 00:00")
			s.screened("o", "B-O", "2026-03-05 10:00", events.AnswerOpposed, "2026-03-01")
		}, "allow", ""},
		{"undated after a clear answer: dead before the clear one", func(s *stage) {
			s.consent("2026-03-02 12:00")
			undated(s, "2026-03-05 10:00")
		}, "block IT-RPO-01 IT-RPO-05", "="},
		{"undated after a clear answer: uncertain from the clear one's day", func(s *stage) {
			s.consent("2026-03-03 09:00")
			undated(s, "2026-03-05 10:00")
		}, "block IT-RPO-14", "IT-RPO-14 POTENTIAL"},
		{"undated: uncertain on the snapshot's own day", func(s *stage) {
			s.consent("2026-03-05 20:00")
			undated(s, "2026-03-05 10:00")
		}, "block IT-RPO-14", "IT-RPO-14 POTENTIAL"},
		{"undated: alive the day after", func(s *stage) {
			s.consent("2026-03-06 09:00")
			undated(s, "2026-03-05 10:00")
		}, "allow", ""},
		{"undated without any clear answer before: never dead", func(s *stage) {
			s.drop("answer")
			s.consent("2020-03-02 12:00", func(g *events.ConsentGranted) { g.Purposes = events.PurposeMarketing.Bit() })
			undated(s, "2026-03-05 10:00")
		}, "block IT-RPO-14", "IT-RPO-14 POTENTIAL"},
		{"a dated answer of a later snapshot puts the undated one aside", func(s *stage) {
			s.consent("2026-03-04 12:00")
			undated(s, "2026-03-05 10:00")
			s.screened("o", "B-O", "2026-03-06 10:00", events.AnswerOpposed, "2026-03-01")
		}, "allow", ""},
		{"a clear answer does not revive", func(s *stage) {
			s.consent("2026-02-01 12:00")
			s.add("l", "A", "2026-02-10", &events.RegisterListed{ListedOn: date(s.t, "2026-02-10")})
		}, "block IT-CON-01 IT-RPO-05", "="},
	})
}

// DPR 26/2022, art. 8(2): validity in civil days of Rome, both ends.
func TestConsultationValidity(t *testing.T) {
	check(t, []clause{
		{"day 14", func(s *stage) { s.consent("2026-01-10"); s.attempt.DialledAt = rome(s.t, "2026-03-17 19:00") }, "allow", ""},
		{"day 15, the last", func(s *stage) { s.consent("2026-01-10"); s.attempt.DialledAt = rome(s.t, "2026-03-18 20:00") }, "warn IT-RPO-02", ""},
		{"day 16", func(s *stage) { s.consent("2026-01-10"); s.attempt.DialledAt = rome(s.t, "2026-03-19 09:00") }, "block IT-RPO-02 IT-RPO-03", "="},
		{"an answer of another controller does not count", func(s *stage) {
			s.consent("2026-01-10")
			s.drop("answer", "batch")
			s.add("z", "Z", "2026-03-09", &events.RegisterScreened{Batch: "Z", SnapshotAt: rome(s.t, "2026-03-09"), Answer: events.AnswerClear})
			s.called("c", "2026-02-10 10:00")
		}, "block IT-RPO-02", "="},
		{"a text message needs no consultation", func(s *stage) {
			s.consent("2026-01-10", func(g *events.ConsentGranted) { g.Channels = events.ChannelSMS.Bit() })
			s.drop("answer", "batch")
			s.attempt.Channel = events.ChannelSMS
		}, "allow", ""},
		{"a request needs none either", func(s *stage) {
			s.drop("answer", "batch")
			s.attempt.Basis = events.BasisRequest
			s.add("q", "A", "2026-03-09 10:00", &events.CallbackRequested{})
		}, "allow", ""},
	})
}

// rules.md 3.3, bases 1 and 2: terms, product, use, later restrictions.
func TestRequestsAndInboundCalls(t *testing.T) {
	ask := func(s *stage, at, product string) {
		s.attempt.Basis = events.BasisRequest
		s.add("q", "A", at, &events.CallbackRequested{Product: product})
	}
	check(t, []clause{
		{"thirty days, inclusive", func(s *stage) { ask(s, "2026-02-08 10:00", "") }, "allow", ""},
		{"thirty-one days", func(s *stage) { ask(s, "2026-02-07 10:00", "") }, "block IT-RPO-13", "="},
		{"another product", func(s *stage) { ask(s, "2026-03-09 10:00", "fibre") }, "block IT-RPO-13", "="},
		{"unanswered calls do not use it up", func(s *stage) { ask(s, "2026-03-08 10:00", "plan"); s.called("c", "2026-03-09 10:00") }, "allow", ""},
		{"an answered call does", func(s *stage) { ask(s, "2026-03-08 10:00", "plan"); s.called("c", "2026-03-09 10:00", answered) },
			"block IT-CDC-04 IT-RPO-13", "IT-CDC-04 POTENTIAL, IT-RPO-13"},
		{"an opposition at the same instant beats it", func(s *stage) {
			ask(s, "2026-03-09 10:00", "")
			s.add("o", "A", "2026-03-09 10:00", &events.OppositionRegistered{ReceivedBy: "P1"})
		}, "block IT-OPP-01 IT-RPO-13", "="},
		{"it supersedes an older opposition", func(s *stage) {
			ask(s, "2026-03-09 10:00", "")
			s.add("o", "A", "2026-03-08 10:00", &events.OppositionRegistered{ReceivedBy: "P1"})
		}, "allow", ""},
		{"it is a request to A, not to Z", func(s *stage) {
			s.attempt.Basis = events.BasisRequest
			s.add("q", "Z", "2026-03-09 10:00", &events.CallbackRequested{})
		}, "block IT-CON-01 IT-RPO-13", "IT-CON-01, IT-RPO-13 POTENTIAL"},
	})
}

// L. 5/2018, art. 1(5): the contract exception.
func TestContractException(t *testing.T) {
	no := false
	world := func(change func(*events.ContractConcluded)) func(*stage) {
		return func(s *stage) {
			s.attempt.Basis = events.BasisContractConsent
			k := &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: date(s.t, "2025-06-16"), Channel: events.ContractByWeb}
			change(k)
			s.add("k", "A", "2025-06-16", k)
			s.consent("2025-06-16 10:00", func(g *events.ConsentGranted) { g.Contract = "k" })
			s.screened("o", "B-O", "2026-03-05 10:00", events.AnswerOpposed, "2026-02-01")
		}
	}
	misused := "block IT-RPO-01 IT-RPO-05 IT-RPO-06"
	check(t, []clause{
		{"running", world(func(*events.ContractConcluded) {}), "allow", ""},
		{"not continuous", world(func(k *events.ContractConcluded) { k.Continuous = false }), misused, "="},
		{"not begun", world(func(k *events.ContractConcluded) { k.StartedOn += 400 }), misused, "="},
		{"no simplified revocation", world(func(k *events.ContractConcluded) { k.SimplifiedRevocation = &no }), misused, "="},
		{"of two ends the earlier counts", func(s *stage) {
			world(func(*events.ContractConcluded) {})(s)
			s.add("e1", "A", "2026-02-01", &events.ContractEnded{Contract: "k", EndedOn: date(s.t, "2026-06-30")})
			s.add("e2", "A", "2026-02-02", &events.ContractEnded{Contract: "k", EndedOn: date(s.t, "2026-01-31")})
		}, misused, "="},
		{"a contract of another controller", func(s *stage) {
			world(func(*events.ContractConcluded) {})(s)
			s.drop("k")
			s.add("kz", "Z", "2025-06-16", &events.ContractConcluded{Contract: "k", Continuous: true, StartedOn: date(s.t, "2025-06-16"), Channel: events.ContractByWeb})
		}, misused, "="},
	})
}
