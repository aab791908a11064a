// Package viewtest holds one case for every sentence of the view port, for
// every backend to pass.
//
//	func TestPort(t *testing.T) { viewtest.Run(t, func(t *testing.T) viewtest.Harness { … }) }
package viewtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Harness is one store under test.
type Harness struct {
	// Open opens the store; a second call opens the same store again, beside
	// the first or after it was closed.
	Open func(t *testing.T) view.Store
}

var (
	index    = view.Projection{Name: view.ConsentState, Version: 1}
	findings = view.Projection{Name: view.Violations, Version: 1}
)

const (
	noon  = events.Instant(63_900_000_000_000_000)
	stamp = events.Instant(1_000_000) // distance of recorded times
)

type fixture struct {
	t    *testing.T
	open func(t *testing.T) Harness
	Harness
	view.Store
	ctx context.Context
	at  map[view.Projection]view.Progress
}

// Run runs all cases, each against a new store.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, group := range []map[string]func(*fixture){progressCases, indexCases, readCases, violationCases} {
		for name, run := range group {
			t.Run(name, func(t *testing.T) {
				h := open(t)
				f := &fixture{t: t, open: open, Harness: h, Store: h.Open(t), ctx: t.Context(), at: map[view.Projection]view.Progress{}}
				t.Cleanup(func() { f.must(f.Close()) })
				run(f)
			})
		}
	}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) is(err, want error) {
	f.t.Helper()
	if !errors.Is(err, want) {
		f.t.Fatalf("got %v, want %v", err, want)
	}
}

func (f *fixture) equal(got, want any) {
	f.t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		f.t.Fatalf("-want +got\n%s", d)
	}
}

// contact makes a key; its first byte orders keys.
func contact(n byte) events.ContactKey { return events.ContactKey{n, 1, 2, 3, 15: n} }

// row makes an event; events of one id and another text are in conflict.
func row(stream string, sequence uint64, key events.ContactKey, id, text string) view.Row {
	return view.Row{Type: events.TypeConsentGranted, Event: view.Event{
		Stream: stream, Sequence: sequence, Recorded: noon + events.Instant(sequence)*stamp, Contact: key,
		Identity: events.Identity{Source: "s", ID: id}.Hash(), Digest: sha256.Sum256([]byte(id + text)), Body: []byte(`{"id":"` + id + `","text":"` + text + `"}`),
	}}
}

func variant(r view.Row) view.Variant {
	return view.Variant{Digest: r.Digest, Stream: r.Stream, Sequence: r.Sequence, Recorded: r.Recorded, Contact: r.Contact}
}

// update moves a projection to the positions and runs change.
func (f *fixture) update(p view.Projection, to view.Progress, change func(tx view.Tx) error) {
	f.t.Helper()
	next := view.Progress{}
	for s, m := range f.at[p] {
		next[s] = m
	}
	for s, m := range to {
		next[s] = m
	}
	f.must(f.Update(f.ctx, p, f.at[p], next, change))
	f.at[p] = next
}

// store enters rows and moves the index behind them.
func (f *fixture) store(rows ...view.Row) (known map[int][]view.Variant) {
	f.t.Helper()
	to := view.Progress{}
	for _, r := range rows {
		m := to[r.Stream]
		to[r.Stream] = view.Mark{Sequence: max(m.Sequence, r.Sequence), Recorded: max(m.Recorded, r.Recorded)}
	}
	f.update(index, to, func(tx view.Tx) error {
		var err error
		known, err = tx.Index(rows)
		return err
	})
	return known
}

func (f *fixture) history(key events.ContactKey, asOf view.Positions) []string {
	f.t.Helper()
	h, err := f.History(f.ctx, key, asOf)
	f.must(err)
	return places(h.Events)
}

func places(list []view.Event) []string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s:%d", e.Stream, e.Sequence))
	}
	return out
}

func (f *fixture) dump(p view.Projection) string {
	f.t.Helper()
	var out bytes.Buffer
	f.must(f.Dump(f.ctx, p, &out))
	return out.String()
}

var progressCases = map[string]func(*fixture){
	"a projection that never ran stands before the first": func(f *fixture) {
		p, err := f.Progress(f.ctx, index)
		f.must(err)
		f.equal(p, view.Progress{})
	},
	"rows and position are stored together": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""), row("S1", 1, contact(2), "b", ""))
		p, err := f.Progress(f.ctx, index)
		f.must(err)
		f.equal(p, view.Progress{"S0": {Sequence: 1, Recorded: noon + stamp}, "S1": {Sequence: 1, Recorded: noon + stamp}})
		f.equal(f.history(contact(1), nil), []string{"S0:1"})
		other, err := f.Progress(f.ctx, view.Projection{Name: index.Name, Version: 2})
		f.must(err)
		f.equal(other, view.Progress{}) // another version is another projection
	},
	"an error of change stores neither": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""))
		failure := errors.New("no")
		err := f.Update(f.ctx, index, f.at[index], view.Progress{"S0": {Sequence: 2, Recorded: noon}}, func(tx view.Tx) error {
			if _, err := tx.Index([]view.Row{row("S0", 2, contact(1), "b", "")}); err != nil {
				return err
			}
			return failure
		})
		f.is(err, failure)
		f.equal(f.history(contact(1), nil), []string{"S0:1"})
		f.store(row("S0", 2, contact(1), "b", "")) // the old position still holds
	},
	"a projector that is not where it believes is fenced": func(f *fixture) {
		stale := f.at[index]
		f.store(row("S0", 1, contact(1), "a", ""))
		err := f.Update(f.ctx, index, stale, view.Progress{"S0": {Sequence: 1}}, func(view.Tx) error { f.t.Error("change ran"); return nil })
		f.is(err, view.ErrFenced)
	},
	"only the named streams move": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""))
		from := f.at[index]
		f.must(f.Update(f.ctx, index, from, view.Progress{"S1": {Sequence: 4, Recorded: noon}}, func(view.Tx) error { return nil }))
		p, err := f.Progress(f.ctx, index)
		f.must(err)
		f.equal(p.Positions(), view.Positions{"S0": 1, "S1": 4})
	},
	"an ended context writes nothing": func(f *fixture) {
		ended, cancel := context.WithCancel(f.ctx)
		cancel()
		f.is(f.Update(ended, index, nil, view.Progress{"S0": {Sequence: 1}}, func(view.Tx) error { return nil }), context.Canceled)
		p, err := f.Progress(f.ctx, index)
		f.must(err)
		f.equal(p, view.Progress{})
	},
	"all is there after opening again": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""))
		before := f.dump(index)
		f.must(f.Close())
		f.Store = f.Open(f.t)
		f.equal(f.dump(index), before)
		f.store(row("S0", 2, contact(1), "b", ""))
	},
	"a second opening reads what the first wrote": func(f *fixture) {
		other := f.Open(f.t)
		defer func() { f.must(other.Close()) }()
		f.store(row("S0", 1, contact(1), "a", ""))
		h, err := other.History(f.ctx, contact(1), nil)
		f.must(err)
		f.equal(places(h.Events), []string{"S0:1"})
	},
	"reset drops the rows of one projection": func(f *fixture) {
		f.store(row("S0", 1, contact(1), "a", ""))
		f.attempts(attempt("K", contact(1), 1, "IT-RPO-01"))
		kept := f.dump(findings)
		f.must(f.Reset(f.ctx, index))
		f.at[index] = nil
		_, err := f.History(f.ctx, contact(1), nil)
		f.is(err, view.ErrUnknown)
		f.equal(f.dump(findings), kept)
		f.store(row("S0", 1, contact(1), "a", ""))
	},
	"readers go on beside the writer": func(f *fixture) {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if h, err := f.History(f.ctx, contact(1), nil); err == nil {
					p, err := f.Progress(f.ctx, index)
					if err != nil || uint64(len(h.Events)) > p["S0"].Sequence {
						f.t.Errorf("%d events beyond position %d, %v", len(h.Events), p["S0"].Sequence, err)
					}
				}
			}
		})
		for n := uint64(1); n <= 20; n++ {
			f.store(row("S0", n, contact(1), fmt.Sprint(n), ""))
		}
		close(stop)
		wg.Wait()
	},
}
