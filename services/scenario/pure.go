package scenario

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

// Pure plays scenarios against the pure functions. It is safe for concurrent
// use.
type Pure struct {
	engine *rules.Engine
	// Shuffle, where not nil, gives the seed of a random order of events.
	Shuffle *uint64
}

// NewPure returns a player in the order of the file.
func NewPure(engine *rules.Engine) *Pure { return &Pure{engine: engine} }

// Play implements Player.
func (p *Pure) Play(_ context.Context, s *Scenario) (*Result, error) {
	facts, rejected, err := p.record(s)
	if err != nil || len(rejected) > 0 {
		return &Result{Rejected: rejected}, err
	}
	w := newWorld(facts)
	out := &Result{}
	for i := range s.Attempts {
		a := &s.Attempts[i]
		h := w.history(a.Contact)
		d := p.engine.Gate(h, w.ref, a.Attempt, a.GateAt)
		r := AttemptResult{ID: a.ID, Gate: d.Verdict, Reasons: []string{}, Findings: []Finding{}}
		for _, reason := range d.Reasons {
			r.Reasons = append(r.Reasons, reason.Rule)
		}
		for _, f := range p.engine.Assess(h, w.ref, a.Attempt, s.AsOf).Findings {
			r.Findings = append(r.Findings, Finding{Rule: f.Rule, Kind: f.Kind})
		}
		sortFindings(r.Findings)
		out.Attempts = append(out.Attempts, r)
	}
	objects, err := p.engine.Objects(w, s.AsOf)
	if err != nil {
		return nil, fmt.Errorf("play scenario %s: %w", s.ID, err)
	}
	out.Objects = ObjectFindings(objects)
	return out, nil
}

// ObjectFindings brings findings of the object rules into the form and order
// of the format, each once.
func ObjectFindings(found []rules.Finding) []Finding {
	out := []Finding{}
	for _, f := range found {
		out = append(out, Finding{Rule: f.Rule, Object: f.Object, Kind: f.Kind})
	}
	sortFindings(out)
	return slices.Compact(out)
}

// record turns the submissions into facts, as the recorders would.
func (p *Pure) record(s *Scenario) (facts []*contact.Fact, rejected []string, err error) {
	list := slices.Clone(s.Events)
	if p.Shuffle != nil {
		r := rand.New(rand.NewPCG(*p.Shuffle, 0))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	slices.SortStableFunc(list, func(a, b Event) int { return int(min(max(a.Recorded-b.Recorded, -1), 1)) })
	targets := map[events.Identity]events.ContactKey{}
	for i, e := range list {
		sub, faults := events.Validate(e.Submission, events.ValidateOptions{Now: e.Recorded, Normalise: Normalise})
		if len(faults) > 0 {
			rejected = append(rejected, rejection(&e, faults))
			continue
		}
		var key, target events.ContactKey
		if number := sub.Phone.E164(); number != "" {
			key = Key(number)
		}
		if id, ok := sub.CorrectionTarget(); ok {
			target = targets[id]
		}
		record, fault := sub.Record(key, target)
		if fault != nil {
			rejected = append(rejected, rejection(&e, []events.Fault{*fault}))
			continue
		}
		if _, known := targets[sub.Identity()]; !known {
			targets[sub.Identity()] = key
		}
		body := record.Stamp(e.Recorded)
		decoded, err := events.Decode(body)
		if err != nil {
			return nil, nil, fmt.Errorf("play scenario %s: event %s: %w", s.ID, e.ID, err)
		}
		facts = append(facts, contact.NewFact(decoded, record.Digest, body, "scenario", uint64(i)+1))
	}
	if p.Shuffle != nil {
		r := rand.New(rand.NewPCG(*p.Shuffle, 1))
		r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	}
	return facts, rejected, nil
}

// rejection says why a submission is refused; hints never quote a value.
func rejection(e *Event, faults []events.Fault) string {
	parts := make([]string, len(faults))
	for i, f := range faults {
		parts[i] = f.Error()
	}
	return fmt.Sprintf("event %s (line %d) is rejected: %s", e.ID, e.Line, strings.Join(parts, "; "))
}

// world is all facts of one scenario.
type world struct {
	ref      *rules.Reference
	byKey    map[events.ContactKey][]*contact.Fact
	byID     map[events.Identity][]*contact.Fact
	amending []*contact.Fact
}

func newWorld(facts []*contact.Fact) *world {
	w := &world{ref: rules.NewReference(), byKey: map[events.ContactKey][]*contact.Fact{}, byID: map[events.Identity][]*contact.Fact{}}
	corrected := map[events.Identity]bool{}
	for _, f := range facts {
		id := f.Identity()
		w.byID[id] = append(w.byID[id], f)
		if c, ok := f.Data.(*events.EventCorrected); ok {
			w.amending = append(w.amending, f)
			corrected[c.Target] = true
		}
		if f.Subject.IsZero() {
			w.ref.Add(f)
		} else {
			w.byKey[f.Subject] = append(w.byKey[f.Subject], f)
		}
	}
	for id, list := range w.byID {
		contested := corrected[id]
		for _, f := range list {
			contested = contested || f.Digest != list[0].Digest
		}
		for _, f := range list {
			switch {
			case contested && !f.Subject.IsZero() && w.touchesReference(list):
				w.ref.Dispute(f)
			case !contested:
				w.ref.AddCall(f)
			}
		}
	}
	return w
}

// touchesReference: some variant is a call or has no contact.
func (w *world) touchesReference(list []*contact.Fact) bool {
	return slices.ContainsFunc(list, func(f *contact.Fact) bool {
		return f.Subject.IsZero() || f.Type == events.TypeCallConcluded
	})
}

// history collects what contact.NewHistory asks for.
func (w *world) history(key events.ContactKey) *contact.History {
	all := slices.Clone(w.byKey[key])
	for _, f := range w.byKey[key] {
		all = append(all, w.byID[f.Identity()]...)
	}
	return contact.NewHistory(key, append(all, w.amending...))
}

// Reference implements rules.World.
func (w *world) Reference() *rules.Reference { return w.ref }

// Contacts implements rules.World.
func (w *world) Contacts(yield func(*contact.History) error) error {
	for _, key := range slices.SortedFunc(maps.Keys(w.byKey), func(a, b events.ContactKey) int { return strings.Compare(a.String(), b.String()) }) {
		if err := yield(w.history(key)); err != nil {
			return err
		}
	}
	return nil
}
