package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assenso/assenso/events"
)

// naive is the set as the contract says it: a map from controller, contact (or
// list, or campaign) and kind to the message with the highest position.
type naive map[[4]string]events.FeedMessage

func (n naive) put(m events.FeedMessage) {
	keys := [][4]string{{m.Controller, "number", m.Phone, string(m.Kind)}}
	if m.Phone == "" && m.Contact.IsZero() {
		keys = nil
		for _, l := range m.Lists {
			keys = append(keys, [4]string{m.Controller, "list", l, string(m.Kind)})
		}
		for _, k := range m.Campaigns {
			keys = append(keys, [4]string{m.Controller, "campaign", k, string(m.Kind)})
		}
		if keys == nil {
			keys = [][4]string{{m.Controller, "controller", "", string(m.Kind)}}
		}
		m.Lists, m.Campaigns = nil, nil
	}
	for _, k := range keys {
		if old, ok := n[k]; !ok || old.Position <= m.Position {
			n[k] = m
		}
	}
}

// stops lists the kinds that stop a call of which everything is known.
func (n naive) stops(c Call) []string {
	var out []string
	for k, m := range n {
		of := k[1] == "number" && k[2] == c.Phone || k[1] == "list" && slices.Contains(c.Lists, k[2]) || k[1] == "campaign" && k[2] == c.Campaign || k[1] == "controller"
		in := (m.Purposes == nil || slices.Contains(m.Purposes, c.Purpose)) && (m.Channels == nil || slices.Contains(m.Channels, c.Channel)) &&
			(m.Campaigns == nil || slices.Contains(m.Campaigns, c.Campaign)) &&
			(m.Lists == nil || slices.ContainsFunc(c.Lists, func(l string) bool { return slices.Contains(m.Lists, l) }))
		if of && in && m.Effect == events.FeedStop {
			out = append(out, k[0]+" "+k[3])
		}
	}
	slices.Sort(out)
	return out
}

// some returns nil, or some of the values.
func some[V any](rnd *rand.Rand, values ...V) []V {
	var out []V
	for _, v := range values {
		if rnd.IntN(3) == 0 {
			out = append(out, v)
		}
	}
	return out
}

func randomMessage(rnd *rand.Rand, numbers []string) events.FeedMessage {
	m := events.FeedMessage{
		Kind: events.FeedKinds[rnd.IntN(4)], Effect: []events.FeedEffect{events.FeedStop, events.FeedStop, events.FeedResume}[rnd.IntN(3)],
		Controller: []string{"A", "A", "", "B"}[rnd.IntN(4)],
		Purposes:   some(rnd, events.PurposeMarketing, events.PurposeService), Channels: some(rnd, events.ChannelOperatorCall, events.ChannelSMS),
	}
	switch rnd.IntN(12) {
	case 0:
		m.Lists = []string{[]string{"L-A", "L-B"}[rnd.IntN(2)]}
	case 1:
		m.Campaigns = []string{[]string{"K-A", "K-B"}[rnd.IntN(2)]}
	case 2: // the controller
	default:
		m.Phone = numbers[rnd.IntN(len(numbers))]
		m.Contact = contactOf(m.Phone)
		m.Lists, m.Campaigns = some(rnd, "L-A", "L-B"), some(rnd, "K-A", "K-B")
		if rnd.IntN(8) == 0 {
			m.Contact = events.ContactKey{}
		}
	}
	return m
}

func calls(numbers []string) []Call {
	var out []Call
	for _, n := range numbers {
		for _, p := range []events.Purpose{events.PurposeMarketing, events.PurposeService} {
			for _, l := range [][]string{{}, {"L-A"}, {"L-A", "L-B"}} {
				out = append(out, Call{Phone: n, Purpose: p, Channel: events.ChannelOperatorCall, Campaign: "K-A", Lists: l})
			}
		}
	}
	return out
}

// stopsOf is what naive.stops says, of a set.
func stopsOf(s *Suppressions, c Call) []string {
	var out []string
	phone := digitsOf(c.Phone)
	s.set.stops(&c, phone, nil) // what MayCall runs; the controller is read below
	see := func(d *cause) bool {
		if d.stands() && s.set.scopes.values[d.scope].covers(&c) {
			controller := "A"
			if d.marks&markEvery != 0 {
				controller = ""
			}
			out = append(out, controller+" "+string(s.set.kinds.values[d.kind]))
		}
		return true
	}
	if n := s.set.withPhone(phone); n >= 0 {
		s.set.causes(n, see)
	}
	each(s.set.wide[target{}], see)
	each(s.set.wide[target{campaign: true, name: c.Campaign}], see)
	for _, l := range c.Lists {
		each(s.set.wide[target{list: true, name: l}], see)
	}
	slices.Sort(out)
	return out
}

// TestTheFoldIsANaiveMapInAnyOrder: messages after a snapshot give the same set
// in every order and however often they come, and that set is the naive map.
func TestTheFoldIsANaiveMapInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		var numbers []string
		for i := range 1 + rnd.IntN(40) {
			numbers = append(numbers, fmt.Sprintf("+39340%07d", i*9973))
		}
		want := naive{}
		var snapshot, tail []events.FeedMessage
		for range rnd.IntN(60) {
			m := randomMessage(rnd, numbers)
			m.Effect = events.FeedStop
			snapshot = append(snapshot, m)
			want.put(m)
		}
		floor := uint64(rnd.IntN(50))
		position := floor
		for range rnd.IntN(200) {
			m := randomMessage(rnd, numbers)
			position += 1 + uint64(rnd.IntN(3)) // others' messages lie between
			m.Position = position
			tail = append(tail, m)
			want.put(m)
		}
		for k := range want {
			if k[0] == "B" {
				delete(want, k)
			}
		}
		for _, arrival := range [][]events.FeedMessage{tail, shuffled(rnd, tail), shuffled(rnd, append(slices.Clone(tail), tail...))} {
			s := following(t, newHand(), floor, snapshot...)
			for _, m := range arrival {
				if _, err := s.Apply(m); err != nil {
					t.Fatal(err)
				}
			}
			for round := range 2 {
				for _, c := range calls(numbers) {
					if got, want := stopsOf(s, c), want.stops(c); !slices.Equal(got, want) {
						t.Fatalf("seed %d, round %d: %v is stopped by %q, want %q", seed, round, c, got, want)
					}
					if v, want := s.MayCall(c), want.stops(c); len(v.Reasons) != len(want) || v.Allowed != (len(want) == 0) {
						t.Fatalf("seed %d, round %d: %s, want %q", seed, round, v, want)
					}
				}
				s.set = s.set.without(1 << 40) // what no longer stands is dropped
			}
			if got, want := s.Len(), standing(want); got != want {
				t.Fatalf("seed %d: %d contacts are suppressed, want %d", seed, got, want)
			}
		}
	}
}

// standing counts the numbers of which something stands.
func standing(n naive) int {
	numbers := map[string]bool{}
	for k, m := range n {
		if k[1] == "number" && m.Effect == events.FeedStop {
			numbers[k[2]] = true
		}
	}
	return len(numbers)
}

func shuffled(rnd *rand.Rand, messages []events.FeedMessage) []events.FeedMessage {
	out := slices.Clone(messages)
	rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
