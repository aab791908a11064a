package listcheck

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// What an encoder remembers of earlier answers changes no line.
func TestAnEncoderWritesLikeAFreshOne(t *testing.T) {
	draw := func(t *rapid.T) (a Answer) {
		few := func(name string) uint64 { return rapid.Uint64Range(0, 3).Draw(t, name) }
		a.Verdict = rapid.SampledFrom([]events.Verdict{events.VerdictAllow, events.VerdictWarn, events.VerdictBlock}).Draw(t, "verdict")
		a.Blocks, a.Warns = rules.RuleSet(few("blocks")), rules.RuleSet(few("warns")<<2)
		a.Doubt = Doubt(rapid.IntRange(0, 2).Draw(t, "doubt"))
		if until := few("until"); until > 0 {
			a.ValidUntil = instant(0) + events.Instant(until*until*977)
		}
		if until := few("register"); until > 0 {
			a.RegisterUntil = instant(0) + events.Instant(until*1000)
		}
		return a
	}
	shared := 0
	rapid.Check(t, func(t *rapid.T) {
		var used encoder
		places := map[uint64]Answer{}
		for i := range rapid.IntRange(1, 200).Draw(t, "answers") {
			a := draw(t)
			if other, taken := places[a.slot()]; taken && other != a {
				shared++
			}
			places[a.slot()] = a
			l := line{index: uint64(i), ref: rapid.SampledFrom([]string{"", "", "row 7"}).Draw(t, "ref")}
			if rapid.Bool().Draw(t, "read") {
				l.contact = events.ContactKey{1, byte(i)}
			} else {
				l.errors = []events.Fault{{Code: "c", Hint: "h"}}
			}
			full := rapid.Bool().Draw(t, "full")
			got, want := used.append(nil, &l, &a, full), new(encoder).append(nil, &l, &a, full)
			if !bytes.Equal(got, want) {
				t.Fatalf("answer %d, %+v, is written\n%s, by a fresh encoder\n%s", i, a, got, want)
			}
			if canonical, err := events.CanonicalJSON(got); err != nil || !bytes.Equal(canonical, got) {
				t.Fatalf("the line %s is not canonical (%v)", got, err)
			}
		}
	})
	if shared == 0 {
		t.Error("no two answers had one place")
	}
}
