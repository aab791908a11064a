package said

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(folder, File))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fresh(t *testing.T) *Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func commit(t *testing.T, s *Store, c Change) {
	t.Helper()
	if err := s.Commit(context.Background(), &c); err != nil {
		t.Fatal(err)
	}
}

const noon = events.Instant(63908895600000000)

var n = events.ContactKey{1, 2}

// stop is a full message about a contact.
func stop(controller string, kind events.FeedKind, position uint64) Entry {
	id := events.Identity{Source: "s", ID: fmt.Sprint("e", position)}
	return Entry{
		Message: events.FeedMessage{
			Position: position, Kind: kind, Effect: events.FeedStop, Controller: controller, Contact: n, Purposes: []events.Purpose{events.PurposeMarketing},
			Channels: []events.Channel{events.ChannelSMS, events.ChannelEmail}, Lists: []string{"L", "M"}, Cause: id, Type: events.TypeConsentRevoked,
			At: noon, Received: noon + 1, Recorded: noon + 2, Sent: noon + 3, Ledger: events.FeedPlace{Stream: "LEDGER_00", Sequence: 9},
		},
		Causes: []events.IdentityHash{id.Hash(), {7}},
	}
}

func resume(e Entry, position uint64) Entry {
	e.Message.Effect, e.Message.Position = events.FeedResume, position
	return e
}

// snapshot reads what stands for a controller.
func snapshot(t *testing.T, s *Store, controller string) (position uint64, list []Entry) {
	t.Helper()
	err := s.Snapshot(t.Context(), controller, func(p uint64) error { position = p; return nil }, func(e Entry) error { list = append(list, e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return position, list
}

func TestWhatIsSaidIsReadBack(t *testing.T) {
	s := fresh(t)
	first := stop("A", events.FeedRevocation, 1)
	list := Entry{Message: events.FeedMessage{Position: 3, Kind: events.FeedList, Effect: events.FeedStop, Controller: "A", Lists: []string{"L"}, At: noon}}
	all := Entry{Message: events.FeedMessage{Position: 4, Kind: events.FeedOrder, Effect: events.FeedStop, At: noon}}
	commit(t, s, Change{Put: []Entry{first, stop("B", events.FeedRevocation, 2), list, all}, Feed: 4, Whole: true})
	got, err := s.Of(t.Context(), n)
	if err != nil || len(got) != 2 {
		t.Fatalf("of the contact %+v, %v", got, err)
	}
	if d := cmp.Diff(first, got[0]); d != "" {
		t.Errorf("read back differs (-put +got):\n%s", d)
	}
	if knows, err := s.Knows(t.Context(), events.ContactKey{9}); knows || err != nil {
		t.Errorf("knows another contact: %v, %v", knows, err)
	}
	position, stands := snapshot(t, s, "A")
	if position != 4 || len(stands) != 3 {
		t.Errorf("snapshot of A at %d: %+v", position, stands)
	}
	if _, stands := snapshot(t, s, ""); len(stands) != 1 || stands[0].Message.Kind != events.FeedOrder {
		t.Errorf("snapshot of what is for all: %+v", stands)
	}
	wider := stop("A", events.FeedRevocation, 5)
	wider.Message.Channels = nil
	commit(t, s, Change{Put: []Entry{wider, resume(list, 6)}, Feed: 6})
	if _, stands := snapshot(t, s, "A"); len(stands) != 2 || len(stands[0].Message.Channels) != 0 || stands[0].Message.Position != 5 {
		t.Errorf("after a wider stop and a resume: %+v", stands)
	}
}

// A snapshot is one state, whatever is committed while it is read; before the
// first building is over there is none.
func TestASnapshotIsOneState(t *testing.T) {
	s := fresh(t)
	commit(t, s, Change{Put: []Entry{stop("A", events.FeedRevocation, 1), stop("A", events.FeedOpposition, 2)}, Feed: 2})
	none := func(Entry) error { return nil }
	if err := s.Snapshot(t.Context(), "A", func(uint64) error { return nil }, none); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a snapshot while the memory is built: %v", err)
	}
	commit(t, s, Change{Whole: true})
	var at uint64
	count := 0
	err := s.Snapshot(t.Context(), "A", func(p uint64) error { at = p; return nil }, func(Entry) error {
		if count++; count == 1 {
			commit(t, s, Change{Put: []Entry{resume(stop("A", events.FeedOpposition, 2), 3), stop("A", events.FeedErasure, 4)}, Feed: 4})
		}
		return nil
	})
	if err != nil || at != 2 || count != 2 {
		t.Errorf("%d stops as of %d, %v", count, at, err)
	}
	own := errors.New("own")
	if err := s.Snapshot(t.Context(), "A", func(uint64) error { return nil }, func(Entry) error { return own }); !errors.Is(err, own) || errors.Is(err, ErrUnavailable) {
		t.Errorf("the reader's own error came as %v", err)
	}
}

// Everything of one commit is there after the file was closed and opened, and
// Reset forgets it.
func TestCommitsStay(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	orders := "o"
	moved := view.Progress{"LEDGER_00": {Sequence: 4, Recorded: noon}, "LEDGER_REF": {Sequence: 2, Recorded: noon - 1}}
	commit(t, s, Change{
		Put: []Entry{stop("A", events.FeedRevocation, 1)}, Feed: 1, Moved: moved, Handled: noon, Law: "law", Orders: &orders, Whole: true,
		Due: []Due{{Contact: n, At: noon}, {Contact: events.ContactKey{3}, At: noon + 5}}, Cited: []Cited{{CitedNotice, "A", "N"}}, Sweep: []SweepKind{SweepAll, SweepOrder},
	})
	commit(t, s, Change{Due: []Due{{Contact: n}}, Swept: []int64{1}, Handled: noon - 1, Feed: 0})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, File)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
	s = open(t, folder)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	mark, err := s.Mark(ctx)
	if d := cmp.Diff(Mark{Ledger: moved, Feed: 1, Handled: noon, Law: "law", Orders: "o", Whole: true, Begun: true}, mark); d != "" || err != nil {
		t.Errorf("mark differs (-want +got), %v:\n%s", err, d)
	}
	due, err := s.Due(ctx, noon+10, 10)
	if err != nil || !slices.Equal(due, []events.ContactKey{{3}}) {
		t.Errorf("due %v, %v", due, err)
	}
	if next, err := s.NextDue(ctx); next != noon+5 || err != nil {
		t.Errorf("next due %v, %v", next, err)
	}
	if list, err := s.Due(ctx, noon, 10); len(list) != 0 || err != nil {
		t.Errorf("due before its time %v, %v", list, err)
	}
	sweeps, err := s.Sweeps(ctx)
	if err != nil || len(sweeps) != 1 || sweeps[0].Kind != SweepOrder {
		t.Errorf("sweeps %v, %v", sweeps, err)
	}
	cited, err := s.CitedAll(ctx)
	if err != nil || !cited[Cited{CitedNotice, "A", "N"}] || len(cited) != 1 {
		t.Errorf("cited %v, %v", cited, err)
	}
	if err := s.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if mark, err := s.Mark(ctx); err != nil || mark.Begun || len(mark.Ledger) != 0 {
		t.Errorf("after the reset %+v, %v", mark, err)
	}
	commit(t, s, Change{Sweep: []SweepKind{SweepAll}})
	if again, err := s.Sweeps(ctx); err != nil || again[0].ID <= sweeps[0].ID {
		t.Errorf("a new sweep bears an old id: %v, %v", again, err)
	}
}

// A commit that ends early stores nothing.
func TestACommitIsWhole(t *testing.T) {
	s := fresh(t)
	commit(t, s, Change{Feed: 1, Whole: true})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Commit(ended, &Change{Put: []Entry{stop("A", events.FeedRevocation, 2)}, Feed: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if at, list := snapshot(t, s, "A"); at != 1 || len(list) != 0 {
		t.Errorf("at %d stands %v", at, list)
	}
}

// What dialers must acknowledge, and where messages lie that an erasure deletes.
func TestOppositionsAndErasures(t *testing.T) {
	s := fresh(t)
	var put []Entry
	for i := range uint64(5) {
		e := stop("A", events.FeedOpposition, i+1)
		e.First = i != 2 // the third says another scope of the second
		put = append(put, e)
	}
	put = append(put, stop("B", events.FeedOpposition, 6), stop("A", events.FeedRevocation, 7))
	put[5].First, put[6].First = true, true
	commit(t, s, Change{Put: put, Feed: 7, Whole: true})
	ctx := t.Context()
	var got []uint64
	for after := uint64(0); ; {
		list, err := s.Opposed(ctx, "A", after, 5, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, o := range list {
			got = append(got, o.Position)
			if o.Contact != n || o.Event.ID != fmt.Sprint("e", o.Position) {
				t.Errorf("opposition %+v", o)
			}
		}
		after = list[len(list)-1].Position
	}
	if !slices.Equal(got, []uint64{1, 2, 4, 5}) {
		t.Errorf("to acknowledge %v", got)
	}
	w := Wipe{Contact: n, Controller: "A", UpTo: 5, Latest: noon}
	commit(t, s, Change{Wipe: []Wipe{w}})
	if list, err := s.Wipes(ctx); err != nil || !slices.Equal(list, []Wipe{w}) {
		t.Errorf("erasures %v, %v", list, err)
	}
	if list, err := s.Sent(ctx, w); err != nil || !slices.Equal(list, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("to delete %v, %v", list, err)
	}
	commit(t, s, Change{Wiped: []Wipe{w}})
	w.UpTo = 99
	if list, err := s.Sent(ctx, w); err != nil || !slices.Equal(list, []uint64{7}) {
		t.Errorf("left after the erasure %v, %v", list, err)
	}
	if err := s.Prune(ctx, 8); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Sent(ctx, w); err != nil || len(list) != 0 {
		t.Errorf("left after FEED dropped it %v, %v", list, err)
	}
}

func TestLag(t *testing.T) {
	s := fresh(t)
	early, late := stop("A", events.FeedRevocation, 1), stop("A", events.FeedOpposition, 3)
	late.Message.Recorded, late.Message.Sent = noon-10, noon+50
	other := stop("A", events.FeedRegister, 4)
	other.Message.Recorded = noon - 99
	commit(t, s, Change{Put: []Entry{early, late, other}, Feed: 4, Whole: true})
	ctx := t.Context()
	if b, err := s.Behind(ctx, "A", 1); err != nil || b.Messages != 2 || b.Oldest != noon+3 {
		t.Errorf("behind %+v, %v", b, err)
	}
	if b, err := s.Behind(ctx, "A", 4); err != nil || b.Messages != 0 || b.Oldest != 0 {
		t.Errorf("behind nothing %+v, %v", b, err)
	}
	for _, c := range []struct {
		after, upTo uint64
		since       events.Instant
		want        uint64
	}{{0, 4, noon - 20, 3}, {0, 2, noon - 20, 1}, {0, 4, noon, 1}, {3, 4, noon - 100, 0}} {
		m, found, err := s.Slowest(ctx, "A", c.after, c.upTo, c.since)
		if err != nil || found != (c.want != 0) || found && m.Position != c.want {
			t.Errorf("slowest of %+v: %d %v, %v", c, m.Position, found, err)
		}
	}
}

func TestAFileThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, File), []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), filepath.Join(folder, File)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
