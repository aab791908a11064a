package projection_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/projectiontest"
)

// A call of long ago matters to an attempt where a rule has no window: the last
// call was silent, somebody's answer used up a request, a consent was given in
// an unlawful call, the gate was asked under that name. In a long history, too,
// of which the rest is left out.
func TestWhatLiesFarBackInALongHistory(t *testing.T) {
	const day = 24 * hour
	const never = events.Instant(0)
	long := day8 + 80*day // behind every window of calls
	one := projectiontest.Contact(1)
	call := func(b *projectiontest.Builder, id string, at events.Instant, more map[string]any) {
		data := map[string]any{"dialled_at": at.String(), "purpose": "marketing", "channel": "operator_call", "processor": "P1",
			"cli": "+390844100100", "disposition": "no_answer"}
		maps.Copy(data, more)
		b.Put(id, "dialer", "call.concluded", "A", "K", at, one, data)
	}
	answered := func(at events.Instant) map[string]any {
		return map[string]any{"answered_at": (at + minute).String(), "released_at": (at + 2*minute).String(), "disposition": "not_interested"}
	}
	for name, c := range map[string]struct {
		early   func(b *projectiontest.Builder)
		between events.Instant // when a call shortly before the late one became known
		late    map[string]any
		rule    string
	}{
		"a silent call": {func(b *projectiontest.Builder) {
			call(b, "silent", day8+hour, map[string]any{"disposition": "silent"})
		}, never, nil, "IT-SIL-04"},
		"a silent call, and a later one of which nobody knew": {func(b *projectiontest.Builder) {
			call(b, "silent", day8+hour, map[string]any{"disposition": "silent"})
		}, long + hour, nil, "IT-SIL-04"},
		"an answer that used up a request": {func(b *projectiontest.Builder) {
			b.Put("q", "crm", "callback.requested", "A", "", day8-hour, one, map[string]any{})
			call(b, "used", day8+hour, answered(day8+hour))
		}, long - 2*day, map[string]any{"basis": "request"}, "IT-RPO-13"},
		"a call in which consent was given": {func(b *projectiontest.Builder) {
			b.Put("o", "crm", "opposition.registered", "A", "", day8-day, one, map[string]any{"medium": "web"})
			call(b, "unlawful", day8+hour, nil)
			b.Put("g", "crm", "consent.granted", "A", "", day8+2*hour, one, map[string]any{"purposes": []string{"marketing"},
				"channels": []string{"operator_call"}, "collection_attempt": "unlawful"})
		}, long - 2*day, nil, "IT-CON-09"},
		"an answer of the gate": {func(b *projectiontest.Builder) {
			b.Put("dec", "gate", "decision.issued", "A", "K", day8+hour, one, map[string]any{"attempt": "late", "verdict": "allow",
				"reasons": []any{}, "pack": "it/2026-07", "positions": map[string]any{}, "expires_at": (day8 + 2*hour).String()})
		}, long - 2*day, map[string]any{"decision": "dec"}, "LED-05"},
	} {
		t.Run(name, func(t *testing.T) {
			b := projectiontest.Build()
			b.At(long + day)
			for i := range 80 {
				call(b, fmt.Sprintf("c%02d", i), day8-day+events.Instant(i)*minute, nil)
			}
			c.early(b)
			if c.between != never {
				b.Put("between", "dialer", "call.concluded", "A", "K", c.between, one, map[string]any{"dialled_at": (long - 2*day).String(),
					"purpose": "marketing", "channel": "operator_call", "processor": "P1", "cli": "+390844100100", "disposition": "no_answer"})
			}
			call(b, "late", long, c.late)
			store := openView(t)
			follow(t, b.Log(), store, projection.Config{MaxBatch: 7})
			wantRule(t, store, one, c.rule, true)
			if judged := sameAsDumb(t, b.Log(), store); judged < 81 {
				t.Errorf("%d attempts were judged, want 81 or more", judged)
			}
		})
	}
}
