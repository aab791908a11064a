// Package vaulttest holds one case for every sentence of the vault port, for
// every backend to pass.
//
//	func TestPort(t *testing.T) { vaulttest.Run(t, func(t *testing.T) vaulttest.Harness { … }) }
package vaulttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
)

// Harness is one store under test.
type Harness struct {
	// Open opens the store; a second call opens the same store again, beside
	// the first or after it was closed.
	Open func(t *testing.T) vault.Vault
	// Stored returns everything that lies on disk.
	Stored func(t *testing.T) []byte
}

// Digits are the numbers that the suite uses; nothing that a backend writes or
// returns in an error may hold them.
var Digits = []string{"3401234567", "0684000001", "3339876543"}

const (
	hour = 3_600_000_000
	noon = events.Instant(63_900_000_000_000_000)
)

type fixture struct {
	t *testing.T
	Harness
	vault.Vault
	ctx context.Context
}

// Run runs all cases, each against a new store.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, run := range map[string]func(f *fixture){
		"key is 128 bits of the pepper's HMAC":            keys,
		"number is found by its key":                      numbers,
		"absent entries are unknown":                      unknown,
		"writing again changes nothing":                   idempotent,
		"evidence belongs to one contact and controller":  evidence,
		"evidence of nobody":                              evidenceOfNobody,
		"sealed bodies are kept, found and discarded":     sealed,
		"all is there after opening again":                durable,
		"erasure forgets evidence of its controller only": eraseEvidence,
		"number goes with the last claim":                 eraseLastClaim,
		"an entry not later than the erasure":             tombstone,
		"a later entry brings the number back":            revive,
		"erasure again, after later entries":              eraseAgain,
		"an old erasure arrives late":                     eraseLate,
		"entry of no controller after an erasure":         tombstoneOfNobody,
		"nothing lies in clear on disk":                   atRest,
		"what is forgotten is gone from disk":             forgotten,
		"a batch is stored whole":                         batch,
		"two openings see each other's writes":            beside,
		"concurrent use":                                  concurrent,
		"errors hold no number":                           quiet,
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			f := &fixture{t: t, Harness: h, Vault: h.Open(t), ctx: t.Context()}
			t.Cleanup(func() { f.must(f.Close()) })
			run(f)
		})
	}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func number(i int) vault.Number { return vault.NewNumber("+39" + Digits[i]) }

func (f *fixture) entry(i int, controller string, at events.Instant) vault.Entry {
	return vault.Entry{Contact: f.Key(number(i)), Controller: controller, Number: number(i), OccurredAt: at}
}

func proof(e vault.Entry, text string) vault.Entry {
	e.Evidence = []byte(text)
	e.Digest = sha256.Sum256(e.Evidence)
	return e
}

func (f *fixture) upsert(entries ...vault.Entry) {
	f.t.Helper()
	f.must(f.Upsert(f.ctx, entries))
}

func (f *fixture) hasNumber(i int, want bool) {
	f.t.Helper()
	n, err := f.Number(f.ctx, f.Key(number(i)))
	switch {
	case want && err != nil:
		f.t.Fatalf("number %d: %v, want it stored", i, err)
	case want && n != number(i):
		f.t.Fatalf("number %d: another number came back", i)
	case !want && !errors.Is(err, vault.ErrUnknown):
		f.t.Fatalf("number %d: %v, want ErrUnknown", i, err)
	}
}

func (f *fixture) hasEvidence(e vault.Entry, want bool) {
	f.t.Helper()
	got, err := f.Evidence(f.ctx, e.Contact, e.Controller, e.Digest)
	switch {
	case want && err != nil:
		f.t.Fatalf("evidence of %q: %v, want it stored", e.Controller, err)
	case want && !bytes.Equal(got, e.Evidence):
		f.t.Fatalf("evidence of %q: other bytes came back", e.Controller)
	case !want && !errors.Is(err, vault.ErrUnknown):
		f.t.Fatalf("evidence of %q: %v, want ErrUnknown", e.Controller, err)
	}
}

func keys(f *fixture) {
	a, b := f.Key(number(0)), f.Key(number(1))
	if a == b || a.IsZero() || a != f.Key(number(0)) {
		f.t.Fatalf("keys %v and %v: want different, non-zero and repeatable", a, b)
	}
	f.hasNumber(0, false) // deriving a key stores nothing
}

func numbers(f *fixture) {
	f.upsert(f.entry(0, "A", noon), f.entry(1, "", noon))
	f.hasNumber(0, true)
	f.hasNumber(1, true)
	f.hasNumber(2, false)
}

func unknown(f *fixture) {
	e := proof(f.entry(0, "A", noon), `{"ip":"x"}`)
	f.hasNumber(0, false)
	f.hasEvidence(e, false)
	if _, err := f.Unseal(f.ctx, "r-1"); !errors.Is(err, vault.ErrUnknown) {
		f.t.Fatalf("unseal: %v, want ErrUnknown", err)
	}
	f.must(f.Discard(f.ctx, "r-1"))
	f.must(f.Upsert(f.ctx, nil))
	f.must(f.Seal(f.ctx, nil))
	f.must(f.Erase(f.ctx, e.Contact, "A", noon))
}

func idempotent(f *fixture) {
	e := proof(f.entry(0, "A", noon), `{"ip":"x"}`)
	for range 3 {
		f.upsert(e, e)
	}
	f.hasNumber(0, true)
	f.hasEvidence(e, true)
	s := vault.Sealed{ID: "r-1", SealedAt: noon, Body: []byte("first")}
	f.must(f.Seal(f.ctx, []vault.Sealed{s}))
	f.must(f.Seal(f.ctx, []vault.Sealed{s}))
	f.isSealed(s)
}

func (f *fixture) isSealed(want vault.Sealed) {
	f.t.Helper()
	got, err := f.Unseal(f.ctx, want.ID)
	f.must(err)
	if got.ID != want.ID || got.SealedAt != want.SealedAt || !bytes.Equal(got.Body, want.Body) {
		f.t.Fatalf("unseal: got %s at %v with %d bytes, want %s at %v with %d bytes", got.ID, got.SealedAt, len(got.Body), want.ID, want.SealedAt, len(want.Body))
	}
}

func evidence(f *fixture) {
	a := proof(f.entry(0, "A", noon), `{"ip":"192.0.2.7"}`)
	b := proof(f.entry(0, "B", noon), `{"ip":"192.0.2.8"}`)
	second := proof(f.entry(0, "A", noon+hour), `{"ip":"192.0.2.9"}`)
	f.upsert(a, b)
	f.upsert(second)
	for _, e := range []vault.Entry{a, b, second} {
		f.hasEvidence(e, true)
	}
	stray := a
	stray.Controller = "B"
	f.hasEvidence(stray, false)
	stray = a
	stray.Contact = f.Key(number(1))
	f.hasEvidence(stray, false)
}

func evidenceOfNobody(f *fixture) {
	e := proof(vault.Entry{OccurredAt: noon}, `{"note":"x"}`)
	f.upsert(e)
	f.hasEvidence(e, true)
}

func sealed(f *fixture) {
	one := vault.Sealed{ID: "r-1", SealedAt: noon, Body: []byte(`{"phone":"` + Digits[0] + `"}`)}
	two := vault.Sealed{ID: "r-2", SealedAt: noon + hour, Body: nil}
	f.must(f.Seal(f.ctx, []vault.Sealed{one, two}))
	f.isSealed(one)
	f.isSealed(two)
	f.must(f.Discard(f.ctx, "r-1"))
	if _, err := f.Unseal(f.ctx, "r-1"); !errors.Is(err, vault.ErrUnknown) {
		f.t.Fatalf("unseal after discard: %v, want ErrUnknown", err)
	}
	f.isSealed(two)
}

func durable(f *fixture) {
	e := proof(f.entry(0, "A", noon), `{"ip":"x"}`)
	s := vault.Sealed{ID: "r-1", SealedAt: noon, Body: []byte("kept")}
	f.upsert(e)
	f.must(f.Seal(f.ctx, []vault.Sealed{s}))
	f.must(f.Erase(f.ctx, f.Key(number(1)), "A", noon))
	f.must(f.Close())
	f.Vault = f.Open(f.t)
	f.hasNumber(0, true)
	f.hasEvidence(e, true)
	f.isSealed(s)
	f.upsert(f.entry(1, "A", noon))
	f.hasNumber(1, false) // the tombstone is durable too
}

func eraseEvidence(f *fixture) {
	a, b := proof(f.entry(0, "A", noon), `{"ip":"1"}`), proof(f.entry(0, "B", noon), `{"ip":"2"}`)
	f.upsert(a, b)
	f.must(f.Erase(f.ctx, a.Contact, "A", noon+hour))
	f.hasEvidence(a, false)
	f.hasEvidence(b, true)
	f.hasNumber(0, true)
}

func eraseLastClaim(f *fixture) {
	f.upsert(f.entry(0, "A", noon), f.entry(0, "B", noon), f.entry(1, "A", noon))
	f.must(f.Erase(f.ctx, f.Key(number(0)), "A", noon+hour))
	f.hasNumber(0, true)
	f.must(f.Erase(f.ctx, f.Key(number(0)), "B", noon+hour))
	f.hasNumber(0, false)
	f.hasNumber(1, true)
}

func tombstone(f *fixture) {
	f.must(f.Erase(f.ctx, f.Key(number(0)), "A", noon))
	for _, at := range []events.Instant{noon - hour, noon} {
		e := proof(f.entry(0, "A", at), `{"ip":"1"}`)
		f.upsert(e)
		f.hasNumber(0, false)
		f.hasEvidence(e, false)
	}
	f.upsert(f.entry(0, "B", noon-hour)) // B was not erased
	f.hasNumber(0, true)
}

func revive(f *fixture) {
	f.upsert(f.entry(0, "A", noon))
	f.must(f.Erase(f.ctx, f.Key(number(0)), "A", noon+1))
	f.upsert(f.entry(0, "A", noon)) // known before the erasure: nothing may remember it
	f.hasNumber(0, false)
	e := proof(f.entry(0, "A", noon+2), `{"ip":"1"}`)
	f.upsert(e)
	f.hasNumber(0, true)
	f.hasEvidence(e, true)
}

func eraseAgain(f *fixture) {
	f.must(f.Erase(f.ctx, f.Key(number(0)), "A", noon))
	e := proof(f.entry(0, "A", noon+hour), `{"ip":"1"}`)
	f.upsert(e)
	f.must(f.Erase(f.ctx, e.Contact, "A", noon))
	f.must(f.Erase(f.ctx, e.Contact, "A", noon-hour))
	f.hasNumber(0, true)
	f.hasEvidence(e, true)
	f.upsert(f.entry(1, "A", noon))
	f.must(f.Erase(f.ctx, e.Contact, "A", noon+2*hour))
	f.hasNumber(0, false)
	f.upsert(f.entry(0, "A", noon+hour)) // the latest tombstone counts
	f.hasNumber(0, false)
}

func eraseLate(f *fixture) {
	old := proof(f.entry(0, "A", noon), `{"ip":"1"}`)
	young := proof(f.entry(0, "A", noon+2*hour), `{"ip":"2"}`)
	f.upsert(old, young)
	f.must(f.Erase(f.ctx, old.Contact, "A", noon+hour))
	f.hasEvidence(old, false)
	f.hasEvidence(young, true)
	f.hasNumber(0, true)
}

func tombstoneOfNobody(f *fixture) {
	f.must(f.Erase(f.ctx, f.Key(number(0)), "A", noon))
	f.upsert(f.entry(0, "", noon))
	f.hasNumber(0, false)
	f.upsert(f.entry(0, "", noon+1))
	f.hasNumber(0, true)
}

func (f *fixture) lies(text string) bool {
	return bytes.Contains(f.Stored(f.t), []byte(text))
}

func atRest(f *fixture) {
	f.upsert(proof(f.entry(0, "A", noon), `{"email":"mario@example.org"}`))
	f.must(f.Seal(f.ctx, []vault.Sealed{{ID: "r-1", SealedAt: noon, Body: []byte("body of a reject")}}))
	for _, text := range []string{Digits[0], "mario@example.org", "body of a reject"} {
		if f.lies(text) {
			f.t.Errorf("%d bytes of clear text lie on disk", len(text))
		}
	}
}

func forgotten(f *fixture) {
	e := proof(f.entry(0, "A", noon), `{"ip":"1"}`)
	f.upsert(e, f.entry(1, "A", noon))
	contact := string(e.Contact[:])
	digest := string(e.Digest[:])
	f.must(f.Seal(f.ctx, []vault.Sealed{{ID: "reject-to-discard", SealedAt: noon, Body: []byte("x")}}))
	if !f.lies(digest) || !f.lies("reject-to-discard") {
		f.t.Fatal("the stored bytes do not show what was stored: the case proves nothing")
	}
	f.must(f.Erase(f.ctx, e.Contact, "A", noon))
	f.must(f.Discard(f.ctx, "reject-to-discard"))
	if f.lies(digest) || f.lies("reject-to-discard") {
		f.t.Fatal("deleted rows still lie on disk")
	}
	if !f.lies(contact) {
		f.t.Fatal("the tombstone does not lie on disk")
	}
}

func batch(f *fixture) {
	var entries []vault.Entry
	for i := range 300 {
		n := vault.NewNumber(fmt.Sprintf("+39340%07d", i))
		entries = append(entries, vault.Entry{Contact: f.Key(n), Controller: "A", Number: n, OccurredAt: noon})
	}
	f.upsert(entries...)
	f.upsert(entries[100:200]...)
	for _, e := range entries {
		if n, err := f.Number(f.ctx, e.Contact); err != nil || n != e.Number {
			f.t.Fatalf("contact %v: %v", e.Contact, err)
		}
	}
	gone, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := f.Upsert(gone, []vault.Entry{f.entry(2, "A", noon)}); err == nil {
		f.t.Fatal("upsert under an ended context: want an error")
	}
	f.hasNumber(2, false)
}

func beside(f *fixture) {
	other := f.Open(f.t)
	defer func() { f.must(other.Close()) }()
	f.upsert(f.entry(0, "A", noon))
	if _, err := other.Number(f.ctx, f.Key(number(0))); err != nil {
		f.t.Fatalf("number through the other opening: %v", err)
	}
	f.must(other.Erase(f.ctx, f.Key(number(0)), "A", noon))
	f.hasNumber(0, false)
	f.upsert(f.entry(0, "A", noon+1)) // nothing remembers the erased claim
	f.hasNumber(0, true)
}

func concurrent(f *fixture) {
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 10 {
				e := proof(f.entry(w%3, fmt.Sprintf("C%d", w), noon+events.Instant(i)), fmt.Sprintf(`{"i":%d}`, i))
				if err := f.Upsert(f.ctx, []vault.Entry{e}); err != nil {
					errs <- err
				}
				if _, err := f.Evidence(f.ctx, e.Contact, e.Controller, e.Digest); err != nil {
					errs <- err
				}
			}
		}()
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		f.t.Error(err)
	}
}

func quiet(f *fixture) {
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	e := proof(f.entry(0, "A", noon), `{"email":"mario@example.org"}`)
	spare := f.Open(f.t)
	f.must(spare.Close())
	_, unknownNumber := f.Number(f.ctx, f.Key(number(2)))
	for name, err := range map[string]error{
		"unknown":       unknownNumber,
		"ended context": f.Upsert(ended, []vault.Entry{e}),
		"closed":        spare.Upsert(f.ctx, []vault.Entry{e}),
		"closed seal":   spare.Seal(f.ctx, []vault.Sealed{{ID: "r", Body: []byte(Digits[0])}}),
		"closed erase":  spare.Erase(f.ctx, e.Contact, "A", noon),
	} {
		if err == nil {
			f.t.Errorf("%s: want an error", name)
			continue
		}
		if strings.HasPrefix(name, "closed") && !errors.Is(err, vault.ErrUnavailable) {
			f.t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		for _, secret := range append([]string{"mario"}, Digits...) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
				f.t.Errorf("%s: the error holds personal data", name)
			}
		}
	}
	for _, text := range []string{fmt.Sprintf("%v", e), fmt.Sprintf("%+v", e.Number), fmt.Sprintf("%#v", e.Number)} {
		if strings.Contains(text, Digits[0]) {
			f.t.Error("a printed entry holds the number")
		}
	}
}
