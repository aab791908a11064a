package feed

import (
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
)

// saying is a message on its way, with what is then said of its key.
type saying struct {
	entry said.Entry // Message without phone; Position once it is stored
	id    string     // message id
}

// overlay is what has been published and is not stored in said yet: by contact
// and key.
type overlay map[events.ContactKey]map[events.FeedKey]pending

// pending is the latest saying of a key, and the unit that stores it.
type pending struct {
	saying
	unit uint64
}

func (o overlay) put(s saying, unit uint64) {
	k := s.entry.Message.Key()
	if o[k.Contact] == nil {
		o[k.Contact] = map[events.FeedKey]pending{}
	}
	o[k.Contact][k] = pending{s, unit}
}

// drop forgets what a unit has stored.
func (o overlay) drop(u *unit) {
	for i := range u.sayings {
		k := u.sayings[i].entry.Message.Key()
		if p, ok := o[k.Contact][k]; ok && p.unit == u.number {
			delete(o[k.Contact], k)
		}
		if len(o[k.Contact]) == 0 {
			delete(o, k.Contact)
		}
	}
}

// heardOf is what dialers have heard of one contact: stored entries under the
// overlay.
func (l *life) heardOf(contact events.ContactKey, entries []said.Entry) map[events.FeedKey]*said.Entry {
	out := make(map[events.FeedKey]*said.Entry, len(entries))
	for i := range entries {
		out[entries[i].Message.Key()] = &entries[i]
	}
	for k, p := range l.fresh[contact] {
		if p.entry.Message.Effect == events.FeedStop {
			out[k] = &p.entry
		} else {
			delete(out, k)
		}
	}
	return out
}

// each says whether every event behind a kind is said, not only what changes.
func each(k events.FeedKind) bool { return k == events.FeedRevocation || k == events.FeedOpposition }

// differences adds to u what must be said of one contact (or of the lists) so
// that dialers know its stops. In a hurry only what stops more is said: what
// stops less waits for certainty.
func (l *life) differences(u *unit, contact events.ContactKey, stops []standing.Stop, entries []said.Entry, hurry bool) {
	heard := l.heardOf(contact, entries)
	for i := range stops {
		s := &stops[i]
		e := heard[s.Key]
		delete(heard, s.Key)
		l.difference(u, s, e, hurry)
	}
	if hurry {
		return
	}
	for _, e := range sorted(heard) {
		m := e.Message
		m.Effect, m.Sent, m.At = events.FeedResume, l.cfg.Clock(), l.cfg.Clock()
		u.say(saying{entry: said.Entry{Message: m}})
	}
}

// takeBack says, while the feed's memory is built anew, that nothing stands for
// the controller of an erasure but what is said otherwise: what FEED held of
// the contact was deleted, so nobody knows what dialers were told.
func (l *life) takeBack(u *unit, f *contact.Fact, k *looked) {
	heard := l.heardOf(k.contact, k.entries)
	for _, kind := range events.FeedKinds {
		key := events.FeedKey{Controller: f.Controller, Contact: k.contact, Kind: kind}
		if heard[key] != nil || slices.ContainsFunc(k.stops, func(s standing.Stop) bool { return s.Key == key }) {
			continue
		}
		m := events.FeedMessage{Kind: kind, Effect: events.FeedResume, Controller: f.Controller, Contact: k.contact, At: l.cfg.Clock(), Sent: l.cfg.Clock()}
		cause(&m, f)
		u.say(saying{entry: said.Entry{Message: m}})
	}
}

func sorted(heard map[events.FeedKey]*said.Entry) []*said.Entry {
	out := make([]*said.Entry, 0, len(heard))
	for _, e := range heard {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *said.Entry) int { return standing.CompareKeys(a.Message.Key(), b.Message.Key()) })
	return out
}

// difference adds what must be said of one stop, of which e (nil: nothing) was
// heard.
func (l *life) difference(u *unit, s *standing.Stop, e *said.Entry, hurry bool) {
	m := l.message(s)
	var known []events.IdentityHash
	if e != nil {
		known = e.Causes
		if hurry {
			widen(&m, &e.Message)
		}
	}
	changed := e == nil || !sameScope(&m, &e.Message)
	entry := said.Entry{Message: m}
	for _, f := range s.Causes {
		h := f.Identity().Hash()
		isNew := !slices.Contains(known, h)
		entry.Causes = append(entry.Causes, h)
		if isNew && each(s.Key.Kind) && f != s.Cause() {
			one := said.Entry{Message: m, Causes: slices.Clone(entry.Causes), First: true}
			cause(&one.Message, f)
			one.Message.At = f.Time
			u.say(saying{entry: one})
		}
		changed = changed || isNew && each(s.Key.Kind)
		entry.First = isNew // in the end, of the cause
	}
	switch {
	case changed:
		u.say(saying{entry: entry})
	case !hurry && each(s.Key.Kind) && len(entry.Causes) < len(known):
		if _, ok := l.fresh[s.Key.Contact][s.Key]; !ok { // what is on its way has no place yet
			quiet := *e
			quiet.Causes = entry.Causes
			u.change.Quiet = append(u.change.Quiet, quiet)
		}
	}
}

// message puts a stop into words.
func (l *life) message(s *standing.Stop) events.FeedMessage {
	m := events.FeedMessage{
		Kind: s.Key.Kind, Effect: events.FeedStop, Controller: s.Key.Controller, Contact: s.Key.Contact,
		Purposes: s.Purposes.List(), Channels: s.Channels.List(), Lists: s.Lists, At: s.At, Sent: l.cfg.Clock(),
	}
	if s.Key.List != "" {
		m.Lists = []string{s.Key.List}
	}
	cause(&m, s.Cause())
	return m
}

// cause names the event behind a message.
func cause(m *events.FeedMessage, f *contact.Fact) {
	m.Cause, m.Type, m.Received, m.Recorded = f.Identity(), f.Type, f.Received, f.Recorded
	m.Ledger = events.FeedPlace{Stream: f.Stream, Sequence: f.Sequence}
}

// widen makes m stop all that a former message stops.
func widen(m, former *events.FeedMessage) {
	m.Purposes = union(m.Purposes, former.Purposes)
	m.Channels = union(m.Channels, former.Channels)
	m.Lists = union(m.Lists, former.Lists)
}

// union joins two scopes, of which an empty one is everything.
func union[T ~string](a, b []T) []T {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func sameScope(a, b *events.FeedMessage) bool {
	return sameSet(a.Purposes, b.Purposes) && sameSet(a.Channels, b.Channels) && sameSet(a.Lists, b.Lists)
}

func sameSet[T ~string](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}
