package rules

import (
	"math/bits"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// GateFacts answers like Gate for a contact of which the caller holds settled
// facts: those of one contact that are known to count, with duplicates,
// conflicts and corrections behind them, in any order. Facts whose time,
// received or recorded instant lies after at are left out of the view, as Gate
// does; nobody looks at their Subject. It is for holders that settle facts as
// they arrive and answer from memory.
//
// ok is false, and the Decision empty, where the answer rests on more than
// settled facts: a grant to the controller that is not void names the call in
// which it was given (collection_attempt), so that IT-CON-09 asks for the
// findings on that call. Ask Gate with the contact's history then.
//
// The Decision shares identifiers (strings) with the facts.
func (e *Engine) GateFacts(facts []*contact.Fact, ref *Reference, a Attempt, at events.Instant) (d Decision, ok bool) {
	for _, f := range facts {
		if g, is := f.Data.(*events.ConsentGranted); is && g.CollectionAttempt != "" {
			return Decision{}, false
		}
	}
	key := events.ContactKey{}
	if len(facts) > 0 {
		key = facts[0].Subject
	}
	return e.Gate(contact.NewHistory(key, facts), ref, a, at), true
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
	engine *Engine
	ref    *Reference
	a      Attempt
	at     events.Instant
}

// Prepare makes the question "may this attempt be made at this instant?" ready
// for any number of contacts. The attempt's Contact is not looked at.
func (e *Engine) Prepare(ref *Reference, a Attempt, at events.Instant) *Question {
	return &Question{engine: e, ref: ref, a: a, at: at}
}

// Verdict answers for the contact whose settled facts these are, as GateFacts
// does: the same verdict, reasons and validity, and the same ok. It allocates
// nothing once warm; the facts may be changed once it has returned.
func (q *Question) Verdict(facts []*contact.Fact) (r Ruling, ok bool) {
	d, ok := q.engine.GateFacts(facts, q.ref, q.a, q.at)
	if !ok {
		return Ruling{}, false
	}
	r = Ruling{Verdict: d.Verdict, ValidUntil: d.ValidUntil}
	for _, why := range d.Reasons {
		bit := RuleSet(1) << ruleIndex(why.Rule)
		if why.Effect == events.VerdictBlock {
			r.Blocks |= bit
		} else {
			r.Warns |= bit
		}
	}
	return r, true
}

// ruleOrder lists the attempt-level rules sorted by id: the bits of a RuleSet.
var ruleOrder = func() []string {
	var out []string
	for _, r := range attemptRules {
		out = append(out, r.id)
	}
	slices.Sort(out)
	return out
}()

func ruleIndex(id string) int {
	i, _ := slices.BinarySearch(ruleOrder, id)
	return i
}
