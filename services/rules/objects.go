package rules

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// World is what the object rules walk over: everything recorded by R, in any
// order. A view over a database implements it with bounded memory: it holds
// one contact at a time.
type World interface {
	// Reference holds every fact without a contact, and the starts of the
	// campaigns.
	Reference() *Reference
	// Contacts calls yield once with the history of every contact that has a
	// fact, and stops at the first error, which it returns.
	Contacts(yield func(*contact.History) error) error
}

// SequenceSource is a World that knows the source sequences of the whole log
// by itself, since its contacts are only a part of it (LED-03).
type SequenceSource interface {
	World
	// SourceSequences calls yield with every source sequence that is recorded, in any
	// order, any number of times.
	SourceSequences(yield func(source string, n int64)) error
}

// objects is one run of the object rules.
type objects struct {
	glance
	engine    *Engine
	asOf      events.Instant
	day       events.Date // date(R)
	transfers []*transfer
	campaigns map[campaignKey]*campaignCount
	contracts map[contractKey]contractVerdict
	rights    map[rightKey]*right
	sequences map[string]*sequences
	apart     bool // the sequences come from the world
	found     []Finding
	late      func(Finding) // takes LED-01; nil: into found
	facts     []*contact.Fact
}

type contractKey struct{ controller, contract string }

// contractVerdict is what a commission asks of a contract.
type contractVerdict struct{ unlawful, critical bool }

// Objects evaluates the rules of section 5 at View(R, R, R). The findings are
// sorted by rule, object, kind. The error is that of the world.
func (e *Engine) Objects(w World, asOf events.Instant) ([]Finding, error) {
	return e.ObjectsApart(w, asOf, nil)
}

// ObjectsApart is Objects, but hands every LED-01 finding to late instead of
// returning it: a legacy import may raise one for each of its events. They
// come in no order, and one event may come more than once. With late nil it is
// Objects.
func (e *Engine) ObjectsApart(w World, asOf events.Instant, late func(Finding)) ([]Finding, error) {
	o := &objects{
		late:   late,
		glance: glance{ref: w.Reference(), cut: contact.AsOf(asOf)}, engine: e, asOf: asOf, day: dateOf(asOf),
		campaigns: map[campaignKey]*campaignCount{}, contracts: map[contractKey]contractVerdict{},
		rights: map[rightKey]*right{}, sequences: map[string]*sequences{},
	}
	apart, own := w.(SequenceSource)
	o.apart = own
	for _, f := range o.byType(events.TypeListTransferred) {
		o.transfers = append(o.transfers, &transfer{fact: f, data: f.Data.(*events.ListTransferred)})
	}
	if err := w.Contacts(o.contact); err != nil {
		return nil, err
	}
	o.log()
	o.lists()
	o.campaignRules()
	o.appointmentRules()
	o.transferRules()
	o.rightRules()
	o.commissionRules()
	if own {
		if err := apart.SourceSequences(o.sequence); err != nil {
			return nil, err
		}
	}
	o.gaps()
	return o.result(), nil
}

// byType lists the reference facts of a type that count as of R.
func (o *objects) byType(t events.Type) []*contact.Fact {
	return o.look(nil, refKey{refByType, string(t), ""})
}

// result sorts the findings and drops repetitions of one rule on one object.
func (o *objects) result() []Finding {
	first := func(f *Finding) events.Identity {
		if len(f.Evidence.Events) == 0 {
			return events.Identity{}
		}
		return f.Evidence.Events[0]
	}
	slices.SortStableFunc(o.found, func(a, b Finding) int {
		x, y := first(&a), first(&b)
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Controller, b.Controller),
			cmp.Compare(x.Source, y.Source), cmp.Compare(x.ID, y.ID), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.At, b.At), bytes.Compare(a.Contact[:], b.Contact[:]), slices.CompareFunc(a.Evidence.Details, b.Evidence.Details, compareDetails))
	})
	out := slices.CompactFunc(o.found, func(a, b Finding) bool {
		return a.Rule == b.Rule && a.Object == b.Object && a.Controller == b.Controller && first(&a) == first(&b)
	})
	sortFindings(out)
	return out
}

func compareDetails(a, b Detail) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
}

// report adds one finding on an object.
func (o *objects) report(rule, object string, at events.Instant, controller, processor string, ev *evidence) *Finding {
	meta := o.engine.object[rule]
	f := Finding{
		Rule: rule, Kind: events.KindConfirmed, Severity: meta.Severity, Clause: meta.Clause,
		Object: object, Controller: controller, At: at, Evidence: ev.done(),
	}
	if processor != controller {
		f.Processor = processor
	}
	o.found = append(o.found, f)
	return &o.found[len(o.found)-1]
}

// reportCode adds one finding of an IT-CDC rule on an object dated day: none
// before the Code, BEST_PRACTICE for a controller that does not adhere. It
// tells whether there is a finding.
func (o *objects) reportCode(rule, object string, at events.Instant, day events.Date, controller, processor string, ev *evidence) bool {
	if day < o.engine.packs.on(day).CodeFrom {
		return false
	}
	f := o.report(rule, object, at, controller, processor, ev)
	if !o.adheres(controller, day) {
		f.Kind = events.KindBestPractice
	}
	return true
}

// log raises what concerns reference facts as entries of the log.
func (o *objects) log() {
	for _, s := range o.ref.slots {
		var first *contact.Fact
		for _, f := range s.Variants(o.asOf) {
			if first == nil {
				first = f
			}
			if f.Subject.IsZero() {
				o.entry(f)
			}
		}
		if s.Conflicting(o.asOf) {
			o.conflict(first)
		}
	}
}

// entry is LED-01 and the collection of LED-03 for one recorded variant.
func (o *objects) entry(f *contact.Fact) {
	if f.SourceSeq > 0 && !o.apart {
		o.sequence(f.Source, f.SourceSeq)
	}
	p := o.engine.packs.At(f.Recorded)
	limit := p.SLASeconds
	if f.Type.Family() == events.FamilyRevocations || f.Type == events.TypeOppositionRegistered {
		limit = p.RestrictiveSLASeconds
	}
	const second = events.Instant(1_000_000)
	late, ahead := f.Recorded-f.Received > events.Instant(limit)*second, f.Time-f.Recorded > events.Instant(p.SkewSeconds)*second
	if !late && !ahead {
		return
	}
	ev := new(evidence).fact(f.Identity()).say("type", string(f.Type)).say("lag", f.Recorded.Sub(f.Received).String())
	if ahead {
		ev.say("ahead", f.Time.Sub(f.Recorded).String())
	}
	g := o.report("LED-01", f.ID, f.Time, f.Controller, "", ev)
	g.Contact, g.Campaign = f.Subject, f.Campaign
	if o.late != nil {
		o.late(*g)
		o.found = o.found[:len(o.found)-1]
	}
}

// sequence notes one source sequence.
func (o *objects) sequence(source string, n int64) {
	q := o.sequences[source]
	if q == nil {
		q = &sequences{}
		o.sequences[source] = q
	}
	q.add(n)
}

func (o *objects) conflict(f *contact.Fact) {
	o.report("LED-02", f.ID, f.Time, f.Controller, "", new(evidence).fact(f.Identity())).Contact = f.Subject
}

// gaps is LED-03.
func (o *objects) gaps() {
	for source, q := range o.sequences {
		if missing, from, to := q.missing(); missing > 0 {
			o.report("LED-03", source, o.asOf, "", "", new(evidence).say("missing", number(missing)).
				say("smallest", number(int(from))).say("largest", number(int(to))))
		}
	}
}

// sequences is a set of sequence numbers as bits, a few kilobytes for each
// 65,536 numbers in use.
type sequences struct {
	chunks   map[int64]*[1024]uint64
	least    int64
	greatest int64
	count    int64
}

func (q *sequences) add(n int64) {
	if q.chunks == nil {
		q.chunks = map[int64]*[1024]uint64{}
		q.least, q.greatest = n, n
	}
	c := q.chunks[n>>16]
	if c == nil {
		c = &[1024]uint64{}
		q.chunks[n>>16] = c
	}
	word, bit := (n&0xffff)>>6, uint64(1)<<(n&63)
	if c[word]&bit == 0 {
		c[word] |= bit
		q.count++
	}
	q.least, q.greatest = min(q.least, n), max(q.greatest, n)
}

func (q *sequences) missing() (n int, least, greatest int64) {
	return int(q.greatest - q.least + 1 - q.count), q.least, q.greatest
}
