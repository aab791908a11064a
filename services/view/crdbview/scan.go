package crdbview

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

// scanPage is how many contacts a scan reads at once.
const scanPage = 256

// Scan implements view.Reader.
func (s *Store) Scan(ctx context.Context, sel view.Selection, asOf view.Positions, yield func(view.History) error) error {
	return s.within(ctx, "scan contacts", func(r *reading) error {
		query, args, err := selection(sel)
		if err != nil {
			return err
		}
		var last events.ContactKey // LEDGER_REF's rows bear the zero key: never visited
		for {
			page, err := r.contacts(query, append([]any{last[:], scanPage}, args...)...)
			if err != nil || len(page) == 0 {
				return err
			}
			last = page[len(page)-1]
			found, err := r.histories(page, asOf)
			if err != nil {
				return err
			}
			for _, contact := range page {
				h := found[contact]
				if !owns(h) {
					continue
				}
				if err := yield(*h); err != nil {
					return &yielded{err}
				}
			}
		}
	})
}

func (r *reading) contacts(query string, args ...any) ([]events.ContactKey, error) {
	var page []events.ContactKey
	err := r.each(func(row pgx.Rows) error {
		contact, err := scanContact(row)
		page = append(page, contact)
		return err
	}, query, args...)
	return page, err
}

// selection returns the query of the next page of contacts and its arguments
// behind the last contact and the length of a page.
func selection(sel view.Selection) (string, []any, error) {
	switch {
	case sel.Campaign != nil:
		return sqlNextCalled, []any{[]byte(sel.Campaign.Controller), []byte(sel.Campaign.Campaign)}, nil
	case len(sel.Types) > 0:
		for _, t := range sel.Types {
			if !slices.Contains(view.IndexedTypes, t) {
				return "", nil, fmt.Errorf("type %s is not one of view.IndexedTypes", t)
			}
		}
		return sqlNextTyped, []any{column(sel.Types, func(t *events.Type) []byte { return []byte(*t) })}, nil
	case sel.List != "":
		return sqlNextListed, []any{[]byte(sel.List)}, nil
	}
	return sqlNextContacts, nil, nil
}
