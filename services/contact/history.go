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
	slots []Slot
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
	h := &History{Key: key, slots: make([]Slot, 0, len(sorted))}
	corrected := false
	for i := 0; i < len(sorted); {
		end := i + 1
		for end < len(sorted) && compareIdentity(sorted[i], sorted[end]) == 0 {
			end++
		}
		for _, f := range sorted[i:end] {
			corrected = corrected || f.Type == events.TypeEventCorrected
		}
		h.slots = append(h.slots, Slot{copies: sorted[i:end:end]})
		i = end
	}
	if corrected {
		h.linkCorrections()
	}
	return h
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
	i, ok := slices.BinarySearchFunc(h.slots, probe, func(s Slot, p *Fact) int { return compareIdentity(s.copies[0], p) })
	if !ok {
		return nil
	}
	return &h.slots[i]
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

// Pending calls yield with every later instant at which a fact that is
// recorded by t comes into the view of t: its time or its received time.
func (h *History) Pending(t events.Instant, yield func(events.Instant)) {
	for i := range h.slots {
		for _, f := range h.slots[i].Forms() {
			if at := max(f.Time, f.Received); f.Recorded <= t && at > t {
				yield(at)
			}
		}
	}
}
