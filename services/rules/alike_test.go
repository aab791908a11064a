package rules

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"pgregory.net/rapid"
)

// Contacts that are alike to a question (Sight) get one ruling, however far
// apart their instants are.
func TestAlikeContactsGetOneRuling(t *testing.T) {
	e := testEngine(t)
	verdicts := map[events.Verdict]int{}
	eachQuestion(t, func(t *rapid.T, h *contact.History, ref *Reference, a Attempt, at events.Instant) {
		own := settled(h, at)
		if rapid.IntRange(0, 3).Draw(t, "aged") == 0 {
			own = append(own, aged(t, at)...)
		}
		if rapid.IntRange(0, 3).Draw(t, "spoken to") == 0 {
			own = append(own, spokenTo(t, at)...)
		}
		ref.Add(lapsing(t)) // the version of some grants
		q := e.Prepare(ref, a, at)
		facts := likenable(q, own, at)
		other := likeness(t, q, facts, at)
		want, wantOK := q.Verdict(facts)
		got, ok := q.Verdict(other)
		if got != want || ok != wantOK {
			for i := range facts {
				t.Logf("%s %s: %s, alike at %s", facts[i].Type, facts[i].ID, facts[i].Time, other[i].Time)
			}
			t.Fatalf("at %s attempt %+v: %v %+v blocked by %v, an alike contact %v %+v blocked by %v", at, a, wantOK, want, want.Blocks.Append(nil), ok, got, got.Blocks.Append(nil))
		}
		verdicts[got.Verdict]++
	})
	if verdicts[events.VerdictAllow] == 0 || verdicts[events.VerdictWarn] == 0 || verdicts[events.VerdictBlock] == 0 {
		t.Errorf("rulings %v: want some of each", verdicts)
	}
}

// aged draws a consent of some years ago that was confirmed since.
func aged(t *rapid.T, at events.Instant) []*contact.Fact {
	m := &factory{n: 9000}
	years := func(name string) events.Instant {
		return at - events.Instant(rapid.IntRange(1, 60).Draw(t, name))*30*day
	}
	given, confirmed := years("given"), years("confirmed")
	return []*contact.Fact{
		m.fact(t, "aged", "A", "", person, grant(func(*events.ConsentGranted) {}), given, given, given),
		m.fact(t, "sure", "A", "", person, &events.ConsentReverified{Grant: "aged", Result: "confirmed"}, confirmed, confirmed, confirmed),
	}
}

// spokenTo draws a few calls of about a month ago in which somebody was spoken to.
func spokenTo(t *rapid.T, at events.Instant) (out []*contact.Fact) {
	m := &factory{n: 9200}
	for i := range rapid.IntRange(1, 3).Draw(t, "answered calls") {
		f := m.call(t, fmt.Sprintf("answered%d", i), at-events.Instant(rapid.IntRange(28, 32).Draw(t, "days ago"))*day)
		d := f.Data.(*events.CallConcluded)
		d.AnsweredAt, d.Disposition = d.DialledAt, events.DispositionNotInterested
		out = append(out, f)
	}
	return out
}

// lapsing draws a notice that may be used for some time only.
func lapsing(t *rapid.T) *contact.Fact {
	at := noon - 100*day
	from := civil(t, "effective") - 40
	return (&factory{n: 9100}).fact(t, "lapsing", "A", "", events.ContactKey{}, &events.NoticePublished{Notice: "N", Version: "2", SHA256: events.Digest{1},
		EffectiveFrom: from, EffectiveTo: from + events.Date(rapid.IntRange(0, 60).Draw(t, "days of the notice"))}, at, at, at)
}

// likenable are the facts of a contact that others may be like.
func likenable(q *Question, facts []*contact.Fact, at events.Instant) []*contact.Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f *contact.Fact) bool {
		v := q.Sight(f.Data)
		return v.Exact || f.Received > at || slices.ContainsFunc(instantsOf(f), func(i *events.Instant) bool { return *i <= 0 || *i >= at })
	})
}

// instantsOf are the instants of which Sight speaks.
func instantsOf(f *contact.Fact) []*events.Instant {
	if d, ok := f.Data.(*events.CallConcluded); ok {
		return []*events.Instant{&f.Time, &d.DialledAt}
	}
	return []*events.Instant{&f.Time}
}

// namesOf are the names of grants and contracts in a fact.
func namesOf(f *contact.Fact) []*string {
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		return []*string{&f.ID, &d.Contract}
	case *events.ConsentReverified:
		return []*string{&d.Grant}
	case *events.ConsentInvalidated:
		return []*string{&d.Grant}
	case *events.ContractConcluded:
		return []*string{&d.Contract}
	case *events.ContractEnded:
		return []*string{&d.Contract}
	}
	return nil
}

// ownCopy is a copy of a fact whose instants and names may be changed.
func ownCopy(f *contact.Fact) *contact.Fact {
	g := *f
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		g.Data = copied(d)
	case *events.ConsentReverified:
		g.Data = copied(d)
	case *events.ConsentInvalidated:
		g.Data = copied(d)
	case *events.ContractConcluded:
		g.Data = copied(d)
	case *events.ContractEnded:
		g.Data = copied(d)
	case *events.CallConcluded:
		g.Data = copied(d)
	}
	return &g
}

func copied[T any](d *T) *T {
	n := *d
	return &n
}

// span is where an instant may be moved to.
type span struct{ from, to events.Instant }

// likeness draws a contact that is alike to the one with the facts: each of its
// instants goes as far as it may, or anywhere between.
func likeness(t *rapid.T, q *Question, facts []*contact.Fact, at events.Instant) []*contact.Fact {
	dated := slices.ContainsFunc(facts, func(f *contact.Fact) bool { return q.Sight(f.Data).Dated })
	out := make([]*contact.Fact, len(facts))
	spans, names := map[events.Instant]span{}, map[string]string{"": ""}
	for i, f := range facts {
		out[i] = ownCopy(f)
		v := q.Sight(f.Data)
		for _, at2 := range instantsOf(out[i]) {
			s, known := spans[*at2]
			if !known {
				s = span{1, at - 1}
			}
			for _, b := range v.Bounds {
				if b <= *at2 {
					s.from = max(s.from, b)
				} else {
					s.to = min(s.to, b-1)
				}
			}
			if v.Day && dated {
				s.from, s.to = max(s.from, midnight(dateOf(*at2))), min(s.to, midnight(dateOf(*at2)+1)-1)
			}
			spans[*at2] = s
		}
		for _, n := range namesOf(out[i]) {
			names[*n] = *n
		}
	}
	moved := moveApart(t, spans)
	for i, n := range slices.Sorted(maps.Keys(names)) {
		if n != "" {
			names[n] = fmt.Sprintf("other name %03d", i)
		}
	}
	for _, f := range out {
		f.Subject, f.Received = events.ContactKey{7}, min(f.Received, at)
		for _, i := range instantsOf(f) {
			*i = moved[*i]
		}
		for _, n := range namesOf(f) {
			*n = names[*n]
		}
	}
	return out
}

// moveApart moves instants within their spans; their order stays.
func moveApart(t *rapid.T, spans map[events.Instant]span) map[events.Instant]events.Instant {
	order := slices.Sorted(maps.Keys(spans))
	latest := make([]events.Instant, len(order))
	for i, to := len(order)-1, events.MaxInstant; i >= 0; i-- {
		to = min(spans[order[i]].to, to-1)
		latest[i] = to
	}
	moved := map[events.Instant]events.Instant{}
	before := events.Instant(0)
	for i, x := range order {
		from, to := max(spans[x].from, before+1), latest[i]
		switch rapid.IntRange(0, 4).Draw(t, "move") {
		case 0:
			before = from
		case 1:
			before = to
		case 2:
			before = min(max(x, from), to)
		default:
			near := events.Instant(rapid.Int64Range(-400, 400).Draw(t, "days")) * day
			before = min(max(x+near, from), to)
		}
		moved[x] = before
	}
	return moved
}

// Bounds are where dates change: an instant has reached one just when its date
// has.
func TestBoundsPartDates(t *testing.T) {
	for d := firstParting; d <= lastParting; d++ {
		at := midnight(d)
		for _, near := range []events.Instant{at - 2*day, at - 1, at, at + 1, at + 2*day} {
			if (near >= at) != (dateOf(near) >= d) {
				t.Fatalf("%v begins at %v, and %v is on %v", d, at, near, dateOf(near))
			}
		}
	}
}
