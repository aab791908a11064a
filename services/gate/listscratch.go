package gate

import "github.com/assenso/assenso/events"

// listScratch is the memory in which a chunk of a list is answered, used again.
type listScratch struct {
	scratch
	full []int // contacts of the chunk that are judged from whole histories

	memories [listHold]*memory
	found    [listHold]uint32 // place of the record; 0 = nothing is kept
	touched  byte
}

func newListScratch() *listScratch { return &listScratch{scratch: scratch{texts: &texts{}}} }

// find looks up where the records of a few contacts lie. It goes through them
// three times, each time reading one place in memory for each: reads that do
// not wait for one another are under way at once, a million contacts are not in
// any cache. mu is held.
func (sc *listScratch) find(s *state, keys []events.ContactKey) {
	for i := range keys {
		m := s.shard(keys[i]).memory
		sc.memories[i], sc.found[i] = m, m.candidate(keys[i])
	}
	for i := range keys {
		n := sc.found[i]
		if n == 0 {
			continue
		}
		m := sc.memories[i]
		if e := &m.entries[n-1]; e.key == keys[i] {
			sc.found[i] = e.at
			continue
		}
		sc.found[i] = 0
		if at := m.find(keys[i]); at >= 0 {
			sc.found[i] = m.entries[at].at
		}
	}
	for i := range keys {
		if at := sc.found[i]; at != 0 {
			segment, off := sc.memories[i].unplace(at)
			b := sc.memories[i].segments[segment].b
			sc.touched += b[off] + b[min(off+cacheLine, len(b)-1)] + b[min(off+2*cacheLine, len(b)-1)]
		}
	}
}

// candidate returns the number plus 1 of the first entry that may be the
// contact's, without looking at it; 0 = there is none.
func (m *memory) candidate(key events.ContactKey) uint32 {
	if len(m.table) == 0 {
		return 0
	}
	mask, own := uint32(len(m.table)-1), tag(key)
	for i := hash(key) & mask; ; i = (i + 1) & mask {
		if n := m.table[i]; n == 0 || n&^numberMask == own {
			return n & numberMask
		}
	}
}

// cacheLine is how much of memory comes at once, bytes; most records are longer.
const cacheLine = 64

// content returns the record of the i-th contact of find; nil for none.
func (sc *listScratch) content(i int) []byte {
	if sc.found[i] == 0 {
		return nil
	}
	_, content := sc.memories[i].record(sc.found[i])
	return content
}
