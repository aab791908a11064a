// Package violations evaluates every attempt and keeps its findings: a batch
// of entries, by contact, with histories, against the law, and the difference
// written together with counters and position.
//
//	run := projection.NewRunner(ledger, store, violations.New(engine), projection.Config{Upstream: index.Await})
//
// Histories are those of consentstate's event index, cut at this projection's
// own positions, so consentstate must be ahead (Upstream). What a new fact can
// change is evaluated again: the attempts of its contact that it precedes, the
// contacts that a correction or conflict ties together, and, for a late fact
// of the reference stream, the attempts of the campaigns that it touches, in
// chunks that survive a crash (view.Sweep). The rows are a function of the
// positions alone: a rebuild from zero gives the same.
package violations

import (
	"runtime"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Version of the rows. A higher one builds beside the old.
const Version = 1

// Name is this projection in a view.
var Name = view.Projection{Name: view.Violations, Version: Version}

// Bounds of one transaction's extra work.
const (
	sweepChunk = 1000
	dueChunk   = 1000
)

// Violations is the projection. Make one with New.
type Violations struct {
	engine   *rules.Engine
	back     events.Instant // see lookBack
	parallel int
	memory   *memory // nil: to be read from the view
	pending  bool
}

var _ projection.Projection = (*Violations)(nil)

// New returns the projection under the packs of the engine.
func New(engine *rules.Engine) *Violations {
	return &Violations{engine: engine, back: lookBack(engine.Packs()), parallel: runtime.NumCPU(), pending: true}
}

// Projection implements projection.Projection.
func (*Violations) Projection() view.Projection { return Name }

// Pending implements projection.Projection.
func (v *Violations) Pending() bool { return v.pending }

// Forget implements projection.Projection. Sweeps may stand in the view: there
// is something to look for until an Apply has looked.
func (v *Violations) Forget() { v.memory, v.pending = nil, true }

// Applied implements projection.Projection.
func (*Violations) Applied() {}

// Apply implements projection.Projection.
func (v *Violations) Apply(tx view.Tx, runs []projection.Run, to view.Progress) error {
	w := &work{tx: tx, to: to, limit: to.Positions(), asOf: to.Recorded(), touched: map[events.ContactKey]*touch{}, doubted: map[view.CampaignRef]bool{}}
	var err error
	if v.memory == nil {
		if v.memory, err = remember(tx, w.limit); err != nil {
			return err
		}
	}
	w.memory = v.memory
	if err := w.collect(runs); err != nil {
		return err
	}
	more, err := w.standing()
	if err != nil {
		return err
	}
	if err := w.load(); err != nil {
		return err
	}
	if err := v.evaluate(w); err != nil {
		return err
	}
	if err := w.loadOld(); err != nil {
		return err
	}
	if err := w.write(); err != nil {
		return err
	}
	v.pending = more
	return nil
}

// touch is why a contact is looked at.
type touch struct {
	fresh   []*contact.Fact
	all     bool // whatever the facts: corrections, conflicts, sweeps
	reload  bool // what lies elsewhere may have changed
	history *contact.History
	old     []view.AttemptFindings
	results []result
}

// result is what one attempt of a contact comes to.
type result struct {
	attempt  view.Attempt
	findings []view.Finding
	kept     bool // not evaluated: nothing new bears on it
	fresh    bool // not stored yet
	due      events.Instant
}

// work is one Apply.
type work struct {
	tx      view.Tx
	memory  *memory
	to      view.Progress
	limit   view.Positions
	asOf    events.Instant
	touched map[events.ContactKey]*touch
	calls   []view.CampaignRef        // campaigns of fresh calls, with repetition
	doubted map[view.CampaignRef]bool // campaigns of disputed calls that may be among the first
	changes map[view.CampaignRef]*view.Change
}

func (w *work) touch(key events.ContactKey) *touch {
	t := w.touched[key]
	if t == nil {
		t = &touch{}
		w.touched[key] = t
	}
	return t
}

// entangled marks a contact to be read and evaluated anew.
func (w *work) entangled(key events.ContactKey) {
	t := w.touch(key)
	t.all, t.reload = true, true
}

// collect takes in what the runs say.
func (w *work) collect(runs []projection.Run) error {
	var ids []events.IdentityHash
	var facts []*contact.Fact
	for _, run := range runs {
		for i := range run.Records {
			ids = append(ids, run.Records[i].Identity)
			facts = append(facts, run.Records[i].Fact)
		}
	}
	conflicts, err := w.tx.Conflicting(ids)
	if err != nil {
		return err
	}
	disputed := false
	for i, f := range facts {
		w.take(f)
		if c, ok := f.Data.(*events.EventCorrected); ok {
			disputed = true
			w.memory.corrected[c.Target.Hash()] = true
			if err := w.chase(c.Target.Hash(), c.Action == events.CorrectionVoid, map[events.IdentityHash]bool{}); err != nil {
				return err
			}
		}
		if len(conflicts[ids[i]]) > 1 || w.memory.corrected[ids[i]] {
			disputed = true
			if err := w.chase(ids[i], false, map[events.IdentityHash]bool{}); err != nil {
				return err
			}
		}
	}
	if disputed {
		if err := w.dispute(); err != nil {
			return err
		}
	}
	if err := w.begin(facts); err != nil {
		return err
	}
	if !disputed && !w.memory.fresh {
		return nil
	}
	w.memory.fresh = false
	return w.restart(facts)
}

// take notes whom one fact concerns.
func (w *work) take(f *contact.Fact) {
	if f.Subject.IsZero() {
		w.memory.reference.Add(f)
		if s, ok := reach(f); ok {
			w.memory.sweepFrom(s, f.Time)
		}
		if f.Type == events.TypeCampaignOpened {
			w.calls = append(w.calls, view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign})
		}
		return
	}
	t := w.touch(f.Subject)
	t.fresh = append(t.fresh, f)
	if f.Type == events.TypeCallConcluded {
		w.calls = append(w.calls, view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign})
	}
}

// chase marks everything that the variants of an identity bear on: their
// contacts, the targets of a correction, the campaigns of a reference fact or
// of a call that may be one of the first. voided: the identity was struck out
// and nothing else.
func (w *work) chase(id events.IdentityHash, voided bool, seen map[events.IdentityHash]bool) error {
	if seen[id] {
		return nil
	}
	seen[id] = true
	found, err := w.tx.Variants([]events.IdentityHash{id})
	if err != nil {
		return err
	}
	for _, p := range found[id] {
		if !w.limit.Covers(p.Stream, p.Sequence) {
			continue
		}
		if !p.Contact.IsZero() {
			w.entangled(p.Contact)
		}
		if err := w.chaseEvent(p, voided && len(found[id]) == 1, seen); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) chaseEvent(p view.Variant, voided bool, seen map[events.IdentityHash]bool) error {
	stored, err := w.tx.Events([]view.Variant{p})
	if err != nil {
		return err
	}
	for i := range stored {
		f, err := factOf(&stored[i])
		if err != nil {
			return err
		}
		if c, ok := f.Data.(*events.EventCorrected); ok {
			if err := w.chase(c.Target.Hash(), false, seen); err != nil {
				return err
			}
			continue
		}
		if f.Type == events.TypeCallConcluded {
			if !voided || !w.memory.reference.Preceded(f) {
				w.doubted[view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign}] = true
			}
			continue
		}
		if s, ok := reach(f); ok && p.Contact.IsZero() {
			w.memory.sweepFrom(s, 0)
		}
	}
	return nil
}

// dispute hands the reference state what bears on it from contacts' streams.
// Calls that were disputed can change IT-RPO-03 for the attempts before the
// first call of which nobody doubts; behind it there is an earlier call anyway.
func (w *work) dispute() error {
	stored, err := w.tx.Disputed(w.limit)
	if err != nil {
		return err
	}
	for i := range stored {
		if err := w.memory.disputedFact(&stored[i]); err != nil {
			return err
		}
	}
	for ref := range w.doubted {
		w.memory.sweepWithin(ref, 0, frontier(w.undisputed(w.memory.reference.Starts(ref.Controller, ref.Campaign)), true))
	}
	return nil
}

// begin takes the fresh calls into the starts of their campaigns (IT-RPO-03).
// Stored attempts for which a call is now the first known one before them are
// evaluated again.
func (w *work) begin(facts []*contact.Fact) error {
	before := map[view.CampaignRef]rules.Starts{}
	for _, f := range facts {
		if f.Type != events.TypeCallConcluded || f.Subject.IsZero() {
			continue
		}
		ref := view.CampaignRef{Controller: f.Controller, Campaign: f.Campaign}
		if _, ok := before[ref]; !ok {
			before[ref] = w.memory.reference.Starts(ref.Controller, ref.Campaign)
		}
		w.memory.reference.AddCall(f)
	}
	w.changes = map[view.CampaignRef]*view.Change{}
	for ref, old := range before {
		now := w.memory.reference.Starts(ref.Controller, ref.Campaign)
		if slices.Equal(old, now) {
			continue
		}
		encoded, err := encodeStarts(now)
		if err != nil {
			return err
		}
		w.change(ref).Starts = encoded
		was, is := frontier(w.undisputed(old), true), frontier(w.undisputed(now), false)
		if is < was {
			w.memory.sweepWithin(ref, is, was)
		}
	}
	for _, ref := range w.calls {
		w.change(ref)
	}
	return nil
}

// frontier is the earliest instant at which one of the calls lay before and
// was known; with received, known to the controller or a processor.
func frontier(s rules.Starts, received bool) events.Instant {
	first := events.MaxInstant
	for _, c := range s {
		at := max(c.Dialled+1, c.Time)
		if received {
			at = max(at, c.Received)
		}
		first = min(first, at)
	}
	return first
}

func (w *work) change(ref view.CampaignRef) *view.Change {
	c := w.changes[ref]
	if c == nil {
		c = &view.Change{CampaignRef: ref, Counters: map[string]int64{}}
		w.changes[ref] = c
	}
	return c
}

// standing adds contacts that are due, and a chunk of the sweeps. more tells
// that there is some left.
func (w *work) standing() (more bool, err error) {
	due, err := w.tx.TakeDue(w.asOf, dueChunk)
	if err != nil {
		return false, err
	}
	for _, key := range due {
		w.touch(key).all = true
	}
	more = len(due) > 0 // fewer than dueChunk may be left out of a chunk that names a contact twice
	if err := w.memory.storeSweeps(w.tx); err != nil {
		return false, err
	}
	sweeps, err := w.tx.Sweeps()
	if err != nil || len(sweeps) == 0 {
		return more, err
	}
	s := sweeps[0]
	contacts, err := w.tx.SweepContacts(s, sweepChunk)
	if err != nil {
		return more, err
	}
	for _, key := range contacts {
		w.touch(key).all = true
	}
	if len(contacts) < sweepChunk {
		return more || len(sweeps) > 1, w.tx.DropSweeps([]view.CampaignRef{s.CampaignRef})
	}
	s.After = contacts[len(contacts)-1]
	return true, w.tx.PutSweeps([]view.Sweep{s})
}
