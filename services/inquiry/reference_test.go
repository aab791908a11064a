package inquiry

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// A world that keeps itself up to date takes in a variant that lies with a
// contact also when the identity was in dispute before.
func TestAWorldTakesInLaterVariants(t *testing.T) {
	store, err := sqliteview.Open(t.Context(), filepath.Join(t.TempDir(), sqliteview.File))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	at := projectiontest.DayStart
	b := projectiontest.Build()
	w := NewWorld(store, codec.Decode, nil)
	refresh := func() int {
		t.Helper()
		index(t, store, b.Log())
		if _, err := w.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(w.Reference.Facts(contact.Finding(at+1000, events.MaxInstant), events.TypeListRetired))
	}
	b.Put("x", "crm", "list.retired", "A", "", at, events.ContactKey{}, map[string]any{"list": "L"})
	b.Put("c", "crm", "event.corrected", "A", "", at, events.ContactKey{}, map[string]any{"target": map[string]any{"source": "crm", "id": "x"}, "action": "amend", "new_time": (at - 5).String(), "reason": "r"})
	if n := refresh(); n != 1 {
		t.Fatalf("%d retirements stand, want the amended one", n)
	}
	b.Put("v", "crm", "event.corrected", "A", "", at, events.ContactKey{}, map[string]any{"target": map[string]any{"source": "crm", "id": "c"}, "action": "void", "reason": "r"})
	// Of two variants the one with the smallest digest counts: one of these has a smaller one.
	for i := range 8 {
		b.Put("x", "crm", "list.contact_added", "A", "", at-events.Instant(i), projectiontest.Contact(i), map[string]any{"list": "L"})
	}
	if n := refresh(); n != 0 {
		t.Errorf("%d retirements stand beside eight variants of their identity", n)
	}
}

// index brings the event index to the end of a log.
func index(t *testing.T, store *sqliteview.Store, log *projectiontest.Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	run := projection.NewRunner(log, store, consentstate.New(nil), projection.Config{})
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx) }()
	err := run.Await(ctx, log.End())
	cancel()
	if end := <-ended; err != nil || !errors.Is(end, context.Canceled) {
		t.Fatal(err, end)
	}
}
