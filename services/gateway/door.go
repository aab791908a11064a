package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// Refusal is a submission that the door itself rejects: it never parsed, or no
// recorder takes its type.
type Refusal struct {
	Source string // as far as readable
	ID     string
	Type   string
	Errors []events.Fault
	Body   []byte
}

// Rejects is where refused submissions go: the same stream and vault as those
// of the recorders, so that nothing vanishes.
type Rejects interface {
	// Refuse seals the submissions and announces them. It returns the id of
	// each reject in the same order; both are durable on return. An error
	// means that none may be relied upon: answer 503, the sender sends again.
	Refuse(ctx context.Context, refused []Refusal) (ids []string, err error)
}

// door takes raw submissions to the intake and brings their results.
type door struct {
	port      intake.Port
	rejects   Rejects
	normalise events.Normaliser
	clock     func() events.Instant
	waves     *waves
	log       *zap.Logger
}

// pending is a set of items on their way.
type pending struct {
	items []*Item
	raws  [][]byte
	trace string
	waves []*wave
	// untaken are the items that neither the intake nor the rejects took.
	untaken []int
	// fault says why, nil if all items were taken.
	fault error
}

// send classifies the raw submissions, stores the good ones in the intake and
// the hopeless ones in the rejects. It returns once each is durable or known
// to be untaken; finish waits for the receipts. first is the index of the
// first item in its request.
func (d *door) send(ctx context.Context, first int, raws [][]byte, trace string) *pending {
	p := &pending{items: make([]*Item, len(raws)), raws: raws, trace: trace, untaken: make([]int, len(raws))}
	for i := range raws {
		p.items[i] = &Item{Index: first + i}
		p.untaken[i] = i
	}
	d.resend(ctx, p)
	return p
}

// resend tries the untaken items of p (again).
func (d *door) resend(ctx context.Context, p *pending) {
	var good, bad []int
	var batch []intake.Submission
	var refused []Refusal
	for _, i := range p.untaken {
		it, raw := p.items[i], p.raws[i]
		sub, id, faults := d.route(raw, p.trace)
		it.Source, it.ID, it.Errors = clean(sub.Source, 256), clean(id, 128), faults
		if faults != nil {
			bad = append(bad, i)
			refused = append(refused, Refusal{Source: it.Source, ID: it.ID, Type: clean(string(sub.Type), 128), Errors: faults, Body: raw})
			continue
		}
		good = append(good, i)
		batch = append(batch, sub)
	}
	p.untaken, p.fault = p.untaken[:0:0], nil
	d.refuse(ctx, p, bad, refused)
	d.submit(ctx, p, good, batch)
	for _, i := range p.untaken {
		p.items[i].Result = Unavailable
	}
}

func (d *door) refuse(ctx context.Context, p *pending, bad []int, refused []Refusal) {
	if len(refused) == 0 {
		return
	}
	ids, err := d.rejects.Refuse(ctx, refused)
	if err == nil && len(ids) != len(refused) {
		err = errors.New("gateway refuse: the rejects answered for another number of submissions")
	}
	if err != nil {
		d.log.Error("gateway: cannot keep refused submissions", zap.Int("count", len(refused)), errorField(err))
		p.fault = errors.Join(intake.ErrUnavailable, err)
		p.untaken = append(p.untaken, bad...)
		return
	}
	for n, i := range bad {
		p.items[i].Result, p.items[i].Reject = Rejected, ids[n]
	}
}

func (d *door) submit(ctx context.Context, p *pending, good []int, batch []intake.Submission) {
	if len(batch) == 0 {
		return
	}
	items := make([]*Item, len(good))
	for n, i := range good {
		items[n] = p.items[i]
	}
	wv := d.waves.open(items)
	for n := range batch {
		batch[n].Ref = wv.refs[n]
	}
	p.waves = append(p.waves, wv)
	for n, err := range d.port.Submit(ctx, batch) {
		if err == nil || !d.waves.forget(wv, n) {
			continue // taken; or said to be unknown, yet its receipt has come
		}
		p.untaken = append(p.untaken, good[n])
		if p.fault == nil || errors.Is(err, intake.ErrFull) {
			p.fault = err
		}
	}
}

// finish waits for the receipts of p, at most wait in all (0: not at all).
func (d *door) finish(ctx context.Context, p *pending, wait time.Duration) {
	end := time.Now().Add(wait)
	for _, wv := range p.waves {
		left := time.Until(end)
		if wait == 0 {
			left = 0
		}
		d.waves.settle(ctx, wv, left)
	}
}

// route reads what decides the way of a submission. Only one that no queue can
// take is validated here, so that its sender learns all errors at once; faults
// is nil for all others.
func (d *door) route(raw []byte, trace string) (sub intake.Submission, id string, faults []events.Fault) {
	var peeked events.Identity
	if len(raw) <= intake.MaxBody {
		var typ events.Type
		var err error
		if peeked, typ, err = events.Peek(raw); err == nil {
			sub = intake.Submission{Family: typ.Family(), Source: peeked.Source, Type: typ, Token: d.waves.token, Body: raw, Trace: trace}
			if sub.Source != "" && sub.Check() == nil {
				return sub, peeked.ID, nil
			}
		}
	}
	s, faults := events.Validate(raw, events.ValidateOptions{Now: d.clock(), Normalise: d.normalise})
	if len(faults) == 0 {
		faults = []events.Fault{{Code: "source_invalid", Field: "source", Hint: "send a source that can stand in a queue's address"}}
	}
	return intake.Submission{Source: s.Source, Type: s.Type, Body: raw}, s.ID, faults
}

// clean cuts an attribute that a client made up to what may be repeated to it
// and stored: at most n bytes, and no E.164 number. Digits alone stay: they are
// what many a telephone exchange calls an id.
func clean(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return e164.ReplaceAllString(s, "+…")
}
