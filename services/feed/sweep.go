package feed

import (
	"context"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/view"
)

// scanned is a part of a sweep.
type scanned struct {
	sweep said.Sweep
	keys  []events.ContactKey
	done  bool // no more follows
}

// scan walks over every contact of the event index for one sweep after the
// other. It hands over keys only: what stands against a contact is looked up
// when its turn comes.
func (l *life) scan(ctx context.Context) error {
	for {
		var task said.Sweep
		select {
		case task = <-l.tasks:
		case <-ctx.Done():
			return ctx.Err()
		}
		part := scanned{sweep: task}
		hand := func() error {
			select {
			case l.scanned <- part:
				part.keys = nil
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := l.cfg.View.Scan(ctx, view.Selection{}, nil, func(h view.History) error {
			part.keys = append(part.keys, h.Contact)
			if len(part.keys) < dueBatch {
				return nil
			}
			return hand()
		})
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		part.done = true
		if err := hand(); err != nil {
			return err
		}
	}
}

// swept looks at a part of a sweep.
func (l *life) swept(ctx context.Context, s scanned) error {
	u := newUnit()
	if err := l.lookAgain(ctx, u, s.keys); err != nil {
		return err
	}
	if !s.done {
		return l.send(ctx, u)
	}
	u.change.Swept = []int64{s.sweep.ID}
	u.change.Whole = l.building && s.sweep.Kind == said.SweepAll
	last := !slices.ContainsFunc(l.sweeps, func(o said.Sweep) bool { return o.ID != s.sweep.ID && o.Kind == said.SweepOrder })
	if s.sweep.Kind == said.SweepOrder && last && len(l.coarse) > 0 {
		clear(l.coarse)
		if err := l.sayLists(ctx, u, false); err != nil {
			return err
		}
	}
	return l.send(ctx, u)
}

// readSweeps reads which sweeps are left.
func (l *life) readSweeps(ctx context.Context) error {
	list, err := l.cfg.Said.Sweeps(ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	l.sweeps = list
	if !slices.ContainsFunc(list, func(s said.Sweep) bool { return s.ID == l.sweeping }) {
		l.sweeping = 0
	}
	return nil
}

// holding reports whether contacts wait to be looked at for a reason that may
// stop calls, so that nothing can be said of how far the feed is.
func (l *life) holding() bool {
	return l.building || slices.ContainsFunc(l.sweeps, func(s said.Sweep) bool { return s.Kind != said.SweepOrder })
}
