package client

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/assenso/assenso/events"
)

// cause is why something is suppressed, or was: one kind of one controller's.
// A cause that no longer stands is kept until the table is built anew, so that
// an older message that comes late does not bring it back.
type cause struct {
	position uint64 // in FEED; of a snapshot, that of the snapshot
	sequence uint64 // in the ledger stream, 0 = not known
	scope    uint32 // of table.scopes
	stream   uint16 // of table.streams
	kind     uint8  // of table.kinds
	marks    uint8
}

// The marks of a cause.
const (
	markStands uint8 = 1 << iota
	markEvery        // of every controller, and not of the follower's own
)

func (c *cause) stands() bool { return c.marks&markStands != 0 }

// same reports whether two causes have one key: a later one replaces the other.
func (c *cause) same(d *cause) bool { return c.kind == d.kind && (c.marks^d.marks)&markEvery == 0 }

// entry is one contact point. Most have one cause; more are chained.
type entry struct {
	contact events.ContactKey // zero where no message named it
	phone   uint64            // digits of E.164; 0 where no message named them
	first   cause
	more    uint32 // index in table.chain, plus one
}

// link is a further cause of an entry.
type link struct {
	cause
	next uint32 // index in table.chain, plus one
}

// target is a list, a campaign or (both false) the controller as a whole.
type target struct {
	list, campaign bool
	name           string
}

// table holds suppressions compactly: entries lie in one array without
// pointers, two open-addressing indexes lead to them by number and by key.
type table struct {
	entries   []entry
	chain     []link
	byPhone   index
	byContact index
	wide      map[target][]cause
	standing  int // entries with a cause that stands

	scopes  interned[scope]
	kinds   interned[events.FeedKind]
	streams interned[string]
}

func newTable() *table {
	t := &table{wide: make(map[target][]cause)}
	t.streams.intern("", "") // 0 = not known
	return t
}

// index is an open-addressing hash table of entry numbers plus one.
type index struct {
	slots []uint32
	used  int
}

// loadNumerator is how many of four slots may be used.
const loadNumerator = 3

func spread(h uint64) uint64 { return h * 0x9e3779b97f4a7c15 }

// place returns the slot of the entry that is wanted, or the free one where it
// belongs. The table is never full.
func (x *index) place(h uint64, wanted func(entry uint32) bool) int {
	mask := uint64(len(x.slots) - 1)
	at := spread(h) >> (64 - bits.Len64(mask))
	for ; ; at = (at + 1) & mask {
		if s := x.slots[at&mask]; s == 0 || wanted(s-1) {
			return int(at & mask)
		}
	}
}

// find returns the entry that is wanted, -1 for none.
func (x *index) find(h uint64, wanted func(entry uint32) bool) int {
	if len(x.slots) == 0 {
		return -1
	}
	return int(x.slots[x.place(h, wanted)]) - 1
}

// add notes an entry that is not in the index; hash tells the hash of the
// others when the index grows.
func (x *index) add(h uint64, n int, hash func(entry uint32) uint64) {
	none := func(uint32) bool { return false }
	if (x.used+1)*4 > len(x.slots)*loadNumerator {
		old := x.slots
		x.slots = make([]uint32, max(16, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				x.slots[x.place(hash(s-1), none)] = s
			}
		}
	}
	x.slots[x.place(h, none)] = uint32(n) + 1
	x.used++
}

func hashOf(k events.ContactKey) uint64 { return binary.BigEndian.Uint64(k[:8]) }

func (t *table) withPhone(phone uint64) int {
	if phone == 0 {
		return -1
	}
	return t.byPhone.find(phone, func(n uint32) bool { return t.entries[n].phone == phone })
}

func (t *table) withContact(k events.ContactKey) int {
	if k.IsZero() {
		return -1
	}
	return t.byContact.find(hashOf(k), func(n uint32) bool { return t.entries[n].contact == k })
}

func (t *table) setPhone(n int, phone uint64) {
	t.entries[n].phone = phone
	t.byPhone.add(phone, n, func(n uint32) uint64 { return t.entries[n].phone })
}

func (t *table) setContact(n int, k events.ContactKey) {
	t.entries[n].contact = k
	t.byContact.add(hashOf(k), n, func(n uint32) uint64 { return hashOf(t.entries[n].contact) })
}

// Special kinds of a cause: a new entry has none, and a feed of the future
// with more kinds than a byte holds gets the last one for all others.
const (
	noCause   = 1<<8 - 1
	otherKind = 1<<8 - 2
)

func (t *table) newEntry(k events.ContactKey, phone uint64) int {
	n := len(t.entries)
	t.entries = append(t.entries, entry{first: cause{kind: noCause}})
	if !k.IsZero() {
		t.setContact(n, k)
	}
	if phone != 0 {
		t.setPhone(n, phone)
	}
	return n
}

// reach returns the entries of a contact point: one, made or completed as
// needed, or both where key and number were known apart.
func (t *table) reach(k events.ContactKey, phone uint64) []int {
	byKey, byPhone := t.withContact(k), t.withPhone(phone)
	switch {
	case byKey < 0 && byPhone < 0:
		return []int{t.newEntry(k, phone)}
	case byKey == byPhone, phone == 0: // nothing is to be joined
		return []int{byKey}
	case k.IsZero():
		return []int{byPhone}
	case byKey < 0 && t.entries[byPhone].contact.IsZero():
		t.setContact(byPhone, k)
		return []int{byPhone}
	case byPhone < 0 && t.entries[byKey].phone == 0:
		t.setPhone(byKey, phone)
		return []int{byKey}
	case byKey < 0: // the number is another key's: it cannot be, and stops both
		byKey = t.newEntry(k, 0)
	case byPhone < 0:
		byPhone = t.newEntry(events.ContactKey{}, phone)
	case t.entries[byKey].phone == 0 && t.entries[byPhone].contact.IsZero():
		t.join(byKey, byPhone)
		return []int{byPhone}
	}
	return []int{byKey, byPhone}
}

// join moves the causes and the key of one entry to another.
func (t *table) join(from, to int) {
	k := t.entries[from].contact
	var moved []cause
	t.causes(from, func(c *cause) bool { moved = append(moved, *c); return true })
	if t.stands(from) {
		t.standing--
	}
	at := t.byContact.place(hashOf(k), func(n uint32) bool { return int(n) == from })
	t.byContact.slots[at] = uint32(to) + 1
	t.entries[to].contact = k
	t.entries[from] = entry{first: cause{kind: noCause}}
	for _, c := range moved {
		t.settle(to, c)
	}
}

// put applies a message. It reports whether a stop is new: nothing of its key
// stood, or with another scope.
func (t *table) put(m *events.FeedMessage, position uint64) (news bool) {
	c := t.causeOf(m, position)
	phone := digitsOf(m.Phone)
	if phone != 0 || !m.Contact.IsZero() {
		s := scopeOf(m)
		c.scope = t.scopes.intern(s.key(), s)
		for _, n := range t.reach(m.Contact, phone) {
			news = t.settle(n, c) || news
		}
		return news
	}
	s := scopeOf(&events.FeedMessage{Purposes: m.Purposes, Channels: m.Channels})
	c.scope = t.scopes.intern(s.key(), s)
	for _, to := range targetsOf(m) {
		causes, fresh := settleIn(t.wide[to], c)
		t.wide[to] = causes
		news = news || fresh
	}
	return news
}

// causeOf writes a message down without its scope. An effect that is not known
// stops.
func (t *table) causeOf(m *events.FeedMessage, position uint64) cause {
	c := cause{position: position, kind: otherKind, marks: markStands}
	if n := t.kinds.intern(string(m.Kind), m.Kind); n < otherKind {
		c.kind = uint8(n)
		if m.Effect == events.FeedResume {
			c.marks = 0
		}
	}
	if m.Controller == "" {
		c.marks |= markEvery
	}
	if n := t.streams.intern(m.Ledger.Stream, m.Ledger.Stream); n < 1<<16 {
		c.stream, c.sequence = uint16(n), m.Ledger.Sequence
	}
	return c
}

// targetsOf returns what a message without a contact concerns.
func targetsOf(m *events.FeedMessage) []target {
	var out []target
	for _, l := range m.Lists {
		out = append(out, target{list: true, name: l})
	}
	for _, k := range m.Campaigns {
		out = append(out, target{campaign: true, name: k})
	}
	if out == nil {
		out = []target{{}}
	}
	return out
}

// replace puts c in the place of old, unless old is younger.
func replace(old *cause, c cause) (news bool) {
	if c.position < old.position {
		return false
	}
	news = c.stands() && (!old.stands() || old.scope != c.scope)
	*old = c
	return news
}

func settleIn(causes []cause, c cause) ([]cause, bool) {
	if i := slices.IndexFunc(causes, func(d cause) bool { return d.same(&c) }); i >= 0 {
		return causes, replace(&causes[i], c)
	}
	return append(causes, c), c.stands()
}

// settle applies a cause to an entry.
func (t *table) settle(n int, c cause) (news bool) {
	stood := t.stands(n)
	defer func() {
		switch now := t.stands(n); {
		case now && !stood:
			t.standing++
		case stood && !now:
			t.standing--
		}
	}()
	e := &t.entries[n]
	if e.first.kind == noCause {
		e.first = c
		return c.stands()
	}
	if e.first.same(&c) {
		return replace(&e.first, c)
	}
	for at := e.more; at != 0; at = t.chain[at-1].next {
		if l := &t.chain[at-1]; l.same(&c) {
			return replace(&l.cause, c)
		}
	}
	t.chain = append(t.chain, link{cause: c, next: e.more})
	e.more = uint32(len(t.chain))
	return c.stands()
}

// causes calls see for each cause of an entry, until it returns false.
func (t *table) causes(n int, see func(*cause) bool) {
	e := &t.entries[n]
	if e.first.kind == noCause || !see(&e.first) {
		return
	}
	for at := e.more; at != 0; at = t.chain[at-1].next {
		if !see(&t.chain[at-1].cause) {
			return
		}
	}
}

func (t *table) stands(n int) (any bool) {
	t.causes(n, func(c *cause) bool { any = c.stands(); return !any })
	return any
}

// without returns a table of what stands, and of what no longer does since
// position: older messages cannot come any more.
func (t *table) without(position uint64) *table {
	out := newTable()
	out.kinds, out.scopes, out.streams = t.kinds, t.scopes, t.streams
	for n := range t.entries {
		e := &t.entries[n]
		at := -1
		t.causes(n, func(c *cause) bool {
			if c.stands() || c.position > position {
				if at < 0 {
					at = out.newEntry(e.contact, e.phone)
				}
				out.settle(at, *c)
			}
			return true
		})
	}
	for to, causes := range t.wide {
		for _, c := range causes {
			if c.stands() || c.position > position {
				out.wide[to] = append(out.wide[to], c)
			}
		}
	}
	return out
}

// holds reports whether a stop stands with the same scope, for all that it
// concerns.
func (t *table) holds(m *events.FeedMessage) bool {
	want := t.causeOf(m, 0)
	has := func(c *cause) bool { return c.same(&want) && c.stands() }
	if phone := digitsOf(m.Phone); phone != 0 || !m.Contact.IsZero() {
		n, held := t.withPhone(phone), false
		if n < 0 {
			n = t.withContact(m.Contact)
		}
		if n < 0 || phone != 0 && t.entries[n].phone != phone {
			return false
		}
		s := scopeOf(m)
		number, known := t.scopes.number[s.key()]
		t.causes(n, func(c *cause) bool { held = known && has(c) && c.scope == number; return !held })
		return held
	}
	s := scopeOf(&events.FeedMessage{Purposes: m.Purposes, Channels: m.Channels})
	number, known := t.scopes.number[s.key()]
	for _, to := range targetsOf(m) {
		if !slices.ContainsFunc(t.wide[to], func(c cause) bool { return known && has(&c) && c.scope == number }) {
			return false
		}
	}
	return true
}
