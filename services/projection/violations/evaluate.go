package violations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// load gives every touched contact that has attempts its history; the others
// are let go, and so are those of which nothing is new.
func (w *work) load() error {
	var ask []events.ContactKey
	for key, t := range w.touched {
		if !t.reload {
			if known, ok := w.memory.histories.get(key); ok {
				t.history, t.fresh = known.With(t.fresh)
				w.memory.histories.put(key, t.history)
				if len(t.fresh) == 0 && !t.all {
					delete(w.touched, key) // nothing but copies
				}
				continue
			}
		}
		if !t.all && !hasCall(t.fresh) {
			ask = append(ask, key)
		}
	}
	called, err := w.tx.Called(sortKeys(ask))
	if err != nil {
		return err
	}
	for _, key := range ask {
		if !called[key] {
			delete(w.touched, key)
		}
	}
	var missing []events.ContactKey
	for key, t := range w.touched {
		if t.history == nil {
			missing = append(missing, key)
		}
	}
	stored, err := w.tx.Histories(sortKeys(missing), w.limit)
	if err != nil {
		return err
	}
	for _, key := range missing {
		t := w.touched[key]
		facts, err := factsOf(stored[key], t.fresh)
		if err != nil {
			return err
		}
		t.history = contact.NewHistory(key, facts)
		w.memory.histories.put(key, t.history)
	}
	return nil
}

// loadOld reads what is stored of attempts that were evaluated again.
func (w *work) loadOld() error {
	var ask []events.ContactKey
	for key, t := range w.touched {
		if t.all || slices.ContainsFunc(t.results, func(r result) bool { return !r.kept && !r.fresh }) {
			ask = append(ask, key)
		}
	}
	old, err := w.tx.FindingsOf(sortKeys(ask))
	if err != nil {
		return err
	}
	for key, list := range old {
		w.touched[key].old = list
	}
	return nil
}

func sortKeys(keys []events.ContactKey) []events.ContactKey {
	slices.SortFunc(keys, func(a, b events.ContactKey) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

func hasCall(facts []*contact.Fact) bool {
	return slices.ContainsFunc(facts, func(f *contact.Fact) bool { return f.Type == events.TypeCallConcluded })
}

// factsOf decodes a history; facts that are at hand already are not decoded.
func factsOf(h view.History, fresh []*contact.Fact) ([]*contact.Fact, error) {
	at := make(map[position]*contact.Fact, len(fresh))
	for _, f := range fresh {
		at[position{f.Stream, f.Sequence}] = f
	}
	out := make([]*contact.Fact, len(h.Events))
	for i := range h.Events {
		e := &h.Events[i]
		if out[i] = at[position{e.Stream, e.Sequence}]; out[i] != nil {
			continue
		}
		var err error
		if out[i], err = factOf(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// evaluate judges the touched contacts, side by side.
func (v *Violations) evaluate(w *work) error {
	keys := make([]events.ContactKey, 0, len(w.touched))
	for key := range w.touched {
		keys = append(keys, key)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, v.parallel)
	for n := range v.parallel {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(keys)); i = next.Add(1) - 1 {
				if err := v.judge(w, keys[i], w.touched[keys[i]]); err != nil {
					errs[n] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// judge evaluates the attempts of one contact that something new bears on.
func (v *Violations) judge(w *work, key events.ContactKey, t *touch) error {
	ever := contact.Cut{Occurred: events.MaxInstant, Received: events.MaxInstant, Recorded: w.asOf, Known: events.MaxInstant}
	var calls []*contact.Fact
	for _, f := range contact.View(t.history, ever) {
		if f.Type == events.TypeCallConcluded {
			calls = append(calls, f)
		}
	}
	since, fresh := t.reach()
	sight := v.sight(t.history, calls)
	t.results = make([]result, 0, len(calls))
	for _, f := range calls {
		a, ok := rules.AttemptOf(f)
		if !ok {
			continue
		}
		r := result{attempt: view.Attempt{
			CampaignRef: view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign}, Contact: key, DialledAt: a.DialledAt,
			Known: max(f.Time, f.Received), Stream: f.Stream, Sequence: f.Sequence, ID: f.ID, Source: f.Source,
		}}
		r.fresh = fresh[f.Sequence]
		r.due = a.Outcome.End.Add(time.Duration(v.engine.Packs().At(a.DialledAt).RecordMinutes) * time.Minute)
		if !t.all && max(r.due, a.DialledAt) < since.of(f.Controller) {
			r.kept = true // what is stored stands
			t.results = append(t.results, r)
			continue
		}
		assessed := v.engine.Assess(sight.of(&a), w.memory.reference, a, w.asOf)
		for i := range assessed.Findings {
			f, err := findingOf(&r.attempt, &assessed.Findings[i])
			if err != nil {
				return err
			}
			r.findings = append(r.findings, f)
		}
		if r.due <= w.asOf || !refused(a.Outcome.Disposition) {
			r.due = 0
		}
		t.results = append(t.results, r)
	}
	return nil
}

// refused: the outcomes of which IT-OPP-02 waits for the opposition.
func refused(d events.Disposition) bool {
	return d == events.DispositionRefusedContact || d == events.DispositionAskedRemoval
}

func findingOf(a *view.Attempt, f *rules.Finding) (view.Finding, error) {
	evidence, err := json.Marshal(f.Evidence)
	if err != nil {
		return view.Finding{}, fmt.Errorf("project violations: encode evidence of %s: %w", f.Rule, err)
	}
	imputed := f.Controller
	if f.Processor != "" {
		imputed += "," + f.Processor
	}
	return view.Finding{
		CampaignRef: a.CampaignRef, Contact: a.Contact, DialledAt: a.DialledAt, Source: a.Source, Attempt: a.ID, Sequence: a.Sequence,
		Rule: f.Rule, Kind: string(f.Kind), Severity: string(f.Severity), Clause: f.Clause, Imputed: imputed, Evidence: evidence,
	}, nil
}
