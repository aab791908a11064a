package listcheck

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// List is one question that is put to many contacts; *gate.List is one. It is
// safe for concurrent use.
type List interface {
	// Answer answers for the contacts in their order; out is as long as keys.
	// An error ends the list: what was answered before stands, nothing more is.
	Answer(ctx context.Context, keys []events.ContactKey, out []Answer) error
}

// Errors that end a list, or keep it from beginning.
var (
	// ErrDoubt: the ledger is not sure of anything for now; the message says
	// why. Nothing is recorded of the list: check it again.
	ErrDoubt = errors.New("the gate is in doubt, so no list is answered")
	// ErrCampaign: this controller opened no such campaign.
	ErrCampaign = errors.New("unknown campaign")
	// ErrPack: no rule pack is valid at the instant.
	ErrPack = errors.New("no rule pack")
	// ErrPast: the instant has passed: a list is checked now, or planned.
	ErrPast = errors.New("the instant has passed")
)

// Doubt says that the ledger itself is not sure of an answer.
type Doubt uint8

// The doubts of an answer.
const (
	Sure       Doubt = iota
	Unsettled        // rules.Unsettled: the contact is being resolved
	Unreadable       // rules.Unreadable: there is no contact
)

// Answer is the answer for one line. With a doubt its verdict is block.
type Answer struct {
	rules.Ruling
	Doubt Doubt
}

// InDoubt is the answer for a contact of which the ledger is not sure at an instant.
func InDoubt(why Doubt, at events.Instant) Answer {
	return Answer{rules.Ruling{Verdict: events.VerdictBlock, ValidUntil: at}, why}
}

// ruled is a ruling of which only the verdict is known.
func ruled(v events.Verdict) rules.Ruling { return rules.Ruling{Verdict: v} }

// Rules returns the rules that warn or block, sorted.
func (a *Answer) Rules() []events.ReasonEffect {
	out := make([]events.ReasonEffect, 0, a.Blocks.Len()+a.Warns.Len()+1)
	for _, id := range a.Blocks.Append(nil) {
		out = append(out, events.ReasonEffect{Rule: id, Effect: events.VerdictBlock})
	}
	for _, id := range a.Warns.Append(nil) {
		out = append(out, events.ReasonEffect{Rule: id, Effect: events.VerdictWarn})
	}
	switch a.Doubt {
	case Unsettled:
		out = append(out, events.ReasonEffect{Rule: rules.Unsettled, Effect: events.VerdictBlock})
	case Unreadable:
		out = append(out, events.ReasonEffect{Rule: rules.Unreadable, Effect: events.VerdictBlock})
	}
	slices.SortFunc(out, func(x, y events.ReasonEffect) int {
		switch {
		case x.Rule < y.Rule:
			return -1
		case x.Rule > y.Rule:
			return 1
		}
		return 0
	})
	return out
}

// encoder writes answers. It keeps what many answers have in common; it is for
// one goroutine.
type encoder struct {
	tails   [tailSlots]tail
	reasons map[why][]byte
}

// tail is the text of an answer behind its index: most answers of a list are
// one of a few. It is the zero tail until it is used.
type tail struct {
	answer  Answer
	text    []byte
	reasons int // how much of it comes before ref
}

// tailSlots is how many tails are kept, each in the place that its answer has.
const tailSlots = 64

// slot is the place of an answer: any will do.
func (a *Answer) slot() uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads its upper bits
	return ((uint64(a.Blocks)^uint64(a.Warns)<<32^uint64(a.Doubt))*odd ^ uint64(a.ValidUntil)*odd ^ uint64(a.RegisterUntil)) * odd >> 32 % tailSlots
}

// why is what makes the reasons of an answer.
type why struct {
	blocks, warns rules.RuleSet
	doubt         Doubt
}

// line is what stands in an answer beside the answer itself. The zero contact
// stands for a number that cannot be read.
type line struct {
	index   uint64
	contact events.ContactKey
	ref     string
	errors  []events.Fault
}

// append writes the answer in its RFC 8785 form, with the members that the leaf
// does not hold if full is set. No line feed follows.
func (e *encoder) append(dst []byte, l *line, a *Answer, full bool) []byte {
	dst = append(dst, '{')
	if !l.contact.IsZero() {
		dst = append(dst, `"contact":"`...)
		dst = append(hex.AppendEncode(dst, l.contact[:]), `",`...)
	}
	if full && len(l.errors) > 0 {
		dst = append(appendFaults(append(dst, `"errors":`...), l.errors), ',')
	}
	dst = strconv.AppendUint(append(dst, `"index":`...), l.index, 10)
	t := e.tail(a)
	if !full || l.ref == "" {
		return append(dst, t.text...)
	}
	dst = appendText(append(append(dst, t.text[:t.reasons]...), `,"ref":`...), l.ref)
	return append(dst, t.text[t.reasons:]...)
}

// tail returns the tail of an answer, in the memory of the encoder.
func (e *encoder) tail(a *Answer) *tail {
	t := &e.tails[a.slot()]
	if t.text != nil && t.answer == *a {
		return t
	}
	t.answer = *a
	t.text = append(append(t.text[:0], `,"reasons":`...), e.why(a)...)
	t.reasons = len(t.text)
	if !a.RegisterUntil.IsZero() {
		t.text = append(a.RegisterUntil.AppendFormat(append(t.text, `,"register_until":"`...)), '"')
	}
	if !a.ValidUntil.IsZero() {
		t.text = append(a.ValidUntil.AppendFormat(append(t.text, `,"valid_until":"`...)), '"')
	}
	t.text = append(append(append(t.text, `,"verdict":"`...), a.Verdict...), `"}`...)
	return t
}

// why returns the reasons of an answer, in the memory of the encoder.
func (e *encoder) why(a *Answer) []byte {
	key := why{a.Blocks, a.Warns, a.Doubt}
	b, ok := e.reasons[key]
	if ok {
		return b
	}
	if len(e.reasons) >= maxReasons || e.reasons == nil {
		e.reasons = map[why][]byte{}
	}
	b = appendReasons(nil, a.Rules())
	e.reasons[key] = b
	return b
}

// maxReasons bounds how many kinds of answer an encoder remembers.
const maxReasons = 4096

func appendReasons(dst []byte, list []events.ReasonEffect) []byte {
	dst = append(dst, '[')
	for i, r := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"effect":`...), string(r.Effect))
		dst = append(appendText(append(dst, `,"rule":`...), r.Rule), '}')
	}
	return append(dst, ']')
}

func appendFaults(dst []byte, list []events.Fault) []byte {
	dst = append(dst, '[')
	for i, f := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"code":`...), f.Code)
		if f.Field != "" {
			dst = appendText(append(dst, `,"field":`...), f.Field)
		}
		dst = append(appendText(append(dst, `,"hint":`...), f.Hint), '}')
	}
	return append(dst, ']')
}

// appendText writes a JSON string in its RFC 8785 form.
func appendText(dst []byte, s string) []byte {
	if plain(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	b, err := json.Marshal(s)
	if err == nil {
		b, err = events.CanonicalJSON(b)
	}
	if err != nil { // a string always has both forms
		return append(dst, `""`...)
	}
	return append(dst, b...)
}

// plain reports whether a string stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
