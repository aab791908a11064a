package feed

import (
	"context"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
)

// settleQueue settles the batches that the event index has applied.
func (l *life) settleQueue(ctx context.Context) error {
	at, err := l.cfg.View.Progress(ctx, l.cfg.Index)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	u := newUnit()
	var facts []*contact.Fact
	n := 0
	for ; n < len(l.queue) && len(facts) < settleBatch; n++ {
		b := &l.queue[n]
		if at[b.stream()].Sequence < b.to.Sequence {
			break
		}
		facts = append(facts, b.facts...)
		u.change.Moved[b.stream()] = b.to
	}
	if n == 0 {
		return nil
	}
	l.queue = l.queue[n:]
	l.queued -= len(facts)
	l.forget(facts)
	return l.settle(ctx, u, facts)
}

// forget drops settled facts from what is kept for those in a hurry.
func (l *life) forget(facts []*contact.Fact) {
	for _, f := range facts {
		if f.Subject.IsZero() {
			continue
		}
		if list := l.unsettled[f.Subject]; len(list) > 1 {
			l.unsettled[f.Subject] = list[1:]
		} else {
			delete(l.unsettled, f.Subject)
		}
	}
}

// settle says for certain what facts change.
func (l *life) settle(ctx context.Context, u *unit, facts []*contact.Fact) error {
	w := &touched{contacts: map[events.ContactKey]bool{}, refs: nil}
	if err := l.touch(ctx, w, facts); err != nil {
		return err
	}
	if w.world {
		if _, err := l.world.Refresh(ctx); err != nil {
			return fmt.Errorf("feed: %w", err)
		}
	}
	if err := l.referenceChanges(ctx, u, w); err != nil {
		return err
	}
	u.change.Wipe = append(u.change.Wipe, l.erasures(facts)...)
	if err := l.lookAgain(ctx, u, w.keys()); err != nil {
		return err
	}
	u.change.Handled = l.cfg.Clock()
	return l.send(ctx, u)
}

// lookAgain adds to u what must be said of contacts, and when to look next.
func (l *life) lookAgain(ctx context.Context, u *unit, keys []events.ContactKey) error {
	list, err := l.look(ctx, keys, nil)
	if err != nil {
		return err
	}
	for i := range list {
		k := &list[i]
		l.differences(u, k.contact, k.stops, k.entries, false)
		for _, f := range k.erased {
			l.takeBack(u, f, k)
		}
		u.change.Due = append(u.change.Due, said.Due{Contact: k.contact, At: k.next})
		for _, c := range k.cites {
			if !l.cited[c] {
				l.cited[c] = true
				u.change.Cited = append(u.change.Cited, c)
			}
		}
	}
	return nil
}

// erasures lists the contacts whose messages must go.
func (l *life) erasures(facts []*contact.Fact) []said.Wipe {
	var out []said.Wipe
	for _, f := range facts {
		if f.Type == events.TypeErasureExecuted {
			out = append(out, said.Wipe{Contact: f.Subject, Controller: f.Controller, Latest: l.cfg.Clock().Add(l.cfg.WipeAfter)})
		}
	}
	return out
}

// touched is what facts concern.
type touched struct {
	contacts map[events.ContactKey]bool
	order    []events.ContactKey
	refs     []*contact.Fact // reference facts that came or changed
	world    bool            // the reference must be read again
	changed  bool            // a reference fact was corrected or is in conflict
}

func (w *touched) contact(key events.ContactKey) {
	if !w.contacts[key] {
		w.contacts[key] = true
		w.order = append(w.order, key)
	}
}

func (w *touched) keys() []events.ContactKey { return w.order }

// touch finds out whom facts concern: their contacts, and those tied to them
// by corrections and conflicts.
func (l *life) touch(ctx context.Context, w *touched, facts []*contact.Fact) error {
	ids := make([]events.IdentityHash, len(facts))
	for i, f := range facts {
		ids[i] = f.Identity().Hash()
	}
	known, err := l.cfg.View.Identities(ctx, ids)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	seen := map[events.IdentityHash]bool{}
	for i, f := range facts {
		if f.Subject.IsZero() {
			w.world = true
			w.refs = append(w.refs, f)
		} else if relevant, err := l.relevant(ctx, f); err != nil {
			return err
		} else if relevant {
			w.contact(f.Subject)
		}
		if d, ok := f.Data.(*events.EventCorrected); ok {
			if err := l.chase(ctx, w, d.Target.Hash(), seen); err != nil {
				return err
			}
		}
		if len(known[ids[i]]) > 1 {
			if err := l.chase(ctx, w, ids[i], seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// chase notes everything that the variants of a corrected or conflicting
// identity bear on.
func (l *life) chase(ctx context.Context, w *touched, id events.IdentityHash, seen map[events.IdentityHash]bool) error {
	if seen[id] {
		return nil
	}
	seen[id] = true
	found, err := l.cfg.View.Identities(ctx, []events.IdentityHash{id})
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	w.world = true
	for _, v := range found[id] {
		if !v.Contact.IsZero() {
			w.contact(v.Contact)
		}
		f, err := l.recorded(ctx, v)
		if err != nil {
			return err
		}
		if d, ok := f.Data.(*events.EventCorrected); ok {
			if err := l.chase(ctx, w, d.Target.Hash(), seen); err != nil {
				return err
			}
			continue
		}
		if v.Contact.IsZero() {
			w.refs, w.changed = append(w.refs, f), true
		}
	}
	return nil
}

// recorded reads one variant from the ledger.
func (l *life) recorded(ctx context.Context, v view.Variant) (*contact.Fact, error) {
	list, err := l.cfg.Ledger.Read(ctx, ledger.Stream(v.Stream), ledger.Sequence(v.Sequence), 1)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("feed: %s at %d: %w", v.Stream, v.Sequence, ledger.ErrGone)
	}
	e, err := codec.Decode(list[0].Body)
	if err != nil {
		return nil, fmt.Errorf("feed: %s at %d: %w: %w", v.Stream, v.Sequence, errUnreadable, err)
	}
	e.Recorded = v.Recorded
	return contact.NewFact(e, v.Digest, list[0].Body, v.Stream, v.Sequence), nil
}

// relevant reports whether a fact can change what stands against its contact.
// Of the types that most of a day consists of, calls and rows, nearly none can.
func (l *life) relevant(ctx context.Context, f *contact.Fact) (bool, error) {
	switch d := f.Data.(type) {
	case *events.CallConcluded:
		// Only the lawfulness of a call in which consent was given counts.
		return l.cited[said.Cited{Kind: said.CitedCall, Controller: f.Controller, Name: f.ID}], nil
	case *events.ListContactAdded:
		// A new row can take a removal back, or be hit by an order.
		if len(l.orders) > 0 && (d.Vendor != "" || d.Source != "") || len(l.fresh[f.Subject]) > 0 {
			return true, nil
		}
		knows, err := l.cfg.Said.Knows(ctx, f.Subject)
		if err != nil {
			return false, fmt.Errorf("feed: %w", err)
		}
		return knows || max(f.Time, f.Received) > l.cfg.Clock(), nil
	case *events.CallInbound, *events.CallbackRequested, *events.ComplaintReceived, *events.RightsRequested, *events.RightsExtended,
		*events.RightsClosed, *events.DecisionIssued, *events.SuppressionAcknowledged, *events.AccessExercised:
		return false, nil
	}
	return true, nil
}

// hurry says at once what a batch stops that the event index has not applied
// yet: only what stops more, from what the views hold and the facts that they
// lack. What takes back waits until it is certain.
func (l *life) hurry(ctx context.Context, b batch) error {
	u := newUnit()
	extra := map[events.ContactKey][]*contact.Fact{}
	var keys []events.ContactKey
	lists := false
	for _, f := range b.facts {
		switch {
		case !restricts(f):
		case f.Subject.IsZero():
			l.world.Reference.Add(f)
			lists = true
		case extra[f.Subject] == nil && len(keys) < hurryMost:
			extra[f.Subject] = l.unsettled[f.Subject]
			keys = append(keys, f.Subject)
		}
	}
	if lists {
		if err := l.sayLists(ctx, u, true); err != nil {
			return err
		}
	}
	list, err := l.look(ctx, keys, extra)
	if err != nil {
		return err
	}
	for i := range list {
		l.differences(u, list[i].contact, list[i].stops, list[i].entries, true)
	}
	return l.send(ctx, u)
}

// hurryMost is how many contacts of one batch are looked at before their time:
// in a flood all of them come late, and looking twice makes it later.
const hurryMost = 256

// restricts reports whether a fact by itself can stop calls.
func restricts(f *contact.Fact) bool {
	switch d := f.Data.(type) {
	case *events.ConsentRevoked, *events.ConsentRefused, *events.ConsentInvalidated, *events.OppositionRegistered,
		*events.RegisterListed, *events.RegisterRenewed, *events.ErasureExecuted, *events.NumberReassigned,
		*events.ListContactRemoved, *events.ListRetired:
		return true
	case *events.OrderIssued:
		return d.Kind == events.OrderProhibition || d.Kind == events.OrderLimitation
	case *events.RegisterScreened:
		return d.Answer != events.AnswerClear && d.Answer != events.AnswerInvalid
	}
	return false
}
