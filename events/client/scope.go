package client

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Call is a call that a dialer is about to place. An empty field is not known
// and is taken for whatever stops the call.
type Call struct {
	Phone   string            // E.164
	Contact events.ContactKey // beside Phone or instead of it, where a dialer has keys
	Purpose events.Purpose
	Channel events.Channel
	// Campaign is the campaign of the call.
	Campaign string
	// Lists are those that the number was taken from. nil = not known: any list
	// that is stopped stops the call. A number from no list has an empty slice.
	Lists []string
}

// scope is what a suppression covers.
type scope struct {
	purposes  events.PurposeSet // never empty
	channels  events.ChannelSet // never empty
	campaigns []string          // sorted; nil = all
	lists     []string          // sorted; nil = all
}

// scopeOf reads the scope of a message restrictively: absent or unknown means
// everything.
func scopeOf(m *events.FeedMessage) scope {
	var s scope
	for _, p := range m.Purposes {
		if s.purposes |= p.Bit(); p.Bit() == 0 {
			s.purposes |= events.UnknownPurpose
		}
	}
	for _, c := range m.Channels {
		if s.channels |= c.Bit(); c.Bit() == 0 {
			s.channels |= events.UnknownChannel
		}
	}
	s.purposes, s.channels = s.purposes.Restrictive(), s.channels.Restrictive()
	s.campaigns, s.lists = sorted(m.Campaigns), sorted(m.Lists)
	return s
}

func sorted(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// covers reports whether the call lies in the scope.
func (s *scope) covers(c *Call) bool {
	if bit := c.Purpose.Bit(); bit != 0 && s.purposes&bit == 0 {
		return false
	}
	if bit := c.Channel.Bit(); bit != 0 && s.channels&bit == 0 {
		return false
	}
	if s.campaigns != nil && c.Campaign != "" && !slices.Contains(s.campaigns, c.Campaign) {
		return false
	}
	return s.lists == nil || c.Lists == nil || slices.ContainsFunc(c.Lists, func(l string) bool { return slices.Contains(s.lists, l) })
}

// key is equal for equal scopes.
func (s *scope) key() string {
	if s.campaigns == nil && s.lists == nil {
		return string([]byte{byte(s.purposes), byte(s.channels)})
	}
	var b strings.Builder
	b.WriteByte(byte(s.purposes))
	b.WriteByte(byte(s.channels))
	for _, names := range [][]string{s.campaigns, s.lists} {
		b.Write(binary.AppendUvarint(nil, uint64(len(names))))
		for _, n := range names {
			b.Write(binary.AppendUvarint(nil, uint64(len(n))))
			b.WriteString(n)
		}
	}
	return b.String()
}

// interned is a list of distinct values, each of which has a number.
type interned[V any] struct {
	values []V
	number map[string]uint32
}

// intern returns the number of the value with this key, which is made on first
// sight.
func (i *interned[V]) intern(key string, value V) uint32 {
	if n, ok := i.number[key]; ok {
		return n
	}
	if i.number == nil {
		i.number = make(map[string]uint32)
	}
	n := uint32(len(i.values))
	i.values = append(i.values, value)
	i.number[key] = n
	return n
}
