package contact

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Join returns the least state that contains both: register by register the
// join of rules.md 2. It is commutative, associative and idempotent. Neither
// argument is changed.
func (s State) Join(t State) State {
	var out State
	out.Grants = union(s.Grants, t.Grants)
	out.Reverified = union(s.Reverified, t.Reverified)
	out.Invalid = union(s.Invalid, t.Invalid)
	out.Withdrawals = union(s.Withdrawals, t.Withdrawals)
	out.Oppositions = union(s.Oppositions, t.Oppositions)
	out.Erased = union(s.Erased, t.Erased)
	out.Reassigned = union(s.Reassigned, t.Reassigned)
	out.Listed = union(s.Listed, t.Listed)
	out.Delisted = union(s.Delisted, t.Delisted)
	out.Lifts = union(s.Lifts, t.Lifts)
	out.Answers = union(s.Answers, t.Answers)
	out.Contracts = union(s.Contracts, t.Contracts)
	out.Requests = union(s.Requests, t.Requests)
	out.Inbound = union(s.Inbound, t.Inbound)
	out.Rows = union(s.Rows, t.Rows)
	out.Removals = union(s.Removals, t.Removals)
	out.Calls = union(s.Calls, t.Calls)
	out.Directory = s.Directory.join(t.Directory)
	out.Acknowledgments = union(s.Acknowledgments, t.Acknowledgments)
	out.Decisions = union(s.Decisions, t.Decisions)
	return out
}

// entry is one element of a register: key orders the register, join merges two
// elements of one key.
type entry[T any] interface {
	key(T) int
	join(T) T
}

// union joins two registers into a new one.
func union[T entry[T]](a, b []T) []T {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := make([]T, 0, len(a)+len(b))
	return canonical(append(append(out, a...), b...))
}

// canonical sorts a register by key and joins elements of equal key, in place.
func canonical[T entry[T]](r []T) []T {
	ordered := true
	for i := 1; i < len(r) && ordered; i++ {
		ordered = r[i-1].key(r[i]) < 0
	}
	if ordered { // as the facts of a history mostly are
		return r
	}
	slices.SortFunc(r, func(a, b T) int { return a.key(b) })
	out := r[:1]
	for _, e := range r[1:] {
		if last := &out[len(out)-1]; (*last).key(e) == 0 {
			*last = (*last).join(e)
		} else {
			out = append(out, e)
		}
	}
	clear(r[len(out):])
	return out
}

// compare orders origins totally: by identity, then content, then clocks.
func (o *Origin) compare(p *Origin) int {
	if o.Source != p.Source {
		return strings.Compare(o.Source, p.Source)
	}
	if o.ID != p.ID {
		return strings.Compare(o.ID, p.ID)
	}
	return bytes.Compare(o.Digest[:], p.Digest[:])
}

// order is compare refined to a total order on everything that may differ.
func (o *Origin) order(p *Origin) int {
	return cmp.Or(o.compare(p), cmp.Compare(o.Controller, p.Controller), cmp.Compare(o.Time, p.Time),
		cmp.Compare(o.Received, p.Received), cmp.Compare(o.Recorded, p.Recorded))
}

// earlier and later choose between two entries of one key by time, then by
// the total order, so that the choice is a join.
func earlier(a, b *Origin) bool { return cmp.Or(cmp.Compare(a.Time, b.Time), a.order(b)) <= 0 }
func later(a, b *Origin) bool   { return cmp.Or(cmp.Compare(a.Time, b.Time), a.order(b)) >= 0 }

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// least keeps the smaller of two copies of one immutable element.
func least[T any](a, b T, x, y *Origin) T { return pick(x.order(y) <= 0, a, b) }

func (g Grant) key(h Grant) int    { return g.compare(&h.Origin) }
func (g Grant) join(h Grant) Grant { return least(g, h, &g.Origin, &h.Origin) }

func (v Reverification) key(w Reverification) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Grant, w.Grant))
}
func (v Reverification) join(w Reverification) Reverification {
	return pick(later(&v.Origin, &w.Origin), v, w)
}

func (v Invalidation) key(w Invalidation) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Grant, w.Grant), cmp.Compare(v.Reason, w.Reason))
}
func (v Invalidation) join(w Invalidation) Invalidation {
	return pick(earlier(&v.Origin, &w.Origin), v, w)
}

func (v Withdrawal) key(w Withdrawal) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Purposes, w.Purposes), cmp.Compare(v.Channels, w.Channels))
}
func (v Withdrawal) join(w Withdrawal) Withdrawal { return pick(later(&v.Origin, &w.Origin), v, w) }

func (v Opposition) key(w Opposition) int         { return v.compare(&w.Origin) }
func (v Opposition) join(w Opposition) Opposition { return least(v, w, &v.Origin, &w.Origin) }

func (v Mark) key(w Mark) int   { return cmp.Compare(v.Controller, w.Controller) }
func (v Mark) join(w Mark) Mark { return pick(later(&v.Origin, &w.Origin), v, w) }

func (v Listing) key(w Listing) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Register, w.Register))
}
func (v Listing) join(w Listing) Listing {
	return pick(cmp.Or(cmp.Compare(v.On, w.On), v.order(&w.Origin)) >= 0, v, w)
}

func (v Lift) key(w Lift) int   { return v.compare(&w.Origin) }
func (v Lift) join(w Lift) Lift { return least(v, w, &v.Origin, &w.Origin) }

func (v Answer) key(w Answer) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Register, w.Register), cmp.Compare(v.Batch, w.Batch))
}
func (v Answer) join(w Answer) Answer {
	c := cmp.Or(cmp.Compare(weight(v.Answer), weight(w.Answer)), cmp.Compare(v.Date, w.Date),
		cmp.Compare(w.Snapshot, v.Snapshot), v.order(&w.Origin))
	return pick(c >= 0, v, w)
}

// weight ranks answers: opposed > selective > clear > invalid. A value of a
// later contract version is read as opposed (events.md 7).
func weight(a events.RegisterAnswer) int {
	switch a {
	case events.AnswerInvalid:
		return 0
	case events.AnswerClear:
		return 1
	case events.AnswerSelective:
		return 2
	}
	return 3
}

func (v Contract) key(w Contract) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.ID, w.ID))
}

func (v Contract) join(w Contract) Contract {
	out := v
	switch {
	case v.Data == nil && w.Data == nil:
		out = least(v, w, &v.Origin, &w.Origin)
	case v.Data == nil:
		out = w
	case w.Data != nil:
		out = pick(cmp.Or(cmp.Compare(v.Time, w.Time), cmp.Compare(v.ID, w.ID), v.order(&w.Origin)) <= 0, v, w)
	}
	end := v
	if v.EndedOn == 0 || (w.EndedOn != 0 && cmp.Or(cmp.Compare(w.EndedOn, v.EndedOn),
		cmp.Compare(w.EndedBy.Source, v.EndedBy.Source), cmp.Compare(w.EndedBy.ID, v.EndedBy.ID)) < 0) {
		end = w
	}
	out.EndedOn, out.EndedBy = end.EndedOn, end.EndedBy
	return out
}

func (v Request) key(w Request) int      { return v.compare(&w.Origin) }
func (v Request) join(w Request) Request { return least(v, w, &v.Origin, &w.Origin) }

func (v Inbound) key(w Inbound) int      { return v.compare(&w.Origin) }
func (v Inbound) join(w Inbound) Inbound { return least(v, w, &v.Origin, &w.Origin) }

func (v Row) key(w Row) int {
	return cmp.Or(cmp.Compare(v.Data.List, w.Data.List), v.compare(&w.Origin))
}
func (v Row) join(w Row) Row { return least(v, w, &v.Origin, &w.Origin) }

func (v Removal) key(w Removal) int      { return cmp.Compare(v.List, w.List) }
func (v Removal) join(w Removal) Removal { return pick(later(&v.Origin, &w.Origin), v, w) }

func (v Call) key(w Call) int   { return v.compare(&w.Origin) }
func (v Call) join(w Call) Call { return least(v, w, &v.Origin, &w.Origin) }

func (v Directory) join(w Directory) Directory {
	c := cmp.Compare(v.ExtractedOn, w.ExtractedOn)
	if c == 0 && v.InDirectory != w.InDirectory {
		return pick(!v.InDirectory, v, w)
	}
	return pick(cmp.Or(c, v.order(&w.Origin)) >= 0, v, w)
}

func (v Acknowledgement) key(w Acknowledgement) int {
	return cmp.Or(cmp.Compare(v.Controller, w.Controller), cmp.Compare(v.Opposition, w.Opposition), cmp.Compare(v.Processor, w.Processor))
}
func (v Acknowledgement) join(w Acknowledgement) Acknowledgement {
	return pick(earlier(&v.Origin, &w.Origin), v, w)
}

func (v Decision) key(w Decision) int       { return v.compare(&w.Origin) }
func (v Decision) join(w Decision) Decision { return least(v, w, &v.Origin, &w.Origin) }
