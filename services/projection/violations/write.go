package violations

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Counters of a campaign. Findings are counted by kind under CountKind +
// kind, and by rule and kind under CountRule + rule + "." + kind.
const (
	CountAttempts = "attempts"
	CountFound    = "attempts_with_findings"
	CountKind     = "findings."
	CountRule     = "rule."
)

// write stores the difference between what was and what is.
func (w *work) write() error {
	var put []view.AttemptFindings
	var gone []view.Attempt
	due := map[events.Instant][]events.ContactKey{} // an instant of an attempt that is corrected later stays noted: one look for nothing
	for key, t := range w.touched {
		for i := range t.results {
			if at := t.results[i].due; at != 0 && !t.results[i].kept {
				due[at] = append(due[at], key)
			}
		}
		p, g := w.difference(t)
		put, gone = append(put, p...), append(gone, g...)
	}
	for at, keys := range due {
		if err := w.tx.PutDue(at, slices.Compact(sortKeys(keys))); err != nil {
			return err
		}
	}
	if err := w.tx.DropAttempts(gone); err != nil {
		return err
	}
	if err := w.tx.PutFindings(put); err != nil {
		return err
	}
	return w.count()
}

// difference compares the stored attempts of a contact with those found.
func (w *work) difference(t *touch) (put []view.AttemptFindings, gone []view.Attempt) {
	was := make(map[uint64]*view.AttemptFindings, len(t.old))
	for i := range t.old {
		was[t.old[i].Attempt.Sequence] = &t.old[i]
	}
	for i := range t.results {
		r := &t.results[i]
		old := was[r.attempt.Sequence]
		delete(was, r.attempt.Sequence)
		if r.kept {
			continue
		}
		now := view.AttemptFindings{Attempt: r.attempt, Findings: r.findings}
		now.Attempt.Findings = len(r.findings)
		if old != nil {
			if same(old, &now) {
				continue
			}
			w.add(old, -1)
			if old.Attempt.DialledAt != now.Attempt.DialledAt {
				w.change(now.Attempt.CampaignRef).Recount = true
			}
		}
		w.add(&now, +1)
		put = append(put, now)
	}
	for _, old := range was {
		w.add(old, -1)
		w.change(old.Attempt.CampaignRef).Recount = true
		gone = append(gone, old.Attempt)
	}
	return put, gone
}

func same(a, b *view.AttemptFindings) bool {
	return a.Attempt == b.Attempt && slices.EqualFunc(a.Findings, b.Findings, func(x, y view.Finding) bool {
		return x.Rule == y.Rule && x.Kind == y.Kind && x.Severity == y.Severity && x.Clause == y.Clause && x.Imputed == y.Imputed && bytes.Equal(x.Evidence, y.Evidence)
	})
}

// add counts an attempt in (+1) or out (-1).
func (w *work) add(a *view.AttemptFindings, n int64) {
	c := w.change(a.Attempt.CampaignRef)
	c.Counters[CountAttempts] += n
	if len(a.Findings) > 0 {
		c.Counters[CountFound] += n
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		c.Counters[CountKind+f.Kind] += n
		c.Counters[CountRule+f.Rule+"."+f.Kind] += n
	}
	if n < 0 {
		return
	}
	if c.FirstDialled == 0 || a.Attempt.DialledAt < c.FirstDialled {
		c.FirstDialled = a.Attempt.DialledAt
	}
	c.LastDialled = max(c.LastDialled, a.Attempt.DialledAt)
}

// count stores the changes of campaigns.
func (w *work) count() error {
	changes := make([]view.Change, 0, len(w.changes))
	for ref, c := range w.changes {
		changes = append(changes, *c)
		w.memory.last[ref] = max(w.memory.last[ref], c.LastDialled)
	}
	slices.SortFunc(changes, func(a, b view.Change) int {
		return cmp.Or(cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Campaign, b.Campaign))
	})
	return w.tx.Change(changes)
}
