package said

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// Cited names something that grants refer to: when it comes later, or changes,
// the contacts must be looked at again.
type Cited struct {
	Kind       CitedKind
	Controller string
	Name       string
}

// CitedKind is what is cited.
type CitedKind string

// The kinds: a notice with its version, a call in which consent was given, the
// campaign of such a call.
const (
	CitedNotice   CitedKind = "notice"
	CitedCall     CitedKind = "call"
	CitedCampaign CitedKind = "campaign"
)

// SweepKind says which contacts a sweep looks at.
type SweepKind string

// The kinds of sweeps, each of every contact: because something that consents
// rest on has changed, or the law; because an order names vendors or sources.
const (
	SweepAll   SweepKind = "all"
	SweepOrder SweepKind = "order"
)

// Sweep is a standing task to look at every contact again.
type Sweep struct {
	ID   int64
	Kind SweepKind
}

// Wipe is an erasure of which messages may remain in FEED.
type Wipe struct {
	Contact    events.ContactKey
	Controller string
	UpTo       uint64         // position
	Latest     events.Instant // no later than this
}

// Due is when time alone may change what stands against a contact; a zero At
// means never.
type Due struct {
	Contact events.ContactKey
	At      events.Instant
}

// Change is what one commit stores. Zero fields change nothing.
type Change struct {
	// Put are messages that were stored in FEED at their Position, in order: a
	// stop replaces what was said of its key, a resume removes it. Each is
	// noted for erasure, and an opposition that is First for acknowledgement.
	Put []Entry
	// Quiet are entries to replace without a message: their causes shrank.
	Quiet   []Entry
	Due     []Due
	Cited   []Cited
	Sweep   []SweepKind
	Swept   []int64
	Wipe    []Wipe
	Wiped   []Wipe
	Moved   view.Progress // ledger streams, to where
	Feed    uint64        // position in FEED; 0 = unchanged
	Handled events.Instant
	Law     string
	Orders  *string // fingerprint of the orders that contacts are held against
	Whole   bool    // the rebuild is complete
}

// Commit stores a change in one transaction.
func (s *Store) Commit(ctx context.Context, c *Change) error {
	return s.update(ctx, "remember what was said", func(tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx}
		w.messages(c)
		for _, e := range c.Quiet {
			w.put(&e)
		}
		for _, d := range c.Due {
			if d.At == 0 {
				w.exec(`DELETE FROM due WHERE contact = ?`, blob(d.Contact))
			} else {
				w.exec(`INSERT INTO due VALUES (?, ?) ON CONFLICT DO UPDATE SET at_us = excluded.at_us`, blob(d.Contact), micro(d.At))
			}
		}
		for _, k := range c.Cited {
			w.exec(`INSERT INTO cited VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, k.Kind, k.Controller, k.Name)
		}
		for _, k := range c.Sweep {
			w.exec(`INSERT INTO sweep (kind) VALUES (?)`, k)
		}
		for _, id := range c.Swept {
			w.exec(`DELETE FROM sweep WHERE id = ?`, id)
		}
		w.wipes(c)
		w.mark(c)
		return w.err
	})
}

func (s *Store) update(ctx context.Context, op string, change func(tx *sql.Tx) error) error {
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return failed(op, err)
	}
	defer tx.Rollback()
	if err := change(tx); err != nil {
		return failed(op, err)
	}
	return failed(op, tx.Commit())
}

// writer runs statements until one fails.
type writer struct {
	ctx context.Context
	tx  *sql.Tx
	err error
}

func (w *writer) exec(text string, args ...any) {
	if w.err == nil {
		_, w.err = w.tx.ExecContext(w.ctx, text, args...)
	}
}

func (w *writer) messages(c *Change) {
	for i := range c.Put {
		e := &c.Put[i]
		m := &e.Message
		k := m.Key()
		if m.Effect == events.FeedStop {
			w.put(e)
		} else {
			w.exec(`DELETE FROM said WHERE contact = ? AND controller = ? AND kind = ? AND list = ?`, blob(k.Contact), k.Controller, k.Kind, k.List)
		}
		if k.Contact.IsZero() {
			continue
		}
		w.exec(`INSERT INTO sent VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, blob(k.Contact), k.Controller, m.Position)
		if m.Kind == events.FeedOpposition && m.Effect == events.FeedStop && e.First {
			w.exec(`INSERT INTO opposed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, k.Controller, m.Position, blob(k.Contact), m.Cause.Source, m.Cause.ID)
		}
	}
}

func (w *writer) put(e *Entry) {
	m := &e.Message
	k := m.Key()
	lists := ""
	if !k.Contact.IsZero() && len(m.Lists) > 0 {
		b, err := json.Marshal(m.Lists)
		if err != nil && w.err == nil {
			w.err = err
		}
		lists = string(b)
	}
	causes := make([]byte, 0, 16*len(e.Causes))
	for _, h := range e.Causes {
		causes = append(causes, h[:]...)
	}
	w.exec(`INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		blob(k.Contact), k.Controller, k.Kind, k.List, purposeBits(m.Purposes), channelBits(m.Channels), lists, micro(m.At),
		m.Cause.Source, m.Cause.ID, m.Type, micro(m.Received), micro(m.Recorded), micro(m.Sent), m.Ledger.Stream, m.Ledger.Sequence,
		m.Position, causes)
}

func (w *writer) wipes(c *Change) {
	for _, x := range c.Wipe {
		w.exec(`INSERT INTO wipe VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET upto = max(upto, excluded.upto), latest_us = excluded.latest_us`,
			blob(x.Contact), x.Controller, x.UpTo, micro(x.Latest))
	}
	for _, x := range c.Wiped {
		w.exec(`DELETE FROM sent WHERE contact = ? AND controller = ? AND position <= ?`, blob(x.Contact), x.Controller, x.UpTo)
		w.exec(`DELETE FROM wipe WHERE contact = ? AND controller = ? AND upto <= ?`, blob(x.Contact), x.Controller, x.UpTo)
	}
}

func (w *writer) mark(c *Change) {
	for stream, m := range c.Moved {
		w.exec(`INSERT OR REPLACE INTO position VALUES (?, ?, ?)`, stream, m.Sequence, micro(m.Recorded))
	}
	w.exec(`INSERT INTO mark VALUES (1, 0, 0, '', '', 0) ON CONFLICT DO NOTHING`)
	w.exec(`UPDATE mark SET feed = max(feed, ?), handled_us = max(handled_us, ?)`, c.Feed, micro(c.Handled))
	if c.Law != "" {
		w.exec(`UPDATE mark SET law = ?`, c.Law)
	}
	if c.Orders != nil {
		w.exec(`UPDATE mark SET orders = ?`, *c.Orders)
	}
	if c.Whole {
		w.exec(`UPDATE mark SET whole = 1`)
	}
}

// Reset forgets everything, before it is built again.
func (s *Store) Reset(ctx context.Context) error {
	return s.update(ctx, "forget what was said", func(tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx}
		for _, table := range []string{"said", "opposed", "sent", "wipe", "due", "sweep", "cited", "position", "mark"} {
			w.exec("DELETE FROM " + table)
		}
		return w.err
	})
}

// Prune drops what is noted of messages before first, which FEED no longer
// holds.
func (s *Store) Prune(ctx context.Context, first uint64) error {
	return s.update(ctx, "prune what was sent", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sent WHERE position < ?`, first)
		return err
	})
}

func purposeBits(list []events.Purpose) (s events.PurposeSet) {
	for _, p := range list {
		s |= p.Bit()
	}
	return s
}

func channelBits(list []events.Channel) (s events.ChannelSet) {
	for _, c := range list {
		s |= c.Bit()
	}
	return s
}
