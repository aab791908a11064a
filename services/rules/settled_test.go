package rules

import (
	"slices"
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// settled returns what a holder of settled facts would keep of the contact at
// an instant: what counts of all that is recorded, whatever its other clocks.
func settled(h *contact.History, at events.Instant) []*contact.Fact {
	return contact.View(h, contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: at, Known: events.MaxInstant})
}

// sharing reports whether two of the facts bear one identity: an amendment may
// let several variants stand, and they would be a conflict in a new history.
func sharing(facts []*contact.Fact) bool {
	seen := map[events.Identity]bool{}
	for _, f := range facts {
		if seen[f.Identity()] {
			return true
		}
		seen[f.Identity()] = true
	}
	return false
}

// given reports whether a grant among the facts names the call in which it was
// given.
func given(facts []*contact.Fact) bool {
	return slices.ContainsFunc(facts, func(f *contact.Fact) bool {
		g, ok := f.Data.(*events.ConsentGranted)
		return ok && g.CollectionAttempt != ""
	})
}

// eachQuestion draws worlds, wild and likely, and a question in each.
func eachQuestion(t *testing.T, check func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant)) {
	base := stageFacts(t)
	rapid.Check(t, func(t *rapid.T) {
		a, at := likelyAttempt(t)
		facts := likelyFacts(t, base)
		if rapid.IntRange(0, 4).Draw(t, "wild") == 0 {
			facts = factsOf(t)
			a = attempts(t, nil)[0]
			at = a.DialledAt
		}
		h, ref := build(facts)
		check(t, h, ref, a, at)
	})
}

// GateFacts says what Gate says, to the last word, or that it cannot.
func TestSettledFactsGiveTheAnswerOfTheGate(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		facts := settled(h, at)
		got, ok := e.GateFacts(rapid.Permutation(facts).Draw(t, "order"), ref, a, at)
		if !ok {
			if !given(facts) || !cmp.Equal(got, Decision{}) {
				t.Fatalf("no answer though no grant names a call: %+v", got)
			}
			return
		}
		if !sharing(facts) {
			if d := cmp.Diff(e.Gate(contact.NewHistory(person, facts), ref, a, at), got); d != "" {
				t.Fatalf("decision differs (-Gate of the settled facts +GateFacts):\n%s", d)
			}
		}
		want := e.Gate(h, ref, a, at)
		if want.ValidUntil > got.ValidUntil {
			t.Fatalf("valid until %v, the gate with the whole history says %v", got.ValidUntil, want.ValidUntil)
		}
		want.ValidUntil = got.ValidUntil // the whole history also foresees forms that were corrected away
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("decision differs (-Gate +GateFacts):\n%s", d)
		}
	})
}

// A prepared question says of every contact what the gate says.
func TestAPreparedQuestionGivesTheAnswerOfTheGate(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		q := e.Prepare(ref, a, at)
		others := a
		others.Contact = events.ContactKey{9}
		facts := settled(h, at)
		for _, list := range [][]*contact.Fact{facts, nil, facts[:len(facts)/2], facts} {
			sameRuling(t, e, q, list, ref, others, at)
		}
	})
}

func sameRuling(t *rapid.T, e *Engine, q *Question, facts []*contact.Fact, ref *Reference, a Attempt, at events.Instant) {
	t.Helper()
	want, wantOK := e.GateFacts(facts, ref, a, at)
	got, ok := q.Verdict(facts)
	if ok != wantOK {
		t.Fatalf("the prepared question answers %v, the gate %v", ok, wantOK)
	}
	if !ok {
		if got != (Ruling{}) {
			t.Fatalf("no answer, yet %+v", got)
		}
		return
	}
	var blocks, warns []string
	for _, r := range want.Reasons {
		if r.Effect == events.VerdictBlock {
			blocks = append(blocks, r.Rule)
		} else {
			warns = append(warns, r.Rule)
		}
	}
	if got.Verdict != want.Verdict || !slices.Equal(got.Blocks.Append(nil), blocks) || !slices.Equal(got.Warns.Append(nil), warns) || got.ValidUntil != want.ValidUntil {
		t.Fatalf("prepared: %v %v %v %v; the gate: %v %v %v %v", got.Verdict, got.Blocks.Append(nil), got.Warns.Append(nil), got.ValidUntil,
			want.Verdict, blocks, warns, want.ValidUntil)
	}
	if got.Blocks.Len() != len(blocks) {
		t.Fatalf("%d rules block, Len says %d", len(blocks), got.Blocks.Len())
	}
}

// Many goroutines share one question.
func TestAQuestionIsAskedSideBySide(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	s.called("c", "2026-03-09 11:00")
	_, ref := build(s.facts)
	opposed := append(slices.Clone(ownFacts(s)), s.add("o", "A", "2026-03-08", &events.OppositionRegistered{ReceivedBy: "P1"}))
	q := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if r, ok := q.Verdict(opposed); !ok || r.Verdict != events.VerdictBlock || !slices.Equal(r.Blocks.Append(nil), []string{"IT-OPP-01"}) {
					t.Errorf("with an opposition: %+v", r)
				}
				if r, ok := q.Verdict(opposed[:len(opposed)-1]); !ok || r.Verdict != events.VerdictAllow || r.Blocks|r.Warns != 0 {
					t.Errorf("without: %+v", r)
				}
			}
		})
	}
	wg.Wait()
}

// A list check of a million numbers allocates nothing for each.
func TestAPreparedVerdictAllocatesNothing(t *testing.T) {
	e := testEngine(t)
	for _, n := range benchSizes {
		s := newStage(t)
		own := benchContact(s, n)
		_, ref := build(s.facts)
		q := e.Prepare(ref, s.attempt, s.attempt.DialledAt)
		ev := q.spare.New().(*evaluation)
		if got := testing.AllocsPerRun(100, func() { q.verdict(ev, own) }); got != 0 {
			t.Errorf("%v allocations for a contact of %d facts", got, len(own))
		}
	}
}

// What is added to the reference later changes no prepared question.
func TestAQuestionIsAskedAsItWasPrepared(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	_, ref := build(s.facts)
	own := ownFacts(s)
	q := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt)
	ref.Add(s.ref("order", "", "", "2026-03-01", &events.OrderIssued{Kind: events.OrderProhibition, From: 1, Scope: events.OrderScope{All: true}}))
	if r, ok := q.Verdict(own); !ok || r.Verdict != events.VerdictAllow {
		t.Errorf("prepared before the order: %+v", r)
	}
	if r, ok := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt).Verdict(own); !ok || !slices.Equal(r.Blocks.Append(nil), []string{"IT-ORD-01"}) {
		t.Errorf("prepared after it: %+v", r)
	}
}

// A grant that names its call is answered from settled facts only where nobody
// has to ask what that call broke.
func TestAGrantThatNamesItsCallNeedsTheHistory(t *testing.T) {
	given := func(g *events.ConsentGranted) { g.CollectionAttempt = "c" }
	for name, c := range map[string]struct {
		change func(*stage)
		ok     bool
	}{
		"given in a call":       {func(s *stage) { s.consent("2026-01-10", given) }, false},
		"beside a better grant": {func(s *stage) { s.consent("2026-01-10"); s.add("g2", "A", "2026-01-11", grant(given)) }, false},
		"not yet given":         {func(s *stage) { s.consent("2026-04-10", given) }, true},
		"given to another":      {func(s *stage) { s.add("g", "Z", "2026-01-10", grant(given)) }, true},
		"void": {func(s *stage) {
			s.consent("2026-01-10", given)
			s.add("v", "A", "2026-02-01", &events.ConsentInvalidated{Grant: "g", Reason: events.InvalidOther})
		}, true},
		"known to be tainted": {func(s *stage) {
			s.consent("2026-01-10", given)
			s.add("v", "A", "2026-02-01", &events.ConsentInvalidated{Grant: "g", Reason: events.InvalidTainted})
		}, true},
	} {
		s := newStage(t)
		c.change(s)
		h, ref := build(s.facts)
		own, at := ownFacts(s), s.attempt.DialledAt
		d, ok := testEngine(t).GateFacts(own, ref, s.attempt, at)
		_, ok2 := testEngine(t).Prepare(ref, s.attempt, at).Verdict(own)
		if ok != c.ok || ok2 != c.ok {
			t.Errorf("%s: answered %v, prepared %v, want %v", name, ok, ok2, c.ok)
		}
		if diff := cmp.Diff(testEngine(t).Gate(h, ref, s.attempt, at), d); ok && diff != "" {
			t.Errorf("%s: decision differs (-Gate +GateFacts):\n%s", name, diff)
		}
	}
}

// The answer ends where a fact ahead of the clock comes into view: when it has
// happened and somebody knows it.
func TestAFactAheadEndsTheAnswer(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	soon := s.add("w", "A", "2026-03-10 12:30", &events.ConsentRevoked{})
	soon.Received, soon.Recorded = rome(t, "2026-03-10 13:45"), s.attempt.DialledAt
	later := s.add("q", "A", "2026-03-10 11:30", &events.CallbackRequested{})
	later.Recorded = s.attempt.DialledAt + 1 // not in the log yet: it is no fact ahead
	h, ref := build(s.facts)
	own, at, want := ownFacts(s), s.attempt.DialledAt, rome(t, "2026-03-10 13:45")
	d, ok := testEngine(t).GateFacts(own, ref, s.attempt, at)
	r, ok2 := testEngine(t).Prepare(ref, s.attempt, at).Verdict(own)
	if g := testEngine(t).Gate(h, ref, s.attempt, at); !ok || !ok2 || d.ValidUntil != want || r.ValidUntil != want || g.ValidUntil != want {
		t.Errorf("valid until %v, prepared %v, gate %v, want %v", d.ValidUntil, r.ValidUntil, g.ValidUntil, want)
	}
}

// What no rule reads before a call does not end the answer.
func TestAComplaintAheadDoesNotEndTheAnswer(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	h, ref := build(s.facts)
	before := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt)
	s.add("c", "A", "2026-03-10 11:30", &events.ComplaintReceived{}).Recorded = s.attempt.DialledAt
	h, ref = build(s.facts)
	got := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt)
	held, ok := testEngine(t).GateFacts(ownFacts(s), ref, s.attempt, s.attempt.DialledAt)
	if !ok || got.ValidUntil != before.ValidUntil || held.ValidUntil != before.ValidUntil {
		t.Errorf("valid until %v with a complaint ahead, %v of held facts, %v without", got.ValidUntil, held.ValidUntil, before.ValidUntil)
	}
}

// A campaign is open still at the instant of its closing, and not after.
func TestTheClosingEndsTheAnswer(t *testing.T) {
	s := newStage(t)
	s.consent("2026-01-10")
	s.ref("closed", "A", "K", "2026-03-10 11:00", &events.CampaignClosed{})
	h, ref := build(s.facts)
	d := testEngine(t).Gate(h, ref, s.attempt, s.attempt.DialledAt)
	if d.Verdict != events.VerdictAllow || d.ValidUntil != s.attempt.DialledAt+1 {
		t.Errorf("at its closing: %s until %v", d.Verdict, d.ValidUntil)
	}
	if d := testEngine(t).Gate(h, ref, s.attempt, d.ValidUntil); d.Verdict != events.VerdictBlock {
		t.Errorf("after its closing: %s", d.Verdict)
	}
}

// A bought row under which the call may be made warns in a prepared question.
func TestAPreparedQuestionWarnsOfABoughtRow(t *testing.T) {
	s := newStage(t)
	s.drop("script")
	s.ref("intro", "A", "K", "2026-02-01 09:00", &events.ScriptPublished{Script: "S", ThirdPartyIntro: true})
	s.add("row2", "A", "2026-02-01 09:05", &events.ListContactAdded{List: "L", Vendor: "V", Source: "s", Collector: "V", AcquiredOn: date(t, "2025-12-01")})
	s.add("vg", "V", "2026-01-10", grant(func(g *events.ConsentGranted) {
		g.Purposes, g.Recipients = events.PurposeThirdPartyDisclosure.Bit(), &events.Recipients{Controllers: []string{"A"}}
	}))
	_, ref := build(s.facts)
	r, ok := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt).Verdict(ownFacts(s))
	if got := s.gate(); got != "warn IT-CON-07" || !ok || r.Verdict != events.VerdictWarn || !slices.Equal(r.Warns.Append(nil), []string{"IT-CON-07"}) {
		t.Errorf("prepared: %v %v %v; the gate: %s", ok, r.Verdict, r.Warns.Append(nil), got)
	}
}

// RegisterUntil is the end of the last day of the answer that is relied on.
func TestRegisterUntil(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*stage)
		want   string
	}{
		"fifteen days":             {func(*stage) {}, "2026-03-19"},
		"the later of two":         {func(s *stage) { s.screened("later", "B2", "2026-03-05 10:00", events.AnswerClear, "") }, "2026-03-21"},
		"opposed is an answer too": {func(s *stage) { s.screened("later", "B2", "2026-03-05 10:00", events.AnswerOpposed, "") }, "2026-03-21"},
		"invalid is none":          {func(s *stage) { s.screened("later", "B2", "2026-03-05 10:00", events.AnswerInvalid, "") }, "2026-03-19"},
		"none":                     {func(s *stage) { s.drop("answer") }, ""},
		"expired":                  {func(s *stage) { s.attempt.DialledAt = rome(s.t, "2026-03-19 11:00") }, ""},
		"its last day":             {func(s *stage) { s.attempt.DialledAt = rome(s.t, "2026-03-18 11:00") }, "2026-03-19"},
		"the clocks change meanwhile": {func(s *stage) {
			s.screened("later", "B2", "2026-03-14 10:00", events.AnswerClear, "")
			s.attempt.DialledAt = rome(s.t, "2026-03-16 11:00")
		}, "2026-03-30"},
		"paper mail has thirty": {func(s *stage) {
			s.attempt.Channel = events.ChannelPaperMail
			s.add("postal", "A", "2026-03-03", &events.RegisterScreened{Batch: "B2", SnapshotAt: rome(s.t, "2026-03-03"), Answer: events.AnswerClear, Register: events.RegisterPostal})
		}, "2026-04-03"},
		"text messages need none": {func(s *stage) { s.attempt.Channel = events.ChannelSMS }, ""},
		"service calls need none": {func(s *stage) { s.attempt.Purpose = events.PurposeService }, ""},
		"who asks is exempt":      {func(s *stage) { s.add("q", "A", "2026-03-09", &events.CallbackRequested{}) }, ""},
	} {
		s := newStage(t)
		s.consent("2026-01-10")
		c.change(s)
		_, ref := build(s.facts)
		r, ok := testEngine(t).Prepare(ref, s.attempt, s.attempt.DialledAt).Verdict(ownFacts(s))
		want := events.Instant(0)
		if c.want != "" {
			want = rome(t, c.want)
		}
		if !ok || r.RegisterUntil != want {
			t.Errorf("%s: until %v, want %q", name, r.RegisterUntil, c.want)
		}
	}
}

// Until then, and no longer, the register's answer suffices.
func TestTheRegistersAnswerSufficesUntilRegisterUntil(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		facts := settled(h, at)
		r, ok := e.Prepare(ref, a, at).Verdict(facts)
		if !ok || r.RegisterUntil == 0 {
			return
		}
		unanswered := bitOf("IT-RPO-02") | bitOf("IT-RPO-09")
		if r.RegisterUntil <= at || r.Blocks&unanswered != 0 {
			t.Fatalf("at %v: until %v, blocked by %v", at, r.RegisterUntil, r.Blocks.Append(nil))
		}
		if last, ok := e.Prepare(ref, a, r.RegisterUntil-1).Verdict(facts); ok && last.Blocks&unanswered != 0 {
			t.Fatalf("until %v, yet a moment before %v", r.RegisterUntil, last.Blocks.Append(nil))
		}
		if then, ok := e.Prepare(ref, a, r.RegisterUntil).Verdict(facts); ok && then.RegisterUntil == r.RegisterUntil {
			t.Fatalf("until %v, and still then", r.RegisterUntil)
		}
	})
}

// The table of the rules keeps its promises.
func TestEveryRuleHasOneConditionAndItsEffects(t *testing.T) {
	e := testEngine(t)
	for i := range e.rules {
		r := &e.rules[i]
		if (r.aside == nil) == (r.test == nil) {
			t.Errorf("%s has not exactly one condition", r.id)
		}
		if r.mute != (len(r.meta.Effects) == 0) {
			t.Errorf("%s is mute: %v, its effects in the catalogue are %v", r.id, r.mute, r.meta.Effects)
		}
		if got := r.bit.Append(nil); !slices.Equal(got, []string{r.id}) {
			t.Errorf("the bit of %s stands for %v", r.id, got)
		}
	}
}

// No rule has an effect at the gate that the catalogue does not name; a mute
// one has none.
func TestEffectsAreThoseOfTheCatalogue(t *testing.T) {
	e := testEngine(t)
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		a.DialledAt, a.Outcome = at, attempts(t, nil)[0].Outcome
		ev := e.take(h, ref, a, at, at)
		defer e.end(ev)
		ev.runAt(contact.Gate(at), nil)
		for _, s := range ev.hits {
			if s.effect != "" && !slices.Contains(s.rule.meta.Effects, s.effect) {
				t.Fatalf("%s has effect %q, the catalogue says %v", s.rule.id, s.effect, s.rule.meta.Effects)
			}
		}
	})
}
