package rules

import (
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// assessFully is Assess without its short cuts: always three evaluations, as
// rules.md 1 and 1.1 are written.
func (e *Engine) assessFully(h *contact.History, ref *Reference, a Attempt, asOf events.Instant) []Finding {
	evaluate := func(cut contact.Cut) []Finding {
		ev := e.take(h, ref, a, a.DialledAt, asOf)
		defer e.end(ev)
		ev.runAt(cut, nil)
		return ev.findings()
	}
	has := func(list []Finding, rule string) bool {
		return slices.ContainsFunc(list, func(f Finding) bool { return f.Rule == rule })
	}
	found := evaluate(contact.Finding(a.DialledAt, asOf))
	then := evaluate(contact.KnownThen(a.DialledAt, asOf))
	for i := range found {
		if f := &found[i]; f.Kind != events.KindBestPractice && !has(then, f.Rule) {
			f.Kind = events.KindPotential
		}
	}
	known := slices.Clone(found)
	for _, f := range evaluate(contact.Hindsight(a.DialledAt, asOf)) {
		if f.Kind != events.KindBestPractice && !has(known, f.Rule) {
			f.Kind = events.KindHindsight
			found = append(found, f)
		}
	}
	sortFindings(found)
	return found
}

func TestAssessNeedsNoEvaluationThatItSpares(t *testing.T) {
	e := testEngine(t)
	rapid.Check(t, func(t *rapid.T) {
		facts := factsOf(t)
		h, ref := build(facts)
		for _, a := range attempts(t, facts) {
			asOf := moment(t, "R") + 3*day
			if d := cmp.Diff(e.assessFully(h, ref, a, asOf), e.Assess(h, ref, a, asOf).Findings); d != "" {
				t.Fatalf("findings of %s as of %v differ (-three evaluations +Assess):\n%s", a.ID, asOf, d)
			}
		}
	})
}

// rules.md 1: no rule reads arrival order.
func TestResultsDoNotDependOnOrder(t *testing.T) {
	e := testEngine(t)
	rapid.Check(t, func(t *rapid.T) {
		facts := factsOf(t)
		h, ref := build(facts)
		h2, ref2 := build(rapid.Permutation(facts).Draw(t, "order"))
		asOf := moment(t, "R") + 3*day
		for _, a := range attempts(t, facts) {
			if d := cmp.Diff(e.Assess(h, ref, a, asOf), e.Assess(h2, ref2, a, asOf)); d != "" {
				t.Fatalf("assessment of %s differs (-in order +shuffled):\n%s", a.ID, d)
			}
			if d := cmp.Diff(e.Gate(h, ref, a, a.DialledAt), e.Gate(h2, ref2, a, a.DialledAt)); d != "" {
				t.Fatalf("decision on %s differs (-in order +shuffled):\n%s", a.ID, d)
			}
		}
		one, err := e.Objects(smallWorld{h, ref}, asOf)
		if err != nil {
			t.Fatal(err)
		}
		other, err := e.Objects(smallWorld{h2, ref2}, asOf)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(one, other); d != "" {
			t.Fatalf("object findings differ (-in order +shuffled):\n%s", d)
		}
	})
}

// smallWorld is a World of one contact.
type smallWorld struct {
	h   *contact.History
	ref *Reference
}

func (w smallWorld) Reference() *Reference { return w.ref }
func (w smallWorld) Contacts(yield func(*contact.History) error) error {
	return yield(w.h)
}

// A projection that re-evaluates only what Touches names stays right.
func TestAFactChangesOnlyAttemptsThatItTouches(t *testing.T) {
	e := testEngine(t)
	rapid.Check(t, func(t *rapid.T) {
		facts := factsOf(t)
		m := &factory{n: 1000}
		added := oneOf(t, "added", m.reference, m.personal, m.correction)(t)
		after := append(slices.Clone(facts), added)
		asOf := noon + 30*day
		h, ref := build(facts)
		h2, ref2 := build(after)
		touches := touchesOf(e, after, added)
		for _, a := range attempts(t, facts) {
			before, now := e.Assess(h, ref, a, asOf), e.Assess(h2, ref2, a, asOf)
			if cmp.Equal(before, now) || slices.ContainsFunc(touches, func(t Touch) bool { return t.Concerns(&a, []string{"L", "L2"}) }) {
				continue
			}
			t.Fatalf("%s %+v changes %s dialled %v, which no touch of %+v names:\n%s", added.Type, added.Data, a.ID, a.DialledAt, touches, cmp.Diff(before, now))
		}
	})
}

// touchesOf asks as a projection does: disputes with all facts of the
// identity, corrections of corrections followed to what they correct.
func touchesOf(e *Engine, all []*contact.Fact, added *contact.Fact) []Touch {
	named := map[events.Identity]bool{added.Identity(): true}
	dispute := false
	for changed := true; changed; {
		changed = false
		for _, f := range all {
			c, ok := f.Data.(*events.EventCorrected)
			if ok && named[f.Identity()] && !named[c.Target] {
				named[c.Target], changed = true, true
			}
			if ok && named[c.Target] {
				dispute = true
				if !named[f.Identity()] {
					named[f.Identity()], changed = true, true
				}
			}
		}
	}
	for _, f := range all {
		dispute = dispute || (f != added && f.Identity() == added.Identity() && f.Digest != added.Digest)
	}
	if !dispute {
		return e.Touches(added)
	}
	var out []Touch
	for id := range named {
		var concerned []*contact.Fact
		for _, f := range all {
			c, ok := f.Data.(*events.EventCorrected)
			if f.Identity() == id || (ok && c.Target == id) {
				concerned = append(concerned, f)
			}
		}
		out = append(out, e.TouchesOfDispute(concerned)...)
	}
	return out
}

// valid_until is a promise: without a new fact the answer stays until then.
func TestTheAnswerHoldsUntilValidUntil(t *testing.T) {
	e := testEngine(t)
	rapid.Check(t, func(t *rapid.T) {
		facts := factsOf(t)
		at := noon + events.Instant(rapid.IntRange(-600, 600).Draw(t, "at"))*600*second
		for _, f := range facts { // a world in which no reference fact is ahead of the clock
			ahead := max(f.Time, f.Received)
			switch d := f.Data.(type) {
			case *events.RegisterScreeningCompleted:
				ahead = max(ahead, d.SnapshotAt)
			case *events.EventCorrected:
				ahead = max(ahead, d.NewTime)
			}
			if f.Subject.IsZero() && f.Recorded <= at && ahead > at {
				return
			}
		}
		recorded := facts[:0:0]
		for _, f := range facts {
			if f.Recorded <= at {
				recorded = append(recorded, f)
			}
		}
		h, ref := build(recorded)
		a := attempts(t, nil)[0]
		first := e.Gate(h, ref, a, at)
		last := first.ValidUntil - 1
		if mid := at + (last-at)/2; mid > at {
			for _, later := range []events.Instant{mid, last} {
				if d := e.Gate(h, ref, a, later); d.Verdict != first.Verdict || !slices.Equal(rulesOf(d), rulesOf(first)) {
					t.Fatalf("at %v %v %v, valid until %v, yet at %v %v %v", at, first.Verdict, rulesOf(first), first.ValidUntil, later, d.Verdict, rulesOf(d))
				}
			}
		}
		if first.ValidUntil <= at || first.ValidUntil > at+25*hour {
			t.Fatalf("valid until %v, asked at %v", first.ValidUntil, at)
		}
	})
}

func rulesOf(d Decision) []string {
	var out []string
	for _, r := range d.Reasons {
		out = append(out, r.Rule+" "+string(r.Effect))
	}
	return out
}

// Starts answer as the whole set of calls does, though corrections strike some.
func TestStartsKnowTheEarlierCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Start
		for i := range rapid.IntRange(0, 60).Draw(t, "calls") {
			at := func(n string) events.Instant { return events.Instant(rapid.IntRange(1, 9).Draw(t, n)) }
			all = append(all, Start{Call: events.IdentityHash{byte(i)}, Dialled: at("dialled"), Time: at("time"), Received: at("received"), Recorded: at("recorded")})
		}
		var joined, halves Starts
		for _, s := range rapid.Permutation(all).Draw(t, "order") {
			if !joined.Covers(s) {
				joined = joined.Join(Starts{s})
			}
		}
		halves = Starts{}.Join(all[:len(all)/2]).Join(Starts{}.Join(all[len(all)/2:]))
		if d := cmp.Diff(Starts{}.Join(all), joined); d != "" || !cmp.Equal(halves, joined) {
			t.Fatalf("one by one and at once differ:\n%s", d)
		}
		struck := map[events.IdentityHash]bool{}
		for i := range rapid.IntRange(0, min(len(all), startsDepth-1)).Draw(t, "struck") {
			struck[all[i].Call] = true
		}
		probe := Start{Dialled: 5, Time: 5, Received: 6, Recorded: 7}
		earlier := func(list []Start) bool {
			return slices.ContainsFunc(list, func(s Start) bool { return !struck[s.Call] && s.precedes(probe) })
		}
		if earlier(all) != earlier(joined) {
			t.Fatalf("of all calls %v, of the starts %v", earlier(all), earlier(joined))
		}
	})
}
