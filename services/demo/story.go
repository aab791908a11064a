package demo

import (
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// minContacts is how many contacts the plants need on the lists.
const minContacts = 600

// contacts deals the contacts out to the lists. Some are on the lists of two
// controllers, none on two lists of one.
func (w *writer) contacts(n int) {
	for i := range n {
		c := &listed{number: number(w.offset + i), index: i}
		at := i % 100
		for _, k := range w.campaigns {
			if at < k.share {
				k.rows = append(k.rows, c)
				break
			}
			at -= k.share
		}
		if i%100 < 8 { // customers of aurora that lumen hopes for
			k := w.campaigns[2]
			k.rows = append(k.rows, c)
		}
	}
}

// number is an invented Italian number: four of five are mobile.
func number(i int) string {
	if i%5 == 4 {
		return fmt.Sprintf("+3902%08d", 10000000+i)
	}
	return fmt.Sprintf("+39355%07d", i)
}

// someDay is an instant of daytime between two offsets from the day, not before
// the notice of 2025.
func (w *writer) someDay(from, to int) time.Time {
	first := max(w.cal.date(from), notices[2].from+1)
	last := w.cal.date(to)
	d := first + events.Date(w.rng.IntN(int(last-first)+1))
	y, m, day := d.Civil()
	return time.Date(y, m, day, 8+w.rng.IntN(14), w.rng.IntN(60), w.rng.IntN(60), 0, events.Rome)
}

// dialTime is a second between 09:05 and 17:05 of the day.
func (w *writer) dialTime() time.Time {
	return w.cal.at(0, "09:05").Add(time.Duration(w.rng.IntN(8*3600)) * time.Second)
}

// ordinary plays the day of a contact nobody treats badly.
func (w *writer) ordinary(k *campaign, c *listed) {
	p := w.newPlan(k, c)
	switch r := w.rng.IntN(100); {
	case r < 4 && !k.bought: // entered after it consented: taken off the list, not called
		g := events.DateOf(events.InstantOf(p.grant.time), events.Rome)
		p.answer = p.newAnswer(dayScreened, "opposed", g+1+events.Date(w.rng.IntN(20)))
		p.facts = append(p.facts, p.crmFact("x", events.TypeListContactRemoved, w.cal.at(dayScreened, "19:00")).with("list", k.list))
	case r < 10: // not reached today
	default:
		p.day(w.dialTime())
	}
	p.emit()
}

// day makes the calls of a clean contact: again after hours while nobody answers.
func (p *plan) day(at time.Time) {
	w := p.w
	for try := 0; ; try++ {
		switch r := w.rng.IntN(100); {
		case r < 40:
			p.dial(at, "no_answer")
		case r < 47:
			p.dial(at, "busy")
		case r < 57:
			p.dial(at, "voicemail")
		case r < 59:
			p.dial(at, "failed")
		default:
			if w.maySilent(p.k) {
				p.silent(at, 2)
				return
			}
			p.conversation(at)
			return
		}
		at = at.Add(time.Duration(90+w.rng.IntN(120)) * time.Minute)
		if try == 3 || w.rng.IntN(10) >= 7 || at.After(w.cal.at(0, "19:30")) {
			return
		}
	}
}

// maySilent says whether the next answered call of k is a silent one: one in
// sixty, one in twenty for the campaign that overdoes it (IT-SIL-01).
func (w *writer) maySilent(k *campaign) bool {
	n := w.answered[k]
	if k.sector == "energy" {
		return n%20 == 5
	}
	return n%60 == 40
}

// conversation is an answered call and what follows from it.
func (p *plan) conversation(at time.Time) {
	w := p.w
	switch r := w.rng.IntN(100); {
	case r < 62:
		p.talk(at, "not_interested")
	case r < 74:
		p.talk(at, "callback_agreed")
	case r < 80:
		p.talk(at, "wrong_person")
	case r < 92:
		call := p.talk(at, []string{"asked_removal", "refused_contact"}[w.rng.IntN(2)])
		o := p.opposedIn(call)
		p.facts = append(p.facts, o)
		other := nord
		if p.proc == nord {
			other = sud
		}
		ack := &event{id: w.nextID("a"), source: dialer(other), typ: events.TypeSuppressionAcknowledged, controller: p.k.controller, time: o.time.Add(time.Minute)}
		p.facts = append(p.facts, ack.phone(p.c.number).with("opposition", o.id).with("processor", other))
	default:
		contract := p.sale(p.talk(at, "sale"))
		if w.rng.IntN(2) == 0 {
			p.commission(contract)
		}
	}
}

// tally counts for IT-SIL-01.
func (w *writer) tally(p *plan) {
	for _, e := range p.calls {
		if e.get("answered_at") == nil {
			continue
		}
		w.answered[p.k]++
		if e.text("disposition") == "silent" {
			w.silents[p.k]++
		}
	}
}

// silentRatio notes what the counts of a campaign make of IT-SIL-01.
func (w *writer) silentRatio() {
	for _, k := range w.campaigns {
		if w.silents[k]*100 <= 3*w.answered[k] {
			continue
		}
		kind := events.KindConfirmed
		if w.answered[k] < 100 {
			kind = events.KindPotential
		}
		w.object("IT-SIL-01", k.id, kind, k.controller)
	}
}

// consultations writes the batches: one of a few numbers before the lists were
// activated, and the one that the calls rely on, with its counts.
func (w *writer) consultations() {
	for _, k := range w.campaigns {
		for _, offset := range []int{dayFirst, dayScreened} {
			e := w.fact("b-"+batchID(k, offset), events.TypeRegisterScreeningCompleted, w.cal.at(offset, "18:00"), k.controller).
				with("batch", batchID(k, offset)).with("list", k.list).with("snapshot_at", w.cal.at(offset, "10:00")).with("submitted_by", k.controller)
			e.source = srcRegister
			n := w.answers[batchID(k, offset)]
			total := 0
			for _, a := range []string{"clear", "opposed", "selective", "invalid"} {
				e.with(a, n[a])
				total += n[a]
			}
			w.office(e.with("submitted", total))
		}
	}
}
