package inquiry

import (
	"context"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// ObjectEngine is what Objects needs of rules.Engine.
type ObjectEngine interface {
	Objects(w rules.World, asOf events.Instant) ([]rules.Finding, error)
}

// Objects evaluates the object rules as of r over the prefix asOf. It holds the
// reference facts, a page of contacts, and the findings: of LED-01 one for each
// late event of the log.
func Objects(ctx context.Context, v view.Reader, decode Decoder, engine ObjectEngine, asOf view.Positions, r events.Instant) ([]rules.Finding, error) {
	s, err := newScan(ctx, v, decode, asOf)
	if err != nil {
		return nil, err
	}
	return engine.Objects(s, r)
}

// ApartEngine is what ObjectsBarLate needs of rules.Engine.
type ApartEngine interface {
	ObjectsApart(w rules.World, asOf events.Instant, late func(rules.Finding)) ([]rules.Finding, error)
}

// ObjectsBarLate is Objects without LED-01, for those who sum late events up
// from view.Reader.Late: a legacy import has millions of them.
func ObjectsBarLate(ctx context.Context, v view.Reader, decode Decoder, engine ApartEngine, asOf view.Positions, r events.Instant) ([]rules.Finding, error) {
	s, err := newScan(ctx, v, decode, asOf)
	if err != nil {
		return nil, err
	}
	return engine.ObjectsApart(s, r, func(rules.Finding) {})
}

func newScan(ctx context.Context, v view.Reader, decode Decoder, asOf view.Positions) (*scan, error) {
	w := NewWorld(v, decode, asOf)
	if _, err := w.Refresh(ctx); err != nil {
		return nil, err
	}
	if err := w.disputed(ctx); err != nil {
		return nil, err
	}
	campaigns, err := v.Campaigns(ctx)
	if err != nil {
		return nil, fmt.Errorf("inquiry list campaigns: %w", err)
	}
	for _, c := range campaigns {
		if err := w.starts(ctx, c.CampaignRef); err != nil {
			return nil, err
		}
	}
	return &scan{ctx, w}, nil
}

// scan walks over a prefix of the log for the object rules. It lives for one
// call and carries its context, since rules are pure and know none.
type scan struct {
	ctx context.Context
	*World
}

var _ rules.World = (*scan)(nil)

// Reference implements rules.World.
func (s *scan) Reference() *rules.Reference { return s.World.Reference }

// Contacts implements rules.World.
func (s *scan) Contacts(yield func(*contact.History) error) error {
	err := s.View.Scan(s.ctx, view.Selection{}, s.Limit, func(stored view.History) error {
		h, err := historyOf(s.Decode, stored)
		if err != nil {
			return err
		}
		return yield(h)
	})
	if err != nil {
		return fmt.Errorf("inquiry scan contacts: %w", err)
	}
	return nil
}
