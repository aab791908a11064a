package sqliteview

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// scanPage is how many contacts a scan reads at once.
const scanPage = 256

// Scan implements view.Reader.
func (s *Store) Scan(ctx context.Context, sel view.Selection, asOf view.Positions, yield func(view.History) error) error {
	return s.within(ctx, "scan contacts", func(r *reading) error {
		next, err := selection(r, sel)
		if err != nil {
			return err
		}
		var after []byte // nil before the first, then the last contact
		for {
			page, err := next(after)
			if err != nil || len(page) == 0 {
				return err
			}
			after = bytes.Clone(page[len(page)-1][:])
			found, err := r.histories(page, asOf)
			if err != nil {
				return err
			}
			for i := range found {
				if !owns(&found[i]) {
					continue
				}
				if err := yield(found[i]); err != nil {
					return &yielded{err}
				}
			}
		}
	})
}

// selection returns a function that reads the next page of contacts.
func selection(r *reading, sel view.Selection) (func(after []byte) ([]events.ContactKey, error), error) {
	var text string
	var args []any
	switch {
	case sel.Campaign != nil:
		text = `SELECT DISTINCT contact FROM attempt WHERE campaign = (SELECT id FROM campaign WHERE controller = ? AND campaign = ?) AND contact > ? ORDER BY contact LIMIT ?`
		args = []any{sel.Campaign.Controller, sel.Campaign.Campaign}
	case len(sel.Types) > 0:
		for _, t := range sel.Types {
			if !indexedTypes[t] {
				return nil, fmt.Errorf("type %s is not one of view.IndexedTypes", t)
			}
			args = append(args, string(t))
		}
		text = `SELECT DISTINCT contact FROM typed WHERE type IN (` + strings.TrimSuffix(strings.Repeat("?,", len(args)), ",") + `) AND contact > ? ORDER BY contact LIMIT ?`
	case sel.List != "":
		text = `SELECT contact FROM listed WHERE list = ? AND contact > ? ORDER BY contact LIMIT ?`
		args = []any{sel.List}
	default:
		text = `SELECT DISTINCT contact FROM event WHERE contact > ? ORDER BY contact LIMIT ?`
	}
	none := make([]byte, 16) // LEDGER_REF's rows bear the zero key: never visited
	return func(after []byte) ([]events.ContactKey, error) {
		if after == nil {
			after = none
		}
		var page []events.ContactKey
		err := r.query(func(rows *sql.Rows) error {
			var contact sql.RawBytes
			if err := rows.Scan(&contact); err != nil {
				return err
			}
			page = append(page, events.ContactKey(contact))
			return nil
		}, text, append(args[:len(args):len(args)], after, scanPage)...)
		return page, err
	}, nil
}
