package contact

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
)

// Slot holds all recorded copies and variants of one identity, and the
// corrections that name it. It answers which of them count at a cut. The zero
// Slot is empty. Adding is not safe beside reading.
type Slot struct {
	copies      []*Fact
	corrections []*Slot
}

// Add puts one more copy or variant into the slot. The same pointer twice is
// harmless.
func (s *Slot) Add(f *Fact) { s.copies = append(s.copies, f) }

// Correct says that c holds corrections that name this slot's identity.
func (s *Slot) Correct(c *Slot) {
	if !slices.Contains(s.corrections, c) {
		s.corrections = append(s.corrections, c)
	}
}

// Facts returns the copies as added; the caller must not change the slice.
func (s *Slot) Facts() []*Fact { return s.copies }

// identity of the facts in the slot, which holds at least one. Variants of a
// correction may name different targets: each applies to its own only.
func (s *Slot) identity() events.Identity { return s.copies[0].Identity() }

// Contested reports whether the slot holds several variants of its identity
// or a correction, at any cut.
func (s *Slot) Contested() bool { return len(s.corrections) > 0 || s.Conflicting(events.MaxInstant) }

// Conflicting reports whether two variants are recorded ≤ w (LED-02).
func (s *Slot) Conflicting(w events.Instant) bool {
	var first *Fact
	for _, f := range s.copies {
		switch {
		case f.Recorded > w:
		case first == nil:
			first = f
		case f.Digest != first.Digest:
			return true
		}
	}
	return false
}

// Variants returns the first recorded copy of each variant recorded ≤ w, the
// earliest first, corrected or not.
func (s *Slot) Variants(w events.Instant) []*Fact {
	return s.variants(Cut{Recorded: w, Known: events.MaxInstant}, nil)
}

// Resolve appends to dst the facts of this identity that count at the cut:
// rules.md 1 (duplicates, cut-offs) and 1.1 (conflicts, corrections). sense
// may be nil.
func (s *Slot) Resolve(dst []*Fact, cut Cut, sense *Sensitivity) []*Fact {
	if len(s.copies) == 1 && len(s.corrections) == 0 {
		if f := s.copies[0]; f.Recorded <= cut.Recorded {
			dst = keep(dst, f, cut, sense)
		}
		return dst
	}
	for _, f := range s.settle(cut, sense, nil) {
		dst = keep(dst, f, cut, sense)
	}
	return dst
}

// keep applies the occurred and received cut-offs.
func keep(dst []*Fact, f *Fact, cut Cut, sense *Sensitivity) []*Fact {
	if f.Time > cut.Occurred {
		return dst
	}
	if f.Received > cut.Received {
		if sense != nil {
			sense.Late = true
		}
		return dst
	}
	return append(dst, f)
}

// settle resolves duplicates, conflict and corrections, before the occurred
// and received cut-offs. stack guards against corrections that name each other.
func (s *Slot) settle(cut Cut, sense *Sensitivity, stack []*Slot) []*Fact {
	variants := s.variants(cut, sense)
	if len(variants) == 0 {
		return nil
	}
	deciding := s.deciding(cut, sense, stack)
	if deciding == nil {
		return standing(variants)
	}
	c := deciding.Data.(*events.EventCorrected)
	if c.Action == events.CorrectionVoid {
		return nil
	}
	var out []*Fact
	for _, f := range settled(variants) {
		if g, ok := amend(f, c); ok {
			out = append(out, g)
		} else if !grantLike(f.Type) {
			out = append(out, f) // an unreadable amendment changes nothing …
		} // … but a grant in doubt does not count
	}
	return out
}

// variants returns the first recorded copy of each digest recorded ≤ w, the
// earliest recorded first; a later one counts only if received ≤ k.
func (s *Slot) variants(cut Cut, sense *Sensitivity) []*Fact {
	if len(s.copies) == 1 && s.copies[0].Recorded <= cut.Recorded {
		return s.copies
	}
	all := make([]*Fact, 0, len(s.copies))
	for _, f := range s.copies {
		if f.Recorded <= cut.Recorded {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *Fact) int {
		return cmp.Or(cmp.Compare(a.Recorded, b.Recorded), cmp.Compare(a.Received, b.Received),
			bytes.Compare(a.Digest[:], b.Digest[:]), cmp.Compare(a.Sequence, b.Sequence))
	})
	out := make([]*Fact, 0, len(all))
	for i, f := range all {
		if slices.ContainsFunc(all[:i], func(g *Fact) bool { return g.Digest == f.Digest }) {
			continue
		}
		if len(out) > 0 {
			noteDispute(sense, f, cut)
			if f.Received > cut.Known {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

// noteDispute remembers a correction or variant that k = o would leave out.
func noteDispute(sense *Sensitivity, f *Fact, cut Cut) {
	if sense != nil && f.Received > cut.Occurred {
		sense.Disputed = true
	}
}

// deciding returns the correction with the latest (recorded, id) that applies,
// itself resolved; nil for none.
func (s *Slot) deciding(cut Cut, sense *Sensitivity, stack []*Slot) *Fact {
	var best *Fact
	for _, c := range s.corrections {
		if slices.Contains(stack, c) {
			continue
		}
		for _, f := range c.settle(cut, sense, append(stack, s, c)) {
			if d, ok := f.Data.(*events.EventCorrected); !ok || d.Target != s.identity() {
				continue
			}
			noteDispute(sense, f, cut)
			if f.Received > cut.Known {
				continue
			}
			if best == nil || compareCorrections(f, best) > 0 {
				best = f
			}
		}
	}
	return best
}

func compareCorrections(a, b *Fact) int {
	return cmp.Or(cmp.Compare(a.Recorded, b.Recorded), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Source, b.Source))
}

func grantLike(t events.Type) bool {
	return t == events.TypeConsentGranted || t == events.TypeConsentReverified
}

// standing applies the conflict rule of events.md 1.1: restrictive variants
// all count, grants none, of the rest the one with the smallest digest.
func standing(variants []*Fact) []*Fact {
	if len(variants) == 1 {
		return variants
	}
	out := make([]*Fact, 0, len(variants))
	var least *Fact
	for _, f := range variants {
		switch {
		case f.Type.Restrictive():
			out = append(out, f)
		case grantLike(f.Type):
		case least == nil || bytes.Compare(f.Digest[:], least.Digest[:]) < 0:
			least = f
		}
	}
	if least != nil {
		out = append(out, least)
	}
	return out
}

// settled returns what an amendment applies to: it ends a conflict, so that
// of variants that are not restrictive the one with the smallest digest
// counts, grants included; restrictive variants all stay.
func settled(variants []*Fact) []*Fact {
	if len(variants) == 1 {
		return variants
	}
	out := make([]*Fact, 0, len(variants))
	var least *Fact
	for _, f := range variants {
		if f.Type.Restrictive() {
			out = append(out, f)
		} else if least == nil || bytes.Compare(f.Digest[:], least.Digest[:]) < 0 {
			least = f
		}
	}
	if least != nil {
		out = append(out, least)
	}
	return out
}

// Forms returns every form in which any cut may show a fact of this identity:
// the variants, and each variant under each amendment. Indexes over changing
// fields use it.
func (s *Slot) Forms() []*Fact { return s.forms(nil) }

func (s *Slot) forms(stack []*Slot) []*Fact {
	if len(s.corrections) == 0 || len(s.copies) == 0 {
		return s.copies
	}
	out := slices.Clone(s.copies)
	for _, c := range s.corrections {
		if slices.Contains(stack, c) {
			continue
		}
		for _, f := range c.forms(append(stack, s, c)) {
			d, ok := f.Data.(*events.EventCorrected)
			if !ok || d.Action != events.CorrectionAmend || d.Target != s.identity() {
				continue
			}
			for _, v := range s.copies {
				if g, ok := amend(v, d); ok {
					out = append(out, g)
				}
			}
		}
	}
	return out
}
