package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/rules"
)

// List is one question that is put to many contacts. It is judged at one
// instant, that of its beginning or a later one that is planned for, and
// answered from what is applied when each chunk is asked. What happens after the
// instant, to a contact or to the campaign, can only make an answer stricter
// (schemas/decisions/0025).
// It is a listcheck.List, safe for concurrent use.
type List struct {
	gate     *Gate
	attempt  rules.Attempt
	head     listcheck.Head
	prepared atomic.Pointer[prepared]
	referred uint64 // of the gate when the list began
	// patience is what is left of listPatience, in nanoseconds.
	patience atomic.Int64
}

// prepared is the question as it was worked out from one state of the reference.
type prepared struct {
	question *rules.Question
	referred uint64
	rulings  sync.Pool // *rulings, each for one goroutine at a time
}

const (
	// listHold is how many contacts are answered under one lock: a writer that
	// waits for it holds up every question meanwhile.
	listHold = 64
	// listPatience is how long a list waits in all for histories that do not
	// come; contacts without theirs are blocked as unsettled.
	listPatience = 10 * time.Second
	// listReaders is how many histories a chunk reads side by side.
	listReaders = 8
)

// OpenList makes the question ready for a list of contacts; the attempt's
// contact and instant are not looked at. at is the instant to plan for, zero =
// now by the gate's clock. It waits at most Config.Patience. The errors are those of
// package listcheck and say what to do; then nothing may be allowed.
func (g *Gate) OpenList(ctx context.Context, a rules.Attempt, at events.Instant) (*List, error) {
	a = a.Normalised()
	a.ID, a.Contact, a.DialledAt = "", events.ContactKey{}, 0
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Patience)
	defer cancel()
	for {
		moved := g.waiting()
		l, needs, err := g.tryList(a, at)
		if needs == 0 {
			return l, err
		}
		if needs&wantBeats != 0 {
			g.readBeats(ctx)
		}
		if !g.await(ctx, moved, needs) {
			return nil, err
		}
	}
}

// tryList opens a list from what is in memory. needs tells what a doubt waits for.
func (g *Gate) tryList(a rules.Attempt, at events.Instant) (*List, want, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	now := max(g.cfg.Clock(), g.floor)
	if needs, err := g.inDoubt(now); err != nil {
		return nil, needs, err
	}
	l := &List{gate: g, attempt: a, head: listcheck.Head{Asked: listcheck.Asked(&a), Begun: now, Instant: now, Positions: clonePositions(g.vector())}, referred: g.referred}
	if !at.IsZero() {
		l.head.Instant, l.head.Plan = at, at > now
	}
	t := l.head.Instant
	switch {
	case t < now:
		return nil, 0, fmt.Errorf("gate open list: %w: leave the instant out to check the list now, or name a later one to plan", listcheck.ErrPast)
	case !g.reference.Opened(a.Controller, a.Campaign, contact.Gate(t)):
		return nil, 0, fmt.Errorf("gate open list: %w: publish campaign.opened of this controller first", listcheck.ErrCampaign)
	}
	l.head.Pack = g.cfg.Engine.PackAt(t)
	if l.head.Pack == "" {
		return nil, 0, fmt.Errorf("gate open list: %w is valid at the instant: add one to the packs", listcheck.ErrPack)
	}
	l.patience.Store(int64(listPatience))
	return l, 0, nil
}

// inDoubt returns why nothing is sure at t, and what that waits for; mu is held.
func (g *Gate) inDoubt(t events.Instant) (want, error) {
	doubts, needs := g.doubts(t)
	if len(doubts) == 0 {
		return 0, nil
	}
	return needs, fmt.Errorf("gate answer list: %w: %s: %s", listcheck.ErrDoubt, doubts[0].Rule, doubts[0].Sentence)
}

// Head is what is known of the check before its first answer.
func (l *List) Head() listcheck.Head { return l.head }

// Applied returns the positions that answers given from now on rest on.
func (l *List) Applied() map[string]uint64 {
	l.gate.mu.RLock()
	defer l.gate.mu.RUnlock()
	return clonePositions(l.gate.vector())
}

// Answer implements listcheck.List. The error is ErrDoubt, or that of ctx.
func (l *List) Answer(ctx context.Context, keys []events.ContactKey, out []listcheck.Answer) error {
	if err := l.sure(ctx); err != nil {
		return err
	}
	sc := l.gate.listScratches.Get().(*listScratch)
	defer l.gate.listScratches.Put(sc)
	sc.full = sc.full[:0]
	for from := 0; from < len(keys); from += listHold {
		l.hold(sc, keys, out, from, min(from+listHold, len(keys)))
	}
	if len(sc.full) == 0 {
		return nil
	}
	return l.settle(ctx, sc, keys, out)
}

// sure waits until nothing is in doubt, at most Config.Patience.
func (l *List) sure(ctx context.Context) error {
	g := l.gate
	check := func() (want, error) {
		g.mu.RLock()
		defer g.mu.RUnlock()
		return g.inDoubt(max(g.cfg.Clock(), g.floor))
	}
	needs, err := check()
	if err == nil {
		return ctx.Err()
	}
	patient, cancel := context.WithTimeout(ctx, g.cfg.Patience)
	defer cancel()
	for {
		moved := g.waiting()
		if needs&wantBeats != 0 {
			g.readBeats(patient)
		}
		if needs, err = check(); err == nil {
			return ctx.Err()
		}
		if !g.await(patient, moved, needs) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// question returns the question as of the reference; mu is held.
func (l *List) question() *prepared {
	p := l.prepared.Load()
	if p == nil || p.referred != l.gate.referred {
		p = &prepared{question: l.gate.cfg.Engine.Prepare(l.gate.reference, l.attempt, l.head.Instant), referred: l.gate.referred}
		q, at := p.question, l.head.Instant
		p.rulings.New = func() any { return newRulings(q, at) }
		l.prepared.Store(p)
	}
	return p
}

// hold answers a few contacts under one lock, and notes those that are judged
// from whole histories.
func (l *List) hold(sc *listScratch, keys []events.ContactKey, out []listcheck.Answer, from, to int) {
	g := l.gate
	g.mu.RLock()
	defer g.mu.RUnlock()
	p, now := l.question(), max(g.cfg.Clock(), g.floor)
	rulings := p.rulings.Get().(*rulings)
	defer p.rulings.Put(rulings)
	sc.find(g.state, keys[from:to])
	for i := from; i < to; i++ {
		if len(g.full) > 0 {
			if _, full := g.full[keys[i]]; full {
				sc.full = append(sc.full, i)
				continue
			}
		}
		if r, ok := l.rule(sc, rulings, keys[i], sc.content(i-from), now); ok {
			out[i] = listcheck.Answer{Ruling: r}
		} else {
			out[i] = listcheck.InDoubt(listcheck.Unsettled, l.head.Instant)
		}
	}
}

// rule answers from the record of a contact, at once where one was answered
// that is alike to it; mu is held. ok is false where the record does not suffice.
func (l *List) rule(sc *listScratch, before *rulings, key events.ContactKey, content []byte, now events.Instant) (r rules.Ruling, ok bool) {
	g := l.gate
	// Facts that are alike lie before the list: only the campaign can be newer.
	alike := !l.newer(nil, now) && before.draw(content, g.templates)
	if alike {
		if r, ok = before.find(); ok {
			return r, true
		}
	}
	facts, err := sc.rebuild(key, content, g.templates)
	if err != nil {
		return r, false // the memory is broken
	}
	if r, ok = before.question.Verdict(facts); !ok {
		return r, false
	}
	if l.newer(facts, now) {
		if d, ok := g.cfg.Engine.GateFacts(facts, g.reference, l.attempt, now); ok {
			r = stricter(r, &d)
		}
	}
	if alike {
		before.note(r)
	}
	return r, true
}

// newer reports whether something of the contact or the campaign happened after
// the instant of a list that is checked now; mu is held.
func (l *List) newer(facts []*contact.Fact, now events.Instant) bool {
	if l.head.Plan || now == l.head.Instant {
		return false
	}
	for _, f := range facts {
		if f.Time > l.head.Instant {
			return true
		}
	}
	return l.gate.referred != l.referred
}

// stricter is what a contact gets of two answers. The register's answer expires
// when it did.
func stricter(r rules.Ruling, later *rules.Decision) rules.Ruling {
	if r.Verdict == events.VerdictBlock || later.Verdict == events.VerdictAllow || later.Verdict == r.Verdict {
		return r
	}
	s := rules.Ruled(later)
	s.RegisterUntil = r.RegisterUntil
	return s
}

// settle answers the contacts of sc.full from their whole histories, and blocks
// those of which it does not come in time. The error is that of ctx.
func (l *List) settle(ctx context.Context, sc *listScratch, keys []events.ContactKey, out []listcheck.Answer) error {
	begun := time.Now()
	patient, cancel := context.WithTimeout(ctx, time.Duration(l.patience.Load()))
	defer cancel()
	open := make([]unsettled, len(sc.full))
	for n, i := range sc.full {
		out[i] = listcheck.InDoubt(listcheck.Unsettled, l.head.Instant)
		open[n] = unsettled{index: i, key: keys[i]}
	}
	for {
		if open = l.judge(open, out); len(open) == 0 {
			return ctx.Err()
		}
		if l.fetch(patient, open) == nil {
			continue
		}
		select { // a fault of the moment
		case <-patient.Done():
			l.patience.Add(-int64(time.Since(begun)))
			return ctx.Err()
		case <-time.After(l.gate.cfg.Retry):
		}
	}
}

// unsettled is a contact of a chunk that is judged from its whole history.
type unsettled struct {
	index int
	key   events.ContactKey
	held  heldHistory
}

// judge answers those of which the history is at hand, and returns the others.
func (l *List) judge(open []unsettled, out []listcheck.Answer) []unsettled {
	g := l.gate
	g.mu.RLock()
	defer g.mu.RUnlock()
	left := open[:0]
	for _, u := range open {
		if u.held.history == nil {
			u.held, _ = g.histories.Peek(u.key)
		}
		if u.held.history == nil || u.held.moved != g.full[u.key] {
			left = append(left, unsettled{index: u.index, key: u.key})
			continue
		}
		out[u.index] = listcheck.Answer{Ruling: l.whole(u.held.history, u.key)}
	}
	return left
}

// whole judges a whole history; mu is held. When the register's answer expires
// is worked out without the consents that may be tainted: such a contact counts
// as one that needs an answer.
func (l *List) whole(h *contact.History, key events.ContactKey) rules.Ruling {
	g := l.gate
	a := l.attempt
	a.Contact = key
	d := g.cfg.Engine.Gate(h, g.reference, a, l.head.Instant)
	r := rules.Ruled(&d)
	settled := slices.DeleteFunc(contact.View(h, contact.Gate(l.head.Instant)), func(f *contact.Fact) bool {
		grant, is := f.Data.(*events.ConsentGranted)
		return is && grant.CollectionAttempt != ""
	})
	if without, ok := l.question().question.Verdict(settled); ok {
		r.RegisterUntil = without.RegisterUntil
	}
	if now := max(g.cfg.Clock(), g.floor); !l.head.Plan && now != l.head.Instant {
		later := g.cfg.Engine.Gate(h, g.reference, a, now)
		r = stricter(r, &later)
	}
	return r
}

// fetch reads the histories of contacts as of what is applied. An error leaves
// some of them without.
func (l *List) fetch(ctx context.Context, open []unsettled) error {
	g := l.gate
	g.mu.RLock()
	p := make(ledger.Positions, len(g.at))
	for i, m := range g.at {
		p[g.streams[i]] = m.sequence
	}
	for i := range open {
		open[i].held.moved = g.full[open[i].key]
	}
	g.mu.RUnlock()
	if err := g.cfg.Index.Await(ctx, p); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listReaders)
	for i := range open {
		u := &open[i]
		group.Go(func() (err error) {
			u.held.history, err = g.cfg.Index.History(ctx, u.key, p)
			return err
		})
	}
	return group.Wait()
}
