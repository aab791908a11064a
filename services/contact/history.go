package contact

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// History is everything that View needs for one contact point. It is immutable
// and safe for concurrent reading.
type History struct {
	// Key is the contact.
	Key   events.ContactKey
	slots []Slot // by identity
	bound bool   // some slot holds corrections: slots point to each other
}

// NewHistory indexes the facts of one contact, in any order, with any
// repetition:
//
//   - the facts whose Subject is key;
//   - the variants of the same identities that lie elsewhere (another contact,
//     or none): a conflict is global;
//   - every event.corrected that names one of these identities, or names such
//     a correction, and the variants of these corrections.
//
// Facts that are none of these are harmless. The slice is not kept; the facts
// are.
func NewHistory(key events.ContactKey, facts []*Fact) *History {
	sorted := slices.Clone(facts)
	slices.SortFunc(sorted, compareCopies)
	sorted = slices.CompactFunc(sorted, func(a, b *Fact) bool { return compareCopies(a, b) == 0 })
	h := &History{Key: key, slots: make([]Slot, 0, len(sorted)), bound: slices.ContainsFunc(sorted, corrects)}
	for i := 0; i < len(sorted); {
		end := sameIdentity(sorted, i)
		h.slots = append(h.slots, Slot{copies: sorted[i:end:end]})
		i = end
	}
	if h.bound {
		h.linkCorrections()
	}
	return h
}

func corrects(f *Fact) bool { return f.Type == events.TypeEventCorrected }

// sameIdentity returns the end of the run of one identity that begins at i.
func sameIdentity(sorted []*Fact, i int) int {
	end := i + 1
	for end < len(sorted) && compareIdentity(sorted[i], sorted[end]) == 0 {
		end++
	}
	return end
}

// With returns the history of h's facts and more ones, as NewHistory makes it
// of both, at the price of the few: a long history grows by a fact without
// being sorted again. Copies of a variant that lie behind the first one of
// their stream are left out; no cut shows them. added are the facts that were
// not, the caller must not change the slice. h stays as it is.
func (h *History) With(more []*Fact) (grown *History, added []*Fact) {
	sorted := slices.Clone(more)
	slices.SortFunc(sorted, compareCopies)
	bound := h.bound
	for _, f := range sorted {
		if n := len(added); n > 0 && covers(added[n-1], f) {
			continue
		}
		if s := h.find(f.Identity()); s != nil && slices.ContainsFunc(s.copies, func(g *Fact) bool { return covers(g, f) }) {
			continue
		}
		added = append(added, f)
		bound = bound || corrects(f)
	}
	switch {
	case len(added) == 0:
		return h, nil
	case bound:
		return NewHistory(h.Key, append(h.facts(), added...)), added
	}
	grown = &History{Key: h.Key, slots: make([]Slot, 0, len(h.slots)+len(added))}
	at := 0
	for i := 0; i < len(added); {
		end := sameIdentity(added, i)
		n, known := h.search(at, added[i])
		grown.slots = append(grown.slots, h.slots[at:n]...)
		at = n
		copies := added[i:end:end]
		if known {
			copies = slices.Concat(h.slots[n].copies, copies)
			slices.SortFunc(copies, compareCopies)
			at++
		}
		grown.slots = append(grown.slots, Slot{copies: copies})
		i = end
	}
	grown.slots = append(grown.slots, h.slots[at:]...)
	return grown, added
}

// covers: f is g, or a copy of g that lies behind it in the same stream.
func covers(g, f *Fact) bool {
	return compareIdentity(g, f) == 0 && g.Digest == f.Digest && g.Stream == f.Stream && compareCopies(g, f) <= 0
}

// Without returns the history that lacks the identities of which drop holds
// for every copy. Corrections and what is contested stay: they bear on others.
func (h *History) Without(drop func(*Fact) bool) *History {
	out := &History{Key: h.Key, slots: make([]Slot, 0, len(h.slots)), bound: h.bound}
	for i := range h.slots {
		s := &h.slots[i]
		if s.Contested() || slices.ContainsFunc(s.copies, func(f *Fact) bool { return corrects(f) || !drop(f) }) {
			out.slots = append(out.slots, Slot{copies: s.copies})
		}
	}
	if out.bound {
		out.linkCorrections() // among the new slots: a cycle is known by its slots
	}
	return out
}

// Len counts the facts.
func (h *History) Len() int {
	n := 0
	for i := range h.slots {
		n += len(h.slots[i].copies)
	}
	return n
}

func (h *History) facts() []*Fact {
	out := make([]*Fact, 0, len(h.slots)+1)
	for i := range h.slots {
		out = append(out, h.slots[i].copies...)
	}
	return out
}

// linkCorrections tells every slot which slots hold corrections of it.
func (h *History) linkCorrections() {
	for i := range h.slots {
		for _, f := range h.slots[i].copies {
			c, ok := f.Data.(*events.EventCorrected)
			if !ok {
				continue
			}
			if target := h.find(c.Target); target != nil {
				target.Correct(&h.slots[i])
			}
		}
	}
}

func (h *History) find(id events.Identity) *Slot {
	probe := &Fact{Event: events.Event{Source: id.Source, ID: id.ID}}
	i, ok := h.search(0, probe)
	if !ok {
		return nil
	}
	return &h.slots[i]
}

// search returns where the slot of f's identity is, or would stand, at from or
// later.
func (h *History) search(from int, f *Fact) (at int, found bool) {
	i, ok := slices.BinarySearchFunc(h.slots[from:], f, func(s Slot, p *Fact) int { return compareIdentity(s.copies[0], p) })
	return from + i, ok
}

// View returns the facts of the contact that count at the cut, in the order of
// their identities (rules.md 1, 1.1). Corrections have no legal time of their
// own and are not part of a view. The facts are shared, the slice is the
// caller's.
func View(h *History, cut Cut) []*Fact { return h.Look(nil, cut, nil) }

// Look is View for the hot path: it appends to dst and, where sense is not
// nil, notes whether other cut-offs could have given another view.
func (h *History) Look(dst []*Fact, cut Cut, sense *Sensitivity) []*Fact {
	for i := range h.slots {
		s := &h.slots[i]
		if len(s.copies) == 1 && len(s.corrections) == 0 {
			if f := s.copies[0]; f.Time <= cut.Occurred && f.Recorded <= cut.Recorded && f.Subject == h.Key && !corrects(f) {
				dst = keep(dst, f, cut, sense)
			}
			continue
		}
		from := len(dst)
		dst = s.Resolve(dst, cut, sense)
		kept := dst[:from]
		for _, f := range dst[from:] {
			if f.Subject == h.Key && f.Type != events.TypeEventCorrected {
				kept = append(kept, f)
			}
		}
		dst = kept
	}
	return dst
}

// Conflicts calls yield with the earliest recorded fact of every identity of
// which two variants are recorded ≤ w (LED-02).
func (h *History) Conflicts(w events.Instant, yield func(*Fact)) {
	for i := range h.slots {
		if s := &h.slots[i]; s.Conflicting(w) {
			yield(s.Variants(w)[0])
		}
	}
}

// Recorded calls yield with the first copy of every variant of the contact
// that is recorded ≤ w, corrected or not: what the log holds.
func (h *History) Recorded(w events.Instant, yield func(*Fact)) {
	for i := range h.slots {
		s := &h.slots[i]
		for _, f := range s.Variants(w) {
			if f.Subject == h.Key {
				yield(f)
			}
		}
	}
}

// Find returns the facts of the contact with the given id and type that count
// at the cut, from any source.
func (h *History) Find(id string, typ events.Type, cut Cut) []*Fact {
	var out []*Fact
	for i := range h.slots {
		if h.slots[i].copies[0].ID != id {
			continue
		}
		for _, f := range h.slots[i].Resolve(nil, cut, nil) {
			if f.Subject == h.Key && f.Type == typ {
				out = append(out, f)
			}
		}
	}
	return out
}

// Contested reports whether any identity has two variants or a correction.
func (h *History) Contested() bool {
	for i := range h.slots {
		if h.slots[i].Contested() {
			return true
		}
	}
	return false
}

// Forms calls yield with every form in which any cut may show a fact of the
// history: each variant as recorded and under each amendment.
func (h *History) Forms(yield func(*Fact)) {
	for i := range h.slots {
		for _, f := range h.slots[i].Forms() {
			yield(f)
		}
	}
}

// Pending calls yield with every fact that is recorded by t and comes into the
// view of t later, and with that instant: its time or its received time.
func (h *History) Pending(t events.Instant, yield func(*Fact, events.Instant)) {
	for i := range h.slots {
		for _, f := range h.slots[i].Forms() {
			if at := max(f.Time, f.Received); f.Recorded <= t && at > t {
				yield(f, at)
			}
		}
	}
}
