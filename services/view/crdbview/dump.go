package crdbview

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/services/view"
)

// Dump implements view.Reader. The starts of campaigns are left out: they may
// hold calls that were struck out since, and mean the same without them.
func (s *Store) Dump(ctx context.Context, p view.Projection, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := s.within(ctx, "dump view", func(r *reading) error {
		d := &dump{reading: *r, out: out}
		d.shared(p)
		switch p.Name {
		case view.ConsentState:
			d.index()
		case view.Violations:
			d.violations()
		}
		return d.err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// dump writes lines until the first error.
type dump struct {
	reading
	out io.Writer
	err error
}

// line writes one row: bytes as hexadecimal text, missing values as <nil>.
func (d *dump) line(kind string, values ...any) error {
	text := kind
	for _, v := range values {
		switch b := v.(type) {
		case []byte:
			if v = hex.EncodeToString(b); b == nil {
				v = nil
			}
		case *int64:
			if v = nil; b != nil {
				v = *b
			}
		}
		text += fmt.Sprintf(" %v", v)
	}
	_, err := fmt.Fprintln(d.out, text)
	return err
}

// step runs a part if there was no error.
func (d *dump) step(part func() error) {
	if d.err == nil {
		d.err = part()
	}
}

func (d *dump) shared(p view.Projection) {
	d.step(func() error {
		at, err := d.progress(p)
		if err != nil {
			return err
		}
		names := make([]string, 0, len(at))
		for name := range at {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := d.line("position", name, at[name].Sequence, at[name].Recorded.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
	d.step(func() error {
		return d.each(func(row pgx.Rows) error {
			var at int64
			var contact []byte
			if err := row.Scan(&at, &contact); err != nil {
				return err
			}
			return d.line("due", at, contact)
		}, sqlDue, []byte(p.Name), p.Version)
	})
}

// index writes what consentstate keeps.
func (d *dump) index() {
	d.step(func() error {
		return d.each(func(row pgx.Rows) error {
			e, err := scanEvent(row)
			if err != nil {
				return err
			}
			return d.line("event", e.Contact[:], e.Stream, e.Sequence, e.Recorded, e.Identity[:], e.Digest, string(e.Body))
		}, sqlAllEvents)
	})
	d.step(func() error {
		return d.each(func(row pgx.Rows) error {
			v, err := scanVariant(row)
			if err != nil {
				return err
			}
			return d.line("variant", v.identity[:], v.Digest, v.Stream, v.Sequence, v.Contact)
		}, sqlAllVariants)
	})
	d.step(d.sources)
	d.step(func() error {
		return d.each(func(row pgx.Rows) error {
			c, err := scanRun(row)
			if err != nil {
				return err
			}
			for i, at := range c.recorded {
				if err := d.line("clock", c.stream, c.first+uint64(i), at); err != nil {
					return err
				}
			}
			return nil
		}, sqlAllClocks)
	})
	d.step(d.links)
	d.step(func() error {
		return d.late(func(l view.Late) error {
			return d.line("late", l.Stream, l.Sequence, l.Source, l.ID, l.Type, l.Time.UnixMicro(), l.Received.UnixMicro(), l.Recorded.UnixMicro())
		})
	})
	d.step(func() error {
		return d.duplicates(func(stream string, sequence uint64) error { return d.line("duplicate", stream, sequence) })
	})
	d.step(func() error { return d.names("typed", sqlAllTyped) })
	d.step(func() error { return d.names("listed", sqlAllListed) })
}

func (d *dump) sources() error {
	var lines []string
	err := d.sourceSequences(func(seen view.SourceSequence) error {
		lines = append(lines, fmt.Sprintf("source %s %s %012d %d\n", seen.Source, seen.Stream, seen.Sequence, seen.Seq))
		return nil
	})
	slices.Sort(lines)
	for _, line := range lines {
		if _, err := io.WriteString(d.out, line); err != nil {
			return err
		}
	}
	return err
}

func (d *dump) links() error {
	err := d.each(func(row pgx.Rows) error {
		var contact, stream, owner []byte
		var sequence int64
		if err := row.Scan(&contact, &stream, &sequence, &owner); err != nil {
			return err
		}
		return d.line("link", contact, string(stream), sequence, owner)
	}, sqlAllLinks)
	if err != nil {
		return err
	}
	return d.each(func(row pgx.Rows) error {
		var target, stream, contact, identity []byte
		var sequence int64
		if err := row.Scan(&target, &stream, &sequence, &contact, &identity); err != nil {
			return err
		}
		return d.line("correction", target, string(stream), sequence, contact)
	}, sqlCorrections)
}

func (d *dump) names(kind, query string) error {
	return d.each(func(row pgx.Rows) error {
		var text, contact []byte
		if err := row.Scan(&text, &contact); err != nil {
			return err
		}
		return d.line(kind, string(text), contact)
	}, query)
}

// violations writes what that projection keeps.
func (d *dump) violations() {
	d.step(func() error {
		list, err := d.campaigns(sqlCampaigns)
		for _, c := range list {
			counters, err := json.Marshal(c.Counters)
			if err != nil {
				return err
			}
			if err := d.line("campaign", c.Controller, c.Campaign, orNull(c.FirstDialled), orNull(c.LastDialled), string(counters)); err != nil {
				return err
			}
		}
		return err
	})
	d.step(func() error {
		return d.each(func(row pgx.Rows) error {
			a, err := scanStored(row)
			if err != nil {
				return err
			}
			return d.line("attempt", a.Controller, a.Campaign, a.Contact[:], a.Sequence, a.Stream, a.DialledAt.UnixMicro(), a.Known.UnixMicro(), a.Source, a.ID, a.Findings, a.body)
		}, sqlAllAttempts)
	})
	d.step(func() error {
		list, err := d.sweeps()
		for _, s := range list {
			if err := d.line("sweep", s.Controller, s.Campaign, s.From.UnixMicro(), s.Until.UnixMicro(), s.After[:]); err != nil {
				return err
			}
		}
		return err
	})
}
