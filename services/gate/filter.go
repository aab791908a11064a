package gate

import (
	"encoding/binary"

	"github.com/assenso/assenso/events"
)

// filter remembers which identities have been seen: it never forgets one, and
// takes about one new identity of 5,000 for a seen one, which then is looked up.
// It is a row of blocked Bloom filters (Putze, Sanders, Singler 2007), each
// four times as large as the one before; an identity concerns one cache line in each. Hashes
// of identities are random already.
type filter struct {
	layers []layer
}

// layer is a filter for up to room identities.
type layer struct {
	bits []uint64 // blocks of 8 words
	room int
}

const (
	blockWords   = 8
	blockBits    = 64 * blockWords
	bitsPerEntry = 20
	probes       = 8
	firstRoom    = 1 << 14
)

// seen reports whether the identity may have been added before, and adds it.
func (f *filter) seen(id events.IdentityHash) bool {
	for i := range f.layers {
		if f.layers[i].has(id) {
			return true
		}
	}
	f.put(id)
	return false
}

// put adds an identity that was seen before elsewhere.
func (f *filter) put(id events.IdentityHash) {
	if n := len(f.layers); n == 0 || f.layers[n-1].room == 0 {
		f.grow()
	}
	f.layers[len(f.layers)-1].add(id)
}

func (f *filter) grow() {
	room := firstRoom
	if n := len(f.layers); n > 0 {
		room = 4 * len(f.layers[n-1].bits) * 64 / bitsPerEntry
	}
	f.layers = append(f.layers, newLayer(room))
}

// newFilter returns a filter whose first layer has room for so many identities.
func newFilter(expected int) *filter {
	return &filter{layers: []layer{newLayer(max(expected, firstRoom))}}
}

func newLayer(room int) layer {
	blocks := (room*bitsPerEntry + blockBits - 1) / blockBits
	return layer{bits: make([]uint64, blocks*blockWords), room: room}
}

// bytes returns how much memory is held.
func (f *filter) bytes() int {
	n := 0
	for i := range f.layers {
		n += 8 * len(f.layers[i].bits)
	}
	return n
}

// block returns the words that the identity concerns; 8 numbers of 9 bits, for
// the bits in them, come out of the other half of the hash.
func (l *layer) block(id events.IdentityHash) (words []uint64, where uint64, more uint64) {
	n := binary.LittleEndian.Uint64(id[:8])
	at := int(n%uint64(len(l.bits)/blockWords)) * blockWords
	return l.bits[at : at+blockWords : at+blockWords], binary.LittleEndian.Uint64(id[8:]), n >> 40
}

func (l *layer) add(id events.IdentityHash) {
	words, where, more := l.block(id)
	for i := range probes {
		bit := probe(where, more, i)
		words[bit/64] |= 1 << (bit % 64)
	}
	l.room--
}

func (l *layer) has(id events.IdentityHash) bool {
	words, where, more := l.block(id)
	for i := range probes {
		bit := probe(where, more, i)
		if words[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

// probe is the i-th bit of a block: seven times nine bits of one word, then
// nine of another.
func probe(where, more uint64, i int) uint64 {
	if i == probes-1 {
		return more % blockBits
	}
	return where >> (9 * i) % blockBits
}
