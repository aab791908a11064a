package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Header is part 1: what the report is about and what it was made from.
type Header struct {
	Controller   string           `json:"controller"`
	Campaign     string           `json:"campaign"`
	Purpose      events.Purpose   `json:"purpose,omitempty"`
	Channels     []events.Channel `json:"channels"`
	Sector       events.Sector    `json:"sector,omitempty"`
	Product      string           `json:"product,omitempty"`
	ProductOwner string           `json:"product_owner,omitempty"`
	ListIDs      []string         `json:"lists"`
	OpenedAt     events.Instant   `json:"opened_at,omitzero"`
	ClosedAt     events.Instant   `json:"closed_at,omitzero"`
	Processors   []Processor      `json:"processors"`
	Attempts     int              `json:"attempts"`
	Contacts     int              `json:"contacts"`
	First        events.Instant   `json:"first_attempt,omitzero"`
	Last         events.Instant   `json:"last_attempt,omitzero"`
	// CertifiedPerMille is the share of calls by agents with a certificate.
	CertifiedPerMille int            `json:"certified_agents_per_mille"`
	Packs             []string       `json:"packs"`
	AsOf              events.Instant `json:"as_of"`
	Positions         view.Positions `json:"positions"`
	// Root and the inclusion proofs of findings are null until a notary signs
	// the log.
	Root     *string `json:"root"`
	Program  string  `json:"program"`
	ZoneData string  `json:"time_zone_data"`
}

// Processor is one who dialled, or through whom one who dialled was engaged,
// with the appointments that name it.
type Processor struct {
	Processor    string        `json:"processor"`
	Attempts     int           `json:"attempts"`
	Appointments []Appointment `json:"appointments"`
}

// Appointment is one appointment under GDPR 28.
type Appointment struct {
	Event     events.Identity `json:"event"`
	By        string          `json:"by,omitempty"` // the processor that engaged it; empty = the controller
	From      events.Date     `json:"from"`
	To        events.Date     `json:"to,omitempty"`
	Dismissed events.Date     `json:"last_day,omitempty"`
	ROC       string          `json:"roc,omitempty"`
	ROCFrom   events.Date     `json:"roc_from,omitempty"`
	ROCTo     events.Date     `json:"roc_to,omitempty"`
	Penalty   bool            `json:"penalty_clause"`
}

// certified counts calls by agents (AGT-01).
type certified struct{ named, without int }

func (a *certified) call(c *call) {
	if c.attempt.Agent == "" {
		return
	}
	a.named++
	for _, f := range c.result.Findings {
		if f.Rule == "AGT-01" && f.Kind != events.KindHindsight {
			a.without++
			return
		}
	}
}

func (b *builder) header() Header {
	q, k := b.question, b.campaign()
	h := Header{
		Controller: q.Campaign.Controller, Campaign: q.Campaign.Campaign, Purpose: k.Purpose, Channels: orEmpty(k.Channels.List()),
		Sector: k.Sector, Product: k.Product, ProductOwner: k.ProductOwner, ListIDs: orEmpty(k.Lists), Processors: []Processor{},
		Attempts: b.attempts, Contacts: len(b.contacts), First: b.first, Last: b.last,
		CertifiedPerMille: perMille(b.agents.named-b.agents.without, b.attempts),
		Packs:             orEmpty(slices.Sorted(maps.Keys(b.packs))), AsOf: q.AsOf, Positions: q.Positions,
		Program: b.source.Program, ZoneData: b.source.ZoneData,
	}
	if len(b.opened) > 0 {
		h.OpenedAt = b.opened[0].Time
	}
	if len(b.closed) > 0 {
		h.ClosedAt = b.closed[0].Time
	}
	h.Processors = b.chains()
	return h
}

// chains lists those who dialled and those through whom they were engaged, who
// may not have dialled themselves.
func (b *builder) chains() []Processor {
	out, listed := []Processor{}, map[string]bool{}
	for todo := slices.Collect(maps.Keys(b.processors)); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		if listed[name] {
			continue
		}
		listed[name] = true
		p := Processor{name, b.processors[name], b.appointments(name)}
		out = append(out, p)
		for _, a := range p.Appointments {
			if a.By != "" && a.By != b.question.Campaign.Controller {
				todo = append(todo, a.By)
			}
		}
	}
	slices.SortFunc(out, func(x, y Processor) int { return cmp.Compare(x.Processor, y.Processor) })
	return out
}

func (b *builder) appointments(name string) []Appointment {
	out := []Appointment{}
	for _, f := range b.of(events.TypeProcessorAppointed) {
		d := f.Data.(*events.ProcessorAppointed)
		if d.Processor != name {
			continue
		}
		a := Appointment{Event: f.Identity(), By: d.By, From: d.From, To: d.To, Penalty: d.PenaltyClause}
		if d.ROC != nil {
			a.ROC, a.ROCFrom, a.ROCTo = d.ROC.Number, d.ROC.From, d.ROC.To
		}
		for _, e := range b.of(events.TypeProcessorDismissed) {
			if x := e.Data.(*events.ProcessorDismissed); x.Processor == name && x.LastDay >= d.From && (a.Dismissed == 0 || x.LastDay < a.Dismissed) {
				a.Dismissed = x.LastDay
			}
		}
		out = append(out, a)
	}
	return out
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
