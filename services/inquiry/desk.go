package inquiry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Engine is what the desk needs of rules.Engine.
type Engine interface {
	Gate(h *contact.History, ref *rules.Reference, a rules.Attempt, t events.Instant) rules.Decision
}

// Beat is what a recorder said last: it appends nothing more before Instant,
// and the streams stood at Positions.
type Beat struct {
	Instant   events.Instant
	Positions view.Positions
}

// Beats returns the youngest beat of each family that ever beat.
type Beats func(ctx context.Context) (map[events.Family]Beat, error)

// Desk answers questions. Its fields are set once; it is safe for concurrent
// use. Decisions share one reference that grows with the ledger.
type Desk struct {
	View view.Reader
	// Projections are those whose progress says how current View is; the
	// positions of answers are the first one's.
	Projections []view.Projection
	Beats       Beats
	Engine      Engine
	Decode      Decoder
	Clock       func() events.Instant
	// Fresh is how old the beats may be for a question about now; 0 = 5 s.
	Fresh time.Duration
	// Patience is how long an answer waits for the view; 0 = 2 s.
	Patience time.Duration
	// Poll is the pause between two looks at the view; 0 = 10 ms.
	Poll time.Duration

	mu    sync.RWMutex
	world *World
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Horizon is what the beats promise together.
type Horizon struct {
	// Latest is the latest instant as of which the log is final; zero while a
	// family has never beaten.
	Latest events.Instant
	// Oldest is the oldest of the youngest beats; Missing the families without.
	Oldest  events.Instant
	Missing []events.Family
	// Needs are the positions that hold everything recorded up to Latest.
	Needs view.Positions
}

// Horizon reads the beats.
func (d *Desk) Horizon(ctx context.Context) (Horizon, error) {
	beats, err := d.Beats(ctx)
	if err != nil {
		return Horizon{}, fmt.Errorf("inquiry read beats: %w", err)
	}
	h := Horizon{Needs: view.Positions{}, Oldest: events.MaxInstant}
	for _, f := range events.Families {
		b, ok := beats[f]
		if !ok {
			h.Missing = append(h.Missing, f)
			continue
		}
		h.Oldest = min(h.Oldest, b.Instant)
		for s, n := range b.Positions {
			h.Needs[s] = max(h.Needs[s], n)
		}
	}
	if len(h.Missing) > 0 {
		h.Oldest = 0
		return h, nil
	}
	h.Latest = h.Oldest - 1
	return h, nil
}

// covered reports whether the view has applied what is needed.
func (d *Desk) covered(ctx context.Context, needs view.Positions) (bool, view.Progress, error) {
	var first view.Progress
	for i, name := range d.Projections {
		p, err := d.View.Progress(ctx, name)
		if err != nil {
			return false, first, fmt.Errorf("inquiry read progress: %w", err)
		}
		if i == 0 {
			first = p
		}
		for s, n := range needs {
			if p[s].Sequence < n {
				return false, first, nil
			}
		}
	}
	return true, first, nil
}

// await waits until the view has applied what is needed, at most Patience.
func (d *Desk) await(ctx context.Context, needs view.Positions) (view.Progress, error) {
	end := time.Now().Add(orDefault(d.Patience, 2*time.Second))
	for {
		ok, p, err := d.covered(ctx, needs)
		if ok || err != nil {
			return p, err
		}
		if time.Now().After(end) {
			return p, fmt.Errorf("inquiry await view: %w", ErrBehind)
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(orDefault(d.Poll, 10*time.Millisecond)):
		}
	}
}

// current waits until the view has applied what the beats promise.
func (d *Desk) current(ctx context.Context) (view.Progress, error) {
	h, err := d.Horizon(ctx)
	if err != nil {
		return nil, err
	}
	return d.await(ctx, h.Needs)
}

// Final resolves an as-of that must be final: zero = the latest possible. It
// returns the instant R and the positions of the last event recorded ≤ R in
// each stream, once the view has applied them. A *TooLateError says what the
// latest possible R is.
func (d *Desk) Final(ctx context.Context, r events.Instant) (events.Instant, view.Positions, error) {
	h, err := d.Horizon(ctx)
	if err != nil {
		return 0, nil, err
	}
	if r > h.Latest || h.Latest.IsZero() {
		return 0, nil, &TooLateError{Latest: h.Latest}
	}
	if r.IsZero() {
		r = h.Latest
	}
	if _, err := d.await(ctx, h.Needs); err != nil {
		return 0, nil, err
	}
	p, err := d.View.Resolve(ctx, r)
	if err != nil {
		return 0, nil, fmt.Errorf("inquiry resolve as-of: %w", err)
	}
	return r, p, nil
}

// Judgement is the law's answer and, apart from it, why the ledger may not
// know enough to give one.
type Judgement struct {
	Law      rules.Decision
	Doubts   []rules.Reason
	Progress view.Progress
}

// Judge asks the law about an attempt at t: View(t, t, t). It waits for the
// view to apply what the beats promise. The error is that of the ports: no
// answer, which a caller must read as "block".
func (d *Desk) Judge(ctx context.Context, a rules.Attempt, t events.Instant) (Judgement, error) {
	doubts, progress, err := d.doubts(ctx, t, d.Clock())
	if err != nil {
		return Judgement{}, err
	}
	campaign := view.CampaignRef{Controller: a.Controller, Campaign: a.Campaign}
	if err := d.refresh(ctx, campaign, t); err != nil {
		return Judgement{}, err
	}
	h, err := history(ctx, d.View, d.Decode, a.Contact, nil)
	if err != nil {
		return Judgement{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	j := Judgement{Law: d.Engine.Gate(h, d.world.Reference, a.Normalised(), t), Doubts: doubts, Progress: progress}
	if !d.world.Knows(campaign, contact.Gate(t)) {
		j.Doubts = append(j.Doubts, rules.Doubt(rules.UnknownCampaign, "no campaign of this id was opened by this controller: publish campaign.opened first"))
	}
	if j.Law.Pack == "" {
		j.Doubts = append(j.Doubts, rules.Doubt(rules.MissingPack, "no rule pack is valid at this instant: add one to the packs"))
	}
	return j, nil
}

// Decide answers whether a call may be placed at its DialledAt (zero = now). A
// doubt about the ledger, the view, the campaign or the pack blocks, with the
// reason. The error is that of Judge.
func (d *Desk) Decide(ctx context.Context, a rules.Attempt) (Decision, error) {
	if a.DialledAt.IsZero() {
		a.DialledAt = d.Clock()
	}
	t := a.DialledAt
	j, err := d.Judge(ctx, a, t)
	if err != nil {
		return Decision{}, err
	}
	out := Decision{Decision: j.Law, Contact: a.Contact, At: t, Positions: j.Progress.Positions()}
	if out.Reasons == nil {
		out.Reasons = []rules.Reason{}
	}
	if out.Passed == nil {
		out.Passed = []string{}
	}
	if len(j.Doubts) > 0 {
		out.Verdict = events.VerdictBlock
		out.Reasons = append(out.Reasons, j.Doubts...)
		out.ValidUntil = t
	}
	return out, nil
}

// doubts says why the ledger may not know everything up to t.
func (d *Desk) doubts(ctx context.Context, t, now events.Instant) ([]rules.Reason, view.Progress, error) {
	h, err := d.Horizon(ctx)
	if err != nil {
		return nil, nil, err
	}
	var doubts []rules.Reason
	if past := t <= h.Latest; !past && (h.Oldest.IsZero() || now.Sub(h.Oldest) > orDefault(d.Fresh, 5*time.Second)) {
		doubts = append(doubts, rules.Doubt(rules.StaleLedger, "a recorder has not reported for too long: a revocation may be waiting; see /readyz"))
	}
	progress, err := d.await(ctx, h.Needs)
	if errors.Is(err, ErrBehind) {
		return append(doubts, rules.Doubt(rules.Behind, "the view has not applied all that is recorded: ask again")), progress, nil
	}
	return doubts, progress, err
}

// refresh brings the shared reference up to date for a question at t.
func (d *Desk) refresh(ctx context.Context, c view.CampaignRef, t events.Instant) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.world == nil {
		d.world = NewWorld(d.View, d.Decode, nil)
	}
	if _, err := d.world.Refresh(ctx); err != nil {
		d.world = nil // half a page may be in: build it again
		return err
	}
	asOf, err := d.View.Resolve(ctx, t)
	if err != nil {
		return fmt.Errorf("inquiry resolve %s: %w", t, err)
	}
	return d.world.Begin(ctx, c, t, asOf)
}
