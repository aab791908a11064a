package inquiry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Replayer is what WhatIf needs of rules.Engine.
type Replayer interface {
	Assessor
	GateInTime(h *contact.History, ref *rules.Reference, a rules.Attempt, at, asOf events.Instant) rules.Decision
}

// WhatIfQuestion says which attempts are replayed: those of the campaign that
// were dialled from From (inclusive) to To (exclusive); zero = unbounded.
type WhatIfQuestion struct {
	Campaign view.CampaignRef
	From, To events.Instant
	// AsOf is the ledger time of the findings, Positions what it resolves to.
	AsOf      events.Instant
	Positions view.Positions
	// Limit is how many changed attempts are listed at most.
	Limit int
}

// WhatIf is what a draft pack would have changed.
type WhatIf struct {
	Controller string         `json:"controller"`
	Campaign   string         `json:"campaign"`
	AsOf       events.Instant `json:"as_of"`
	Positions  view.Positions `json:"positions" doc:"ledger positions that were read"`
	Attempts   int            `json:"attempts" doc:"attempts that were replayed"`
	Changed    int            `json:"changed" doc:"attempts of which verdict, reasons or findings change"`
	// Verdicts counts attempts by "old → new" verdict, where they differ.
	Verdicts []VerdictChange `json:"verdicts"`
	Rules    []RuleChange    `json:"rules"`
	// List holds the first changed attempts by contact key; More says that
	// there are others.
	List []AttemptChange `json:"list"`
	More bool            `json:"more"`
}

// VerdictChange counts the attempts of which the gate's answer changes.
type VerdictChange struct {
	From     events.Verdict `json:"from"`
	To       events.Verdict `json:"to"`
	Attempts int            `json:"attempts"`
}

// RuleChange counts, for one rule, the attempts on which it speaks anew or no
// more.
type RuleChange struct {
	Rule            string `json:"rule"`
	ReasonsAdded    int    `json:"reasons_added" doc:"at the gate"`
	ReasonsRemoved  int    `json:"reasons_removed"`
	FindingsAdded   int    `json:"findings_added" doc:"of this rule and kind, in the report"`
	FindingsRemoved int    `json:"findings_removed"`
}

// AttemptChange is one attempt before and after.
type AttemptChange struct {
	Attempt   string            `json:"attempt"`
	Source    string            `json:"source"`
	Contact   events.ContactKey `json:"contact"`
	DialledAt events.Instant    `json:"dialled_at"`
	Before    Outcome           `json:"before"`
	After     Outcome           `json:"after"`
}

// Outcome is what the rules say of one attempt: the gate's verdict, had all
// been recorded when it was known, with its reasons as "effect RULE", and the findings as "KIND RULE".
type Outcome struct {
	Verdict  events.Verdict `json:"verdict"`
	Reasons  []string       `json:"reasons"`
	Findings []string       `json:"findings"`
}

// Replay evaluates past attempts of a campaign under two packs, before and
// draft, and tells where they differ. It holds the reference facts and one
// contact at a time.
func Replay(ctx context.Context, v view.Reader, decode Decoder, before, draft Replayer, q WhatIfQuestion) (WhatIf, error) {
	campaign, err := OpenCampaign(ctx, v, decode, q.Campaign, q.Positions)
	if err != nil {
		return WhatIf{}, err
	}
	ref := campaign.Reference()
	out := &comparison{
		WhatIf:   WhatIf{Controller: q.Campaign.Controller, Campaign: q.Campaign.Campaign, AsOf: q.AsOf, Positions: q.Positions, List: []AttemptChange{}},
		limit:    q.Limit,
		rules:    map[string]*RuleChange{},
		verdicts: map[[2]events.Verdict]int{},
	}
	err = campaign.Contacts(ctx, func(stored view.History) error {
		h, err := historyOf(decode, stored)
		if err != nil {
			return err
		}
		for _, f := range contact.View(h, contact.AsOf(q.AsOf)) {
			a, ok := rules.AttemptOf(f)
			if !ok || f.Controller != q.Campaign.Controller || f.Campaign != q.Campaign.Campaign ||
				a.DialledAt < q.From || (q.To != 0 && a.DialledAt >= q.To) {
				continue
			}
			out.add(&a, outcomeOf(before, h, ref, a, q.AsOf), outcomeOf(draft, h, ref, a, q.AsOf))
		}
		return nil
	})
	if err != nil {
		return WhatIf{}, fmt.Errorf("inquiry replay attempts: %w", err)
	}
	return out.finish(), nil
}

func outcomeOf(e Replayer, h *contact.History, ref *rules.Reference, a rules.Attempt, r events.Instant) Outcome {
	d := e.GateInTime(h, ref, a, a.DialledAt, r)
	o := Outcome{Verdict: d.Verdict, Reasons: []string{}, Findings: []string{}}
	for _, reason := range d.Reasons {
		o.Reasons = append(o.Reasons, string(reason.Effect)+" "+reason.Rule)
	}
	for _, f := range e.Assess(h, ref, a, r).Findings {
		o.Findings = append(o.Findings, string(f.Kind)+" "+f.Rule)
	}
	slices.Sort(o.Reasons)
	slices.Sort(o.Findings)
	return o
}

// comparison collects differences.
type comparison struct {
	WhatIf
	limit    int
	rules    map[string]*RuleChange
	verdicts map[[2]events.Verdict]int
}

func (c *comparison) add(a *rules.Attempt, before, after Outcome) {
	c.Attempts++
	if before.Verdict == after.Verdict && slices.Equal(before.Reasons, after.Reasons) && slices.Equal(before.Findings, after.Findings) {
		return
	}
	c.Changed++
	if before.Verdict != after.Verdict {
		c.verdicts[[2]events.Verdict{before.Verdict, after.Verdict}]++
	}
	c.each(after.Reasons, before.Reasons, func(r *RuleChange) { r.ReasonsAdded++ })
	c.each(before.Reasons, after.Reasons, func(r *RuleChange) { r.ReasonsRemoved++ })
	c.each(after.Findings, before.Findings, func(r *RuleChange) { r.FindingsAdded++ })
	c.each(before.Findings, after.Findings, func(r *RuleChange) { r.FindingsRemoved++ })
	if len(c.List) >= c.limit {
		c.More = true
		return
	}
	c.List = append(c.List, AttemptChange{Attempt: a.ID, Source: a.Source, Contact: a.Contact, DialledAt: a.DialledAt, Before: before, After: after})
}

// each counts what is in one list and not in the other, by rule.
func (c *comparison) each(in, notIn []string, count func(*RuleChange)) {
	for _, entry := range in {
		if slices.Contains(notIn, entry) {
			continue
		}
		rule := entry[lastBlank(entry)+1:]
		if c.rules[rule] == nil {
			c.rules[rule] = &RuleChange{Rule: rule}
		}
		count(c.rules[rule])
	}
}

func lastBlank(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' {
			return i
		}
	}
	return -1
}

func (c *comparison) finish() WhatIf {
	c.Rules, c.Verdicts = []RuleChange{}, []VerdictChange{}
	for _, id := range slices.Sorted(maps.Keys(c.rules)) {
		c.Rules = append(c.Rules, *c.rules[id])
	}
	for k, n := range c.verdicts {
		c.Verdicts = append(c.Verdicts, VerdictChange{k[0], k[1], n})
	}
	slices.SortFunc(c.Verdicts, func(a, b VerdictChange) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return c.WhatIf
}
