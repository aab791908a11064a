// Package eventstest makes valid submissions and recorded events of every type
// for the tests of other packages. Equal seeds give equal bytes.
package eventstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/assenso/assenso/events"
)

// Pepper is the published pepper of test vectors; no ledger uses it.
var Pepper = []byte("assenso test pepper, never in use")

// Key returns the contact key of an E.164 number under Pepper.
func Key(e164 string) events.ContactKey {
	mac := hmac.New(sha256.New, Pepper)
	mac.Write([]byte(e164))
	return events.ContactKey(mac.Sum(nil)[:16])
}

// Normalise accepts E.164 and Italian national numbers. It checks no more than
// tests need.
func Normalise(phone, country string) (events.Phone, string) {
	if !strings.HasPrefix(phone, "+") {
		if country == "" {
			return events.Phone{}, "country_missing"
		}
		phone = "+39" + phone
	}
	if len(phone) < 9 || len(phone) > 16 {
		return events.Phone{}, "phone_invalid"
	}
	return events.NewPhone(phone, LineOf(phone)), ""
}

// LineOf returns the line type of an E.164 number (events.md 2).
func LineOf(e164 string) events.Line {
	switch {
	case strings.HasPrefix(e164, "+393"):
		return events.LineMobile
	case strings.HasPrefix(e164, "+390"):
		return events.LineFixed
	case strings.HasPrefix(e164, "+39"):
		return events.LineOtherIT
	}
	return events.LineForeign
}

// Generator makes random valid events. It is not safe for concurrent use.
type Generator struct {
	rnd  *rand.Rand
	n    int
	fill filling
	// Contacts is how many numbers occur (default 50).
	Contacts int
	// Controllers lists the controllers that occur.
	Controllers []string
	// Start and Span bound the legal times.
	Start events.Instant
	Span  int64 // microseconds
}

// filling says which optional fields a made event bears.
type filling uint8

const (
	fillSome filling = iota // each by chance
	fillAll
	fillNone
)

// NewGenerator returns a generator of the quarter that ends with March 2026.
func NewGenerator(seed uint64) *Generator {
	start, err := events.ParseInstant("2026-01-01T00:00:00Z")
	if err != nil {
		panic(err) // the constant above
	}
	return &Generator{
		rnd: rand.New(rand.NewPCG(seed, 0x617373656e736f)), Contacts: 50, Controllers: []string{"A", "B", "V"},
		Start: start, Span: 80 * 24 * 3600 * 1_000_000,
	}
}

// Phone returns one of the generator's numbers.
func (g *Generator) Phone() string {
	return fmt.Sprintf("+39340%07d", 1_000_000+g.rnd.IntN(g.Contacts))
}

// Type returns a random type.
func (g *Generator) Type() events.Type { return events.Types[g.rnd.IntN(len(events.Types))].Type }

// Submission returns a valid submission of t in structured mode.
func (g *Generator) Submission(t events.Type) []byte {
	body, err := json.Marshal(g.Envelope(t))
	if err != nil {
		panic(err) // texts, numbers, lists and maps of them
	}
	return body
}

// Envelope returns a valid submission of t as a generic object.
func (g *Generator) Envelope(t events.Type) map[string]any {
	info, ok := t.Info()
	if !ok {
		panic("eventstest: type unknown: " + string(t)) // the test's own mistake
	}
	g.n++
	at := g.instant()
	data := g.object(t.Fields())
	env := map[string]any{
		"specversion": "1.0", "id": fmt.Sprintf("e-%d", g.n), "source": fmt.Sprintf("source-%d.example", g.rnd.IntN(4)),
		"type": string(t), "time": at.String(), "data": data,
	}
	if info.Controller == events.Required || (info.Controller == events.Optional && g.maybe()) {
		env["controller"] = g.controller()
	}
	if info.Campaign == events.Required {
		env["campaign"] = "K-" + g.controller()
	}
	if info.Contact == events.Required || (info.Contact == events.Optional && g.maybe()) {
		data["phone"] = g.Phone()
	}
	if g.rnd.IntN(4) == 0 {
		env["receivedtime"] = at.Add(0).String()
	}
	g.consistent(t, env, data, at)
	return env
}

// Full returns a valid submission of t that bears every field of the contract,
// evidence included, with every boolean true.
func (g *Generator) Full(t events.Type) map[string]any {
	g.fill = fillAll
	defer func() { g.fill = fillSome }()
	env := g.Envelope(t)
	env["sourceseq"] = g.n
	env["campaign"] = "K-A"
	env["data"].(map[string]any)["evidence"] = map[string]any{"ip": "192.0.2.7", "email": "x@example.org"}
	return env
}

// Minimal returns a valid submission of t with the required fields only.
func (g *Generator) Minimal(t events.Type) map[string]any {
	g.fill = fillNone
	defer func() { g.fill = fillSome }()
	env := g.Envelope(t)
	delete(env, "receivedtime")
	return env
}

// Recorded returns a recorded event of t and its stored bytes.
func (g *Generator) Recorded(t events.Type) (events.Event, []byte) {
	s, faults := events.Validate(g.Submission(t), events.ValidateOptions{Normalise: Normalise})
	if len(faults) > 0 {
		panic(fmt.Sprintf("eventstest: generated submission refused: %v", faults)) // generator and contract have parted: no test may go on
	}
	var key events.ContactKey
	if s.Phone.E164() != "" {
		key = Key(s.Phone.E164())
	}
	r, fault := s.Record(key, events.ContactKey{})
	if fault != nil {
		panic(fault.Error()) // generated events are small and their numbers have an exact form
	}
	body := r.Stamp(max(s.Time, s.Received).Add(1_000_000_000))
	e, err := events.Decode(body)
	if err != nil {
		panic(err) // the contract cannot read what it wrote
	}
	return e, body
}

func (g *Generator) maybe() bool {
	chance := g.rnd.IntN(2) == 0
	return g.fill == fillAll || (g.fill == fillSome && chance)
}

func (g *Generator) controller() string { return g.Controllers[g.rnd.IntN(len(g.Controllers))] }

func (g *Generator) instant() events.Instant {
	return g.Start + events.Instant(g.rnd.Int64N(g.Span)/1000*1000)
}

// consistent mends what the cross-field checks look at.
func (g *Generator) consistent(t events.Type, env, data map[string]any, at events.Instant) {
	for _, pair := range [][2]string{{"from", "to"}, {"effective_from", "effective_to"}, {"selective_from", "selective_to"}} {
		if data[pair[0]] != nil && data[pair[1]] != nil {
			data[pair[1]] = data[pair[0]]
		}
	}
	switch t {
	case events.TypeConsentGranted:
		delete(data, "valid_to")
		if g.fill == fillAll {
			data["valid_to"] = events.DateOf(at, events.Rome).String()
		}
	case events.TypeCallConcluded:
		data["dialled_at"] = at.String()
		end := at
		delete(data, "agent_connected_at")
		if data["answered_at"] != nil {
			if g.fill == fillAll {
				data["agent_connected_at"] = at.Add(6_000_000_000).String()
			}
			data["answered_at"] = at.Add(5_000_000_000).String()
			data["released_at"] = at.Add(65_000_000_000).String()
			end = at.Add(65_000_000_000)
		} else {
			delete(data, "released_at")
		}
		env["time"] = end.String()
		delete(env, "receivedtime")
	case events.TypeRegisterScreeningCompleted:
		for _, n := range []string{"submitted", "clear", "opposed", "selective", "invalid"} {
			delete(data, n)
		}
		if g.fill == fillAll {
			data["submitted"], data["clear"], data["opposed"], data["selective"], data["invalid"] = 10, 4, 3, 2, 1
		}
	case events.TypeDecisionBatchIssued:
		data["allow"], data["warn"], data["block"], data["count"] = 3, 2, 1, 6
	case events.TypeEventCorrected:
		data["target"] = map[string]any{"source": fmt.Sprintf("source-%d.example", g.rnd.IntN(4)), "id": fmt.Sprintf("e-%d", 1+g.rnd.IntN(g.n))}
		if g.fill == fillAll {
			data["action"] = "amend"
		}
		if data["action"] == "amend" {
			data["data"] = map[string]any{"medium": "web"}
			if g.fill == fillAll {
				data["new_time"] = at.String()
			}
		} else {
			delete(data, "data")
			delete(data, "new_time")
		}
	}
	if roc, ok := data["roc"].(map[string]any); ok {
		delete(roc, "to")
		if g.fill == fillAll {
			roc["to"] = roc["from"]
		}
	}
}

func (g *Generator) object(fields []events.Field) map[string]any {
	out := map[string]any{}
	for _, f := range fields {
		if f.Required || f.Grant || g.maybe() {
			out[f.Name] = g.value(f)
		}
	}
	return out
}

func (g *Generator) value(f events.Field) any {
	set := events.ClosedSets[f.Set]
	switch f.Kind {
	case events.KindBool:
		return g.maybe()
	case events.KindInt:
		return f.Min + g.rnd.Int64N(3)
	case events.KindInstant:
		return g.instant().String()
	case events.KindDate:
		return events.DateOf(g.instant(), events.Rome).String()
	case events.KindHash:
		sum := sha256.Sum256([]byte{byte(g.rnd.IntN(8))})
		return fmt.Sprintf("%x", sum)
	case events.KindEnum:
		return set[g.rnd.IntN(len(set))]
	case events.KindEnums, events.KindScope:
		first := g.rnd.IntN(len(set))
		return set[first : first+1+g.rnd.IntN(len(set)-first)]
	case events.KindStrings:
		return []string{g.word()}
	case events.KindNames:
		return []string{g.controller()}
	case events.KindName:
		return g.controller()
	case events.KindCountry:
		return "IT"
	case events.KindCountries:
		return []string{"AL"}
	case events.KindNumber, events.KindCLI:
		return "+390844100100"
	case events.KindNumbers:
		return []string{"+390844100100"}
	case events.KindObject:
		return g.object(f.Fields)
	case events.KindObjects:
		return []any{g.object(f.Fields)}
	case events.KindPositions:
		return map[string]any{"LEDGER_00": 1 + g.rnd.IntN(900)}
	case events.KindFree:
		return map[string]any{"note": g.word()}
	}
	return g.word()
}

func (g *Generator) word() string {
	return []string{"L-A", "P1", "P2", "B-1", "B-2", "C-77", "mobile-plan", "S-1"}[g.rnd.IntN(8)]
}
