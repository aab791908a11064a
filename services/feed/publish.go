package feed

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/view"
)

// unit is what is published together and then stored in one transaction.
type unit struct {
	number  uint64
	sayings []saying
	call    *groupcommit.Call
	change  said.Change
	// due: it looks at contacts whose time has come.
	due bool
}

func newUnit() *unit { return &unit{change: said.Change{Moved: view.Progress{}}} }

func (u *unit) say(s saying) { u.sayings = append(u.sayings, s) }

// empty: there is nothing to store.
func (u *unit) empty() bool {
	c := &u.change
	return len(u.sayings)+len(c.Quiet)+len(c.Due)+len(c.Cited)+len(c.Sweep)+len(c.Swept)+len(c.Wipe)+len(c.Moved) == 0 && !c.Whole && c.Law == "" && c.Orders == nil && !u.due
}

// send publishes the messages of a unit in their order and has it stored once
// FEED has them.
func (l *life) send(ctx context.Context, u *unit) error {
	if u.empty() {
		return nil
	}
	l.unitsMade++
	u.number = l.unitsMade
	if u.due {
		l.dueUnit = u.number
	}
	for i := range u.sayings {
		s := &u.sayings[i]
		s.id = l.messageID(&s.entry.Message)
		l.fresh.put(*s, u.number)
	}
	msgs, err := l.messages(ctx, u)
	if err != nil {
		return err
	}
	u.call = l.committer.Enqueue(ctx, msgs)
	for {
		select {
		case l.units <- u:
			return nil
		case d := <-l.done:
			if err := l.committedUnit(ctx, d); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// messageID names a message: the hash of what it says and of what was said
// before, so that a try that was not answered is stored once, and a stop that
// returns after a resume is not taken for the first one.
func (l *life) messageID(m *events.FeedMessage) string {
	h := sha256.New()
	text := func(parts ...string) {
		for _, p := range parts {
			h.Write(binary.AppendUvarint(nil, uint64(len(p))))
			h.Write([]byte(p))
		}
	}
	k := m.Key()
	text(m.Cause.Source, m.Cause.ID, k.Contact.String(), string(k.Kind), k.Controller, k.List, string(m.Effect))
	if before, ok := l.fresh[k.Contact][k]; ok {
		text(before.id)
	}
	h.Write(binary.AppendUvarint(nil, l.position))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// messages gives the messages of a unit their numbers and their form on the
// wire.
func (l *life) messages(ctx context.Context, u *unit) ([]groupcommit.Message, error) {
	said := make([]events.FeedMessage, len(u.sayings))
	for i := range said {
		said[i] = u.sayings[i].entry.Message
		said[i].Position = 0
	}
	if err := l.reveal(ctx, said); err != nil {
		return nil, err
	}
	out := make([]groupcommit.Message, len(said))
	for i := range said {
		m := &said[i]
		body, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("feed: write message: %w", err)
		}
		out[i] = groupcommit.Message{Subject: events.FeedSubject(m.Controller, m.Kind), ID: u.sayings[i].id, Data: body}
	}
	return out, nil
}

// reveal gives messages their numbers, side by side where there are many.
func (f *Feed) reveal(ctx context.Context, list []events.FeedMessage) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	const part = 32
	for from := 0; from < len(list); from += part {
		group.Go(func() error {
			for i := from; i < min(from+part, len(list)); i++ {
				var err error
				if list[i].Phone, err = f.phone(ctx, list[i].Contact); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// phone reveals the number of a contact; "" when the vault has forgotten it.
func (f *Feed) phone(ctx context.Context, key events.ContactKey) (string, error) {
	if key.IsZero() {
		return "", nil
	}
	n, err := f.cfg.Numbers.Number(ctx, key)
	switch {
	case errors.Is(err, vault.ErrUnknown):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("feed: read number: %w", err)
	}
	return n.Reveal(), nil
}

// errGap: FEED holds a message that this life did not publish, or published
// without hearing of it. A new life reads it.
var errGap = errors.New("FEED holds messages that are not accounted for")

// commitUnits stores units in their order, each once FEED has its messages.
func (l *life) commitUnits(ctx context.Context) error {
	position := l.position
	for {
		var u *unit
		select {
		case u = <-l.units:
		case <-ctx.Done():
			return ctx.Err()
		}
		results, err := u.call.Wait(ctx)
		if err != nil {
			return err
		}
		for i, r := range results {
			switch {
			case r.Err != nil:
				return fmt.Errorf("feed: %w", r.Err)
			case r.Duplicate || r.Sequence != position+1:
				return errGap
			}
			position++
			e := u.sayings[i].entry
			e.Message.Position = position
			u.change.Put = append(u.change.Put, e)
		}
		u.change.Feed = position
		for i := range u.change.Wipe {
			u.change.Wipe[i].UpTo = position
		}
		if err := l.cfg.Said.Commit(ctx, &u.change); err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		select {
		case l.done <- u:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// committedUnit takes note of a stored unit.
func (l *life) committedUnit(ctx context.Context, u *unit) error {
	l.unitsDone = u.number
	l.position = u.change.Feed
	for s, m := range u.change.Moved {
		l.committed[s] = m
	}
	l.fresh.drop(u)
	for i := range u.change.Put {
		l.metrics.said(&u.change.Put[i].Message)
	}
	if l.dueUnit == u.number {
		l.dueUnit = 0
	}
	if err := l.readDue(ctx); err != nil {
		return err
	}
	if len(u.change.Sweep)+len(u.change.Swept) > 0 {
		if err := l.readSweeps(ctx); err != nil {
			return err
		}
	}
	if u.change.Whole {
		l.building = false
	}
	l.setStatus(func(s *Status) {
		s.Position, s.Ledger, s.Building = l.position, l.committed.Positions(), l.building
	})
	return nil
}

// readDue reads when time alone has work.
func (l *life) readDue(ctx context.Context) error {
	at, err := l.cfg.Said.NextDue(ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	l.due = at
	return nil
}
