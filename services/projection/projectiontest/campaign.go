package projectiontest

import (
	"fmt"
	"math/rand/v2"

	"github.com/assenso/assenso/events"
)

// Campaign is one campaign of a month, K-A of A, with the given number of
// attempts: contacts on a bought list, consulted in the register, some with
// consent, called one to four times, some of whom object, buy or revoke. Each
// contact has some six events.
func Campaign(seed uint64, attempts int) *Log {
	const controller, campaign = "A", "K-A"
	rnd := rand.New(rand.NewPCG(seed, 3))
	b := newBuilder(dayStart - 2*day)
	b.reference(controller, campaign, []string{"L-" + controller}, dayStart-2*day)
	for n, i := 0, 0; n < attempts; i++ {
		k := key(i)
		id := func(what string) string { return fmt.Sprintf("%s-%07d", what, i) }
		at := dayStart - day + events.Instant(rnd.IntN(3600))*second
		b.at(at).put(envelope(id("row"), "crm."+controller, "list.contact_added", controller, "", at, map[string]any{"line": "mobile", "list": "L-" + controller,
			"vendor": "V1", "source": "web form of a price comparison", "collector": "C1", "acquired_on": "2026-01-15", "holder": "natural"}), k)
		answer := "clear"
		if rnd.IntN(25) == 0 {
			answer = "opposed"
		}
		b.at(at+60*minute).put(envelope(id("rpo"), "rpo.example", "register.screened", controller, "", at+60*minute, map[string]any{"line": "mobile", "batch": "B-" + campaign,
			"snapshot_at": (at + 59*minute).String(), "answer": answer}), k)
		if rnd.IntN(10) > 0 {
			b.at(at+90*minute).grant(rnd, id("grant"), controller, at+90*minute, k)
		}
		// Days 0 to 11 after the consultation, 08:00 to 20:00 in Rome.
		calls := min(1+rnd.IntN(4), attempts-n)
		for c := range calls {
			at = dayStart + events.Instant(c*3+rnd.IntN(3))*day + events.Instant(rnd.IntN(12*3600))*second
			b.at(at+5*minute).call(rnd, fmt.Sprintf("call-%07d-%d", i, c), controller, campaign, at, k)
		}
		n += calls
		b.after(rnd, i, controller, at+6*minute, k)
	}
	return b.log
}

// after is what may follow the last call to a contact.
func (b *builder) after(rnd *rand.Rand, i int, controller string, at events.Instant, k events.ContactKey) {
	b.at(at)
	switch p := rnd.IntN(100); {
	case p < 4:
		b.put(envelope(fmt.Sprintf("opp-%07d", i), "dialer.p1.example", "opposition.registered", controller, "", at, map[string]any{"line": "mobile", "medium": "in_call",
			"received_by": "P1", "refused_at": at.String(), "inserted_at": at.String(), "entry_source": "call", "recorded_by": "agent-7"}), k)
	case p < 6:
		b.put(envelope(fmt.Sprintf("rev-%07d", i), "crm."+controller, "consent.revoked", controller, "", at, map[string]any{"line": "mobile", "medium": "web"}), k)
	case p < 9:
		b.put(envelope(fmt.Sprintf("sale-%07d", i), "crm."+controller, "contract.concluded", controller, "", at, map[string]any{"line": "mobile", "contract": fmt.Sprintf("C-%07d", i),
			"sector": "telecom", "channel": "phone", "origin": fmt.Sprintf("call-%07d-0", i), "brought_by": "P1", "continuous": true, "started_on": "2026-04-01"}), k)
	}
}

// at sets the stamp of what follows.
func (b *builder) at(recorded events.Instant) *builder {
	b.clock = recorded
	return b
}
