package events

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestScopes(t *testing.T) {
	cases := []struct {
		text        string
		purposes    []Purpose
		restrictive []Purpose
	}{
		{`[]`, nil, Purposes},
		{`["*"]`, Purposes, Purposes},
		{`["service","marketing","marketing"]`, []Purpose{PurposeMarketing, PurposeService}, []Purpose{PurposeMarketing, PurposeService}},
		{`["marketing","of a later version"]`, []Purpose{PurposeMarketing}, Purposes},
		{`["of a later version"]`, nil, Purposes},
		{`["Marketing"]`, nil, Purposes},
		{`null`, nil, Purposes},
	}
	for _, c := range cases {
		var s PurposeSet
		if err := json.Unmarshal([]byte(c.text), &s); err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if !slices.Equal(s.List(), c.purposes) || !slices.Equal(s.Restrictive().List(), c.restrictive) {
			t.Errorf("%s: %v, restrictively %v", c.text, s.List(), s.Restrictive().List())
		}
		for _, p := range Purposes {
			if s.Has(p) != slices.Contains(c.purposes, p) {
				t.Errorf("%s: has %s is %v", c.text, p, s.Has(p))
			}
		}
	}
	var ch ChannelSet
	if err := json.Unmarshal([]byte(`["sms","fax"]`), &ch); err != nil || !ch.Has(ChannelSMS) || ch.Has(ChannelEmail) || ch.Restrictive() != AllChannels {
		t.Errorf("channels %v, %v", ch.List(), err)
	}
	if err := json.Unmarshal([]byte(`["*"]`), &ch); err != nil || ch != AllChannels {
		t.Errorf("all channels: %v, %v", ch.List(), err)
	}
	before := ch
	for _, bad := range []string{`"sms"`, `[7]`, `{"sms":1}`} {
		if json.Unmarshal([]byte(bad), &ch) == nil || ch != before {
			t.Errorf("%s was read", bad)
		}
	}
	if (PurposeSet(0)).Has("of a later version") || Purpose("").Bit() != 0 || Channel("fax").Bit() != 0 {
		t.Error("a value outside the set has a bit")
	}
	for _, s := range []PurposeSet{0, AllPurposes, PurposeProfiling.Bit()} {
		raw, err := json.Marshal(s)
		var back PurposeSet
		if err != nil || json.Unmarshal(raw, &back) != nil || back != s {
			t.Errorf("%s reads back as %v, %v", raw, back.List(), err)
		}
	}
}

// The families, presences and readings of events.md 1.1, 1.3 and 6.
func TestTypesOfTheContract(t *testing.T) {
	count := map[Family]int{}
	seen := map[Type]bool{}
	for _, info := range Types {
		count[info.Family]++
		if seen[info.Type] {
			t.Errorf("%s stands twice", info.Type)
		}
		seen[info.Type] = true
		if got, ok := info.Type.Info(); !ok || got.Type != info.Type || info.Type.Family() != info.Family {
			t.Errorf("%s is not found", info.Type)
		}
		if info.Type.Lenient() && !info.Type.Restrictive() {
			t.Errorf("%s is lenient and restricts nothing", info.Type)
		}
		if info.Type.Restrictive() && info.Contact != Required {
			t.Errorf("%s restricts nobody", info.Type)
		}
	}
	want := map[Family]int{FamilyGrants: 3, FamilyRevocations: 2, FamilyOppositions: 12, FamilyOutcomes: 11, FamilyCampaigns: 23}
	for _, f := range Families {
		if count[f] != want[f] {
			t.Errorf("%s: %d types, want %d", f, count[f], want[f])
		}
	}
	if _, ok := Type("consent.granted").Info(); ok || Type("").Family() != "" || Type("consent.granted.v2").Fields() != nil {
		t.Error("an unknown type is known")
	}
	if TypeConsentInvalidated.Lenient() || !TypeConsentInvalidated.Restrictive() || TypeConsentGranted.Restrictive() {
		t.Error("the lists of restrictive and lenient types differ from the contract's")
	}
}
