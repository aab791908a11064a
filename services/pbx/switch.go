package pbx

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Switch is one entry of the switches that are served. Several entries may
// have the same addresses and differ in their prefix, one for each campaign.
type Switch struct {
	// From are addresses, or networks as address/bits, from which the switch
	// asks. At least one; a network of zero bits is refused.
	From []string
	// Prefix are dialled digits that choose this entry. They are taken off; "" =
	// whatever is dialled.
	Prefix string
	// Controller, Campaign, Processor, Country, CLI, Purpose and Channel are
	// fixed for all calls of the entry: the switch need not say them and cannot
	// say otherwise. Empty ones it says itself.
	Controller string
	Campaign   string
	Processor  string
	Country    string
	CLI        string
	Purpose    string
	Channel    string
	// Trunk is where the SIP redirect sends allowed calls, in the form of
	// RedirectOptions.Trunk; "" = there.
	Trunk string
}

// thisMachine are the addresses served where no switch is listed.
var thisMachine = []string{"127.0.0.0/8", "::1"}

// served is a switch whose entry was read.
type served struct {
	Switch
	from  []netip.Prefix
	fixed []parameter
	trunk *trunk // nil: the door's
}

// parse reads an entry.
func (s Switch) parse() (served, error) {
	out := served{Switch: s}
	if len(s.From) == 0 {
		return out, errors.New("from is empty: name the addresses of the switch")
	}
	for _, text := range s.From {
		p, err := parseNetwork(text)
		if err != nil {
			return out, err
		}
		out.from = append(out.from, p)
	}
	if strings.Trim(s.Prefix, "0123456789*#+") != "" {
		return out, errors.New("prefix must consist of what can be dialled: digits, *, # and +")
	}
	for _, p := range []parameter{
		{"controller", s.Controller}, {"campaign", s.Campaign}, {"processor", s.Processor}, {"country", s.Country},
		{"cli", s.CLI}, {"purpose", s.Purpose}, {"channel", s.Channel},
	} {
		if p.value == "" {
			continue
		}
		if err := set(&events.Question{}, p); err != nil {
			return out, err
		}
		out.fixed = append(out.fixed, p)
	}
	if s.Trunk != "" {
		t, err := parseTrunk(s.Trunk)
		if err != nil {
			return out, err
		}
		out.trunk = &t
	}
	return out, nil
}

// parseNetwork reads an address or a network.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("from: %q is neither an address nor a network such as 10.1.0.0/24", text)
	}
	if p.Bits() == 0 {
		return p, fmt.Errorf("from: %s would serve everybody: name the addresses of the switch", text)
	}
	return p.Masked(), nil
}

// has reports whether an address is one of the switch's.
func (s *served) has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(s.from, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// dialled reports whether the entry is for these digits.
func (s *served) dialled(digits string) bool { return strings.HasPrefix(digits, s.Prefix) }

// errFixed: the switch asks for what its entry fixes otherwise.
var errFixed = errors.New("fixed for this switch")

// question puts a question together: what the entry fixes, then what the
// switch says, then what the door found. Errors are meant for operators and
// bear no value of the call.
func (s *served) question(c call) (events.Question, error) {
	q := events.Question{Number: strings.TrimPrefix(c.dialled, s.Prefix)}
	if q.Number == "" {
		return q, errors.New("no number was given: name it as first argument, or in the request's URI")
	}
	if len(q.Number) > maxPhone {
		return q, errors.New("the number is too long")
	}
	said := map[string]string{}
	for _, p := range s.fixed {
		if err := set(&q, p); err != nil {
			return q, err
		}
		said[p.name] = p.value
	}
	for _, p := range c.given {
		value, fixed := said[p.name]
		switch {
		case fixed && value != p.value:
			return q, fmt.Errorf("%s is %w or was given twice: the entry in pbx.switches and the call must agree", p.name, errFixed)
		case fixed:
			continue
		}
		if err := set(&q, p); err != nil {
			return q, err
		}
		said[p.name] = p.value
	}
	for _, p := range c.otherwise {
		if _, ok := said[p.name]; ok || p.value == "" {
			continue
		}
		if err := set(&q, p); err != nil {
			return q, err
		}
	}
	if q.Controller == "" || q.Campaign == "" {
		return q, errors.New("controller or campaign is missing: give them with the call, or fix them in pbx.switches")
	}
	if q.Purpose == "" {
		q.Purpose = string(events.PurposeMarketing)
	}
	if q.Channel == "" {
		q.Channel = string(events.ChannelOperatorCall)
	}
	return q, nil
}
