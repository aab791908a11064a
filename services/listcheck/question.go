package listcheck

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// ParseQuestion reads the question of a list: an events.Question without a
// number or contact, on one line. Its Country is that of national numbers on
// the list, its At the instant of a plan; zero = now. All faults are reported
// together; none quotes a value.
func ParseQuestion(text []byte) (q events.Question, at events.Instant, faults []events.Fault) {
	fail := func(code, field, hint string) {
		faults = append(faults, events.Fault{Code: code, Field: field, Hint: hint})
	}
	if json.Unmarshal(text, &q) != nil {
		fail("json_invalid", "", `begin with the question on one line, such as {"controller": "A", "campaign": "K-A"}`)
		return events.Question{}, 0, faults
	}
	if q.Number != "" || q.Contact != "" || q.Attempt != "" {
		fail("question_invalid", "number", "leave number, contact and attempt out of the question: numbers stand on the lines after it")
	}
	if q.Controller == "" || len(q.Controller) > 64 {
		fail("controller_missing", "controller", "name the controller for whom the calls are made")
	}
	if q.Campaign == "" || len(q.Campaign) > 64 {
		fail("campaign_missing", "campaign", "name the campaign of the calls")
	}
	for _, f := range []struct{ set, name, value string }{
		{"attempt purpose", "purpose", q.Purpose}, {"channel", "channel", q.Channel}, {"dialler mode", "mode", q.Mode}, {"basis", "basis", q.Basis},
	} {
		if f.value != "" && !events.InSet(f.set, f.value) {
			fail("value_unknown", f.name, "write one of: "+strings.Join(events.ClosedSets[f.set], ", "))
		}
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{{"processor", q.Processor, 64}, {"cli", q.CLI, 16}, {"agent", q.Agent, 64}, {"grant", q.Grant, 128}, {"request", q.Request, 128}, {"batch", q.Batch, 128},
		{"product", q.Product, 128}, {"country", q.Country, 2}, {"origin_country", q.OriginCountry, 2}, {"agent_country", q.AgentCountry, 2}} {
		if len(f.value) > f.most {
			fail("value_unknown", f.name, fmt.Sprintf("write at most %d characters", f.most))
		}
	}
	if q.At != "" {
		var err error
		if at, err = events.ParseInstant(q.At); err != nil {
			fail("time_invalid", "at", "write an RFC 3339 instant with offset")
		}
	}
	return q, at, faults
}

// Attempt is the question as the rules see it, without contact and instant.
func Attempt(q *events.Question) rules.Attempt {
	a := rules.Attempt{
		Controller: q.Controller, Campaign: q.Campaign, Purpose: events.Purpose(q.Purpose), Channel: events.Channel(q.Channel),
		Processor: q.Processor, CLI: q.CLI, OriginCountry: q.OriginCountry, AgentCountry: q.AgentCountry, Roaming: q.Roaming,
		Mode: events.DiallerMode(q.Mode), Agent: q.Agent, AgentReserved: q.AgentReserved, Basis: events.Basis(q.Basis),
		Grant: q.Grant, Request: q.Request, Batch: q.Batch, Product: q.Product,
	}
	if a.Purpose == "" {
		a.Purpose = events.PurposeMarketing
	}
	if a.Channel == "" {
		a.Channel = events.ChannelOperatorCall
	}
	return a.Normalised()
}

// Asked is the question as it was judged: its defaults filled in, no number.
func Asked(a *rules.Attempt) events.Question {
	return events.Question{
		Controller: a.Controller, Campaign: a.Campaign, Purpose: string(a.Purpose), Channel: string(a.Channel), Processor: a.Processor, CLI: a.CLI,
		OriginCountry: a.OriginCountry, AgentCountry: a.AgentCountry, Roaming: a.Roaming, Mode: string(a.Mode), Agent: a.Agent,
		AgentReserved: a.AgentReserved, Basis: string(a.Basis), Grant: a.Grant, Request: a.Request, Batch: a.Batch, Product: a.Product,
	}
}
