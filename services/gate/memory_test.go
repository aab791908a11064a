package gate

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
)

// memory against a map, through collections and records larger than a segment.
func TestMemoryIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, want := newMemory(), map[events.ContactKey][]byte{}
		contacts := rapid.IntRange(1, 40).Draw(t, "contacts")
		large := rapid.SampledFrom([]int{20, 300, 40_000}).Draw(t, "largest")
		for range rapid.IntRange(1, 300).Draw(t, "appends") {
			var key events.ContactKey
			binary.LittleEndian.PutUint32(key[4:], uint32(rapid.IntRange(0, contacts).Draw(t, "contact")%7)) // collisions in the table
			key[15] = byte(rapid.IntRange(0, contacts).Draw(t, "shard"))
			content := bytes.Repeat([]byte{byte(len(want))}, rapid.IntRange(0, large).Draw(t, "length"))
			m.append(key, content)
			want[key] = append(want[key], content...)
		}
		used, dead := 0, 0
		for i := range m.segments {
			used, dead = used+len(m.segments[i].b), dead+m.segments[i].dead
		}
		if used != m.used || dead != m.dead {
			t.Fatalf("counted %d bytes, %d left behind; there are %d and %d", m.used, m.dead, used, dead)
		}
		if m.contacts() != len(want) {
			t.Fatalf("%d contacts, want %d", m.contacts(), len(want))
		}
		for key, content := range want {
			if got := m.get(key); !bytes.Equal(got, content) {
				t.Fatalf("contact %s: %d bytes, want %d", key, len(got), len(content))
			}
		}
		if got := m.get(events.ContactKey{1}); got != nil {
			t.Fatalf("an unknown contact has %d bytes", len(got))
		}
	})
}

// What is left behind is collected: memory follows what lives.
func TestMemoryIsCollected(t *testing.T) {
	m := newMemory()
	live := 0
	for round := range 40 {
		for i := range 2000 {
			var key events.ContactKey
			binary.LittleEndian.PutUint32(key[4:], uint32(i*2654435761))
			m.append(key, []byte("0123456789"))
			live += 10
		}
		if limit := live + live/2 + 2000*(20+8+2*recordHead) + 4*segmentSize; m.bytes() > limit {
			t.Fatalf("round %d: %d bytes for %d living ones, want at most %d", round, m.bytes(), live, limit)
		}
	}
}

// The stored form of a fact reads back, and nothing else reads.
func TestEncodedReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string, zero bool) events.Instant {
			if zero && rapid.Bool().Draw(t, name+" absent") {
				return 0
			}
			i := epoch + events.Instant(rapid.Int64Range(-1e15, 2e15).Draw(t, name))
			if rapid.Bool().Draw(t, name+" whole") {
				i -= i % milli
			}
			return i
		}
		text := rapid.OneOf(rapid.Just(""), rapid.StringN(1, 20, 40), rapid.Just("0190f7a2-7e1b-7c3d-8e4f-5a6b7c8d9e0f"), rapid.Just("0190F7A2-7e1b-7c3d-8e4f-5a6b7c8d9e0f"), rapid.Just(strings.Repeat("long ", 40)))
		f := encoded{template: rapid.OneOf(rapid.Uint32Range(0, 0x81), rapid.Uint32()).Draw(t, "template"), time: at("time", false)}
		f.received = f.time + events.Instant(rapid.Int64Range(0, 1e9).Draw(t, "received"))
		f.first, f.second = text.Draw(t, "first"), text.Draw(t, "second")
		f.dialled, f.confirmed, f.notified = at("dialled", true), at("confirmed", true), at("notified", true)
		b := append(f.append(nil), "rest"...)
		var got encoded
		rest, err := got.next(b)
		if err != nil || string(rest) != "rest" || got != f {
			t.Fatalf("read %+v, rest %q, error %v; want %+v", got, rest, err, f)
		}
		for n := range len(b) - len("rest") {
			if _, err := new(encoded).next(b[:n]); err == nil {
				t.Fatalf("%d of %d bytes read as a fact", n, len(b)-len("rest"))
			}
		}
	})
}

func FuzzEncoded(f *testing.F) {
	one := encoded{template: 300, time: epoch.Add(1e15), received: epoch.Add(2e15), own: own{first: "g-1", dialled: epoch}}
	f.Add(one.append(nil))
	f.Add([]byte{flagProof | flagWide, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e encoded
		rest, err := e.next(b)
		if err != nil {
			return
		}
		var again encoded
		if left, err := again.next(e.append(nil)); err != nil || len(left) > 0 || again != e {
			t.Errorf("%x reads as %+v, which reads back as %+v (%v)", b[:len(b)-len(rest)], e, again, err)
		}
	})
}

// The filter never forgets, and seldom takes a new identity for a known one.
func TestFilter(t *testing.T) {
	f := newFilter(firstRoom)
	id := func(i int) events.IdentityHash { return events.Identity{Source: "s", ID: strconv.Itoa(i)}.Hash() }
	const n = 60_000
	mistaken := 0
	for i := range n {
		if f.seen(id(i)) {
			mistaken++
		}
	}
	for i := range n {
		if !f.seen(id(i)) {
			t.Fatalf("identity %d was forgotten", i)
		}
	}
	if mistaken > n/500 {
		t.Errorf("%d of %d new identities were taken for known ones", mistaken, n)
	}
	if len(f.layers) != 2 || f.bytes() > n*bitsPerEntry/8*3 {
		t.Errorf("%d layers of %d bytes for %d identities", len(f.layers), f.bytes(), n)
	}
}
