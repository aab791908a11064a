package demo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	it "github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/demo"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/rules"
)

// book is a ledger of one's own: a sink that records what the contract admits.
type book struct {
	t     *testing.T
	now   events.Instant
	seen  map[events.Identity]map[events.Digest]bool
	facts []*contact.Fact
}

// Send implements imports.Sink.
func (b *book) Send(_ context.Context, batch [][]byte) ([]imports.Outcome, error) {
	out := make([]imports.Outcome, len(batch))
	for i, body := range batch {
		out[i] = b.take(body)
	}
	return out, nil
}

func (b *book) take(body []byte) imports.Outcome {
	s, faults := events.Validate(body, events.ValidateOptions{Now: b.now, Normalise: numbers.Normalise})
	if len(faults) > 0 {
		return imports.Outcome{Result: imports.Rejected, Errors: faults}
	}
	var key events.ContactKey
	if n := s.Phone.E164(); n != "" {
		sum := sha256.Sum256([]byte(n))
		copy(key[:], sum[:])
	}
	rec, fault := s.Record(key, events.ContactKey{})
	if fault != nil {
		return imports.Outcome{Result: imports.Rejected, Errors: []events.Fault{*fault}}
	}
	variants := b.seen[rec.Identity]
	if variants[rec.Digest] {
		return imports.Outcome{Result: imports.Duplicate}
	}
	b.now += 1000
	raw := rec.Stamp(b.now)
	e, err := events.Decode(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	b.facts = append(b.facts, contact.NewFact(e, rec.Digest, raw, "LEDGER", uint64(len(b.facts)+1)))
	if variants == nil {
		b.seen[rec.Identity] = map[events.Digest]bool{rec.Digest: true}
		return imports.Outcome{Result: imports.Recorded}
	}
	variants[rec.Digest] = true
	return imports.Outcome{Result: imports.Conflict}
}

// load imports the files of a day in their order and checks the counts.
func load(t *testing.T, dir string, m demo.Manifest) *book {
	t.Helper()
	b := &book{t: t, now: events.InstantOf(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)), seen: map[events.Identity]map[events.Digest]bool{}}
	for _, f := range m.Files {
		o := imports.Options{Path: filepath.Join(dir, f.Name), Sink: b, StateDir: t.TempDir(), RejectsPath: filepath.Join(t.TempDir(), "rejects")}
		if f.Mapping != "" {
			var err error
			if o.Mapping, err = imports.ReadMapping(filepath.Join(dir, f.Mapping)); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := imports.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if sum.Rows != f.Rows || sum.Duplicates != f.Duplicates || sum.Conflicts != f.Conflicts || sum.Rejected != f.Rejected {
			t.Errorf("%s: imported as %v, the manifest says %+v", f.Name, sum, f)
			for _, p := range sum.Problems {
				t.Log(p)
			}
		}
	}
	if len(b.facts) != m.Events {
		t.Errorf("%d events recorded, the manifest says %d", len(b.facts), m.Events)
	}
	return b
}

// assess judges every attempt and object as of an instant not before the end of the book.
func (b *book) assess(t *testing.T, asOf events.Instant) (found []demo.Finding, attempts int) {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	engine, ref := rules.NewEngine(packs), rules.NewReference()
	byContact := map[events.ContactKey][]*contact.Fact{}
	for _, f := range b.facts {
		if f.Subject.IsZero() {
			ref.Add(f)
		} else {
			byContact[f.Subject] = append(byContact[f.Subject], f)
		}
		ref.AddCall(f)
	}
	keys := make([]events.ContactKey, 0, len(byContact))
	for k := range byContact {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return bytes.Compare(keys[i][:], keys[j][:]) < 0 })
	for _, k := range keys {
		h := contact.NewHistory(k, byContact[k])
		for _, f := range byContact[k] {
			a, ok := rules.AttemptOf(f)
			if !ok {
				continue
			}
			attempts++
			for _, x := range engine.Assess(h, ref, a, asOf).Findings {
				found = append(found, demo.Finding{Rule: x.Rule, Kind: x.Kind, Controller: x.Controller, Campaign: x.Campaign, Attempt: x.Attempt})
			}
		}
	}
	objects, err := engine.Objects(&world{ref, keys, byContact}, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range objects {
		found = append(found, demo.Finding{Rule: x.Rule, Kind: x.Kind, Controller: x.Controller, Campaign: x.Campaign, Object: x.Object})
	}
	return found, attempts
}

// world is the book as the object rules walk over it.
type world struct {
	ref       *rules.Reference
	keys      []events.ContactKey
	byContact map[events.ContactKey][]*contact.Fact
}

// Reference implements rules.World.
func (w *world) Reference() *rules.Reference { return w.ref }

// Contacts implements rules.World.
func (w *world) Contacts(yield func(*contact.History) error) error {
	for _, k := range w.keys {
		if err := yield(contact.NewHistory(k, w.byContact[k])); err != nil {
			return err
		}
	}
	return nil
}

func list(findings []demo.Finding) string {
	var b bytes.Buffer
	for i, f := range findings {
		if i == 25 {
			fmt.Fprintf(&b, "… %d in all\n", len(findings))
			break
		}
		fmt.Fprintf(&b, "%+v\n", f)
	}
	return b.String()
}

// The evaluation finds exactly what is planted, whatever the seed and the day.
func TestManifestIsWhatTheRulesFind(t *testing.T) {
	for name, o := range map[string]demo.Options{
		"default day":  {Contacts: 5000},
		"other seed":   {Contacts: 1500, Seed: 7},
		"other day":    {Contacts: 1500, Seed: 3, Day: events.NewDate(2026, 10, 21)},
		"few contacts": {Contacts: 600, Seed: 4, Day: events.NewDate(2026, 11, 20)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m, err := demo.Generate(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			b := load(t, dir, m)
			found, attempts := b.assess(t, b.now)
			if attempts != m.Attempts {
				t.Errorf("%d attempts, the manifest says %d", attempts, m.Attempts)
			}
			missing, unexpected := demo.Compare(m, found)
			if len(missing)+len(unexpected) > 0 {
				t.Errorf("missing:\n%sunexpected:\n%s", list(missing), list(unexpected))
			}
			missing, unexpected = demo.CompareApart(m, found)
			if len(missing)+len(unexpected) > 0 {
				t.Errorf("apart, missing:\n%sunexpected:\n%s", list(missing), list(unexpected))
			}
			found, _ = b.assess(t, b.now.Add(200*24*time.Hour))
			if missing, unexpected = demo.Compare(m, found); len(missing)+len(unexpected) > 0 {
				t.Errorf("half a year later, missing:\n%sunexpected:\n%s", list(missing), list(unexpected))
			}
		})
	}
}
