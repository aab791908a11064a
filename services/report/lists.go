package report

import (
	"context"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// Lists is part 5: where the numbers came from.
type Lists struct {
	Lists []List `json:"lists"`
	// OffList counts attempts found under IT-LST-01, NoOrigin under IT-LST-02.
	OffList  int `json:"off_list_attempts"`
	NoOrigin int `json:"attempts_without_origin"`
}

// List is one list of the campaign. Prices are in cents of a euro.
type List struct {
	List        string            `json:"list"`
	Acquired    events.Identity   `json:"acquired,omitzero"`
	AcquiredAt  events.Instant    `json:"acquired_at,omitzero"`
	Vendor      string            `json:"vendor,omitempty"`
	Chain       []string          `json:"vendor_chain,omitempty"`
	PriceCents  *int64            `json:"price_cents,omitempty"`
	Vetting     *events.Vetting   `json:"vetting,omitempty"`
	Sample      *events.Sample    `json:"sample,omitempty"`
	ActivatedAt events.Instant    `json:"activated_at,omitzero"`
	RetiredAt   events.Instant    `json:"retired_at,omitzero"`
	Screenings  []OwnSuppressions `json:"own_suppression_screenings"`
	// Rows counts the contacts that stood on the list at any time, and
	// CentsPerRow is PriceCents divided by it, rounded down; both are null where
	// the list has no price.
	Rows        *int   `json:"rows,omitempty"`
	CentsPerRow *int64 `json:"cents_per_row,omitempty"`
	// Called counts the contacts of the campaign with a row on the list as of
	// R, removed ones not counted.
	Called int `json:"called_contacts"`
	// CentsPerCalled is PriceCents divided by Called, rounded down; null where
	// either is missing.
	CentsPerCalled *int64 `json:"cents_per_called_contact,omitempty"`
}

// OwnSuppressions is one comparison with the controller's own suppressions.
type OwnSuppressions struct {
	At      events.Instant `json:"at"`
	Removed *int           `json:"removed,omitempty"`
}

// rows counts the contacts of the campaign by list.
type rows map[string]*listCount

type listCount struct {
	called, answered int
}

func (r rows) person(controller string, p *person) {
	on, answered := map[string]bool{}, false
	for _, f := range p.facts { // ascending time; a removal beats an addition of its instant
		switch d := f.Data.(type) {
		case *events.ListContactAdded:
			if !removedAt(p.facts, d.List, f.Time) {
				on[d.List] = true
			}
		case *events.ListContactRemoved:
			delete(on, d.List)
		case *events.RegisterScreened:
			answered = answered || f.Controller == controller && d.Answer != events.AnswerInvalid
		}
	}
	for l := range on {
		c := r[l]
		if c == nil {
			c = &listCount{}
			r[l] = c
		}
		c.called++
		if answered {
			c.answered++
		}
	}
}

// of returns the count of a list.
func (r rows) of(list string) listCount {
	if c := r[list]; c != nil {
		return *c
	}
	return listCount{}
}

func removedAt(facts []*contact.Fact, list string, t events.Instant) bool {
	for _, f := range facts {
		if d, ok := f.Data.(*events.ListContactRemoved); ok && d.List == list && f.Time == t {
			return true
		}
	}
	return false
}

func (b *builder) listsPart(ctx context.Context, f *Findings) (Lists, error) {
	out := Lists{Lists: []List{}, OffList: f.attemptsWith("IT-LST-01"), NoOrigin: f.attemptsWith("IT-LST-02")}
	ids := slices.Clone(b.campaign().Lists)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		l := b.list(id)
		if l.PriceCents != nil {
			n, err := b.log.Rows(ctx, id, b.question.AsOf)
			if err != nil {
				return Lists{}, fmt.Errorf("build report: %w", err)
			}
			l.Rows = &n
			if n > 0 {
				per := *l.PriceCents / int64(n)
				l.CentsPerRow = &per
			}
		}
		out.Lists = append(out.Lists, l)
	}
	return out, nil
}

func (b *builder) list(id string) List {
	l := List{List: id, Screenings: []OwnSuppressions{}, Called: b.rows.of(id).called}
	for _, f := range b.facts {
		switch d := f.Data.(type) {
		case *events.ListAcquired:
			if d.List == id && l.AcquiredAt == 0 {
				l.Acquired, l.AcquiredAt = f.Identity(), f.Time
				l.Vendor, l.Chain, l.PriceCents, l.Vetting, l.Sample = d.Vendor, d.VendorChain, d.PriceCents, d.Vetting, d.Sample
			}
		case *events.ListActivated:
			if d.List == id && l.ActivatedAt == 0 {
				l.ActivatedAt = f.Time
			}
		case *events.ListRetired:
			if d.List == id && l.RetiredAt == 0 {
				l.RetiredAt = f.Time
			}
		case *events.ListScreened:
			if d.List == id {
				l.Screenings = append(l.Screenings, OwnSuppressions{f.Time, d.Removed})
			}
		}
	}
	if l.PriceCents != nil && l.Called > 0 {
		per := *l.PriceCents / int64(l.Called)
		l.CentsPerCalled = &per
	}
	return l
}

// validDays is how long an answer of the register holds, by the pack of the
// day of its snapshot.
func (b *builder) validDays(part events.Register, snapshot events.Instant) int {
	p := b.source.Packs.At(snapshot)
	if part == events.RegisterPostal {
		return p.PaperDays
	}
	return p.PhoneDays
}
