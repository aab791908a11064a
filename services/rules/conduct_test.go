package rules

import (
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

// rules.md 3.4: kinds of days.
func TestCalendar(t *testing.T) {
	cal := testEngine(t).packs.byDay[0].calendar
	for day, want := range map[string]dayKind{
		"2026-03-10": ordinaryDay, "2026-03-14": shortDay, "2026-03-15": closedDay,
		"2026-01-01": closedDay, "2026-01-05": shortDay, "2026-01-06": closedDay,
		"2026-04-04": shortDay, "2026-04-05": closedDay, "2026-04-06": closedDay, "2026-04-07": ordinaryDay,
		"2025-04-20": closedDay, "2025-04-21": closedDay, "2024-04-01": closedDay, "2027-03-29": closedDay,
		"2026-04-24": shortDay, "2026-04-25": closedDay, "2026-04-30": shortDay, "2026-05-01": closedDay,
		"2026-06-01": shortDay, "2026-06-02": closedDay, "2026-08-14": shortDay, "2026-08-15": closedDay,
		"2026-11-01": closedDay, "2026-12-07": shortDay, "2026-12-08": closedDay, "2026-12-24": shortDay, "2026-12-25": closedDay, "2026-12-26": closedDay,
		"2027-10-04": closedDay, "2027-10-03": closedDay, "2028-10-03": shortDay, "2023-10-04": ordinaryDay, "2023-10-03": ordinaryDay,
	} {
		if got := cal.kind(date(t, day)); got != want {
			t.Errorf("%s is of kind %d, want %d", day, got, want)
		}
	}
	if got := cal.workingDay(date(t, "2026-04-03") + 1); got != date(t, "2026-04-07") {
		t.Errorf("the working day after Good Friday is %s, want Easter Tuesday", got)
	}
	if !cal.member("GB", date(t, "2020-01-31")) || cal.member("GB", date(t, "2020-02-01")) || cal.member("AL", date(t, "2026-01-01")) {
		t.Error("membership of the Union is wrong for GB or AL")
	}
}

// rules.md 3.4: an ambiguous or missing wall-clock time is the later instant.
func TestWallClock(t *testing.T) {
	for _, c := range []struct {
		day, want string
		clock     time.Duration
	}{
		{"2026-03-10", "2026-03-10T10:00:00.000Z", 11 * time.Hour},
		{"2026-03-29", "2026-03-29T01:30:00.000Z", 2*time.Hour + 30*time.Minute},
		{"2026-10-25", "2026-10-25T01:30:00.000Z", 2*time.Hour + 30*time.Minute},
		{"2026-10-25", "2026-10-24T23:59:00.000Z", time.Hour + 59*time.Minute},
		{"2026-10-25", "2026-10-25T02:00:00.000Z", 3 * time.Hour},
	} {
		if got := wall(date(t, c.day), c.clock).String(); got != c.want {
			t.Errorf("%s %v = %s, want %s", c.day, c.clock, got, c.want)
		}
	}
}

// Garante, decision 83/2014: five civil days of rest, across the change of time.
func TestSilentCalls(t *testing.T) {
	ready := func(s *stage, at string) {
		s.consent("2026-01-10")
		s.screened("late", "B2", "2026-10-20 10:00", events.AnswerClear, "")
		s.called("first", "2026-02-10 10:00")
		s.attempt.DialledAt = rome(s.t, at)
	}
	check(t, []clause{
		{"a silent call at 11:00 before the clocks go back", func(s *stage) { ready(s, "2026-10-26 10:59:59.999"); s.called("m", "2026-10-21 11:00", mute) }, "block IT-SIL-03", "="},
		{"rested", func(s *stage) { ready(s, "2026-10-26 11:00"); s.called("m", "2026-10-21 11:00", mute) }, "allow", ""},
		{"silent by flag, whatever the disposition", func(s *stage) {
			ready(s, "2026-10-22 11:00")
			yes := true
			s.called("m", "2026-10-21 11:00", func(c *events.CallConcluded) { c.Silent = &yes })
		}, "block IT-SIL-03", "="},
		{"a call between makes the agent needless, not the rest", func(s *stage) {
			ready(s, "2026-10-22 11:00")
			s.attempt.AgentReserved = false
			s.called("m", "2026-10-21 11:00", mute)
			s.called("n", "2026-10-21 12:00")
		}, "block IT-SIL-03", "="},
		{"another controller's silent call", func(s *stage) {
			ready(s, "2026-10-22 11:00")
			s.put("z", "Z", "KZ", person, "2026-10-21 11:00", &events.CallConcluded{DialledAt: rome(s.t, "2026-10-21 11:00"), Disposition: events.DispositionSilent})
		}, "allow", ""},
	})
}

// TIM 2020: attempts in thirty days, this one included.
func TestPressure(t *testing.T) {
	calls := func(n int, from string) func(*stage) {
		return func(s *stage) {
			s.consent("2026-01-10")
			for i := range n {
				s.called("c"+number(i), from)
				last := s.facts[len(s.facts)-1].Data.(*events.CallConcluded)
				last.DialledAt += events.Instant(i) * second
			}
		}
	}
	check(t, []clause{
		{"the eighth", calls(7, "2026-03-02 10:00"), "allow", ""},
		{"the ninth", calls(8, "2026-03-02 10:00"), "warn IT-LST-06", "IT-LST-06 POTENTIAL"},
		{"the thirtieth", calls(29, "2026-03-02 10:00"), "warn IT-LST-06", "IT-LST-06 POTENTIAL"},
		{"the thirty-first", calls(30, "2026-03-02 10:00"), "block IT-LST-06", "="},
		{"thirty days ago no longer counts", calls(30, "2026-02-08 23:00"), "allow", ""},
		{"twenty-nine days ago does", calls(30, "2026-02-09 00:00"), "block IT-LST-06", "="},
	})
}

// GDPR 28; DL 83/2012, art. 24-bis: appointments.
func TestProcessors(t *testing.T) {
	appoint := func(s *stage, id, processor, by string, from, to events.Date) {
		s.ref(id, "A", "", "2020-01-01", &events.ProcessorAppointed{Processor: processor, By: by, From: from, To: to, ROC: &events.ROC{Number: "1", From: 1}})
	}
	check(t, []clause{
		{"appointed from tomorrow", func(s *stage) { s.consent("2026-01-10"); s.drop("p1"); appoint(s, "p", "P1", "", dateOf(noon)+1, 0) }, "block IT-LST-03", "="},
		{"appointed to yesterday", func(s *stage) { s.consent("2026-01-10"); s.drop("p1"); appoint(s, "p", "P1", "", 1, dateOf(noon)-1) }, "block IT-LST-03", "="},
		{"dismissed, then appointed anew", func(s *stage) {
			s.consent("2026-01-10")
			s.ref("x", "A", "", "2026-03-01", &events.ProcessorDismissed{Processor: "P1", LastDay: date(s.t, "2026-03-05")})
			appoint(s, "p", "P1", "", date(s.t, "2026-03-06"), 0)
		}, "allow", ""},
		{"dismissed with today as last day", func(s *stage) {
			s.consent("2026-01-10")
			s.ref("x", "A", "", "2026-03-01", &events.ProcessorDismissed{Processor: "P1", LastDay: dateOf(noon)})
		}, "allow", ""},
		{"two that appoint each other", func(s *stage) {
			s.consent("2026-01-10")
			s.drop("p1")
			appoint(s, "p", "P1", "P2", 1, 0)
			appoint(s, "q", "P2", "P1", 1, 0)
		}, "block IT-LST-03", "="},
		{"the controller's own call centre, own script and number", func(s *stage) {
			s.consent("2026-01-10")
			s.drop("p1", "ack", "cli")
			s.attempt.Processor = ""
			s.ref("own", "", "", "2020-01-01", &events.CallerIDDeclared{Holder: "A", CLIs: []string{cli}, From: 1})
		}, "allow", ""},
		{"the number of another call centre", func(s *stage) {
			s.consent("2026-01-10")
			s.drop("cli")
			s.ref("other", "", "", "2020-01-01", &events.CallerIDDeclared{Holder: "P2", CLIs: []string{cli}, From: 1})
		}, "block IT-CLI-02", "="},
	})
}

// GDPR 58(2)(f): the scope of an order.
func TestOrders(t *testing.T) {
	order := func(controller string, kind events.OrderKind, scope events.OrderScope) func(*stage) {
		return func(s *stage) {
			s.consent("2026-01-10")
			s.ref("order", controller, "", "2026-03-01", &events.OrderIssued{Authority: "garante", Number: "7", Kind: kind, From: date(s.t, "2026-03-01"), Scope: scope})
		}
	}
	check(t, []clause{
		{"everything, every controller", order("", events.OrderLimitation, events.OrderScope{All: true}), "block IT-ORD-01", "="},
		{"another controller", order("Z", events.OrderProhibition, events.OrderScope{All: true}), "allow", ""},
		{"a fine forbids nothing", order("A", events.OrderFine, events.OrderScope{All: true}), "allow", ""},
		{"this list", order("A", events.OrderProhibition, events.OrderScope{Lists: []string{"L"}}), "block IT-ORD-01", "="},
		{"an empty vendor hits no row", order("A", events.OrderProhibition, events.OrderScope{Vendors: []string{""}}), "allow", ""},
	})
}

// LED-05: age and verdict of the decision relied upon.
func TestDecisionReliedUpon(t *testing.T) {
	decided := func(at events.Instant, v events.Verdict) func(*stage) {
		return func(s *stage) {
			s.consent("2026-01-10")
			s.attempt.Decision = Claim{Made: true, Ref: "d"}
			f := s.add("d", "A", "2026-03-10 11:00", &events.DecisionIssued{Attempt: "a", Verdict: v})
			f.Time, f.Received, f.Recorded = s.attempt.DialledAt+at, s.attempt.DialledAt+at, s.attempt.DialledAt+second
		}
	}
	check(t, []clause{
		{"a minute ago", decided(-60*second, events.VerdictWarn), "allow", ""},
		{"a moment more", decided(-60*second-1, events.VerdictAllow), "allow", "LED-05"},
		{"after the dial", decided(1, events.VerdictAllow), "allow", "LED-05"},
		{"against it", decided(-second, events.VerdictBlock), "allow", "LED-05"},
		{"not to be found", func(s *stage) { s.consent("2026-01-10"); s.attempt.Decision = Claim{Made: true, Ref: "d"} }, "allow", "LED-05"},
	})
}
