package standing

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

// Order is a prohibition or limitation in force that names vendors or sources:
// which numbers it hits is seen at the rows of each contact. Lists are those
// that it hits as a whole, so that their rows need no stop of their own.
type Order struct {
	Fact       *contact.Fact
	Controller string // "" = every controller
	From       events.Instant
	Vendors    []string
	Sources    []string
	Lists      []string
}

// ReferenceTypes are the types without a contact that OfLists reads.
var ReferenceTypes = []events.Type{
	events.TypeOrderIssued, events.TypeListAcquired, events.TypeListActivated, events.TypeListRetired,
	events.TypeListScreened, events.TypeListTransferred, events.TypeCampaignOpened,
}

// OfLists returns what stands against whole lists, against a controller or
// against every controller at an instant, by key; the orders that single rows
// must be held against; and the first later instant at which time alone may
// change either (zero for none).
//
// A list is stopped for those who published anything of it and for those whose
// campaigns name it: lists are identified by their id alone.
func OfLists(ref *rules.Reference, at events.Instant) (stops []Stop, orders []Order, next events.Instant) {
	w := lists{at: at, day: events.DateOf(at, events.Rome), next: events.MaxInstant}
	facts := ref.Facts(contact.Finding(at, events.MaxInstant), ReferenceTypes...)
	for _, f := range facts {
		w.list(f)
	}
	for _, l := range w.known {
		w.retired(l)
	}
	for _, f := range facts {
		if d, ok := f.Data.(*events.OrderIssued); ok {
			w.order(f, d)
		}
	}
	ref.Pending(at, ReferenceTypes, func(_ *contact.Fact, when events.Instant) { w.sooner(when) })
	if w.next == events.MaxInstant {
		w.next = 0
	}
	slices.SortFunc(w.stops, func(a, b Stop) int { return CompareKeys(a.Key, b.Key) })
	return w.stops, w.orders, w.next
}

// list is what the facts say of one list.
type list struct {
	id          string
	vendors     []string
	controllers []string
	on          events.Instant
	off         *contact.Fact // latest retirement
}

type lists struct {
	at     events.Instant
	day    events.Date
	known  []*list
	byID   map[string]*list
	stops  []Stop
	index  map[events.FeedKey]int // into stops
	orders []Order
	next   events.Instant
}

func (w *lists) sooner(at events.Instant) {
	if at > w.at {
		w.next = min(w.next, at)
	}
}

func (w *lists) get(id, controller string) *list {
	l := w.byID[id]
	if l == nil {
		if w.byID == nil {
			w.byID = map[string]*list{}
		}
		l = &list{id: id}
		w.byID[id], w.known = l, append(w.known, l)
	}
	if !slices.Contains(l.controllers, controller) {
		l.controllers = append(l.controllers, controller)
	}
	return l
}

// list takes one fact about lists.
func (w *lists) list(f *contact.Fact) {
	switch d := f.Data.(type) {
	case *events.ListAcquired:
		l := w.get(d.List, f.Controller)
		if d.Vendor != "" && !slices.Contains(l.vendors, d.Vendor) {
			l.vendors = append(l.vendors, d.Vendor)
		}
	case *events.ListActivated:
		l := w.get(d.List, f.Controller)
		l.on = max(l.on, f.Time)
	case *events.ListRetired:
		w.get(d.List, f.Controller).off = f // they come by time
	case *events.ListScreened:
		w.get(d.List, f.Controller)
	case *events.ListTransferred:
		w.get(d.List, f.Controller)
		w.get(d.List, d.Recipient)
	case *events.CampaignOpened:
		for _, id := range d.Lists {
			w.get(id, f.Controller)
		}
	}
}

// retired: retired at or after the latest activation.
func (w *lists) retired(l *list) {
	if l.off == nil || l.on > l.off.Time {
		return
	}
	for _, c := range l.controllers {
		w.add(events.FeedKey{Controller: c, List: l.id, Kind: events.FeedList}, Calls, l.off, l.off.Time)
	}
}

// order takes a prohibition or limitation.
func (w *lists) order(f *contact.Fact, d *events.OrderIssued) {
	if d.Kind != events.OrderProhibition && d.Kind != events.OrderLimitation {
		return
	}
	w.sooner(d.From.In(events.Rome))
	if d.To != 0 {
		w.sooner((d.To + 1).In(events.Rome))
	}
	if d.From > w.day || d.To != 0 && d.To < w.day {
		return
	}
	from := max(f.Time, d.From.In(events.Rome))
	key := events.FeedKey{Controller: f.Controller, Kind: events.FeedOrder}
	if d.Scope.All {
		w.add(key, 0, f, from)
		return
	}
	hit := slices.Clone(d.Scope.Lists)
	for _, l := range w.known {
		if slices.ContainsFunc(l.vendors, func(v string) bool { return slices.Contains(d.Scope.Vendors, v) }) {
			hit = append(hit, l.id)
		}
	}
	slices.Sort(hit)
	hit = slices.Compact(hit)
	for _, id := range hit {
		key.List = id
		w.add(key, 0, f, from)
	}
	if len(d.Scope.Vendors)+len(d.Scope.Sources) > 0 {
		w.orders = append(w.orders, Order{Fact: f, Controller: f.Controller, From: from, Vendors: d.Scope.Vendors, Sources: d.Scope.Sources, Lists: hit})
	}
}

func (w *lists) add(key events.FeedKey, purposes events.PurposeSet, by *contact.Fact, from events.Instant) {
	i, ok := w.index[key]
	if !ok {
		if w.index == nil {
			w.index = map[events.FeedKey]int{}
		}
		i = len(w.stops)
		w.index[key], w.stops = i, append(w.stops, Stop{Key: key, Purposes: purposes})
	}
	w.stops[i].cause(by, from)
}
