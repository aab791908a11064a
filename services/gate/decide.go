package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
)

// Decision is the gate's answer to one question, unsigned.
type Decision struct {
	rules.Decision
	// Attempt is the question as it was judged; its DialledAt is At.
	Attempt rules.Attempt
	// At is the instant that was judged, by the gate's clock, UTC.
	At events.Instant
	// Positions are those that the answer rests on. The map is shared.
	Positions map[string]uint64
}

// want is what a question has to wait for.
type want uint8

const (
	wantBeats   want = 1 << iota // younger beats
	wantApplied                  // entries that are on their way
	wantHistory                  // the whole history of the contact
)

// Decide answers whether the call may be placed now, by the gate's clock; the
// attempt's DialledAt is not looked at. A doubt blocks, with its reason; the
// answer waits at most Config.Patience for what would remove it. It never fails
// for want of knowledge; ctx ending early gives the answer as it is then.
func (g *Gate) Decide(ctx context.Context, a rules.Attempt) Decision {
	a = a.Normalised()
	d, needs := g.try(a)
	if needs == 0 {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Patience)
	defer cancel()
	for needs != 0 {
		moved := g.waiting()
		if needs&wantHistory != 0 {
			g.fetch(ctx, a.Contact)
		}
		if needs&wantBeats != 0 {
			g.readBeats(ctx)
		}
		if d, needs = g.try(a); needs == 0 || !g.await(ctx, moved, needs) {
			break
		}
	}
	return d
}

// await waits for something to change; false when the patience is over.
func (g *Gate) await(ctx context.Context, moved <-chan struct{}, needs want) bool {
	if needs == wantHistory {
		return ctx.Err() == nil // fetch has waited, or the contact moved meanwhile
	}
	select {
	case <-ctx.Done():
		return false
	case <-moved:
	case <-time.After(awaitPoll):
	}
	return true
}

// awaitPoll is the pause of a question that waits for beats.
const awaitPoll = 5 * time.Millisecond

// try answers from what is in memory. needs tells what a doubt waits for.
func (g *Gate) try(a rules.Attempt) (d Decision, needs want) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t := max(g.cfg.Clock(), g.floor)
	d = Decision{At: t, Positions: g.vector()}
	doubts, needs := g.doubts(t)
	if law, ok := g.law(a, t); ok {
		d.Decision = law
	} else {
		d.Pack = g.cfg.Engine.PackAt(t) // without it the answer could not be recorded
		needs |= wantHistory
		doubts = append(doubts, rules.Doubt(rules.Unsettled, "a conflict, a correction or a possible taint of this contact is being resolved: ask again"))
	}
	if !g.reference.Opened(a.Controller, a.Campaign, contact.Gate(t)) {
		doubts = append(doubts, rules.Doubt(rules.UnknownCampaign, "no campaign of this id was opened by this controller: publish campaign.opened first"))
	}
	if d.Pack == "" {
		doubts = append(doubts, rules.Doubt(rules.MissingPack, "no rule pack is valid at this instant: add one to the packs"))
	}
	if len(doubts) > 0 {
		d.Verdict, d.ValidUntil = events.VerdictBlock, t
		d.Reasons = append(d.Reasons, doubts...)
	}
	a.DialledAt = t
	d.Attempt = a
	return d, needs
}

// doubts says why the gate may not know everything up to t; mu is held.
func (g *Gate) doubts(t events.Instant) (doubts []rules.Reason, needs want) {
	g.beatsMu.RLock()
	defer g.beatsMu.RUnlock()
	for _, f := range events.Families {
		b, ok := g.beats[f]
		if !ok || t.Sub(b.Instant) > g.cfg.Fresh {
			needs |= wantBeats
		} else if !g.covers(b.Positions) {
			needs |= wantApplied
		}
	}
	if needs&wantBeats != 0 {
		doubts = append(doubts, rules.Doubt(rules.StaleLedger, "a recorder has not reported for too long: a revocation may be waiting; see /readyz"))
	}
	if needs&wantApplied != 0 {
		doubts = append(doubts, rules.Doubt(rules.Behind, "the gate has not applied all that is recorded: ask again"))
	}
	return doubts, needs
}

// law asks the engine; mu is held. ok is false when the contact is judged from
// its whole history and that is not at hand.
func (g *Gate) law(a rules.Attempt, t events.Instant) (d rules.Decision, ok bool) {
	if moved, full := g.full[a.Contact]; full {
		held, ok := g.histories.Get(a.Contact)
		if !ok || held.moved != moved {
			return d, false
		}
		return g.cfg.Engine.Gate(held.history, g.reference, a, t), true
	}
	sc := g.scratches.Get().(*scratch)
	defer g.scratches.Put(sc)
	facts, err := sc.rebuild(a.Contact, g.shard(a.Contact).memory.get(a.Contact), g.templates)
	if err != nil {
		return d, false // the memory is broken: see fetch
	}
	return g.cfg.Engine.GateFacts(facts, g.reference, a, t)
}

// fetch reads the whole history of a contact as of what is applied. A fault
// leaves the contact unsettled.
func (g *Gate) fetch(ctx context.Context, key events.ContactKey) {
	g.mu.RLock()
	moved := g.full[key]
	p := make(ledger.Positions, len(g.at))
	for i, m := range g.at {
		p[g.streams[i]] = m.sequence
	}
	g.mu.RUnlock()
	if g.cfg.Index.Await(ctx, p) != nil {
		return
	}
	h, err := g.cfg.Index.History(ctx, key, p)
	if err != nil {
		return
	}
	g.histories.Add(key, heldHistory{moved, h})
}

// Ready returns why the gate would block everything; none when it would not. A
// gate that was current within Config.Fresh and has entries on their way is
// ready: a question waits for them.
func (g *Gate) Ready() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t := max(g.cfg.Clock(), g.floor)
	doubts, needs := g.doubts(t)
	if needs == wantApplied && t.Sub(events.Instant(g.current.Load())) <= g.cfg.Fresh {
		doubts = nil
	}
	g.beatsMu.RLock()
	defer g.beatsMu.RUnlock()
	var out []string
	for _, d := range doubts {
		out = append(out, "gate: "+d.Sentence)
	}
	if g.beatsErr != nil {
		out = append(out, fmt.Sprintf("gate: the beats cannot be read: %v", g.beatsErr))
	}
	return out
}
