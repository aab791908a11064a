package sqliteview

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// attemptsOfQuery is completed by a list of contacts.
const attemptsOfQuery = `SELECT a.contact, c.controller, c.campaign, a.sequence, s.name, a.dialled_us, a.known_us, a.source, a.id, a.found, a.findings
	FROM attempt a JOIN campaign c ON c.id = a.campaign JOIN stream s ON s.id = a.stream WHERE a.contact IN (VALUES `

// scanAttempt reads a row of attemptsOfQuery's columns.
func scanAttempt(r *sql.Rows, a *view.Attempt, findings *[]view.Finding) error {
	var dialled, known int64
	var contact, body sql.RawBytes
	if err := r.Scan(&contact, &a.Controller, &a.Campaign, &a.Sequence, &a.Stream, &dialled, &known, &a.Source, &a.ID, &a.Findings, &body); err != nil {
		return err
	}
	a.Contact = events.ContactKey(contact)
	a.DialledAt, a.Known = events.InstantFromUnixMicro(dialled), events.InstantFromUnixMicro(known)
	if len(body) == 0 {
		return nil
	}
	return readFindings(body, a, findings)
}

// found is a stored finding; what it shares with its attempt is left out.
type found struct {
	Rule     string          `json:"r"`
	Kind     string          `json:"k"`
	Severity string          `json:"s"`
	Clause   string          `json:"c,omitempty"`
	Imputed  string          `json:"i,omitempty"`
	Evidence json.RawMessage `json:"e,omitempty"`
}

func appendFindings(list []view.Finding) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]found, len(list))
	for i, f := range list {
		out[i] = found{f.Rule, f.Kind, f.Severity, f.Clause, f.Imputed, f.Evidence}
	}
	slices.SortFunc(out, func(a, b found) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Kind, b.Kind)) })
	return json.Marshal(out)
}

func readFindings(body []byte, a *view.Attempt, into *[]view.Finding) error {
	var list []found
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("%w: findings of an attempt: %w", view.ErrCorrupt, err)
	}
	for _, f := range list {
		*into = append(*into, view.Finding{CampaignRef: a.CampaignRef, Contact: a.Contact, DialledAt: a.DialledAt, Source: a.Source, Attempt: a.ID,
			Sequence: a.Sequence, Rule: f.Rule, Kind: f.Kind, Severity: f.Severity, Clause: f.Clause, Imputed: f.Imputed, Evidence: f.Evidence})
	}
	return nil
}

// campaigns numbers the campaigns of refs.
func (t *transaction) campaigns(refs []view.CampaignRef) (map[view.CampaignRef]int64, error) {
	out := map[view.CampaignRef]int64{}
	for _, c := range refs {
		if _, ok := out[c]; ok {
			continue
		}
		if _, err := t.tx.ExecContext(t.ctx, `INSERT INTO campaign (controller, campaign) VALUES (?, ?) ON CONFLICT DO NOTHING`, c.Controller, c.Campaign); err != nil {
			return nil, err
		}
		var id int64
		if err := t.tx.QueryRowContext(t.ctx, `SELECT id FROM campaign WHERE controller = ? AND campaign = ?`, c.Controller, c.Campaign).Scan(&id); err != nil {
			return nil, err
		}
		out[c] = id
	}
	return out, nil
}

// PutFindings implements view.Tx.
func (t *transaction) PutFindings(in []view.AttemptFindings) error {
	const op = "store findings"
	refs := make([]view.CampaignRef, len(in))
	for i := range in {
		refs[i] = in[i].Attempt.CampaignRef
	}
	ids, err := t.campaigns(refs)
	if err != nil {
		return failed(op, err)
	}
	sorted := slices.Clone(in)
	slices.SortFunc(sorted, func(a, b view.AttemptFindings) int {
		return cmp.Or(bytes.Compare(a.Attempt.Contact[:], b.Attempt.Contact[:]), cmp.Compare(a.Attempt.Sequence, b.Attempt.Sequence))
	})
	args := make([]any, 0, 10*len(sorted))
	for i := range sorted {
		a := &sorted[i].Attempt
		stream, err := t.anyStream(a.Stream)
		if err != nil {
			return failed(op, err)
		}
		body, err := appendFindings(sorted[i].Findings)
		if err != nil {
			return failed(op, err)
		}
		args = append(args, a.Contact[:], a.Sequence, ids[a.CampaignRef], stream, a.DialledAt.UnixMicro(), a.Known.UnixMicro(), a.Source, a.ID, len(sorted[i].Findings), body)
	}
	_, err = t.store.stmts.attempt.Write(t.ctx, t.tx, args)
	return failed(op, err)
}

// DropAttempts implements view.Tx.
func (t *transaction) DropAttempts(attempts []view.Attempt) error {
	for i := range attempts {
		a := &attempts[i]
		if _, err := t.tx.ExecContext(t.ctx, `DELETE FROM attempt WHERE contact = ? AND sequence = ?`, a.Contact[:], a.Sequence); err != nil {
			return failed("drop attempts", err)
		}
	}
	return nil
}

// FindingsOf implements view.Tx.
func (t *transaction) FindingsOf(contacts []events.ContactKey) (map[events.ContactKey][]view.AttemptFindings, error) {
	out := map[events.ContactKey][]view.AttemptFindings{}
	err := t.store.stmts.findAttempt.Look(t.ctx, t.tx, keyArgs(contacts), func(r *sql.Rows) error {
		var one view.AttemptFindings
		if err := scanAttempt(r, &one.Attempt, &one.Findings); err != nil {
			return err
		}
		out[one.Attempt.Contact] = append(out[one.Attempt.Contact], one)
		return nil
	})
	return out, failed("read findings", err)
}

// Change implements view.Tx.
func (t *transaction) Change(changes []view.Change) error {
	const op = "count"
	for i := range changes {
		c := &changes[i]
		ids, err := t.campaigns([]view.CampaignRef{c.CampaignRef})
		if err != nil {
			return failed(op, err)
		}
		id := ids[c.CampaignRef]
		have, err := readCampaigns(t.reading(), `WHERE id = ?`, id)
		if err != nil {
			return failed(op, err)
		}
		line := have[0]
		for name, n := range c.Counters {
			if line.Counters[name] += n; line.Counters[name] == 0 {
				delete(line.Counters, name)
			}
		}
		if c.FirstDialled != 0 && (line.FirstDialled == 0 || c.FirstDialled < line.FirstDialled) {
			line.FirstDialled = c.FirstDialled
		}
		line.LastDialled = max(line.LastDialled, c.LastDialled)
		if c.Starts != nil {
			line.Starts = c.Starts
		}
		if c.Recount {
			if err := t.recount(id, &line); err != nil {
				return failed(op, err)
			}
		}
		counters, err := json.Marshal(line.Counters)
		if err != nil {
			return failed(op, err)
		}
		if _, err := t.tx.ExecContext(t.ctx, `UPDATE campaign SET first_us = ?, last_us = ?, counters = ?, starts = ? WHERE id = ?`,
			orNull(line.FirstDialled), orNull(line.LastDialled), string(counters), line.Starts, id); err != nil {
			return failed(op, err)
		}
	}
	return nil
}

// recount takes first and last attempt from the rows.
func (t *transaction) recount(id int64, line *view.Campaign) error {
	var first, last sql.NullInt64
	if err := t.tx.QueryRowContext(t.ctx, `SELECT min(dialled_us), max(dialled_us) FROM attempt WHERE campaign = ?`, id).Scan(&first, &last); err != nil {
		return err
	}
	line.FirstDialled, line.LastDialled = 0, 0
	if first.Valid {
		line.FirstDialled, line.LastDialled = events.InstantFromUnixMicro(first.Int64), events.InstantFromUnixMicro(last.Int64)
	}
	return nil
}

func orNull(i events.Instant) any {
	if i == 0 {
		return nil
	}
	return i.UnixMicro()
}

// Campaigns implements view.Tx.
func (t *transaction) Campaigns() ([]view.Campaign, error) {
	out, err := readCampaigns(t.reading(), ``)
	return out, failed("list campaigns", err)
}

func readCampaigns(r *reading, where string, args ...any) ([]view.Campaign, error) {
	var out []view.Campaign
	err := r.query(func(rows *sql.Rows) error {
		c := view.Campaign{Counters: map[string]int64{}}
		var first, last sql.NullInt64
		var counters string
		if err := rows.Scan(&c.Controller, &c.Campaign, &first, &last, &counters, &c.Starts); err != nil {
			return err
		}
		if first.Valid {
			c.FirstDialled = events.InstantFromUnixMicro(first.Int64)
		}
		if last.Valid {
			c.LastDialled = events.InstantFromUnixMicro(last.Int64)
		}
		if err := json.Unmarshal([]byte(counters), &c.Counters); err != nil {
			return fmt.Errorf("%w: counters of a campaign: %w", view.ErrCorrupt, err)
		}
		out = append(out, c)
		return nil
	}, `SELECT controller, campaign, first_us, last_us, counters, starts FROM campaign `+where+` ORDER BY controller, campaign`, args...)
	return out, err
}

// Sweeps implements view.Tx.
func (t *transaction) Sweeps() ([]view.Sweep, error) {
	var out []view.Sweep
	rows, err := t.tx.QueryContext(t.ctx, `SELECT c.controller, c.campaign, s.from_us, s.until_us, s.after FROM sweep s JOIN campaign c ON c.id = s.campaign ORDER BY c.controller, c.campaign`)
	err = sqlitefile.Drain(rows, err, func(r *sql.Rows) error {
		var s view.Sweep
		var from, until int64
		var after sql.RawBytes
		if err := r.Scan(&s.Controller, &s.Campaign, &from, &until, &after); err != nil {
			return err
		}
		s.From, s.Until, s.After = events.InstantFromUnixMicro(from), events.InstantFromUnixMicro(until), events.ContactKey(after)
		out = append(out, s)
		return nil
	})
	return out, failed("read sweeps", err)
}

// PutSweeps implements view.Tx.
func (t *transaction) PutSweeps(sweeps []view.Sweep) error {
	for i := range sweeps {
		s := &sweeps[i]
		ids, err := t.campaigns([]view.CampaignRef{s.CampaignRef})
		if err != nil {
			return failed("store sweeps", err)
		}
		if _, err := t.tx.ExecContext(t.ctx, `INSERT INTO sweep (campaign, from_us, until_us, after) VALUES (?, ?, ?, ?)
			ON CONFLICT (campaign) DO UPDATE SET from_us = excluded.from_us, until_us = excluded.until_us, after = excluded.after`,
			ids[s.CampaignRef], s.From.UnixMicro(), s.Until.UnixMicro(), s.After[:]); err != nil {
			return failed("store sweeps", err)
		}
	}
	return nil
}

// DropSweeps implements view.Tx.
func (t *transaction) DropSweeps(campaigns []view.CampaignRef) error {
	for _, c := range campaigns {
		if _, err := t.tx.ExecContext(t.ctx, `DELETE FROM sweep WHERE campaign = (SELECT id FROM campaign WHERE controller = ? AND campaign = ?)`, c.Controller, c.Campaign); err != nil {
			return failed("drop sweeps", err)
		}
	}
	return nil
}

// SweepContacts implements view.Tx.
func (t *transaction) SweepContacts(s view.Sweep, limit int) ([]events.ContactKey, error) {
	var out []events.ContactKey
	rows, err := t.tx.QueryContext(t.ctx, `SELECT DISTINCT contact FROM attempt WHERE campaign = (SELECT id FROM campaign WHERE controller = ? AND campaign = ?)
		AND contact > ? AND dialled_us BETWEEN ? AND ? ORDER BY contact LIMIT ?`, s.Controller, s.Campaign, s.After[:], s.From.UnixMicro(), s.Until.UnixMicro(), limit)
	err = sqlitefile.Drain(rows, err, func(r *sql.Rows) error {
		var contact sql.RawBytes
		if err := r.Scan(&contact); err != nil {
			return err
		}
		out = append(out, events.ContactKey(contact))
		return nil
	})
	return out, failed("read attempts of a sweep", err)
}

// Attempts implements view.Reader.
func (s *Store) Attempts(ctx context.Context, c view.CampaignRef, asOf view.Positions, yield func(view.Attempt) error) error {
	return s.within(ctx, "read attempts", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var contact sql.RawBytes
			a := view.Attempt{CampaignRef: c}
			var dialled, known int64
			if err := rows.Scan(&contact, &a.Sequence, &a.Stream, &dialled, &known, &a.Source, &a.ID, &a.Findings); err != nil {
				return err
			}
			a.Contact = events.ContactKey(contact)
			a.DialledAt, a.Known = events.InstantFromUnixMicro(dialled), events.InstantFromUnixMicro(known)
			if !asOf.Covers(a.Stream, a.Sequence) {
				return nil
			}
			if err := yield(a); err != nil {
				return &yielded{err}
			}
			return nil
		}, `SELECT a.contact, a.sequence, s.name, a.dialled_us, a.known_us, a.source, a.id, a.found FROM attempt a JOIN stream s ON s.id = a.stream
			WHERE a.campaign = (SELECT id FROM campaign WHERE controller = ? AND campaign = ?) ORDER BY a.contact, a.sequence`, c.Controller, c.Campaign)
	})
}

// Campaigns implements view.Reader.
func (s *Store) Campaigns(ctx context.Context) ([]view.Campaign, error) {
	var out []view.Campaign
	err := s.within(ctx, "list campaigns", func(r *reading) error {
		var err error
		out, err = readCampaigns(r, ``)
		return err
	})
	return out, err
}

// Campaign implements view.Reader.
func (s *Store) Campaign(ctx context.Context, c view.CampaignRef) (view.Campaign, error) {
	var out view.Campaign
	err := s.within(ctx, "read campaign", func(r *reading) error {
		list, err := readCampaigns(r, `WHERE controller = ? AND campaign = ?`, c.Controller, c.Campaign)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return sql.ErrNoRows
		}
		out = list[0]
		return nil
	})
	return out, err
}

// FindingsOf implements view.Reader.
func (s *Store) FindingsOf(ctx context.Context, contact events.ContactKey) ([]view.Finding, error) {
	var out []view.Finding
	err := s.within(ctx, "read findings", func(r *reading) error {
		return r.query(func(rows *sql.Rows) error {
			var a view.Attempt
			return scanAttempt(rows, &a, &out)
		}, attemptsOfQuery+`(?)) ORDER BY c.controller, c.campaign, a.sequence`, contact[:])
	})
	return out, err
}

// errPage ends a page of findings.
var errPage = errors.New("page full")

// Findings implements view.Reader. A cursor is contact, sequence and how many
// findings of that attempt were given.
func (s *Store) Findings(ctx context.Context, c view.CampaignRef, cursor string, limit int) (list []view.Finding, next string, err error) {
	const op = "read findings"
	contact, sequence, skip, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	err = s.within(ctx, op, func(r *reading) error {
		err := r.query(func(rows *sql.Rows) error {
			a := view.Attempt{CampaignRef: c}
			var key, body sql.RawBytes
			var dialled int64
			if err := rows.Scan(&key, &a.Sequence, &dialled, &a.Source, &a.ID, &body); err != nil {
				return err
			}
			a.Contact, a.DialledAt = events.ContactKey(key), events.InstantFromUnixMicro(dialled)
			var of []view.Finding
			if err := readFindings(body, &a, &of); err != nil {
				return err
			}
			given := 0
			if a.Contact == contact && a.Sequence == sequence {
				given = min(skip, len(of))
			}
			for n := given; n < len(of); n++ {
				if len(list) == limit {
					next = fmt.Sprintf("%s-%d-%d", hex.EncodeToString(a.Contact[:]), a.Sequence, n)
					return errPage
				}
				list = append(list, of[n])
			}
			return nil
		}, `SELECT contact, sequence, dialled_us, source, id, findings FROM attempt WHERE campaign = (SELECT id FROM campaign WHERE controller = ? AND campaign = ?)
			AND found > 0 AND (contact > ? OR contact = ? AND sequence >= ?) ORDER BY contact, sequence`, c.Controller, c.Campaign, contact[:], contact[:], sequence)
		if errors.Is(err, errPage) {
			return nil
		}
		return err
	})
	return list, next, err
}

func parseCursor(cursor string) (contact events.ContactKey, sequence uint64, skip int, err error) {
	if cursor == "" {
		return contact, 0, 0, nil
	}
	parts := strings.Split(cursor, "-")
	if len(parts) == 3 {
		key, err1 := hex.DecodeString(parts[0])
		seq, err2 := strconv.ParseUint(parts[1], 10, 63)
		n, err3 := strconv.ParseUint(parts[2], 10, 31)
		if errors.Join(err1, err2, err3) == nil && len(key) == len(contact) {
			return events.ContactKey(key), seq, int(n), nil
		}
	}
	return contact, 0, 0, fmt.Errorf("read findings: %w: the cursor is not one that was given out", view.ErrUnknown)
}
