package projectiontest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/assenso/assenso/events"
)

// Campaigns are campaigns of a month side by side, K-A of A, K-B of B and so on,
// with the given numbers of attempts: contacts on a bought list, other ones in
// each campaign, consulted in the register, most with consent, called one to
// four times, some of whom object, buy or revoke. Most calls keep the hours and
// were asked of the gate; a few in a hundred break something.
func Campaigns(seed uint64, attempts ...int) *Log {
	b := newBuilder(dayStart - 2*day)
	first := 0
	for i, n := range attempts {
		controller := string(rune('A' + i))
		first += b.campaign(rand.New(rand.NewPCG(seed, 3+uint64(i))), controller, "K-"+controller, first, n)
	}
	b.sort()
	return b.log
}

// campaign puts one campaign over the contacts from first on, and returns how
// many they are.
func (b *builder) campaign(rnd *rand.Rand, controller, campaign string, first, attempts int) (contacts int) {
	b.at(dayStart-2*day).reference(controller, campaign, []string{"L-" + controller}, dayStart-2*day)
	for i := range 40 {
		b.put(envelope(fmt.Sprintf("cert-%s-%d", controller, i), "crm."+controller, "agent.certified", controller, "", dayStart-2*day,
			map[string]any{"agent": fmt.Sprintf("agent-%d", i), "from": "2026-01-01"}), events.ContactKey{})
	}
	for n := 0; n < attempts; contacts++ {
		i, turn := first+contacts, float64(n)/float64(attempts)
		k := orderedKey(i)
		id := func(what string) string { return fmt.Sprintf("%s-%07d", what, i) }
		at := dayStart - day + events.Instant(turn*3600)*second
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
		calls := min(1+rnd.IntN(4), attempts-n)
		for c := range calls {
			at = b.attempt(rnd, fmt.Sprintf("%07d-%d", i, c), controller, campaign, c, turn, k)
		}
		n += calls
		b.after(rnd, i, controller, at+6*minute, k)
	}
	return contacts
}

// orderedKey is a contact key that lies, within those of one first byte, in the
// order of i; the first byte, which decides the partition, is any.
func orderedKey(i int) events.ContactKey {
	k := key(i)
	binary.BigEndian.PutUint64(k[1:], uint64(i))
	return k
}

// sort puts every stream into the order of its stamps.
func (b *builder) sort() {
	type entry struct {
		at   events.Instant
		body []byte
	}
	for stream, bodies := range b.log.Streams {
		list := make([]entry, len(bodies))
		for i, body := range bodies {
			_, after, _ := bytes.Cut(body, []byte(`"recordedtime":"`))
			stamp, _, _ := bytes.Cut(after, []byte(`"`))
			at, err := events.ParseInstant(string(stamp))
			if err != nil {
				panic(err) // put has written it
			}
			list[i] = entry{at, body}
		}
		slices.SortStableFunc(list, func(x, y entry) int { return cmp.Compare(x.at, y.at) })
		for i := range list {
			b.log.Streams[stream][i] = list[i].body
		}
	}
}

// attempt is the n-th call to a contact and, for all but a few, the gate's
// answer before it, on a working day between 10:00 and 18:00 in Rome, but for a
// few: earlier or later in the day as the turn, from 0 to 1, wants it. It
// returns when it was dialled.
func (b *builder) attempt(rnd *rand.Rand, id, controller, campaign string, n int, turn float64, k events.ContactKey) events.Instant {
	workdays := []events.Instant{0, 1, 4, 5, 6, 7, 8, 11} // from Thursday
	at := dayStart + workdays[n*2+rnd.IntN(2)]*day + 2*60*minute + events.Instant(turn*8*3600)*second + events.Instant(rnd.IntN(120))*second
	if rnd.IntN(50) == 0 {
		at += 5 * 60 * minute
	}
	dispositions := []string{"no_answer", "no_answer", "no_answer", "busy", "voicemail", "not_interested", "sale", "callback_agreed"}
	data := map[string]any{"line": "mobile", "dialled_at": at.String(), "purpose": "marketing", "channel": "operator_call", "processor": "P1", "cli": "+390844100100",
		"mode": "preview", "agent": fmt.Sprintf("agent-%d", rnd.IntN(40)), "basis": "consent", "batch": "B-" + campaign, "disposition": dispositions[rnd.IntN(len(dispositions))]}
	if rnd.IntN(50) > 0 {
		data["decision"] = "dec-" + id
		asked := at - 2*second
		b.at(asked).put(envelope("dec-"+id, "gate", "decision.issued", controller, campaign, asked, map[string]any{"line": "mobile", "attempt": "call-" + id, "verdict": "allow",
			"reasons": []any{}, "pack": "it/2026-07", "positions": map[string]any{"LEDGER_00": 812, "LEDGER_REF": 41}, "expires_at": (asked + 10*minute).String()}), k)
	}
	end := at
	if d := data["disposition"]; d != "no_answer" && d != "busy" {
		end = at + 90*second
		data["answered_at"], data["agent_connected_at"], data["released_at"] = (at + 9*second).String(), (at + 10*second).String(), end.String()
		data["statements"] = []string{"identity", "purpose", "origin", "rights", "notice"}
	}
	b.at(end+20*second).put(envelope("call-"+id, "dialer.p1.example", "call.concluded", controller, campaign, end, data), k)
	return at
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
