package sqliteview

import (
	"context"
	"database/sql"
	"sync"

	"github.com/assenso/assenso/services/sqlitefile"
	"github.com/assenso/assenso/services/view"
)

// names are the streams by the number that rows bear. Numbers are given in a
// transaction of their own, before the rows, and never change.
type names struct {
	mu   sync.RWMutex
	ids  map[string]uint16
	text map[uint16]string
}

func newNames() names {
	return names{ids: map[string]uint16{}, text: map[uint16]string{}}
}

func (n *names) id(name string) (uint16, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, ok := n.ids[name]
	return id, ok
}

func (n *names) name(id uint16) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	name, ok := n.text[id]
	return name, ok
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// load reads the names that another process may have given.
func (n *names) load(ctx context.Context, db querier) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := db.QueryContext(ctx, `SELECT id, name FROM stream`)
	return sqlitefile.Drain(found, err, func(r *sql.Rows) error {
		var id uint16
		var name string
		if err := r.Scan(&id, &name); err != nil {
			return err
		}
		n.ids[name], n.text[id] = id, name
		return nil
	})
}

// give makes sure that every stream of p has a number.
func (s *Store) give(ctx context.Context, p view.Progress) error {
	known := true
	for name := range p {
		if _, ok := s.names.id(name); !ok {
			known = false
			if _, err := s.db.Write.ExecContext(ctx, `INSERT INTO stream (name) VALUES (?) ON CONFLICT DO NOTHING`, name); err != nil {
				return err
			}
		}
	}
	if known {
		return nil
	}
	return s.names.load(ctx, s.db.Write)
}

// streamsOf makes the names known that rows of db bear; every read calls it.
func (s *Store) streamsOf(ctx context.Context, db querier) (func(uint16) (string, bool), error) {
	return s.names.name, s.names.load(ctx, db)
}
