package rules

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// GateFacts answers like Gate for a contact of which the caller holds settled
// facts: those of one contact that are known to count, with duplicates,
// conflicts and corrections behind them, in any order. Facts whose time,
// received or recorded instant lies after at are left out of the view, as Gate
// does. Nobody looks at their Subject, Stream, Sequence and Raw; two facts of
// one register with equal source, id and digest are one. It is for holders that
// settle facts as they arrive and answer from memory.
//
// ok is false, and the Decision empty, where the answer rests on more than
// settled facts: a grant to the controller that is not void names the call in
// which it was given (collection_attempt), so that IT-CON-09 asks for the
// findings on that call. Ask Gate with the contact's history then.
//
// The Decision shares identifiers (strings) with the facts, and nothing else.
func (e *Engine) GateFacts(facts []*contact.Fact, ref *Reference, a Attempt, at events.Instant) (d Decision, ok bool) {
	a.Outcome, a.DialledAt = nil, at
	ev := e.take(nil, ref, a, at, at)
	defer e.end(ev)
	ev.settled = facts
	ev.begin(contact.Gate(at), nil)
	ev.prepareSettled()
	if ev.doubt {
		return Decision{}, false
	}
	return ev.decide(), true
}

// RuleSet is a set of attempt-level rules; it compares with ==. The zero
// RuleSet is empty. Its bits have no meaning outside this process.
type RuleSet uint64

// Len returns how many rules the set holds.
func (s RuleSet) Len() int { return bits.OnesCount64(uint64(s)) }

// Append appends the ids of the rules to dst, sorted.
func (s RuleSet) Append(dst []string) []string {
	for ; s != 0; s &= s - 1 {
		dst = append(dst, ruleOrder[bits.TrailingZeros64(uint64(s))])
	}
	return dst
}

// Ruling is the short form of a Decision, without words and evidence. It
// refers to no memory of the facts that it was made from.
type Ruling struct {
	Verdict events.Verdict
	// Blocks and Warns are the rules of the reasons by their effect.
	Blocks, Warns RuleSet
	// ValidUntil is that of the Decision.
	ValidUntil events.Instant
	// RegisterUntil is the Rome midnight at which the register's answer expires
	// that satisfies IT-RPO-02 (calls) or IT-RPO-09 (paper mail): the end of
	// its last day. Zero where no answer is needed (the channel has no
	// register, the contact is exempt, the purpose is service) or none is
	// valid. It says nothing about the other reasons.
	RegisterUntil events.Instant
}

// Question is one question that is put to many contacts: everything about the
// attempt, its campaign and the instant is worked out once. It is immutable,
// safe for concurrent use, and needs the Reference no longer: what is added to
// it later is not seen.
type Question struct {
	setting setting
	rules   []occasional // those that look at the contact
	blocks  RuleSet      // what the others say
	warns   RuleSet
	spare   sync.Pool // *evaluation, each for one contact at a time
}

// Prepare makes the question "may this attempt be made at this instant?" ready
// for any number of contacts. The attempt's Contact is not looked at.
func (e *Engine) Prepare(ref *Reference, a Attempt, at events.Instant) *Question {
	a.Outcome, a.DialledAt = nil, at
	q := &Question{}
	s := &q.setting
	s.place(e, ref, a, at, at)
	s.terse = true
	s.begin(contact.Gate(at), nil)
	var asked []*attemptRule
	for _, r := range s.selected().gate {
		if r.aside == nil {
			asked = append(asked, r)
		} else if h, ok := r.aside(s); ok {
			q.note(r, h.effect)
		}
	}
	s.lookAll()
	for _, r := range asked {
		if when := s.occasion(r.id); when != never {
			q.rules = append(q.rules, occasional{r, when})
		}
	}
	q.spare.New = func() any { return &evaluation{setting: s} }
	return q
}

// occasional is a rule, and when it can speak.
type occasional struct {
	*attemptRule
	when occasions
}

func (q *Question) note(r *attemptRule, effect events.Verdict) {
	switch effect {
	case events.VerdictBlock:
		q.blocks |= r.bit
	case events.VerdictWarn:
		q.warns |= r.bit
	}
}

// Verdict answers for the contact whose settled facts these are, as GateFacts
// does: the same verdict, reasons and validity, and the same ok. It allocates
// nothing once warm; the facts may be changed once it has returned.
func (q *Question) Verdict(facts []*contact.Fact) (r Ruling, ok bool) {
	ev := q.spare.Get().(*evaluation)
	r, ok = q.verdict(ev, facts)
	ev.settled = nil
	q.spare.Put(ev)
	return r, ok
}

func (q *Question) verdict(ev *evaluation, facts []*contact.Fact) (r Ruling, ok bool) {
	ev.settled, ev.doubt = facts, false
	ev.prepareSettled()
	if ev.doubt {
		return Ruling{}, false
	}
	r = Ruling{Blocks: q.blocks, Warns: q.warns, ValidUntil: ev.validUntil(), RegisterUntil: ev.registerUntil()}
	have := ev.occasions()
	for i := range q.rules {
		o := &q.rules[i]
		if o.when&have == 0 {
			continue
		}
		h, ok := o.test(ev)
		if !ok {
			continue
		}
		ev.hits = append(ev.hits, spoken{rule: o.attemptRule, kind: h.kind})
		switch h.effect {
		case events.VerdictBlock:
			r.Blocks |= o.bit
		case events.VerdictWarn:
			r.Warns |= o.bit
		}
	}
	switch {
	case r.Blocks != 0:
		r.Verdict = events.VerdictBlock
	case r.Warns != 0:
		r.Verdict = events.VerdictWarn
	default:
		r.Verdict = events.VerdictAllow
	}
	return r, true
}

// registerUntil is RegisterUntil of a Ruling.
func (e *evaluation) registerUntil() events.Instant {
	needed := e.a.Purpose != events.PurposeService && ((isCall(e.channel) && e.consultationRequired()) || (e.channel == events.ChannelPaperMail && !e.exempt()))
	if !needed || e.register.valid == nil {
		return 0
	}
	return midnight(e.register.expires + 1)
}

// ruleOrder lists the attempt-level rules sorted by id: the bits of a RuleSet.
var ruleOrder = func() (out []string) {
	for i := range attemptRules {
		out = append(out, attemptRules[i].id)
	}
	slices.Sort(out)
	return out
}()

func bitOf(id string) RuleSet {
	i, _ := slices.BinarySearch(ruleOrder, id)
	return 1 << i
}
