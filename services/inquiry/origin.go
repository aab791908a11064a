package inquiry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Link is one link of the chain from a contract back to the consent.
type Link struct {
	Link  string          `json:"link" enum:"contract,call,operator,campaign,list,consent"`
	Found bool            `json:"found"`
	ID    string          `json:"id,omitempty" doc:"id of the contract, call, operator, campaign, list or grant"`
	Event events.Identity `json:"event,omitzero" doc:"the event that shows it"`
	At    events.Instant  `json:"at,omitzero"`
	Says  string          `json:"says" doc:"what the link is, or what is missing"`
}

// Origin is where a contract comes from.
type Origin struct {
	Contract   string            `json:"contract"`
	Controller string            `json:"controller"`
	Contact    events.ContactKey `json:"contact"`
	AsOf       events.Instant    `json:"as_of"`
	Positions  view.Positions    `json:"positions" doc:"ledger positions that were read"`
	Chain      []Link            `json:"chain"`
	// Missing names the first link of the chain that is missing, "" for none.
	Missing string `json:"missing,omitempty"`
	// Findings are those on the originating call and on the contract.
	Findings []rules.Finding `json:"findings"`
	// Withhold: the contract has no lawful origin (IT-CDC-10, IT-ENE-02), so no
	// commission may be paid for it.
	Withhold bool     `json:"commission_must_not_be_paid"`
	Paid     []string `json:"commissions_paid" doc:"processors that were paid nevertheless or before"`
}

// OriginQuestion asks for a contract; Controller may be "" where only one
// controller has a contract of this id.
type OriginQuestion struct {
	Contract   string
	Controller string
	AsOf       events.Instant
	Positions  view.Positions
	// Objects are the findings on objects as of AsOf.
	Objects []rules.Finding
}

// concluded is a contract with the history of its contact.
type concluded struct {
	fact    *contact.Fact
	data    *events.ContractConcluded
	history *contact.History
}

// TraceContract follows a contract to the consent behind it: contract, call,
// operator, campaign, list, consent. ErrUnknown, or ErrAmbiguous where several
// controllers have a contract of this id.
func TraceContract(ctx context.Context, v view.Reader, decode Decoder, engine Assessor, q OriginQuestion) (Origin, error) {
	c, err := findContract(ctx, v, decode, q)
	if err != nil {
		return Origin{}, err
	}
	o := Origin{Contract: q.Contract, Controller: c.fact.Controller, Contact: c.history.Key, AsOf: q.AsOf, Positions: q.Positions, Findings: []rules.Finding{}, Paid: []string{}}
	o.link(Link{Link: "contract", Found: true, ID: q.Contract, Event: c.fact.Identity(), At: c.fact.Time, Says: "concluded by " + string(c.data.Channel) + broughtBy(c.data.BroughtBy)})
	if err := o.trace(ctx, v, decode, engine, c, q); err != nil {
		return Origin{}, err
	}
	for _, f := range q.Objects {
		if f.Object == q.Contract && f.Controller == o.Controller {
			o.Findings = append(o.Findings, f)
			o.Withhold = o.Withhold || f.Rule == "IT-CDC-10" || f.Rule == "IT-ENE-02"
		}
	}
	for _, l := range o.Chain {
		if !l.Found {
			o.Missing = l.Link
			break
		}
	}
	return o, o.commissions(ctx, v, decode, q)
}

func broughtBy(processor string) string {
	if processor == "" {
		return ""
	}
	return ", brought by " + processor
}

func (o *Origin) link(l Link) { o.Chain = append(o.Chain, l) }

// findContract looks through the contacts that have contracts.
func findContract(ctx context.Context, v view.Reader, decode Decoder, q OriginQuestion) (*concluded, error) {
	var found *concluded
	err := v.Scan(ctx, view.Selection{Types: []events.Type{events.TypeContractConcluded}}, q.Positions, func(stored view.History) error {
		h, err := historyOf(decode, stored)
		if err != nil {
			return err
		}
		for _, f := range contact.View(h, contact.AsOf(q.AsOf)) {
			d, ok := f.Data.(*events.ContractConcluded)
			if !ok || d.Contract != q.Contract || (q.Controller != "" && f.Controller != q.Controller) {
				continue
			}
			switch {
			case found == nil || (found.fact.Controller == f.Controller && f.Time < found.fact.Time):
				found = &concluded{f, d, h}
			case found.fact.Controller != f.Controller:
				return ErrAmbiguous
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrAmbiguous):
		return nil, fmt.Errorf("inquiry find contract: %w: name its controller", ErrAmbiguous)
	case err != nil:
		return nil, fmt.Errorf("inquiry find contract: %w", err)
	case found == nil:
		return nil, fmt.Errorf("inquiry find contract: %w", ErrUnknown)
	}
	return found, nil
}

// trace adds the links behind the contract.
func (o *Origin) trace(ctx context.Context, v view.Reader, decode Decoder, engine Assessor, c *concluded, q OriginQuestion) error {
	cut := contact.AsOf(q.AsOf)
	var call *contact.Fact
	for _, typ := range []events.Type{events.TypeCallConcluded, events.TypeCallInbound} {
		for _, f := range c.history.Find(c.data.Origin, typ, cut) {
			if f.Controller == o.Controller && c.data.Origin != "" {
				call = f
			}
		}
	}
	switch {
	case c.data.Origin == "":
		o.link(Link{Link: "call", Says: "the contract names no origin"})
		return nil
	case call == nil:
		o.link(Link{Link: "call", ID: c.data.Origin, Says: "no such call is recorded for this person"})
		return nil
	case call.Type == events.TypeCallInbound:
		o.link(Link{Link: "call", Found: true, ID: call.ID, Event: call.Identity(), At: call.Time, Says: "the person called"})
		return nil
	}
	d := call.Data.(*events.CallConcluded)
	o.link(Link{Link: "call", Found: true, ID: call.ID, Event: call.Identity(), At: d.DialledAt, Says: string(d.Channel) + ", " + string(d.Disposition) + dialledBy(d, o.Controller)})
	ref, err := Reference(ctx, v, decode, view.CampaignRef{Controller: o.Controller, Campaign: call.Campaign}, q.Positions)
	if err != nil {
		return err
	}
	if d.Agent == "" {
		o.link(Link{Link: "operator", Says: "the call names no operator"})
	} else {
		o.link(Link{Link: "operator", Found: true, ID: d.Agent, Says: "operator of " + dialler(d, o.Controller)})
	}
	lists, err := o.campaign(ctx, v, decode, call, q)
	if err != nil {
		return err
	}
	o.list(c.history, lists, d.DialledAt, cut)
	a, ok := rules.AttemptOf(call)
	if !ok {
		return nil
	}
	assessed := engine.Assess(c.history, ref, a, q.AsOf)
	for _, f := range assessed.Findings {
		if f.Kind != events.KindHindsight {
			o.Findings = append(o.Findings, f)
		}
	}
	o.consent(&assessed)
	return nil
}

func dialler(d *events.CallConcluded, controller string) string {
	if d.Processor == "" {
		return controller
	}
	return d.Processor
}

func dialledBy(d *events.CallConcluded, controller string) string {
	return ", dialled by " + dialler(d, controller)
}

// campaign adds the link of the campaign and returns its lists.
func (o *Origin) campaign(ctx context.Context, v view.Reader, decode Decoder, call *contact.Fact, q OriginQuestion) ([]string, error) {
	facts, err := referenceFacts(ctx, v, decode, q.Positions, q.AsOf)
	if err != nil {
		return nil, err
	}
	for _, f := range facts {
		if d, ok := f.Data.(*events.CampaignOpened); ok && f.Controller == o.Controller && f.Campaign == call.Campaign {
			o.link(Link{Link: "campaign", Found: true, ID: call.Campaign, Event: f.Identity(), At: f.Time, Says: "opened for " + string(d.Purpose) + " on lists " + strings.Join(d.Lists, ", ")})
			return d.Lists, nil
		}
	}
	o.link(Link{Link: "campaign", ID: call.Campaign, Says: "the campaign was never opened"})
	return nil, nil
}

// list adds the link of the list: a row of the contact, current at the call,
// on a list of the campaign.
func (o *Origin) list(h *contact.History, lists []string, t events.Instant, cut contact.Cut) {
	removed := map[string]events.Instant{}
	var row *contact.Fact
	facts := contact.View(h, cut)
	for _, f := range facts {
		if d, ok := f.Data.(*events.ListContactRemoved); ok && f.Time <= t {
			removed[d.List] = max(removed[d.List], f.Time)
		}
	}
	for _, f := range facts {
		d, ok := f.Data.(*events.ListContactAdded)
		if ok && slices.Contains(lists, d.List) && f.Time <= t && f.Time > removed[d.List] && (row == nil || f.Time > row.Time) {
			row = f
		}
	}
	if row == nil {
		o.link(Link{Link: "list", Says: "the person stood on no list of the campaign at the time"})
		return
	}
	d := row.Data.(*events.ListContactAdded)
	says := "source " + orUnknown(d.Source) + ", collected by " + orUnknown(d.Collector)
	if d.Vendor != "" {
		says += ", bought from " + d.Vendor
	}
	o.link(Link{Link: "list", Found: true, ID: d.List, Event: row.Identity(), At: row.Time, Says: says})
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// consent adds the link of the lawful basis.
func (o *Origin) consent(a *rules.Assessment) {
	p := a.Proof
	l := Link{Link: "consent", ID: p.Grant.ID, Event: p.Grant}
	switch {
	case p.Basis != "" && p.Grant.ID != "":
		l.Found, l.Says = true, fmt.Sprintf("%s, granted on %s", p.Basis, p.GrantedOn)
	case p.Basis != "":
		l.Found, l.Says = true, "no consent needed: "+string(p.Basis)
	case p.Grant.ID != "":
		l.Says = fmt.Sprintf("the best grant, of %s, does not hold: %s", p.GrantedOn, strings.Join(p.Defects, ", "))
	default:
		l.Says = "no consent and no other basis at the time of the call"
	}
	o.link(l)
}

// commissions lists the processors that were paid for the contract.
func (o *Origin) commissions(ctx context.Context, v view.Reader, decode Decoder, q OriginQuestion) error {
	facts, err := referenceFacts(ctx, v, decode, q.Positions, q.AsOf)
	if err != nil {
		return err
	}
	for _, f := range facts {
		if d, ok := f.Data.(*events.CommissionPaid); ok && f.Controller == o.Controller && d.Contract == q.Contract {
			o.Paid = append(o.Paid, d.Processor)
		}
	}
	slices.Sort(o.Paid)
	return nil
}

// referenceFacts are the facts without a contact that count as of r, by time,
// then id.
func referenceFacts(ctx context.Context, v view.Reader, decode Decoder, asOf view.Positions, r events.Instant) ([]*contact.Fact, error) {
	stored, err := v.References(ctx, 0, 0, asOf)
	if err != nil {
		return nil, fmt.Errorf("inquiry read reference facts: %w", err)
	}
	h, err := historyOf(decode, view.History{Events: stored})
	if err != nil {
		return nil, err
	}
	facts := contact.View(h, contact.AsOf(r))
	slices.SortStableFunc(facts, func(a, b *contact.Fact) int {
		if a.Time != b.Time {
			return int(min(max(a.Time-b.Time, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return facts, nil
}
