package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
)

// consentTypes are the reference types on which the worth of a consent rests:
// its notice, and the campaign of the call in which it was given.
var consentTypes = []events.Type{events.TypeNoticePublished, events.TypeCampaignOpened}

// referenceChanges adds to u what reference facts change: lists and orders at
// once, contacts by a sweep.
func (l *life) referenceChanges(ctx context.Context, u *unit, w *touched) error {
	lists := false
	for _, f := range w.refs {
		lists = lists || slices.Contains(standing.ReferenceTypes, f.Type)
		if l.sweepFor(f, w.changed) && !slices.Contains(u.change.Sweep, said.SweepAll) {
			u.change.Sweep = append(u.change.Sweep, said.SweepAll)
		}
	}
	if !lists {
		return nil
	}
	return l.sayLists(ctx, u, false)
}

// sweepFor reports whether a reference fact that came late can change what
// consents are worth; disputed: it, or another, was corrected or conflicts.
func (l *life) sweepFor(f *contact.Fact, disputed bool) bool {
	switch d := f.Data.(type) {
	case *events.NoticePublished:
		return disputed || l.cited[citedNotice(f.Controller, d.Notice, d.Version)]
	case *events.CampaignOpened:
		return disputed || l.cited[said.Cited{Kind: said.CitedCampaign, Controller: f.Controller, Name: f.Campaign}]
	}
	return false
}

// sayLists adds to u what must be said of whole lists, of controllers and of
// all. While the contacts that an order hits by vendor or source are looked
// for, it stops its controller as a whole.
func (l *life) sayLists(ctx context.Context, u *unit, hurry bool) error {
	now := l.cfg.Clock()
	stops, orders, next := standing.OfLists(l.world.Reference, now)
	print := fingerprint(orders)
	changed := print != l.ordersSaid
	if changed {
		for i := range orders {
			if !slices.ContainsFunc(l.orders, func(o standing.Order) bool { return fingerprint([]standing.Order{o}) == fingerprint(orders[i:i+1]) }) {
				l.coarse[orderName(&orders[i])] = true
			}
		}
	}
	stops = l.withCoarse(stops, orders)
	entries, err := l.cfg.Said.Of(ctx, events.ContactKey{})
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	l.differences(u, events.ContactKey{}, stops, entries, hurry)
	if hurry {
		return nil
	}
	if changed {
		l.orders, l.ordersSaid = orders, print
		u.change.Orders = &print
		u.change.Sweep = append(u.change.Sweep, said.SweepOrder)
	}
	l.listsDue, l.looked = next, now
	l.world.Reference.Pending(now, consentTypes, func(_ *contact.Fact, at events.Instant) { l.listsDue = earliest(l.listsDue, at) })
	return nil
}

// fingerprint tells sets of orders apart; "" is the empty set.
func fingerprint(orders []standing.Order) string {
	if len(orders) == 0 {
		return ""
	}
	h := sha256.New()
	for i := range orders {
		o := &orders[i]
		h.Write([]byte(orderName(o)))
		for _, list := range [][]string{{o.Controller}, o.Vendors, o.Sources, o.Lists} {
			for _, s := range list {
				h.Write(append([]byte(s), 0))
			}
			h.Write([]byte{1})
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func orderName(o *standing.Order) string {
	id := o.Fact.Identity().Hash()
	return string(id[:])
}

// withCoarse adds a stop of the whole controller for each order whose contacts
// are not all looked at.
func (l *life) withCoarse(stops []standing.Stop, orders []standing.Order) []standing.Stop {
	for i := range orders {
		o := &orders[i]
		key := events.FeedKey{Controller: o.Controller, Kind: events.FeedOrder}
		if l.coarse[orderName(o)] && !slices.ContainsFunc(stops, func(s standing.Stop) bool { return s.Key == key }) {
			stops = append(stops, standing.Stop{Key: key, At: o.From, Causes: []*contact.Fact{o.Fact}})
		}
	}
	return stops
}

// handleDue says what comes by time alone.
func (l *life) handleDue(ctx context.Context) error {
	now := l.cfg.Clock()
	u := newUnit()
	u.change.Handled = now
	if l.packDue != 0 && l.packDue <= now {
		u.change.Sweep = append(u.change.Sweep, said.SweepAll)
		l.packDue = l.nextPack(now)
	}
	if l.listsDue != 0 && l.listsDue <= now {
		if err := l.listsCome(ctx, u, now); err != nil {
			return err
		}
	}
	if l.due != 0 && l.due <= now && l.dueUnit == 0 && !l.busy() {
		keys, err := l.cfg.Said.Due(ctx, now, dueBatch)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		if err := l.lookAgain(ctx, u, keys); err != nil {
			return err
		}
		u.due = true
	}
	return l.send(ctx, u)
}

// listsCome looks at lists and orders at an instant that changes them, and at
// the notices and campaigns whose time has come.
func (l *life) listsCome(ctx context.Context, u *unit, now events.Instant) error {
	since := l.looked
	if err := l.sayLists(ctx, u, false); err != nil {
		return err
	}
	for _, f := range l.world.Reference.Facts(contact.Finding(now, events.MaxInstant), consentTypes...) {
		if max(f.Time, f.Received) > since && l.sweepFor(f, false) {
			u.change.Sweep = append(u.change.Sweep, said.SweepAll)
			return nil
		}
	}
	return nil
}

// nextPack is when the next pack comes into force; zero when none will.
func (l *life) nextPack(now events.Instant) events.Instant {
	for _, d := range l.cfg.Engine.Packs().Days() {
		if at := d.In(events.Rome); at > now {
			return at
		}
	}
	return 0
}

// rulesVersion changes when this package says other things of the same facts.
const rulesVersion = "1"

// law is a fingerprint of the rules by which the feed speaks.
func (f *Feed) law() (string, error) {
	text, err := json.Marshal(f.cfg.Engine.Packs().Parameters())
	if err != nil {
		return "", fmt.Errorf("feed: fingerprint of the law: %w", err)
	}
	sum := sha256.Sum256(text)
	return rulesVersion + ":" + hex.EncodeToString(sum[:16]), nil
}
