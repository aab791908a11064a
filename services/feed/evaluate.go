package feed

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/view"
	"golang.org/x/sync/errgroup"
)

// looked is what looking at one contact gave.
type looked struct {
	contact events.ContactKey
	stops   []standing.Stop
	next    events.Instant // when time alone may change them
	entries []said.Entry   // what was said, as stored
	cites   []said.Cited
	erased  []*contact.Fact // erasures: FEED may have forgotten what was said
}

// look works out what stands against contacts now, side by side; extra are
// facts that the event index may lack. The answers are in the order of keys.
func (l *life) look(ctx context.Context, keys []events.ContactKey, extra map[events.ContactKey][]*contact.Fact) ([]looked, error) {
	out := make([]looked, len(keys))
	now := l.cfg.Clock()
	if len(keys) == 1 {
		var err error
		out[0], err = l.lookAt(ctx, keys[0], extra[keys[0]], now)
		return out, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	const part = 16
	for from := 0; from < len(keys); from += part {
		group.Go(func() error {
			for i := from; i < min(from+part, len(keys)); i++ {
				var err error
				if out[i], err = l.lookAt(ctx, keys[i], extra[keys[i]], now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, group.Wait()
}

// lookAt works out what stands against one contact. It reads the world, which
// the loop does not change meanwhile.
func (l *life) lookAt(ctx context.Context, key events.ContactKey, extra []*contact.Fact, now events.Instant) (looked, error) {
	out := looked{contact: key}
	facts, err := l.facts(ctx, key)
	if err != nil {
		return out, err
	}
	facts = append(facts, extra...)
	out.stops, out.next = standing.OfContact(l.cfg.Engine, l.world.Reference, contact.NewHistory(key, facts), l.orders, now)
	out.cites = cites(facts)
	if l.building {
		out.erased = erasuresOf(facts)
	}
	if out.entries, err = l.cfg.Said.Of(ctx, key); err != nil {
		return out, fmt.Errorf("feed: %w", err)
	}
	return out, nil
}

func erasuresOf(facts []*contact.Fact) []*contact.Fact {
	var out []*contact.Fact
	for _, f := range facts {
		if f.Type == events.TypeErasureExecuted {
			out = append(out, f)
		}
	}
	return out
}

// facts reads all that bears on a contact from the event index.
func (l *life) facts(ctx context.Context, key events.ContactKey) ([]*contact.Fact, error) {
	stored, err := l.cfg.View.History(ctx, key, nil)
	if errors.Is(err, view.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	facts := make([]*contact.Fact, len(stored.Events))
	for i := range stored.Events {
		if facts[i], err = projection.FactOf(&stored.Events[i]); err != nil {
			return nil, fmt.Errorf("feed: %s at %d: %w: %w", stored.Events[i].Stream, stored.Events[i].Sequence, errUnreadable, err)
		}
	}
	return facts, nil
}

// cites lists what the grants among the facts name that may come or change
// later: notices, calls in which they were given, and the campaigns of these.
func cites(facts []*contact.Fact) []said.Cited {
	var out []said.Cited
	calls := map[[2]string]bool{}
	for _, f := range facts {
		d, ok := f.Data.(*events.ConsentGranted)
		if !ok {
			continue
		}
		if d.Notice != nil {
			out = append(out, citedNotice(f.Controller, d.Notice.ID, d.Notice.Version))
		}
		if d.CollectionAttempt != "" {
			out = append(out, said.Cited{Kind: said.CitedCall, Controller: f.Controller, Name: d.CollectionAttempt})
			calls[[2]string{f.Controller, d.CollectionAttempt}] = true
		}
	}
	for _, f := range facts {
		if f.Type == events.TypeCallConcluded && calls[[2]string{f.Controller, f.ID}] {
			out = append(out, said.Cited{Kind: said.CitedCampaign, Controller: f.Controller, Name: f.Campaign})
		}
	}
	return out
}

func citedNotice(controller, id, version string) said.Cited {
	return said.Cited{Kind: said.CitedNotice, Controller: controller, Name: id + "\x00" + version}
}
