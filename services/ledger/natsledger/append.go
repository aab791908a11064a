package natsledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/ledger"
)

// traceHeader is the only header besides Nats-Msg-Id.
const traceHeader = "traceparent"

// share is what one Append hands to one stream.
type share struct {
	stream ledger.Stream
	msgs   []groupcommit.Message
	index  []int // of the entries
	call   *groupcommit.Call
}

// Append implements ledger.Appender.
func (l *Ledger) Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	out := make([]ledger.Placed, len(entries))
	shares := l.divide(entries, out)
	for i := range shares {
		if len(shares[i].msgs) > 0 {
			shares[i].call = l.committers[i].Enqueue(ctx, shares[i].msgs)
		}
	}
	var ended error
	for i := range shares {
		s := &shares[i]
		if s.call == nil {
			continue
		}
		results, err := s.call.Wait(ctx)
		if err != nil {
			ended = err
		}
		l.place(ctx, s, results, out)
	}
	return out, ended
}

// divide checks the entries and deals them out to their streams.
func (l *Ledger) divide(entries []ledger.Entry, out []ledger.Placed) []share {
	shares := make([]share, len(l.streams))
	for i := range entries {
		e := &entries[i]
		n := l.partitions
		if !e.Contact.IsZero() {
			n = e.Contact.Partition(l.partitions)
		}
		out[i].Stream = l.streams[n]
		if out[i].Err = e.Check(l.partitions); out[i].Err != nil {
			continue
		}
		var header nats.Header
		if e.Trace != "" {
			header = nats.Header{traceHeader: {e.Trace}}
		}
		s := &shares[n]
		s.stream = l.streams[n]
		s.index = append(s.index, i)
		s.msgs = append(s.msgs, groupcommit.Message{Subject: e.Subject, ID: e.MessageID, Header: header, Source: e})
	}
	return shares
}

// stamp fills in the recorded time just before a group is published.
func (l *Ledger) stamp(group []*groupcommit.Message) func() {
	at := l.stamper.Now()
	for _, m := range group {
		if e, ok := m.Source.(*ledger.Entry); ok {
			m.Data, m.Stamped = e.Stamped(at), at
		}
	}
	return nil
}

// place turns the results of one stream into those of the entries.
func (l *Ledger) place(ctx context.Context, s *share, results []groupcommit.Result, out []ledger.Placed) {
	var unread []int // duplicates of which the stored stamp is not known here
	for k, r := range results {
		p := &out[s.index[k]]
		if r.Err != nil {
			p.Err = portError(r.Err)
			continue
		}
		p.Sequence, p.RecordedAt, p.Duplicate = ledger.Sequence(r.Sequence), r.Stamped, r.Duplicate
		if r.Stamped.IsZero() || r.Resent {
			unread = append(unread, k)
		}
	}
	if len(unread) > 0 {
		l.readStamps(ctx, s, results, unread, out)
	}
}

// readStamps reads the recorded time of stored copies. A copy that bears the
// stamp of this very entry was stored by a try whose answer was lost, and is no
// duplicate.
func (l *Ledger) readStamps(ctx context.Context, s *share, results []groupcommit.Result, unread []int, out []ledger.Placed) {
	slices.SortFunc(unread, func(a, b int) int { return int(results[a].Sequence) - int(results[b].Sequence) })
	for from := 0; from < len(unread); {
		to := from + 1
		for to < len(unread) && results[unread[to]].Sequence-results[unread[to-1]].Sequence <= 1 {
			to++
		}
		first, last := results[unread[from]].Sequence, results[unread[to-1]].Sequence
		list, err := l.Read(ctx, s.stream, ledger.Sequence(first), int(last-first)+1)
		for _, k := range unread[from:to] {
			p := &out[s.index[k]]
			if n := int(results[k].Sequence - first); err == nil && n < len(list) {
				p.RecordedAt, p.Err = ledger.RecordedAt(list[n].Body)
			} else {
				p.Err = fmt.Errorf("append to %s: %w: it is stored at %d, but its recorded time cannot be read: %w", s.stream, ledger.ErrUnavailable, results[k].Sequence, errors.Join(err, errShort))
			}
			if p.Err != nil {
				p.Sequence, p.RecordedAt, p.Duplicate = 0, 0, false
				continue
			}
			if results[k].Resent && p.RecordedAt == s.msgs[k].Stamped {
				p.Duplicate = false
			}
		}
		from = to
	}
}

var errShort = errors.New("the broker has not caught up")

// portError maps an error of the committer to the port's.
func portError(err error) error {
	switch {
	case errors.Is(err, groupcommit.ErrAmbiguous):
		return fmt.Errorf("append: %w: %w", ledger.ErrAmbiguous, err)
	case errors.Is(err, groupcommit.ErrFull):
		return fmt.Errorf("append: %w: %w", ledger.ErrFull, err)
	case errors.Is(err, groupcommit.ErrRefused):
		// The entry was checked before; so the broker's settings are to blame.
		return fmt.Errorf("append: %w: the stream's settings refuse it, an operator must act: %w", ledger.ErrUnavailable, err)
	}
	return fmt.Errorf("append: %w: %w", ledger.ErrUnavailable, err)
}
