package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
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
	// Missing is the first missing link of the chain call, operator, campaign,
	// list, consent; empty for none.
	Missing  string   `json:"missing_link,omitempty"`
	Broken   []string `json:"rules,omitempty"` // object rules found on it
	Paid     []string `json:"commissions_paid,omitempty"`
	Withheld []string `json:"commissions_withheld,omitempty"`
}

type contracts struct {
	controller string
	calls      map[string]*call // of the person at hand, by attempt id
	found      []Contract
}

func (p *contracts) begin(controller string) {
	p.controller, p.calls = controller, map[string]*call{}
}

func (p *contracts) call(c *call) { p.calls[c.attempt.ID] = c }

func (p *contracts) person(who *person) {
	for _, f := range who.facts {
		d, ok := f.Data.(*events.ContractConcluded)
		if !ok || f.Controller != p.controller || d.Origin == "" {
			continue
		}
		if c := p.calls[d.Origin]; c != nil {
			p.found = append(p.found, Contract{Contract: d.Contract, Event: f.Identity(), Contact: f.Subject, At: f.Time, Channel: d.Channel, Origin: d.Origin,
				BroughtBy: d.BroughtBy, Missing: missingLink(c)})
		}
	}
	clear(p.calls)
}

// missingLink names what the chain behind a call of the campaign lacks.
func missingLink(c *call) string {
	offList := slices.ContainsFunc(c.result.Findings, func(f rules.Finding) bool {
		return f.Rule == "IT-LST-01" && f.Kind == events.KindConfirmed
	})
	switch {
	case c.attempt.Agent == "":
		return "operator"
	case offList:
		return "list"
	case c.result.Proof.Basis == "":
		return "consent"
	}
	return ""
}

func (p *contracts) finish(b *builder, found *Findings) Contracts {
	out := Contracts{Weeks: []ContractWeek{}, Contracts: []Contract{}, Withhold: []string{}}
	slices.SortFunc(p.found, compareContracts)
	weeks, broken := map[string]*ContractWeek{}, found.byContract()
	paid, withheld := b.commissions()
	for _, c := range p.found {
		if len(b.opened) == 0 && c.Missing != "operator" {
			c.Missing = "campaign"
		}
		c.Broken = broken[c.Contract]
		c.Paid, c.Withheld = paid[c.Contract], withheld[c.Contract]
		unlawful := slices.Contains(c.Broken, "IT-CDC-10") || slices.Contains(c.Broken, "IT-ENE-02")
		if unlawful && len(c.Withheld) == 0 {
			out.Withhold = append(out.Withhold, c.Contract)
		}
		countWeek(weeks, c.At, c.Channel, unlawful)
		out.Contracts = append(out.Contracts, c)
	}
	for _, k := range slices.Sorted(maps.Keys(weeks)) {
		out.Weeks = append(out.Weeks, *weeks[k])
	}
	slices.Sort(out.Withhold)
	return out
}

func compareContracts(a, b Contract) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Event.Source, b.Event.Source), cmp.Compare(a.Event.ID, b.Event.ID), slices.Compare(a.Contact[:], b.Contact[:]))
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

// contractRules have a contract id as their object.
var contractRules = map[string]bool{"IT-CDC-10": true, "IT-ENE-02": true, "IT-ENE-03": true}

// byContract lists the rules found on each contract, each once, sorted.
func (f *Findings) byContract() map[string][]string {
	out := map[string][]string{}
	for i := range f.Objects { // sorted by rule
		o := &f.Objects[i]
		if !contractRules[o.Rule] {
			continue
		}
		if have := out[o.Object]; len(have) == 0 || have[len(have)-1] != o.Rule {
			out[o.Object] = append(have, o.Rule)
		}
	}
	return out
}

// commissions lists the processors paid, and not paid, by contract.
func (b *builder) commissions() (paid, withheld map[string][]string) {
	paid, withheld = map[string][]string{}, map[string][]string{}
	for _, f := range b.of(events.TypeCommissionPaid) {
		d := f.Data.(*events.CommissionPaid)
		paid[d.Contract] = append(paid[d.Contract], d.Processor)
	}
	for _, f := range b.of(events.TypeCommissionWithheld) {
		d := f.Data.(*events.CommissionWithheld)
		withheld[d.Contract] = append(withheld[d.Contract], d.Processor)
	}
	for _, all := range []map[string][]string{paid, withheld} {
		for _, processors := range all {
			slices.Sort(processors)
		}
	}
	return paid, withheld
}
