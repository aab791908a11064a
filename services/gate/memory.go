package gate

import (
	"encoding/binary"

	"github.com/assenso/assenso/events"
)

// memory maps contact keys to records of bytes, without a pointer to each, so
// that the garbage collector has nothing to look at. A record only grows: it
// is written anew behind what was written last, and what is left behind is
// collected by moving the living records of the emptiest segment. It is not
// safe for concurrent use.
type memory struct {
	table    []uint32 // open addressing by key: number of the entry plus 1, with its tag; 0 = free
	entries  []entry
	segments []segment
	free     []int // numbers of segments without content
	head     int   // segment being filled; -1 = none
	used     int   // bytes written in all segments
	dead     int   // of them, left behind
}

// entry is one contact. at is its place, see place; 0 = nothing is kept.
type entry struct {
	key events.ContactKey
	at  uint32
}

type segment struct {
	b    []byte // written part; its capacity is the segment
	dead int
}

// A record is a header of two little-endian uint32, the number of its entry and
// the length of its content, then the content, padded to a multiple of 4.
const (
	segmentSize = 1 << 16
	recordHead  = 8
	placeBits   = 14 // of the place in a segment, in units of 4 bytes
	placeUnit   = 4
)

func newMemory() *memory { return &memory{head: -1} }

// contacts returns how many contacts are known.
func (m *memory) contacts() int { return len(m.entries) }

// bytes returns how much memory is held.
func (m *memory) bytes() int {
	n := 4*cap(m.table) + 20*cap(m.entries)
	for i := range m.segments {
		n += cap(m.segments[i].b) + 32
	}
	return n
}

// find returns the number of a contact's entry, or -1.
func (m *memory) find(key events.ContactKey) int {
	if len(m.table) == 0 {
		return -1
	}
	mask, own := uint32(len(m.table)-1), tag(key)
	for i := hash(key) & mask; ; i = (i + 1) & mask {
		n := m.table[i]
		if n == 0 {
			return -1
		}
		if n&^numberMask == own && m.entries[n&numberMask-1].key == key {
			return int(n&numberMask - 1)
		}
	}
}

// hash takes four bytes of the key that decide neither partition nor shard;
// contact keys are random.
func hash(key events.ContactKey) uint32 { return binary.LittleEndian.Uint32(key[4:8]) }

// tag is what stands of the key beside a number in the table, so that nearly
// no entry but the right one is looked at: six bits that hash does not take.
func tag(key events.ContactKey) uint32 { return uint32(key[8]) << numberBits }

// numberBits are those of an entry's number plus 1: a shard has room for 67
// million contacts.
const (
	numberBits = 26
	numberMask = 1<<numberBits - 1
)

// get returns the content of a contact's record; nil for none. It is valid
// until the next append.
func (m *memory) get(key events.ContactKey) []byte {
	n := m.find(key)
	if n < 0 || m.entries[n].at == 0 {
		return nil
	}
	_, content := m.record(m.entries[n].at)
	return content
}

// place of a record at offset off of segment s; never 0.
func place(s, off int) uint32 { return uint32(s<<placeBits|off/placeUnit) + 1 }

func (m *memory) unplace(at uint32) (s, off int) {
	at--
	return int(at >> placeBits), int(at&(1<<placeBits-1)) * placeUnit
}

func (m *memory) record(at uint32) (number uint32, content []byte) {
	s, off := m.unplace(at)
	b := m.segments[s].b[off:]
	n := binary.LittleEndian.Uint32(b[4:])
	return binary.LittleEndian.Uint32(b), b[recordHead : recordHead+n : recordHead+n]
}

// append adds content to a contact's record.
func (m *memory) append(key events.ContactKey, content []byte) {
	n := m.find(key)
	if n < 0 {
		n = m.enter(key)
	}
	at := m.entries[n].at
	if at == 0 {
		m.entries[n].at = m.write(uint32(n), nil, content)
		return
	}
	if m.extend(at, content) {
		return
	}
	_, old := m.record(at)
	m.entries[n].at = m.write(uint32(n), old, content)
	m.leave(at)
	for m.dead > segmentSize && m.dead > m.used/8 {
		m.collect()
	}
}

// enter makes an entry.
func (m *memory) enter(key events.ContactKey) int {
	if 4*(len(m.entries)+1) > 3*len(m.table) {
		m.rehash(max(64, 2*len(m.table)))
	}
	m.entries = append(m.entries, entry{key: key})
	m.index(len(m.entries) - 1)
	return len(m.entries) - 1
}

func (m *memory) index(n int) {
	mask := uint32(len(m.table) - 1)
	i := hash(m.entries[n].key) & mask
	for m.table[i] != 0 {
		i = (i + 1) & mask
	}
	m.table[i] = uint32(n+1) | tag(m.entries[n].key)
}

func (m *memory) rehash(size int) {
	m.table = make([]uint32, size)
	for n := range m.entries {
		m.index(n)
	}
}

func padded(content int) int { return (recordHead + content + placeUnit - 1) &^ (placeUnit - 1) }

// extend grows a record that was written last, in its place.
func (m *memory) extend(at uint32, content []byte) bool {
	s, off := m.unplace(at)
	if s != m.head {
		return false
	}
	seg := &m.segments[s]
	old := int(binary.LittleEndian.Uint32(seg.b[off+4:]))
	if off+padded(old) != len(seg.b) || off+padded(old+len(content)) > cap(seg.b) {
		return false
	}
	m.used += padded(old+len(content)) - padded(old)
	seg.b = append(seg.b[:off+recordHead+old], content...)
	seg.b = pad(seg.b)
	binary.LittleEndian.PutUint32(seg.b[off+4:], uint32(old+len(content)))
	return true
}

func pad(b []byte) []byte {
	for len(b)%placeUnit != 0 {
		b = append(b, 0)
	}
	return b
}

// write puts a record behind what was written last and returns its place.
func (m *memory) write(number uint32, first, second []byte) uint32 {
	size := padded(len(first) + len(second))
	if m.head < 0 || len(m.segments[m.head].b)+size > cap(m.segments[m.head].b) {
		m.head = m.open(size)
	}
	seg := &m.segments[m.head]
	off := len(seg.b)
	seg.b = binary.LittleEndian.AppendUint32(seg.b, number)
	seg.b = binary.LittleEndian.AppendUint32(seg.b, uint32(len(first)+len(second)))
	seg.b = append(append(seg.b, first...), second...)
	seg.b = pad(seg.b)
	m.used += size
	return place(m.head, off)
}

// open returns a segment with room for a record: a used one again, or a new
// one. A record larger than a segment gets one of its own.
func (m *memory) open(size int) int {
	if n := len(m.free); n > 0 && size <= segmentSize {
		s := m.free[n-1]
		m.free = m.free[:n-1]
		return s
	}
	m.segments = append(m.segments, segment{b: make([]byte, 0, max(size, segmentSize))})
	return len(m.segments) - 1
}

// leave marks the record at a place as left behind.
func (m *memory) leave(at uint32) {
	s, _ := m.unplace(at)
	_, content := m.record(at)
	m.segments[s].dead += padded(len(content))
	m.dead += padded(len(content))
	if m.segments[s].dead == len(m.segments[s].b) && s != m.head {
		m.release(s)
	}
}

// release empties a segment in which nothing lives.
func (m *memory) release(s int) {
	seg := &m.segments[s]
	m.used -= len(seg.b)
	m.dead -= seg.dead
	seg.dead = 0
	if cap(seg.b) > segmentSize {
		seg.b = make([]byte, 0, segmentSize)
	}
	seg.b = seg.b[:0]
	m.free = append(m.free, s)
}

// collect moves what lives in the emptiest segment.
func (m *memory) collect() {
	victim := -1
	for s := range m.segments {
		if s != m.head && m.segments[s].dead > 0 && (victim < 0 || m.share(s) > m.share(victim)) {
			victim = s
		}
	}
	if victim < 0 {
		m.head = -1 // everything left behind lies in the head
		return
	}
	b := m.segments[victim].b
	for off := 0; off < len(b); {
		at := place(victim, off)
		number, content := m.record(at)
		off += padded(len(content))
		if m.entries[number].at == at {
			m.entries[number].at = m.write(number, content, nil)
			m.segments[victim].dead += padded(len(content))
			m.dead += padded(len(content))
		}
	}
	m.release(victim)
}

// share is how much of a segment was left behind, in parts of 1024.
func (m *memory) share(s int) int { return m.segments[s].dead * 1024 / len(m.segments[s].b) }
