// Package standing works out what stands in the way of calling one contact, and of dialling whole lists or for a controller at all (pure).
//
//	stops, next := standing.OfContact(engine, reference, history, orders, now)
//	stops, orders, next := standing.OfLists(reference, now)
//
// The same facts give the same stops, in whatever order they arrived. What the
// law says of one purpose and channel comes from rules; here it is put together
// into what a dialer is told: one stop for each controller, contact (or list)
// and cause. A stop's scope is the smallest product of purposes and channels
// that holds everything that stands, so it may stop a little too much and never
// too little; the gate decides each call.
package standing

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

// Stop is one thing that a dialer must know.
type Stop struct {
	Key events.FeedKey
	// Purposes and Channels are the scope; 0 = all.
	Purposes events.PurposeSet
	Channels events.ChannelSet
	// Lists, of a contact, narrow it to calls from these lists; nil = all.
	Lists []string
	// At is from when it holds.
	At events.Instant
	// Causes are the facts behind it, by time; the last one is the cause.
	Causes []*contact.Fact
}

// Cause is the latest fact behind the stop.
func (s *Stop) Cause() *contact.Fact { return s.Causes[len(s.Causes)-1] }

// Calls are the purposes of calls that consent and lists decide.
const Calls = events.PurposeSet(1<<0 | 1<<1) // marketing, market_research

// Engine is what this package asks of rules.
type Engine interface {
	Hindrances(h *contact.History, ref *rules.Reference, at events.Instant, yield func(rules.Hindrance)) ([]*contact.Fact, events.Instant)
}

// OfContact returns what stands against calling one contact at an instant, by
// key, and the first later instant at which time alone may change it (zero for
// none). Changes by orders are not among these instants; see OfLists.
func OfContact(e Engine, ref *rules.Reference, h *contact.History, orders []Order, at events.Instant) ([]Stop, events.Instant) {
	c := collector{contact: h.Key}
	seen, next := e.Hindrances(h, ref, at, func(x rules.Hindrance) {
		s := c.stop(x.Controller, x.Kind)
		s.Purposes |= x.Purpose.Bit()
		s.Channels |= x.Channel.Bit()
		s.cause(x.By, x.From)
	})
	c.rows(seen, orders)
	return c.done(), next
}

// collector gathers the stops of one contact.
type collector struct {
	contact events.ContactKey
	stops   []*Stop
}

func (c *collector) stop(controller string, kind events.FeedKind) *Stop {
	for _, s := range c.stops {
		if s.Key.Controller == controller && s.Key.Kind == kind {
			return s
		}
	}
	s := &Stop{Key: events.FeedKey{Controller: controller, Contact: c.contact, Kind: kind}}
	c.stops = append(c.stops, s)
	return s
}

// cause notes a fact behind the stop; At becomes that of the latest.
func (s *Stop) cause(f *contact.Fact, from events.Instant) {
	if len(s.Causes) > 0 && byTime(f, s.Cause()) >= 0 || len(s.Causes) == 0 {
		s.At = from
	}
	i, found := slices.BinarySearchFunc(s.Causes, f, byTime)
	if !found {
		s.Causes = slices.Insert(s.Causes, i, f)
	}
}

func byTime(a, b *contact.Fact) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID), bytes.Compare(a.Digest[:], b.Digest[:]))
}

func (c *collector) done() []Stop {
	out := make([]Stop, 0, len(c.stops))
	for _, s := range c.stops {
		if s.Channels == events.AllChannels {
			s.Channels = 0
		}
		slices.Sort(s.Lists)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Stop) int { return CompareKeys(a.Key, b.Key) })
	return out
}

// CompareKeys orders keys: contact, controller, kind, list, campaign.
func CompareKeys(a, b events.FeedKey) int {
	return cmp.Or(bytes.Compare(a.Contact[:], b.Contact[:]), cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.List, b.List), cmp.Compare(a.Campaign, b.Campaign))
}

// row is what the facts say of one contact on one list.
type row struct {
	list        string
	controllers []string // who published rows
	added       []*contact.Fact
	removed     *contact.Fact // the latest removal
}

// rows adds what removals and orders say.
func (c *collector) rows(seen []*contact.Fact, orders []Order) {
	for _, r := range rowsOf(seen) {
		current := slices.DeleteFunc(r.added, func(f *contact.Fact) bool { return r.removed != nil && f.Time <= r.removed.Time })
		if r.removed != nil && len(current) == 0 {
			for _, controller := range r.controllers {
				s := c.stop(controller, events.FeedList)
				s.Purposes, s.Channels = Calls, 0
				s.Lists = append(s.Lists, r.list)
				s.cause(r.removed, r.removed.Time)
			}
		}
		for _, f := range current {
			c.ordered(r.list, f, orders)
		}
	}
}

// ordered adds the orders that hit one current row.
func (c *collector) ordered(list string, f *contact.Fact, orders []Order) {
	d := f.Data.(*events.ListContactAdded)
	for i := range orders {
		o := &orders[i]
		if o.Controller != "" && o.Controller != f.Controller || slices.Contains(o.Lists, list) {
			continue
		}
		if !(d.Vendor != "" && slices.Contains(o.Vendors, d.Vendor)) && !(d.Source != "" && slices.Contains(o.Sources, d.Source)) {
			continue
		}
		s := c.stop(f.Controller, events.FeedOrder)
		if !slices.Contains(s.Lists, list) {
			s.Lists = append(s.Lists, list)
		}
		s.cause(o.Fact, o.From)
	}
}

func rowsOf(seen []*contact.Fact) []row {
	var out []row
	at := func(list, controller string) *row {
		i := slices.IndexFunc(out, func(r row) bool { return r.list == list })
		if i < 0 {
			out = append(out, row{list: list})
			i = len(out) - 1
		}
		if !slices.Contains(out[i].controllers, controller) {
			out[i].controllers = append(out[i].controllers, controller)
		}
		return &out[i]
	}
	for _, f := range seen {
		switch d := f.Data.(type) {
		case *events.ListContactAdded:
			r := at(d.List, f.Controller)
			r.added = append(r.added, f)
		case *events.ListContactRemoved:
			r := at(d.List, f.Controller)
			if r.removed == nil || byTime(f, r.removed) > 0 {
				r.removed = f
			}
		}
	}
	return out
}
