package sqliteview

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// dumps leave out the starts of campaigns: they may hold calls that were struck
// out since, and mean the same without them. They are the queries of a canonical dump: each gives columns of text,
// numbers or bytes in an order that does not depend on that of arrival.
var dumps = map[string][]struct{ name, query string }{
	view.ConsentState: {
		{"link", `SELECT l.contact, s.name, l.sequence, l.owner FROM link l JOIN stream s ON s.id = l.stream ORDER BY 1, 2, 3`},
		{"correction", `SELECT c.target, s.name, c.sequence, c.contact FROM correction c JOIN stream s ON s.id = c.stream ORDER BY 1, 2, 3`},
		{"late", `SELECT s.name, l.sequence, l.source, l.id, l.type, l.time_us, l.received_us, l.recorded_us FROM late l JOIN stream s ON s.id = l.stream ORDER BY 1, 2`},
		{"duplicate", `SELECT s.name, d.sequence FROM duplicate d JOIN stream s ON s.id = d.stream ORDER BY 1, 2`},
		{"typed", `SELECT type, contact FROM typed ORDER BY 1, 2`},
		{"listed", `SELECT list, contact FROM listed ORDER BY 1, 2`},
	},
	view.Violations: {
		{"campaign", `SELECT controller, campaign, first_us, last_us, counters FROM campaign ORDER BY 1, 2`},
		{"attempt", `SELECT c.controller, c.campaign, a.contact, a.sequence, s.name, a.dialled_us, a.known_us, a.source, a.id, a.found, a.findings
			FROM attempt a JOIN campaign c ON c.id = a.campaign JOIN stream s ON s.id = a.stream ORDER BY 1, 2, 3, 4`},
		{"sweep", `SELECT c.controller, c.campaign, s.from_us, s.until_us, s.after FROM sweep s JOIN campaign c ON c.id = s.campaign ORDER BY 1, 2`},
	},
}

// Dump implements view.Reader.
func (s *Store) Dump(ctx context.Context, p view.Projection, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := s.within(ctx, "dump view", func(r *reading) error {
		if err := s.dumpShared(r, p, out); err != nil {
			return err
		}
		if p.Name == view.ConsentState {
			if err := s.dumpIndex(r, out); err != nil {
				return err
			}
		}
		for _, d := range dumps[p.Name] {
			if err := dumpRows(r, out, d.name, d.query); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func (s *Store) dumpShared(r *reading, p view.Projection, out io.Writer) error {
	if err := dumpRows(r, out, "position", `SELECT s.name, p.sequence, p.recorded_us FROM position p JOIN stream s ON s.id = p.stream
		WHERE p.projection = (SELECT id FROM projection WHERE name = ? AND version = ?) ORDER BY 1`, p.Name, p.Version); err != nil {
		return err
	}
	return dumpRows(r, out, "due", `SELECT at_us, contact FROM due WHERE projection = (SELECT id FROM projection WHERE name = ? AND version = ?) ORDER BY 1, 2`, p.Name, p.Version)
}

// dumpIndex writes what is packed into rows by batch, taken apart.
func (s *Store) dumpIndex(r *reading, out io.Writer) error {
	err := r.query(func(rows *sql.Rows) error {
		var contact, raw sql.RawBytes
		var e view.Event
		if err := rows.Scan(&contact, &e.Sequence, &raw); err != nil {
			return err
		}
		if err := readRecord(raw, r.streams, &e); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "event %x %s %d %v %x %v %s\n", []byte(contact), e.Stream, e.Sequence, e.Recorded, e.Identity, e.Digest, e.Body)
		return err
	}, `SELECT contact, sequence, record FROM event ORDER BY contact, sequence`)
	if err != nil {
		return err
	}
	err = r.query(func(rows *sql.Rows) error {
		var id, place sql.RawBytes
		if err := rows.Scan(&id, &place); err != nil {
			return err
		}
		v, err := readPlace(place, r.streams)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "variant %x %v %s %d %v\n", []byte(id), v.Digest, v.Stream, v.Sequence, v.Contact)
		return err
	}, `SELECT identity, place FROM (SELECT identity, place FROM identity UNION ALL SELECT identity, place FROM variant) ORDER BY identity, substr(place, 27, 32)`)
	if err != nil {
		return err
	}
	if err := dumpSources(r, out); err != nil {
		return err
	}
	return r.query(func(rows *sql.Rows) error {
		var name string
		var last, first uint64
		var firstUS int64
		var deltas []byte
		if err := rows.Scan(&name, &first, &last, &firstUS, &deltas); err != nil {
			return err
		}
		all, err := readDeltas(events.InstantFromUnixMicro(firstUS), deltas, int(last-first)+1)
		if err != nil {
			return err
		}
		for i, at := range all {
			if _, err := fmt.Fprintf(out, "clock %s %d %v\n", name, first+uint64(i), at); err != nil {
				return err
			}
		}
		return nil
	}, `SELECT s.name, c.first, c.last, c.first_us, c.deltas FROM clock c JOIN stream s ON s.id = c.stream ORDER BY 1, 2`)
}

func dumpSources(r *reading, out io.Writer) error {
	var lines []string
	err := sourceSequences(r, nil, func(seen view.SourceSequence) error {
		lines = append(lines, fmt.Sprintf("source %s %s %012d %d\n", seen.Source, seen.Stream, seen.Sequence, seen.Seq))
		return nil
	})
	slices.Sort(lines)
	for _, line := range lines {
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return err
}

func dumpRows(r *reading, out io.Writer, name, query string, args ...any) error {
	return r.query(func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		fmt.Fprint(out, name)
		for _, v := range values {
			if b, ok := v.([]byte); ok {
				v = hex.EncodeToString(b)
			}
			fmt.Fprintf(out, " %v", v)
		}
		_, err = fmt.Fprintln(out)
		return err
	}, query, args...)
}
