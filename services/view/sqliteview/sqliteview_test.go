package sqliteview_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
	"github.com/assenso/assenso/services/view/viewtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func harness(t *testing.T) viewtest.Harness {
	path := filepath.Join(t.TempDir(), sqliteview.File)
	return viewtest.Harness{Open: func(t *testing.T) view.Store {
		s, err := sqliteview.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}}
}

func TestPort(t *testing.T) { viewtest.Run(t, harness) }

func TestFileIsTheOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), sqliteview.File)
	s, err := sqliteview.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close view: %v", err)
		}
	}()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestUnreadableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), sqliteview.File)
	if err := os.WriteFile(path, []byte("this is no database, and long enough to be looked at as one ……………………………………"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := sqliteview.Open(context.Background(), path); !errors.Is(err, view.ErrUnavailable) {
		t.Fatalf("got %v %v, want ErrUnavailable", s, err)
	}
}

// A row that somebody changed is an error, never a wrong answer or a panic.
func TestDamagedRows(t *testing.T) {
	for _, damage := range []string{
		`UPDATE event SET record = x'00'`, `UPDATE event SET record = x''`, `UPDATE event SET record = CAST(x'07' || substr(record, 2) AS BLOB)`,
		`UPDATE event SET record = CAST(x'00ffff' || substr(record, 4) AS BLOB)`, `UPDATE identity SET place = x'01'`, `UPDATE clock SET deltas = x'ff'`,
	} {
		path := filepath.Join(t.TempDir(), sqliteview.File)
		s, err := sqliteview.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		key, id := events.ContactKey{1}, events.IdentityHash{2}
		e := view.Event{Stream: "S0", Sequence: 1, Recorded: 5, Contact: key, Identity: id, Body: []byte("{}")}
		p := view.Projection{Name: view.ConsentState, Version: 1}
		err = s.Update(context.Background(), p, nil, view.Progress{"S0": {Sequence: 1, Recorded: 5}}, func(tx view.Tx) error {
			if _, err := tx.Index([]view.Row{{Event: e}}); err != nil {
				return err
			}
			return tx.PutBatch(view.Batch{Stream: "S0", First: 1, Recorded: []events.Instant{5}})
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Exec(damage); err != nil {
			t.Fatal(err)
		}
		_, inHistory := s.History(context.Background(), key, nil)
		_, inIdentities := s.Identities(context.Background(), []events.IdentityHash{id})
		_, inClock := s.Resolve(context.Background(), 9)
		if err := errors.Join(inHistory, inIdentities, inClock); !errors.Is(err, view.ErrCorrupt) {
			t.Errorf("after %s: %v, want ErrCorrupt", damage, err)
		}
		if err := errors.Join(raw.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
