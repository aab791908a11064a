package report

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// Register is part 2: consultations of the public register of oppositions.
type Register struct {
	Batches []Consultation `json:"batches"`
	// Coverage says of each list of the campaign how many of the contacts called
	// from it the register has answered for.
	Coverage []ListCoverage `json:"list_coverage"`
	// Screened counts the attempts that cite a consultation of the controller.
	Attempts int `json:"attempts"`
	// Opposed counts attempts to numbers under a raised bar, and by the basis
	// that survives it ("none": no basis).
	Opposed         int     `json:"opposed"`
	OpposedPerMille int     `json:"opposed_per_mille"`
	OpposedByBasis  []Count `json:"opposed_by_basis"`
	// Unknown counts attempts to numbers of which the controller had no
	// answer at all.
	Unknown int `json:"status_unknown"`
}

// ListCoverage is what consultations have reached of a list. Answered counts the
// called contacts with an answer other than invalid, made in the controller's
// name, however old.
type ListCoverage struct {
	List             string `json:"list"`
	Called           int    `json:"called_contacts"`
	Answered         int    `json:"answered_contacts"`
	AnsweredPerMille int    `json:"answered_per_mille"`
}

// Consultation is one batch (DPR 26/2022 8(2)).
type Consultation struct {
	Batch      string          `json:"batch"`
	Event      events.Identity `json:"event"`
	List       string          `json:"list,omitempty"`
	Part       events.Register `json:"register"`
	SnapshotAt events.Instant  `json:"snapshot_at"`
	AnsweredAt events.Instant  `json:"answered_at"`
	LastDay    events.Date     `json:"last_valid_day"`
	Submitted  *int            `json:"submitted,omitempty"`
	Clear      *int            `json:"clear,omitempty"`
	Opposed    *int            `json:"opposed,omitempty"`
	Selective  *int            `json:"selective,omitempty"`
	Invalid    *int            `json:"invalid,omitempty"`
	Cited      int             `json:"cited_by_attempts"`
}

type register struct {
	attempts, opposed, unknown int
	byBasis, cited             map[string]int
}

func (r *register) begin() { r.byBasis, r.cited = map[string]int{}, map[string]int{} }

func (r *register) call(c *call) {
	r.attempts++
	if c.attempt.Batch != "" {
		r.cited[c.attempt.Batch]++
	}
	p := c.result.Proof
	if p.RegisterStatus == "" {
		r.unknown++
	}
	if p.BarUp {
		r.opposed++
		r.byBasis[basisName(p.Basis)]++
	}
}

func basisName(b events.Basis) string {
	if b == "" {
		return "none"
	}
	return string(b)
}

func (r *register) finish(b *builder) Register {
	out := Register{Batches: []Consultation{}, Coverage: []ListCoverage{}, Attempts: r.attempts, Opposed: r.opposed, Unknown: r.unknown,
		OpposedPerMille: perMille(r.opposed, r.attempts), OpposedByBasis: countsOf(r.byBasis)}
	lists := slices.Sorted(slices.Values(b.campaign().Lists))
	for _, id := range slices.Compact(slices.Clone(lists)) {
		c := b.rows.of(id)
		out.Coverage = append(out.Coverage, ListCoverage{id, c.called, c.answered, perMille(c.answered, c.called)})
	}
	for _, f := range b.of(events.TypeRegisterScreeningCompleted) {
		d := f.Data.(*events.RegisterScreeningCompleted)
		if !slices.Contains(lists, d.List) && r.cited[d.Batch] == 0 {
			continue
		}
		c := Consultation{Batch: d.Batch, Event: f.Identity(), List: d.List, Part: d.Register, SnapshotAt: d.SnapshotAt, AnsweredAt: f.Time,
			Submitted: d.Submitted, Clear: d.Clear, Opposed: d.Opposed, Selective: d.Selective, Invalid: d.Invalid, Cited: r.cited[d.Batch]}
		if c.Part == "" {
			c.Part = events.RegisterPhone
		}
		c.LastDay = events.DateOf(d.SnapshotAt, events.Rome) + events.Date(b.validDays(c.Part, d.SnapshotAt))
		out.Batches = append(out.Batches, c)
	}
	return out
}
