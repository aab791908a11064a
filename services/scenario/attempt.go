package scenario

import (
	"fmt"
	"maps"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

var attemptKeys = []string{
	"id", "at", "gate_at", "recorded", "phone", "controller", "campaign", "purpose", "channel", "processor", "cli",
	"origin_country", "agent_country", "roaming", "mode", "agent", "agent_reserved", "basis", "grant", "request", "batch",
	"product", "decision", "outcome",
}

// hypothetical adds one attempt.
func (b *builder) hypothetical(i int, raw located[fields]) error {
	fail := func(err error) error { return &FileError{b.file, raw.Line, fmt.Sprintf("attempt: %v", err)} }
	controller, err := text(raw.Value, "controller", "A")
	if err != nil {
		return fail(err)
	}
	f := fields{"purpose": "marketing", "channel": "operator_call", "id": fmt.Sprintf("a%d", i+1)}
	maps.Copy(f, b.attempt["all"])
	maps.Copy(f, b.attempt[controller])
	maps.Copy(f, raw.Value)
	f["controller"] = controller
	if err := onlyKeys(f, attemptKeys); err != nil {
		return fail(err)
	}
	a := Attempt{Line: raw.Line}
	if err := b.fill(&a, f); err != nil {
		return fail(err)
	}
	for _, other := range b.out.Attempts {
		if other.ID == a.ID {
			return fail(fmt.Errorf("%s stands twice", a.ID))
		}
	}
	b.out.Attempts = append(b.out.Attempts, a)
	return nil
}

func (b *builder) fill(a *Attempt, f fields) error {
	r := reader{f: f}
	a.ID, a.Controller, a.Campaign = r.text("id"), r.text("controller"), r.text("campaign")
	a.Purpose, a.Channel, a.Basis = events.Purpose(r.text("purpose")), events.Channel(r.text("channel")), events.Basis(r.text("basis"))
	a.Processor, a.CLI, a.OriginCountry, a.AgentCountry = r.text("processor"), r.text("cli"), r.text("origin_country"), r.text("agent_country")
	a.Mode, a.Agent = events.DiallerMode(r.text("mode")), r.text("agent")
	a.Grant, a.Request, a.Batch, a.Product = r.text("grant"), r.text("request"), r.text("batch"), r.text("product")
	a.Roaming, a.AgentReserved = r.flag("roaming"), r.flag("agent_reserved")
	a.DialledAt = r.instant("at")
	a.GateAt, a.RecordedAt = r.instant("gate_at"), r.instant("recorded")
	if r.err == nil && a.DialledAt == 0 {
		r.err = fmt.Errorf("at: missing")
	}
	if a.GateAt == 0 {
		a.GateAt = a.DialledAt
	}
	if a.RecordedAt == 0 {
		a.RecordedAt = a.DialledAt
	}
	r.member("purpose", string(a.Purpose), "attempt purpose")
	r.member("channel", string(a.Channel), "channel")
	r.member("basis", string(a.Basis), "basis")
	r.member("mode", string(a.Mode), "dialler mode")
	if r.err != nil {
		return r.err
	}
	var err error
	if a.Phone, err = b.number(f["phone"], 0); err != nil {
		return err
	}
	a.Contact = Key(a.Phone)
	if a.Decision, err = claim(f); err != nil {
		return err
	}
	a.Outcome, err = outcome(f["outcome"], a.DialledAt)
	return err
}

// claim reads the three forms of decision.
func claim(f fields) (rules.Claim, error) {
	v, given := f["decision"]
	if !given {
		return rules.Claim{}, nil
	}
	if v == nil {
		return rules.Claim{Made: true}, nil
	}
	m, ok := v.(fields)
	if !ok {
		return rules.Claim{}, fmt.Errorf("decision: want null or {at, verdict}")
	}
	if err := onlyKeys(m, []string{"at", "verdict"}); err != nil {
		return rules.Claim{}, fmt.Errorf("decision: %w", err)
	}
	r := reader{f: m}
	c := rules.Claim{Made: true, At: r.instant("at"), Verdict: events.Verdict(r.text("verdict"))}
	r.member("verdict", string(c.Verdict), "verdict")
	if r.err == nil && (c.At == 0 || c.Verdict == "") {
		r.err = fmt.Errorf("decision: at or verdict missing")
	}
	return c, r.err
}

var outcomeKeys = []string{
	"disposition", "answered_at", "answered_s", "agent_s", "agent_connected_at", "released_at", "released_s", "silent",
	"comfort_noise", "statements", "consent_before_pitch", "deflected", "upsell",
}

func outcome(v any, dialled events.Instant) (*rules.Outcome, error) {
	if v == nil {
		return nil, nil
	}
	given, ok := v.(fields)
	if !ok {
		return nil, fmt.Errorf("outcome: want an object")
	}
	if err := onlyKeys(given, outcomeKeys); err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	f := maps.Clone(given)
	end, err := callInstants(f, dialled)
	if err != nil {
		return nil, fmt.Errorf("outcome: %w", err)
	}
	r := reader{f: f}
	o := &rules.Outcome{
		Disposition: events.Disposition(r.text("disposition")), AnsweredAt: r.instant("answered_at"), ReleasedAt: r.instant("released_at"),
		End: end, ComfortNoise: true, ConsentBeforePitch: r.flag("consent_before_pitch"), Deflected: r.flag("deflected"), Upsell: r.flag("upsell"),
	}
	r.member("disposition", string(o.Disposition), "disposition")
	o.Silent = o.Disposition == events.DispositionSilent
	if f["silent"] != nil {
		o.Silent = r.flag("silent")
	}
	if f["comfort_noise"] != nil {
		o.ComfortNoise = r.flag("comfort_noise")
	}
	list, _ := f["statements"].([]any)
	for _, s := range list {
		name, _ := s.(string)
		r.member("statements", name, "statement")
		o.Statements = append(o.Statements, events.Statement(name))
	}
	return o, r.err
}
