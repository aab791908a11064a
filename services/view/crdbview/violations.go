package crdbview

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// found is a stored finding; what it shares with its attempt is left out. The
// form is that of every backend's Dump.
type found struct {
	Rule     string          `json:"r"`
	Kind     string          `json:"k"`
	Severity string          `json:"s"`
	Clause   string          `json:"c,omitempty"`
	Imputed  string          `json:"i,omitempty"`
	Evidence json.RawMessage `json:"e,omitempty"`
}

// encodeFindings returns nil for none, which is stored as NULL.
func encodeFindings(list []view.Finding) ([]byte, error) {
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

func decodeFindings(body []byte, a *view.Attempt) ([]view.Finding, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var list []found
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: findings of an attempt: %w", view.ErrCorrupt, err)
	}
	out := make([]view.Finding, len(list))
	for i, f := range list {
		out[i] = view.Finding{CampaignRef: a.CampaignRef, Contact: a.Contact, DialledAt: a.DialledAt, Source: a.Source, Attempt: a.ID,
			Sequence: a.Sequence, Rule: f.Rule, Kind: f.Kind, Severity: f.Severity, Clause: f.Clause, Imputed: f.Imputed, Evidence: f.Evidence}
	}
	return out, nil
}

// stored is an attempt with its findings as they are stored.
type stored struct {
	view.Attempt
	body []byte
}

// scanAttempt reads attemptColumns, and further columns behind them.
func scanAttempt(row pgx.Rows, behind ...any) (view.Attempt, error) {
	var a view.Attempt
	var contact, controller, campaign, stream, source, id []byte
	var dialled, known int64
	if err := row.Scan(append([]any{&contact, &a.Sequence, &controller, &campaign, &stream, &dialled, &known, &source, &id, &a.Findings}, behind...)...); err != nil {
		return a, err
	}
	a.Contact, a.Controller, a.Campaign = events.ContactKey(contact), string(controller), string(campaign)
	a.Stream, a.Source, a.ID = string(stream), string(source), string(id)
	a.DialledAt, a.Known = instant(dialled), instant(known)
	return a, nil
}

func scanStored(row pgx.Rows) (stored, error) {
	var s stored
	var err error
	s.Attempt, err = scanAttempt(row, &s.body)
	return s, err
}

// place is the key of an attempt.
type place struct {
	contact  events.ContactKey
	sequence uint64
}

// PutFindings implements view.Tx.
func (t *transaction) PutFindings(in []view.AttemptFindings) error {
	const op = "store findings"
	rows := make([]stored, len(in))
	for i := range in {
		body, err := encodeFindings(in[i].Findings)
		if err != nil {
			return failed(op, err)
		}
		rows[i] = stored{in[i].Attempt, body}
		rows[i].Findings = len(in[i].Findings)
	}
	rows = fold(rows, func(s *stored) place { return place{s.Contact, s.Sequence} })
	return failed(op, write(&t.reading, sqlPutAttempts, rows, func(rows []stored) []any {
		return []any{
			column(rows, func(s *stored) []byte { return s.Contact[:] }),
			column(rows, func(s *stored) int64 { return int64(s.Sequence) }),
			column(rows, func(s *stored) []byte { return []byte(s.Controller) }),
			column(rows, func(s *stored) []byte { return []byte(s.Campaign) }),
			column(rows, func(s *stored) []byte { return []byte(s.Stream) }),
			column(rows, func(s *stored) int64 { return s.DialledAt.UnixMicro() }),
			column(rows, func(s *stored) int64 { return s.Known.UnixMicro() }),
			column(rows, func(s *stored) []byte { return []byte(s.Source) }),
			column(rows, func(s *stored) []byte { return []byte(s.ID) }),
			column(rows, func(s *stored) int64 { return int64(s.Findings) }),
			column(rows, func(s *stored) []byte { return s.body }),
		}
	}))
}

// DropAttempts implements view.Tx.
func (t *transaction) DropAttempts(attempts []view.Attempt) error {
	return failed("drop attempts", write(&t.reading, sqlDropAttempts, attempts, func(rows []view.Attempt) []any {
		return []any{column(rows, func(a *view.Attempt) []byte { return a.Contact[:] }), column(rows, func(a *view.Attempt) int64 { return int64(a.Sequence) })}
	}))
}

// FindingsOf implements view.Tx.
func (t *transaction) FindingsOf(contacts []events.ContactKey) (map[events.ContactKey][]view.AttemptFindings, error) {
	out := map[events.ContactKey][]view.AttemptFindings{}
	err := look(&t.reading, sqlAttemptsOf, contacts, keyBytes, func(row pgx.Rows) error {
		s, err := scanStored(row)
		if err != nil {
			return err
		}
		list, err := decodeFindings(s.body, &s.Attempt)
		out[s.Contact] = append(out[s.Contact], view.AttemptFindings{Attempt: s.Attempt, Findings: list})
		return err
	})
	return out, failed("read findings", err)
}

// SweepContacts implements view.Tx.
func (t *transaction) SweepContacts(s view.Sweep, limit int) ([]events.ContactKey, error) {
	out, err := t.contacts(sqlSweepContacts, []byte(s.Controller), []byte(s.Campaign), s.After[:], s.From.UnixMicro(), s.Until.UnixMicro(), limit)
	return out, failed("read attempts of a sweep", err)
}

// Attempts implements view.Reader.
func (s *Store) Attempts(ctx context.Context, c view.CampaignRef, asOf view.Positions, yield func(view.Attempt) error) error {
	return s.within(ctx, "read attempts", func(r *reading) error {
		return r.each(func(row pgx.Rows) error {
			a, err := scanAttempt(row)
			if err != nil || !asOf.Covers(a.Stream, a.Sequence) {
				return err
			}
			if err := yield(a); err != nil {
				return &yielded{err}
			}
			return nil
		}, sqlAttempts, []byte(c.Controller), []byte(c.Campaign))
	})
}

// FindingsOf implements view.Reader.
func (s *Store) FindingsOf(ctx context.Context, contact events.ContactKey) ([]view.Finding, error) {
	return ask(ctx, s, "read findings", func(r *reading) ([]view.Finding, error) {
		var out []view.Finding
		err := r.each(func(row pgx.Rows) error {
			a, err := scanStored(row)
			if err != nil {
				return err
			}
			list, err := decodeFindings(a.body, &a.Attempt)
			out = append(out, list...)
			return err
		}, sqlFindingsOf, contact[:])
		return out, err
	})
}

// Findings implements view.Reader. A cursor is contact, sequence and how many
// findings of that attempt were given.
func (s *Store) Findings(ctx context.Context, c view.CampaignRef, cursor string, limit int) (list []view.Finding, next string, err error) {
	from, given, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	err = s.within(ctx, "read findings", func(r *reading) error {
		return r.each(func(row pgx.Rows) error {
			a, err := scanStored(row)
			if err != nil || next != "" {
				return err
			}
			of, err := decodeFindings(a.body, &a.Attempt)
			if err != nil {
				return err
			}
			first := 0
			if (place{a.Contact, a.Sequence}) == from {
				first = min(given, len(of))
			}
			room := min(limit-len(list), len(of)-first)
			list = append(list, of[first:first+room]...)
			if first+room < len(of) {
				next = fmt.Sprintf("%s-%d-%d", hex.EncodeToString(a.Contact[:]), a.Sequence, first+room)
			}
			return nil
		}, sqlFindings, []byte(c.Controller), []byte(c.Campaign), from.contact[:], int64(from.sequence), limit+2) // one may be given already, one tells that there is more
	})
	return list, next, err
}

func parseCursor(cursor string) (from place, given int, err error) {
	if cursor == "" {
		return place{}, 0, nil
	}
	if parts := strings.Split(cursor, "-"); len(parts) == 3 {
		key, err1 := hex.DecodeString(parts[0])
		sequence, err2 := strconv.ParseUint(parts[1], 10, 63)
		n, err3 := strconv.ParseUint(parts[2], 10, 31)
		if err1 == nil && err2 == nil && err3 == nil && len(key) == len(from.contact) {
			return place{events.ContactKey(key), sequence}, int(n), nil
		}
	}
	return place{}, 0, fmt.Errorf("read findings: %w: the cursor is not one that was given out", view.ErrUnknown)
}
