//go:build postgres

package crdbview_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/crdbview"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// index is a projection; next moves it by one entry.
var index = view.Projection{Name: view.ConsentState, Version: 1}

func next(p view.Progress) view.Progress {
	to := maps.Clone(p)
	at := to["LEDGER_00"].Sequence + 1
	to["LEDGER_00"] = view.Mark{Sequence: at, Recorded: noon + events.Instant(at)}
	return to
}

const noon = events.Instant(63_900_000_000_000_000)

func commitText(s pgtest.Server) string {
	if s.Name == "cockroach" {
		return "release savepoint"
	}
	return "commit"
}

// A lost commit is ErrAmbiguous; the position, read again, tells what became
// of it, and rows and position agree.
func TestLostCommitIsSettledByThePosition(t *testing.T) {
	for name, c := range map[string]struct {
		fault  pgtest.Fault
		stored bool
	}{"never sent": {pgtest.Unsent, false}, "sent, answer lost": {pgtest.Sent, true}, "server does not know": {pgtest.Answer, false}} {
		t.Run(name, func(t *testing.T) {
			pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
				proxy := pgtest.NewProxy(t, s.Schema(t))
				store, ctx := open(t, proxy.URL), t.Context()
				defer store.Close()
				to := next(view.Progress{})
				proxy.Once(commitText(s), c.fault)
				err := store.Update(ctx, index, nil, to, func(tx view.Tx) error {
					return tx.PutBatch(view.Batch{Stream: "LEDGER_00", First: 1, Recorded: []events.Instant{noon}, Duplicates: []uint64{1}})
				})
				if !errors.Is(err, view.ErrAmbiguous) {
					t.Fatalf("got %v, want ErrAmbiguous", err)
				}
				at, err := store.Progress(ctx, index)
				if err != nil || at.Equal(to) != c.stored {
					t.Fatalf("position %v, %v; want stored: %v", at, err, c.stored)
				}
				copies, err := store.Duplicates(ctx, nil)
				if err != nil || (copies["LEDGER_00"] == 1) != c.stored {
					t.Fatalf("rows %v, %v; want stored: %v", copies, err, c.stored)
				}
			})
		})
	}
}

// Two projectors of one name that start at the same position: one moves it, the
// other is fenced, whichever comes first.
func TestProjectorsFenceEachOther(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		url, ctx := s.Schema(t), t.Context()
		one, two := open(t, url), open(t, url)
		defer one.Close()
		defer two.Close()
		at := view.Progress{}
		for range 10 {
			to := next(at)
			ended := make(chan error, 2)
			for _, store := range []*crdbview.Store{one, two} {
				go func() {
					ended <- store.Update(ctx, index, at, to, func(tx view.Tx) error {
						return tx.PutBatch(view.Batch{Stream: "LEDGER_00", First: to["LEDGER_00"].Sequence, Recorded: []events.Instant{noon}})
					})
				}()
			}
			a, b := <-ended, <-ended
			if a != nil {
				a, b = b, a
			}
			if a != nil || !errors.Is(b, view.ErrFenced) {
				t.Fatalf("got %v and %v, want success and ErrFenced", a, b)
			}
			at = to
		}
	})
}

// The server refuses connections, or ends: that is ErrUnavailable, without the
// password.
func TestUnavailable(t *testing.T) {
	_, err := crdbview.Open(t.Context(), "postgres://u:secret@127.0.0.1:1/x?connect_timeout=2")
	if !errors.Is(err, view.ErrUnavailable) || strings.Contains(fmt.Sprint(err), "secret") {
		t.Fatalf("got %v, want ErrUnavailable without the password", err)
	}
	proxy := pgtest.NewProxy(t, pgtest.Postgres(t).Schema(t))
	store := open(t, proxy.URL)
	defer store.Close()
	proxy.Once("begin", pgtest.Unsent)
	if _, err := store.Progress(t.Context(), index); !errors.Is(err, view.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if _, err := store.Progress(t.Context(), index); err != nil {
		t.Fatalf("the next call: %v", err)
	}
}

// Names from outside may hold anything, zero bytes and broken UTF-8 included.
func TestAnyName(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		store, ctx := open(t, s.Schema(t)), t.Context()
		defer store.Close()
		ref := view.CampaignRef{Controller: "a\x00b", Campaign: "\xff'"}
		a := view.Attempt{CampaignRef: ref, Contact: events.ContactKey{1}, DialledAt: noon, Known: noon, Stream: "LEDGER_00", Sequence: 1, ID: "\x00", Source: "ü\xc3", Findings: 1}
		found := []view.Finding{{CampaignRef: ref, Contact: a.Contact, DialledAt: noon, Source: a.Source, Attempt: a.ID, Sequence: 1, Rule: "R", Kind: "CONFIRMED", Severity: "high", Evidence: json.RawMessage(`{"x":1}`)}}
		err := store.Update(ctx, view.Projection{Name: view.Violations, Version: 1}, nil, next(view.Progress{}), func(tx view.Tx) error {
			return errors.Join(tx.PutFindings([]view.AttemptFindings{{Attempt: a, Findings: found}}), tx.Change([]view.Change{{CampaignRef: ref, FirstDialled: noon}}))
		})
		if err != nil {
			t.Fatal(err)
		}
		err = store.Attempts(ctx, ref, nil, func(got view.Attempt) error {
			if got != a {
				t.Errorf("got %+v, want %+v", got, a)
			}
			return nil
		})
		list, _, err2 := store.Findings(ctx, ref, "", 10)
		if err := errors.Join(err, err2); err != nil || len(list) != 1 || list[0].Attempt != a.ID {
			t.Fatalf("findings %+v, %v", list, err)
		}
	})
}

// follow runs both projections over the log until they stand at its end.
func follow(t *testing.T, log *projectiontest.Log, store view.Store, cfg projection.Config) {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	states := projection.NewRunner(log, store, consentstate.New(nil), cfg)
	cfg.Upstream = states.Await
	judged := projection.NewRunner(log, store, violations.New(rules.NewEngine(packs)), cfg)
	ended := make(chan error, 2)
	go func() { ended <- states.Run(ctx) }()
	go func() { ended <- judged.Run(ctx) }()
	done := make(chan error, 1)
	go func() { done <- judged.AwaitIdle(ctx, log.End()) }()
	running := 2
	select {
	case err = <-done:
	case err = <-ended:
		running--
	}
	cancel()
	for range running {
		if stopped := <-ended; !errors.Is(stopped, context.Canceled) {
			err = errors.Join(err, stopped)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, store view.Reader) string {
	t.Helper()
	var out bytes.Buffer
	for _, p := range []view.Projection{consentstate.Name, violations.Name} {
		if err := store.Dump(context.Background(), p, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// reference is the dump of the same log in SQLite.
func reference(t *testing.T, log *projectiontest.Log) string {
	t.Helper()
	store, err := sqliteview.Open(context.Background(), filepath.Join(t.TempDir(), sqliteview.File))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	follow(t, log, store, projection.Config{})
	return dump(t, store)
}

func same(t *testing.T, got, want string) {
	t.Helper()
	x, y := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			t.Fatalf("got  %s\nwant %s", x[i], y[i])
		}
	}
	if len(x) != len(y) {
		t.Fatalf("%d lines, want %d", len(x), len(y))
	}
}

// The same log gives the same rows as in SQLite, in whatever order and pieces
// it arrives.
func TestSameRowsAsSQLite(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		for seed := uint64(1); seed <= 3; seed++ {
			log := projectiontest.Chaos(seed, 250)
			want := reference(t, log)
			for _, from := range []*projectiontest.Log{log, log.Shuffled(seed * 100)} {
				store := open(t, s.Schema(t))
				follow(t, from, store, projection.Config{MaxBatch: 37})
				same(t, dump(t, store), want)
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// One in six commits is lost, sent or not, those of readers included: the rows are the same in the end.
func TestSameRowsThoughCommitsAreLost(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		log := projectiontest.Chaos(6, 120)
		want := reference(t, log)
		for _, fault := range []pgtest.Fault{pgtest.Unsent, pgtest.Sent, pgtest.Answer} {
			proxy := pgtest.NewProxy(t, s.Schema(t))
			store := open(t, proxy.URL)
			proxy.Often(6, commitText(s), fault)
			follow(t, log, store, projection.Config{MaxBatch: 20, Retry: time.Microsecond})
			proxy.Once("no statement", fault)
			if proxy.Met() == 0 {
				t.Fatalf("fault %d never happened", fault)
			}
			same(t, dump(t, store), want)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
