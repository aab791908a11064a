package crdbview

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// yielded carries the error of a caller's own function through a query.
type yielded struct{ error }

// within runs read in a transaction that writes nothing and sees one state.
func (s *Store) within(ctx context.Context, op string, read func(r *reading) error) error {
	err := s.db.Read(ctx, func(tx pgx.Tx) error { return read(&reading{ctx, tx}) })
	var own *yielded
	if errors.As(err, &own) {
		return own.error
	}
	return failed(op, err)
}

// ask is within for a single answer.
func ask[T any](ctx context.Context, s *Store, op string, read func(r *reading) (T, error)) (T, error) {
	var out T
	err := s.within(ctx, op, func(r *reading) error {
		var err error
		out, err = read(r)
		return err
	})
	return out, err
}

// Progress implements view.Reader.
func (s *Store) Progress(ctx context.Context, p view.Projection) (view.Progress, error) {
	return ask(ctx, s, "read progress", func(r *reading) (view.Progress, error) { return r.progress(p) })
}

// Resolve implements view.Reader.
func (s *Store) Resolve(ctx context.Context, at events.Instant) (view.Positions, error) {
	out := view.Positions{}
	return out, s.within(ctx, "resolve instant", func(r *reading) error {
		return r.each(func(row pgx.Rows) error {
			c, err := scanRun(row)
			if err != nil {
				return err
			}
			n, _ := slices.BinarySearchFunc(c.recorded, at, func(a, b events.Instant) int {
				if a <= b {
					return -1
				}
				return 1
			})
			out[c.stream] = c.first + uint64(n) - 1
			return nil
		}, sqlResolve, at.UnixMicro())
	})
}

// Conflicts implements view.Reader.
func (s *Store) Conflicts(ctx context.Context, asOf view.Positions) ([]view.Conflict, error) {
	return ask(ctx, s, "read conflicts", func(r *reading) ([]view.Conflict, error) {
		var ids []events.IdentityHash
		err := r.each(func(row pgx.Rows) error {
			var id []byte
			if err := row.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, events.IdentityHash(id))
			return nil
		}, sqlConflicts)
		if err != nil {
			return nil, err
		}
		found, err := r.variants(ids)
		var out []view.Conflict
		for _, id := range ids {
			c := view.Conflict{Identity: id}
			for _, v := range found[id] {
				if asOf.Covers(v.Stream, v.Sequence) {
					c.Variants = append(c.Variants, v)
				}
			}
			if len(c.Variants) > 1 {
				out = append(out, c)
			}
		}
		return out, err
	})
}

// Corrections implements view.Reader.
func (s *Store) Corrections(ctx context.Context, asOf view.Positions) ([]view.Event, error) {
	return ask(ctx, s, "read corrections", func(r *reading) ([]view.Event, error) {
		out, err := r.eventsOf(asOf, sqlCorrecting)
		slices.SortFunc(out, byPlace)
		return slices.CompactFunc(out, func(a, b view.Event) bool { return byPlace(a, b) == 0 }), err
	})
}

// Late implements view.Reader.
func (s *Store) Late(ctx context.Context, asOf view.Positions, yield func(view.Late) error) error {
	return s.within(ctx, "read late events", func(r *reading) error {
		return r.late(func(l view.Late) error {
			if !asOf.Covers(l.Stream, l.Sequence) {
				return nil
			}
			if err := yield(l); err != nil {
				return &yielded{err}
			}
			return nil
		})
	})
}

func (r *reading) late(yield func(view.Late) error) error {
	return r.each(func(row pgx.Rows) error {
		var l view.Late
		var stream, source, id, kind []byte
		var at, received, recorded int64
		if err := row.Scan(&stream, &l.Sequence, &source, &id, &kind, &at, &received, &recorded); err != nil {
			return err
		}
		l.Stream, l.Source, l.ID, l.Type = string(stream), string(source), string(id), events.Type(kind)
		l.Time, l.Received, l.Recorded = instant(at), instant(received), instant(recorded)
		return yield(l)
	}, sqlLate)
}

// SourceSequences implements view.Reader.
func (s *Store) SourceSequences(ctx context.Context, asOf view.Positions, yield func(view.SourceSequence) error) error {
	return s.within(ctx, "read source sequences", func(r *reading) error {
		return r.sourceSequences(func(seen view.SourceSequence) error {
			if !asOf.Covers(seen.Stream, seen.Sequence) {
				return nil
			}
			if err := yield(seen); err != nil {
				return &yielded{err}
			}
			return nil
		})
	})
}

func (r *reading) sourceSequences(yield func(view.SourceSequence) error) error {
	return r.each(func(row pgx.Rows) error {
		var source, stream, pairs []byte
		if err := row.Scan(&source, &stream, &pairs); err != nil {
			return err
		}
		seen := view.SourceSequence{Source: string(source), Stream: string(stream)}
		for len(pairs) > 0 {
			seq, n := binary.Varint(pairs)
			entry, m := binary.Varint(pairs[max(n, 0):])
			if n <= 0 || m <= 0 {
				return fmt.Errorf("%w: row of a source", view.ErrCorrupt)
			}
			pairs = pairs[n+m:]
			seen.Seq += seq
			seen.Sequence += uint64(entry)
			if err := yield(seen); err != nil {
				return err
			}
		}
		return nil
	}, sqlSources)
}

// Duplicates implements view.Reader.
func (s *Store) Duplicates(ctx context.Context, asOf view.Positions) (map[string]int64, error) {
	out := map[string]int64{}
	return out, s.within(ctx, "count duplicates", func(r *reading) error {
		return r.duplicates(func(stream string, sequence uint64) error {
			if asOf.Covers(stream, sequence) {
				out[stream]++
			}
			return nil
		})
	})
}

func (r *reading) duplicates(yield func(stream string, sequence uint64) error) error {
	return r.each(func(row pgx.Rows) error {
		var stream []byte
		var sequence uint64
		if err := row.Scan(&stream, &sequence); err != nil {
			return err
		}
		return yield(string(stream), sequence)
	}, sqlDuplicates)
}
