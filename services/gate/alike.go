package gate

import (
	"bytes"
	"encoding/binary"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// rulings remembers what one question said of contacts, so that those that are
// alike to it (rules.Sight) are judged once (schemas/decisions/0027). A contact
// is known by its outline: the templates of its facts and what the question sees
// of their instants. It is for one goroutine.
type rulings struct {
	question *rules.Question
	at       events.Instant // the instant that is judged
	sights   []*rules.Sight // by template, as far as met
	known    map[string]rules.Ruling
	outline
}

// outline is the one being drawn.
type outline struct {
	key      []byte
	instants []events.Instant // of the facts, in their order
	names    [][]byte         // of grants and contracts, as they are stored
	days     []events.Instant // of facts whose day is seen
}

const (
	// mostRulings bounds how many outlines are remembered, some hundred bytes
	// each; what comes later is judged as if there were no memory.
	mostRulings = 1 << 13
	// mostInstants is how many a contact may have: their order is found by
	// comparing each with each.
	mostInstants = 64
)

func newRulings(q *rules.Question, at events.Instant) *rulings {
	return &rulings{question: q, at: at, known: map[string]rules.Ruling{}}
}

// draw makes the outline of a contact's record; false when the contact is alike
// to no other. mu is held.
func (m *rulings) draw(content []byte, list []template) bool {
	o := &m.outline
	o.key, o.instants, o.names, o.days = append(o.key[:0], 0), o.instants[:0], o.names[:0], o.days[:0]
	dated := false
	for len(content) > 0 {
		var f stored
		var err error
		if content, err = f.next(content); err != nil || f.flags&(flagAhead|flagProof) != 0 || int(f.template) >= len(list) || len(o.instants) >= mostInstants {
			return false
		}
		v := m.sight(f.template, list)
		if v.Exact {
			return false
		}
		dated = dated || v.Dated
		o.key[0]++ // the number of facts says where they end
		o.key = append(binary.AppendUvarint(o.key, uint64(f.template)), f.flags&^flagWide)
		if f.flags&^flagWide != 0 {
			if f.flags&flagDialled != 0 && !m.see(v, f.dialled) {
				return false
			}
			if f.first != nil {
				o.names = append(o.names, f.first)
			}
			if f.second != nil {
				o.names = append(o.names, f.second)
			}
		}
		if !m.see(v, f.time) {
			return false
		}
	}
	if dated {
		for _, at := range o.days {
			o.key = binary.AppendVarint(o.key, int64(rules.DateOf(at)))
		}
	}
	return o.order()
}

// see adds what is seen of one instant; false when that is the instant itself.
func (m *rulings) see(v *rules.Sight, at events.Instant) bool {
	if at <= 0 || at >= m.at {
		return false
	}
	if len(v.Bounds) > 0 {
		m.key = append(m.key, v.Side(at))
	}
	if v.Day {
		m.days = append(m.days, at)
	}
	m.instants = append(m.instants, at)
	return true
}

// sight returns what the question sees of the facts of a template.
func (m *rulings) sight(n uint32, list []template) *rules.Sight {
	if int(n) >= len(m.sights) {
		m.sights = append(m.sights, make([]*rules.Sight, int(n)+1-len(m.sights))...)
	}
	if m.sights[n] == nil {
		v := m.question.Sight(list[n].data)
		m.sights[n] = &v
	}
	return m.sights[n]
}

// order adds how the instants compare with one another, and the names; false
// when the names do not show it.
func (o *outline) order() bool {
	ascending := true
	for i := 1; i < len(o.instants); i++ {
		ascending = ascending && o.instants[i-1] < o.instants[i]
	}
	if ascending { // as nearly all are
		o.key = append(o.key, 0)
	} else {
		o.key = append(o.key, 1)
		for _, at := range o.instants {
			earlier := byte(0)
			for _, other := range o.instants {
				if other < at {
					earlier++
				}
			}
			o.key = append(o.key, earlier)
		}
	}
	if len(o.names) < 2 {
		return true
	}
	for _, name := range o.names {
		before := byte(0)
		for _, other := range o.names {
			if (name[0] == 0) != (other[0] == 0) { // only one is a UUID: bytes do not compare as texts do
				return false
			}
			if compareStored(other, name) < 0 {
				before++
			}
		}
		o.key = append(o.key, before)
	}
	return true
}

// compareStored compares two texts that are stored, both UUIDs or neither.
func compareStored(a, b []byte) int {
	if a[0] == 0 {
		return bytes.Compare(a, b)
	}
	_, i := binary.Uvarint(a)
	_, j := binary.Uvarint(b)
	return bytes.Compare(a[i:], b[j:])
}

// find returns what was said of the contact whose outline was drawn.
func (m *rulings) find() (r rules.Ruling, ok bool) {
	r, ok = m.known[string(m.key)]
	return r, ok
}

// note remembers it.
func (m *rulings) note(r rules.Ruling) {
	if len(m.known) < mostRulings {
		m.known[string(m.key)] = r
	}
}
