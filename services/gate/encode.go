package gate

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"unsafe"

	"github.com/assenso/assenso/events"
)

// One fact in memory:
//
//	flags     1 byte
//	template  uvarint
//	time      5 bytes, milliseconds since epoch, big endian; 8 bytes of microseconds where wide
//	received  uvarint, microseconds after time, where flagAhead
//	first     text, where flagFirst
//	second    text, where flagSecond
//	dialled   uvarint before time, where flagDialled: milliseconds, microseconds where wide
//	proof     two uvarint, microseconds after time plus 1, 0 for none, where flagProof
//
// A text is its length as uvarint and its bytes; length 0 stands for the 16
// bytes of a UUID in lower-case canonical form.
const (
	flagWide byte = 1 << iota
	flagAhead
	flagFirst
	flagSecond
	flagDialled
	flagProof
)

// epoch is the zero of narrow times: 2010-01-01T00:00:00Z. Five bytes of
// milliseconds reach to 2044; other times are wide.
var epoch = events.InstantFromUnixMicro(1_262_304_000_000_000)

const (
	milli     = 1000 // microseconds
	narrowMax = 1 << 40

	// What stands before the fields that flags name, where the template's number
	// takes one byte.
	narrowHead = 1 + 1 + 5
	wideHead   = 1 + 1 + 8
)

// encoded is one fact as it is stored.
type encoded struct {
	template       uint32
	time, received events.Instant
	own
}

// append writes the fact. received is kept only where it differs from time: the
// caller sets it to time once it has passed.
func (f *encoded) append(dst []byte) []byte {
	var flags byte
	since := int64(f.time - epoch)
	if since < 0 || since%milli != 0 || since/milli >= narrowMax || (f.dialled != 0 && int64(f.time-f.dialled)%milli != 0) {
		flags |= flagWide
	}
	for _, b := range []struct {
		flag byte
		iff  bool
	}{
		{flagAhead, f.received > f.time}, {flagFirst, f.first != ""}, {flagSecond, f.second != ""},
		{flagDialled, f.dialled != 0}, {flagProof, f.confirmed != 0 || f.notified != 0},
	} {
		if b.iff {
			flags |= b.flag
		}
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(f.template))
	unit := int64(milli)
	if flags&flagWide != 0 {
		dst, unit = binary.BigEndian.AppendUint64(dst, uint64(f.time)), 1
	} else {
		ms := uint64(since / milli)
		dst = append(dst, byte(ms>>32), byte(ms>>24), byte(ms>>16), byte(ms>>8), byte(ms))
	}
	if flags&flagAhead != 0 {
		dst = binary.AppendUvarint(dst, uint64(f.received-f.time))
	}
	if flags&flagFirst != 0 {
		dst = appendText(dst, f.first)
	}
	if flags&flagSecond != 0 {
		dst = appendText(dst, f.second)
	}
	if flags&flagDialled != 0 {
		dst = binary.AppendVarint(dst, int64(f.time-f.dialled)/unit)
	}
	if flags&flagProof != 0 {
		dst = appendAfter(appendAfter(dst, f.time, f.confirmed), f.time, f.notified)
	}
	return dst
}

func appendAfter(dst []byte, time, at events.Instant) []byte {
	if at == 0 {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, zigzag(int64(at-time))+1)
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func appendText(dst []byte, s string) []byte {
	if id, ok := parseUUID(s); ok {
		return append(append(dst, 0), id[:]...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parseUUID reads a UUID in lower-case canonical form.
func parseUUID(s string) (id [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'F' {
			return id, false
		}
	}
	at := 0
	for _, part := range [...]string{s[0:8], s[9:13], s[14:18], s[19:23], s[24:36]} {
		n, err := hex.Decode(id[at:], []byte(part))
		if err != nil {
			return id, false
		}
		at += n
	}
	return id, true
}

// formatUUID writes a UUID in lower-case canonical form.
func formatUUID(b *[36]byte, id []byte) []byte {
	_ = id[15]
	for i, at := range [16]int8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		pair := hexPairs[id[i]]
		b[at], b[at+1] = pair[0], pair[1]
	}
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return b[:]
}

// hexPairs are the two digits of each byte.
var hexPairs = func() (out [256][2]byte) {
	const digits = "0123456789abcdef"
	for i := range out {
		out[i] = [2]byte{digits[i>>4], digits[i&15]}
	}
	return out
}()

// errRecord: the memory of a contact cannot be read. It never happens but by a
// fault of the program or a snapshot that was changed.
var errRecord = fmt.Errorf("gate memory unreadable")

// next reads the first fact of b and returns what follows it.
func (f *encoded) next(b []byte) (rest []byte, err error) { return f.nextIn(b, nil) }

// nextIn reads like next; texts lie in the given memory and live as long as
// that. nil = each text in its own.
func (f *encoded) nextIn(b []byte, texts *texts) (rest []byte, err error) {
	var s stored
	if rest, err = s.next(b); err != nil {
		return nil, err
	}
	f.template, f.time, f.received, f.own = s.template, s.time, s.time+s.ahead, own{}
	if s.flags&^flagWide != 0 {
		f.first, f.second = texts.of(s.first), texts.of(s.second)
		f.dialled, f.confirmed, f.notified = s.dialled, s.confirmed, s.notified
	}
	return rest, nil
}

// stored is one fact as it is read, its texts as they are stored.
type stored struct {
	flags         byte
	template      uint32
	time          events.Instant
	ahead         events.Instant // received after time
	first, second []byte         // nil = none
	dialled       events.Instant
	confirmed     events.Instant
	notified      events.Instant
}

// next reads the first fact of b and returns what follows it.
func (s *stored) next(b []byte) (rest []byte, err error) {
	if len(b) >= narrowHead && b[1] < 0x80 && (b[0]&flagWide == 0 || len(b) >= wideHead) { // nearly all
		s.flags, s.template = b[0], uint32(b[1])
		s.ahead, s.dialled, s.first, s.second = 0, 0, nil, nil
		head, unit := narrowHead, int64(milli)
		if s.flags&flagWide != 0 {
			s.time, head, unit = events.Instant(binary.BigEndian.Uint64(b[2:])), wideHead, 1
		} else {
			s.time = epoch + events.Instant((uint64(b[2])<<32|uint64(binary.BigEndian.Uint32(b[3:])))*milli)
		}
		if s.flags&^flagWide == 0 {
			return b[head:], nil
		}
		return s.fields(reader{b: b[head:]}, unit)
	}
	r, unit := reader{b: b}, int64(milli)
	*s = stored{flags: r.byte(), template: uint32(r.uvarint())}
	if s.flags&flagWide != 0 {
		s.time, unit = events.Instant(r.bigEndian(8)), 1
	} else {
		s.time = epoch + events.Instant(r.bigEndian(5)*milli)
	}
	return s.fields(r, unit)
}

// fields reads what the flags name.
func (s *stored) fields(r reader, unit int64) (rest []byte, err error) {
	if s.flags&flagAhead != 0 {
		s.ahead = events.Instant(r.uvarint())
	}
	if s.flags&flagFirst != 0 {
		s.first = r.text()
	}
	if s.flags&flagSecond != 0 {
		s.second = r.text()
	}
	if s.flags&flagDialled != 0 {
		s.dialled = s.time - events.Instant(r.varint()*unit)
	}
	s.confirmed, s.notified = 0, 0
	if s.flags&flagProof != 0 {
		s.confirmed, s.notified = r.after(s.time), r.after(s.time)
	}
	if r.failed || s.flags >= flagProof<<1 || s.time+s.ahead < s.time {
		return nil, errRecord
	}
	return r.b, nil
}

// reader takes bytes off the front.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) bigEndian(n int) uint64 {
	var v uint64
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

func (r *reader) after(time events.Instant) events.Instant {
	v := r.uvarint()
	if v == 0 {
		return 0
	}
	return time + events.Instant(unzigzag(v-1))
}

// text takes a text as it is stored: see texts.of.
func (r *reader) text() []byte {
	whole := r.b
	if len(whole) > 0 && whole[0] == 0 { // a UUID
		return r.take(1 + uuidSize)
	}
	n := r.uvarint()
	head := len(whole) - len(r.b)
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return nil
	}
	r.take(int(n))
	return whole[:head+int(n)]
}

const uuidSize = 16

// texts is memory for many short texts, used again after reset.
type texts struct{ b []byte }

// of returns a text that is stored as b; "" for nil. It lives as keep says.
func (t *texts) of(b []byte) string {
	switch {
	case b == nil:
		return ""
	case b[0] == 0:
		var text [36]byte
		return t.keep(formatUUID(&text, b[1:]))
	case b[0] < 0x80: // nearly all
		return t.keep(b[1:])
	}
	_, head := binary.Uvarint(b)
	return t.keep(b[head:])
}

func (t *texts) reset() {
	if t != nil {
		t.b = t.b[:0]
	}
}

// keep returns b as a string. It is valid until reset; without texts, for ever.
func (t *texts) keep(b []byte) string {
	if t == nil || len(b) == 0 {
		return string(b)
	}
	at := len(t.b)
	t.b = append(t.b, b...) // an array that is outgrown lives on with its strings
	return unsafe.String(&t.b[at], len(b))
}
