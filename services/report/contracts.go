package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Contracts is part 8: what the campaign's calls led to, and which commissions
// must not be paid.
type Contracts struct {
	Weeks     []ContractWeek `json:"weeks"`
	Contracts []Contract     `json:"contracts"`
	// Withhold are the contracts without lawful origin of which no commission
	// was withheld (Code of conduct 16-17).
	Withhold []string `json:"commissions_to_withhold"`
}

// ContractWeek counts by ISO week and channel.
type ContractWeek struct {
	Week    string                 `json:"week"` // 2026-W11
	Channel events.ContractChannel `json:"channel"`
	Lawful  int                    `json:"lawful"`
	Without int                    `json:"without_lawful_origin"`
}

// Contract is one contract whose origin is a call of the campaign.
type Contract struct {
	Contract  string                 `json:"contract"`
	Event     events.Identity        `json:"event"`
	Contact   events.ContactKey      `json:"contact"`
	At        events.Instant         `json:"at"`
	Channel   events.ContractChannel `json:"channel"`
	Origin    string                 `json:"origin"`
	BroughtBy string                 `json:"brought_by,omitempty"`
	Broken    []string               `json:"rules,omitempty"` // object rules found on it
	Paid      []string               `json:"commissions_paid,omitempty"`
	Withheld  []string               `json:"commissions_withheld,omitempty"`
}

type contracts struct {
	controller string
	calls      map[string]bool // attempt ids of the person at hand
	found      []*contact.Fact
}

func (p *contracts) begin(controller string) {
	p.controller, p.calls = controller, map[string]bool{}
}

func (p *contracts) call(c *call) { p.calls[c.attempt.ID] = true }

func (p *contracts) person(who *person) {
	for _, f := range who.facts {
		if d, ok := f.Data.(*events.ContractConcluded); ok && f.Controller == p.controller && d.Origin != "" && p.calls[d.Origin] {
			p.found = append(p.found, f)
		}
	}
	clear(p.calls)
}

func (p *contracts) finish(b *builder, found *Findings) Contracts {
	out := Contracts{Weeks: []ContractWeek{}, Contracts: []Contract{}, Withhold: []string{}}
	sortFacts(p.found)
	weeks := map[string]*ContractWeek{}
	for _, f := range p.found {
		d := f.Data.(*events.ContractConcluded)
		c := Contract{Contract: d.Contract, Event: f.Identity(), Contact: f.Subject, At: f.Time, Channel: d.Channel, Origin: d.Origin, BroughtBy: d.BroughtBy}
		for i := range found.Objects {
			if o := &found.Objects[i]; o.Object == d.Contract && !slices.Contains(c.Broken, o.Rule) {
				c.Broken = append(c.Broken, o.Rule)
			}
		}
		c.Paid, c.Withheld = b.commissions(d.Contract)
		unlawful := slices.Contains(c.Broken, "IT-CDC-10") || slices.Contains(c.Broken, "IT-ENE-02")
		if unlawful && len(c.Withheld) == 0 {
			out.Withhold = append(out.Withhold, d.Contract)
		}
		countWeek(weeks, f.Time, d.Channel, unlawful)
		out.Contracts = append(out.Contracts, c)
	}
	for _, k := range slices.Sorted(maps.Keys(weeks)) {
		out.Weeks = append(out.Weeks, *weeks[k])
	}
	slices.Sort(out.Withhold)
	return out
}

func countWeek(weeks map[string]*ContractWeek, t events.Instant, channel events.ContractChannel, unlawful bool) {
	year, week := t.Time().In(events.Rome).ISOWeek()
	name := fmt.Sprintf("%04d-W%02d", year, week)
	w := weeks[name+string(channel)]
	if w == nil {
		w = &ContractWeek{Week: name, Channel: channel}
		weeks[name+string(channel)] = w
	}
	if unlawful {
		w.Without++
	} else {
		w.Lawful++
	}
}

// commissions lists the processors paid, and not paid, for a contract.
func (b *builder) commissions(contract string) (paid, withheld []string) {
	for _, f := range b.of(events.TypeCommissionPaid) {
		if d := f.Data.(*events.CommissionPaid); d.Contract == contract {
			paid = append(paid, d.Processor)
		}
	}
	for _, f := range b.of(events.TypeCommissionWithheld) {
		if d := f.Data.(*events.CommissionWithheld); d.Contract == contract {
			withheld = append(withheld, d.Processor)
		}
	}
	slices.SortFunc(paid, cmp.Compare[string])
	slices.SortFunc(withheld, cmp.Compare[string])
	return paid, withheld
}
