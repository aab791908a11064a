package projection_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/assenso/assenso/services/view"
)

// fault is a way in which an update fails.
type fault int

const (
	beforeUpdate      fault = iota // nothing ran
	insideUpdate                   // everything was written, then the transaction failed
	absentAfterCommit              // the commit failed, its result is unknown: not stored
	storedAfterCommit              // the same, but stored
	twice                          // the change runs in vain once, then again
)

// faultyStore lets every step of every projection fail once.
type faultyStore struct {
	view.Store
	kind fault

	mu     sync.Mutex
	steps  map[string]bool
	failed int
}

func (f *faultyStore) due(p view.Projection, from, to view.Progress) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.steps == nil {
		f.steps = map[string]bool{}
	}
	step := fmt.Sprint(p.Name, from.Positions(), to.Positions())
	if f.steps[step] {
		return false
	}
	f.steps[step] = true
	f.failed++
	return true
}

var errInjected = errors.New("injected")

func (f *faultyStore) Update(ctx context.Context, p view.Projection, from, to view.Progress, change func(view.Tx) error) error {
	if !f.due(p, from, to) {
		return f.Store.Update(ctx, p, from, to, change)
	}
	failing := func(tx view.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", view.ErrUnavailable, errInjected)
	}
	switch f.kind {
	case twice:
		if err := f.Store.Update(ctx, p, from, to, failing); !errors.Is(err, errInjected) {
			return err
		}
		return f.Store.Update(ctx, p, from, to, change)
	case beforeUpdate:
		return fmt.Errorf("%w: %w", view.ErrUnavailable, errInjected)
	case insideUpdate:
		return f.Store.Update(ctx, p, from, to, failing)
	case absentAfterCommit:
		if err := f.Store.Update(ctx, p, from, to, failing); !errors.Is(err, errInjected) {
			return err
		}
		return fmt.Errorf("%w: %w", view.ErrAmbiguous, errInjected)
	}
	if err := f.Store.Update(ctx, p, from, to, change); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", view.ErrAmbiguous, errInjected)
}
