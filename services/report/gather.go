package report

import (
	"context"
	"fmt"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// builder collects what the parts need in one pass over the contacts of the
// campaign and one over the reference facts.
type builder struct {
	source   Source
	question Question

	log    Campaign
	facts  []*contact.Fact // reference facts that count as of R
	opened []*contact.Fact // campaign.opened of this campaign, the one used first
	closed []*contact.Fact

	attempts    int
	first, last events.Instant
	packs       map[string]bool
	processors  map[string]int // attempts by processor
	agents      certified
	contacts    []events.ContactKey // in order of their keys

	findings    findings
	register    register
	bases       bases
	oppositions oppositions
	conduct     conduct
	pressure    pressure
	contracts   contracts
	rows        rows
	sources     map[string]bool // who published facts of the controller
	late        []LateLine
	corrected   []*contact.Fact // event.corrected, by sequence
}

// call is one attempt of the campaign with its result.
type call struct {
	fact    *contact.Fact
	data    *events.CallConcluded
	attempt rules.Attempt
	result  rules.Assessment
}

// person is one contact of the campaign.
type person struct {
	key   events.ContactKey
	facts []*contact.Fact // what counts as of R, of every controller
	calls []call          // of this campaign
}

// references loads the reference facts.
func (b *builder) references(ctx context.Context) error {
	opened, err := b.source.Open(ctx, b.question.Campaign, b.question.Positions)
	if err != nil {
		return fmt.Errorf("build report: %w", err)
	}
	b.log = opened
	stored, err := b.source.View.References(ctx, 0, 0, b.question.Positions)
	if err != nil {
		return fmt.Errorf("build report: read reference facts: %w", err)
	}
	all := make([]*contact.Fact, 0, len(stored))
	for i := range stored {
		f, err := b.fact(&stored[i])
		if err != nil {
			return err
		}
		all = append(all, f)
		if f.Type == events.TypeEventCorrected {
			b.corrected = append(b.corrected, f)
		}
	}
	b.facts = contact.View(contact.NewHistory(events.ContactKey{}, all), contact.AsOf(b.question.AsOf))
	sortFacts(b.facts)
	for _, f := range b.facts {
		if f.Controller != b.question.Campaign.Controller || f.Campaign != b.question.Campaign.Campaign {
			continue
		}
		switch f.Type {
		case events.TypeCampaignOpened:
			b.opened = append(b.opened, f)
		case events.TypeCampaignClosed:
			b.closed = append(b.closed, f)
		}
	}
	return b.lateEvents(ctx)
}

// lateEvents sums up LED-01 of the whole log within the positions.
func (b *builder) lateEvents(ctx context.Context) error {
	lags := map[lateKey][]int64{}
	err := b.source.View.Late(ctx, b.question.Positions, func(l view.Late) error {
		p := b.source.Packs.At(l.Recorded)
		limit := p.SLASeconds
		if l.Type.Family() == events.FamilyRevocations || l.Type == events.TypeOppositionRegistered {
			limit = p.RestrictiveSLASeconds
		}
		ahead := millis(l.Recorded, l.Time)
		lag := millis(l.Received, l.Recorded)
		if lag > int64(limit)*1000 || ahead > int64(p.SkewSeconds)*1000 {
			k := lateKey{l.Source, events.DateOf(l.Recorded, events.Rome)}
			lags[k] = append(lags[k], lag)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("build report: read late events: %w", err)
	}
	b.late = lateLines(lags)
	return nil
}

func (b *builder) fact(e *view.Event) (*contact.Fact, error) {
	ev, err := b.source.Decode(e.Body)
	if err != nil {
		return nil, fmt.Errorf("build report: read %s:%d: %w", e.Stream, e.Sequence, err)
	}
	ev.Recorded = e.Recorded
	return contact.NewFact(ev, e.Digest, e.Body, e.Stream, e.Sequence), nil
}

// chunk is a run of contacts on their way through the evaluation.
type chunk struct {
	stored []view.History
	people []person
	err    error
	done   chan struct{}
}

const chunkSize = 128

// gather visits every contact of the campaign: read in order, evaluated side
// by side, collected in order. No more than a few chunks are in memory.
func (b *builder) gather(ctx context.Context) error {
	b.begin()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := max(b.source.Workers, 2)
	work, order := make(chan *chunk, workers), make(chan *chunk, 2*workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range work {
				b.evaluate(c)
				close(c.done)
			}
		})
	}
	var scanErr error
	wg.Go(func() {
		defer close(order)
		defer close(work)
		scanErr = b.scan(ctx, work, order)
	})
	var err error
	for c := range order {
		<-c.done
		if err == nil {
			err = c.err
		}
		if err != nil {
			cancel()
			continue
		}
		for i := range c.people {
			b.collect(&c.people[i])
		}
	}
	wg.Wait()
	if err == nil && scanErr != nil {
		err = fmt.Errorf("build report: read contacts: %w", scanErr)
	}
	return err
}

func (b *builder) scan(ctx context.Context, work, order chan<- *chunk) error {
	cur := &chunk{done: make(chan struct{})}
	flush := func() error {
		if len(cur.stored) == 0 {
			return nil
		}
		select {
		case work <- cur:
		case <-ctx.Done():
			return ctx.Err()
		}
		order <- cur
		cur = &chunk{done: make(chan struct{})}
		return nil
	}
	err := b.log.Contacts(ctx, func(h view.History) error {
		own := view.History{Contact: h.Contact, Events: append([]view.Event(nil), h.Events...)}
		if cur.stored = append(cur.stored, own); len(cur.stored) < chunkSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// evaluate decodes and assesses the contacts of a chunk.
func (b *builder) evaluate(c *chunk) {
	r := b.question.AsOf
	for _, stored := range c.stored {
		facts := make([]*contact.Fact, 0, len(stored.Events))
		for i := range stored.Events {
			f, err := b.fact(&stored.Events[i])
			if err != nil {
				c.err = err
				return
			}
			facts = append(facts, f)
		}
		h := contact.NewHistory(stored.Contact, facts)
		p := person{key: stored.Contact, facts: contact.View(h, contact.AsOf(r))}
		sortFacts(p.facts)
		for _, f := range p.facts {
			a, ok := rules.AttemptOf(f)
			if !ok || f.Controller != b.question.Campaign.Controller || f.Campaign != b.question.Campaign.Campaign {
				continue
			}
			p.calls = append(p.calls, call{fact: f, data: f.Data.(*events.CallConcluded), attempt: a, result: b.source.Engine.Assess(h, b.log.Reference(), a, r)})
		}
		if len(p.calls) > 0 {
			c.people = append(c.people, p)
		}
	}
	c.stored = nil
}

func (b *builder) begin() {
	b.sources = map[string]bool{}
	b.publishers(b.facts)
	b.packs, b.processors, b.rows = map[string]bool{}, map[string]int{}, rows{}
	b.findings.begin()
	b.register.begin()
	b.bases.begin()
	b.oppositions.begin(b.question.Campaign.Controller)
	b.conduct.begin(b)
	b.contracts.begin(b.question.Campaign.Controller)
}

// collect adds one contact to every part.
func (b *builder) collect(p *person) {
	b.contacts = append(b.contacts, p.key)
	for i := range p.calls {
		c := &p.calls[i]
		t := c.attempt.DialledAt
		if b.attempts == 0 || t < b.first {
			b.first = t
		}
		b.last = max(b.last, t)
		b.attempts++
		b.packs[c.result.Pack] = true
		b.processors[c.attempt.Processor]++
		b.agents.call(c)
		b.findings.call(c)
		b.register.call(c)
		b.bases.call(c)
		b.conduct.call(c)
		b.contracts.call(c)
	}
	b.oppositions.person(p)
	b.pressure.person(b.question.Campaign.Controller, p)
	b.contracts.person(p)
	b.rows.person(b.question.Campaign.Controller, p)
	b.publishers(p.facts)
}

func (b *builder) publishers(facts []*contact.Fact) {
	for _, f := range facts {
		if f.Controller == b.question.Campaign.Controller {
			b.sources[f.Source] = true
		}
	}
}

// campaign is the data of the campaign.opened that is used, or an empty one.
func (b *builder) campaign() *events.CampaignOpened {
	if len(b.opened) == 0 {
		return &events.CampaignOpened{}
	}
	return b.opened[0].Data.(*events.CampaignOpened)
}

// of returns the reference facts of the controller of one type, by time and id.
func (b *builder) of(t events.Type) []*contact.Fact {
	var out []*contact.Fact
	for _, f := range b.facts {
		if f.Type == t && f.Controller == b.question.Campaign.Controller {
			out = append(out, f)
		}
	}
	return out
}
