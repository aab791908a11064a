package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// builder turns one raw scenario into a Scenario.
type builder struct {
	file, fixtureFile string
	raw               *rawScenario
	contacts          map[string]string
	defaults          map[string]fields
	attempt           map[string]fields
	types             map[string]events.Type // by event id, for corrections
	out               *Scenario
}

// placed is a raw event with the file it stands in.
type placed struct {
	located[fields]
	file     string
	position int // 1-based in the scenario; 0 in a fixture
}

func (b *builder) build(line int, fixtures map[string]located[rawFixture]) (*Scenario, error) {
	b.contacts, b.defaults, b.attempt = map[string]string{}, map[string]fields{}, map[string]fields{}
	b.types = map[string]events.Type{}
	b.out = &Scenario{ID: b.raw.ID, Title: b.raw.Title, Law: b.raw.Law, File: b.file, Line: line}
	all, err := b.merge(line, fixtures)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		b.noteType(e)
	}
	for _, e := range all {
		if err := b.event(e); err != nil {
			return nil, err
		}
	}
	for i, a := range b.raw.Attempts {
		if err := b.hypothetical(i, a); err != nil {
			return nil, err
		}
	}
	if err := b.expect(b.raw.Expect); err != nil {
		return nil, err
	}
	if b.out.AsOf == 0 {
		for _, e := range b.out.Events {
			b.out.AsOf = max(b.out.AsOf, e.Recorded)
		}
		for _, a := range b.out.Attempts {
			b.out.AsOf = max(b.out.AsOf, a.RecordedAt)
		}
	}
	return b.out, nil
}

// merge applies the fixtures in order and returns all events.
func (b *builder) merge(line int, fixtures map[string]located[rawFixture]) ([]placed, error) {
	use := b.raw.Use
	if use == nil {
		use = []string{"base"}
	}
	var all []placed
	for _, name := range use {
		f, ok := fixtures[name]
		if !ok {
			return nil, &FileError{b.file, line, fmt.Sprintf("%s: no fixture %q in %s", b.raw.ID, name, b.fixtureFile)}
		}
		maps.Copy(b.contacts, f.Value.Contacts)
		overlay(b.defaults, f.Value.Defaults)
		overlay(b.attempt, f.Value.Attempt)
		for _, e := range f.Value.Events {
			if id, _ := e.Value["id"].(string); id == "" {
				return nil, &FileError{b.fixtureFile, e.Line, "fixture event without id"}
			} else if !slices.Contains(b.raw.Without, id) {
				all = append(all, placed{e, b.fixtureFile, 0})
			}
		}
	}
	for i, e := range b.raw.Events {
		all = append(all, placed{e, b.file, i + 1})
	}
	return all, nil
}

// overlay merges blocks of fields key by key.
func overlay(into, from map[string]fields) {
	for name, f := range from {
		if into[name] == nil {
			into[name] = fields{}
		}
		maps.Copy(into[name], f)
	}
}

func (b *builder) noteType(e placed) {
	id, ok := e.Value["id"].(string)
	if !ok {
		id = fmt.Sprintf("e%d", e.position)
	}
	name, _ := e.Value["type"].(string)
	b.types[id] = events.Type(name + ".v1")
}

var eventKeys = []string{"type", "id", "at", "received", "recorded", "controller", "campaign", "source", "seq", "phone", "data", "repeat"}

// withoutController are the types whose controller defaults to absent.
var withoutController = []events.Type{
	events.TypeCallerIDDeclared, events.TypeCallerIDTested, events.TypeOrderIssued, events.TypeAgentCertified,
	events.TypeDirectoryExtracted, events.TypeNumberReassigned, events.TypeEventCorrected,
}

// event adds one raw event with all its repetitions.
func (b *builder) event(e placed) error {
	fail := func(format string, args ...any) error {
		return &FileError{e.file, e.Line, fmt.Sprintf(format, args...)}
	}
	if err := onlyKeys(e.Value, eventKeys); err != nil {
		return fail("event: %v", err)
	}
	name, _ := e.Value["type"].(string)
	typ := events.Type(name + ".v1")
	info, known := typ.Info()
	if !known {
		return fail("event: no type %q", name)
	}
	id, err := text(e.Value, "id", fmt.Sprintf("e%d", e.position))
	if err != nil {
		return fail("event: %v", err)
	}
	n, every, sequence, err := repetition(e.Value["repeat"])
	if err != nil {
		return fail("event %s: %v", id, err)
	}
	for i := range n {
		d := draft{b: b, raw: e, typ: typ, info: info, id: id, shift: every * time.Duration(i)}
		if _, repeated := e.Value["repeat"]; repeated {
			d.id = fmt.Sprintf("%s-%d", id, i)
		}
		if sequence {
			d.step = i
		}
		built, err := d.build()
		if err != nil {
			return fail("event %s: %v", d.id, err)
		}
		b.out.Events = append(b.out.Events, *built)
	}
	return nil
}

func repetition(v any) (n int, every time.Duration, sequence bool, err error) {
	if v == nil {
		return 1, 0, false, nil
	}
	r, ok := v.(fields)
	if !ok {
		return 0, 0, false, fmt.Errorf("repeat: want {n, every_s, phones}")
	}
	if err := onlyKeys(r, []string{"n", "every_s", "phones"}); err != nil {
		return 0, 0, false, fmt.Errorf("repeat: %w", err)
	}
	count, okN := r["n"].(uint64)
	step, okStep := seconds(r["every_s"])
	phones, okPhones := r["phones"].(string)
	if !okN || count < 1 || count > 20_000 || (!okStep && r["every_s"] != nil) || (r["phones"] != nil && (!okPhones || (phones != "same" && phones != "sequence"))) {
		return 0, 0, false, fmt.Errorf("repeat: want n from 1 to 20,000, every_s a number, phones same or sequence")
	}
	return int(count), step, phones == "sequence", nil
}

// number resolves the name of a contact, or takes an E.164 number, plus step.
func (b *builder) number(v any, step int) (string, error) {
	name, ok := v.(string)
	if v == nil {
		name, ok = "M", true
	}
	if !ok {
		return "", fmt.Errorf("phone: want a contact's name or a quoted number")
	}
	phone := name
	if named, found := b.contacts[name]; found {
		phone = named
	}
	if !strings.HasPrefix(phone, "+") {
		return "", fmt.Errorf("phone: no contact %q in the fixtures", name)
	}
	if step == 0 {
		return phone, nil
	}
	n, ok := new(big.Int).SetString(phone[1:], 10)
	if !ok {
		return "", fmt.Errorf("phone: not a number")
	}
	return "+" + n.Add(n, big.NewInt(int64(step))).String(), nil
}

func onlyKeys(f fields, allowed []string) error {
	for _, k := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(allowed, k) {
			return fmt.Errorf("unknown key %q", k)
		}
	}
	return nil
}

// text reads an optional string field.
func text(f fields, key, absent string) (string, error) {
	v, ok := f[key]
	if !ok {
		return absent, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: want a quoted text", key)
	}
	return s, nil
}

// instant reads an optional time field; ok tells whether it is given.
func instant(f fields, key string) (at events.Instant, ok bool, err error) {
	v, given := f[key]
	if !given || v == nil {
		return 0, false, nil
	}
	s, isText := v.(string)
	if !isText {
		return 0, false, fmt.Errorf("%s: %w, quoted", key, errTime)
	}
	at, err = parseTime(s)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", key, err)
	}
	return at, true, nil
}

// seconds reads a number of seconds.
func seconds(v any) (time.Duration, bool) {
	switch n := v.(type) {
	case uint64:
		return time.Duration(n) * time.Second, true
	case int64:
		return time.Duration(n) * time.Second, true
	case float64:
		return time.Duration(n*1e6+0.5) * time.Microsecond, true
	}
	return 0, false
}

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("no JSON form: %w", err)
	}
	return b, nil
}
