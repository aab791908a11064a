package projection_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func engine(t testing.TB) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}

func openView(t testing.TB) *sqliteview.Store {
	t.Helper()
	s, err := sqliteview.Open(context.Background(), filepath.Join(t.TempDir(), sqliteview.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// follow runs both projections over the log until they stand at its end.
func follow(t testing.TB, log *projectiontest.Log, store view.Store, cfg projection.Config) {
	t.Helper()
	if err := followErr(t, log, store, cfg); err != nil {
		t.Fatal(err)
	}
}

func followErr(t testing.TB, log *projectiontest.Log, store view.Store, cfg projection.Config) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	index := projection.NewRunner(log, store, consentstate.New(nil), cfg)
	judged := cfg
	judged.Upstream = index.Await
	findings := projection.NewRunner(log, store, violations.New(engine(t)), judged)
	ended := make(chan error, 2)
	go func() { ended <- index.Run(ctx) }()
	go func() { ended <- findings.Run(ctx) }()
	done := make(chan error, 1)
	go func() { done <- findings.AwaitIdle(ctx, log.End()) }()
	running := 2
	var failure error
	select {
	case failure = <-done:
	case failure = <-ended:
		running--
	}
	cancel()
	for range running {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			failure = errors.Join(failure, err)
		}
	}
	if running < 2 {
		_ = <-done // one failure is told
	}
	return failure
}

func dump(t testing.TB, store view.Reader) string {
	t.Helper()
	var out bytes.Buffer
	for _, p := range []view.Projection{consentstate.Name, violations.Name} {
		if err := store.Dump(context.Background(), p, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// firstDifference names the first line in which two dumps differ.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "got  " + x[i] + "\nwant " + y[i]
		}
	}
	return "one dump is longer than the other"
}

// design.md 6: whatever the order in which the streams and their pieces
// arrive, with copies, conflicts and corrections, the rows are the same as
// those of a rebuild in order.
func TestOrderOfArrivalNeverMatters(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		log := projectiontest.Chaos(seed, 250)
		ordered := openView(t)
		follow(t, log, ordered, projection.Config{})
		want := dump(t, ordered)
		for n := seed * 100; n < seed*100+2; n++ {
			store := openView(t)
			follow(t, log.Shuffled(n), store, projection.Config{MaxBatch: 1 + int(n%37)})
			if got := dump(t, store); got != want {
				t.Fatalf("history %d, order %d: the rows differ from those of a rebuild:\n%s", seed, n, firstDifference(got, want))
			}
		}
	}
}

// The histories of the test above must contain what they are meant to.
func TestHistoriesHaveEverything(t *testing.T) {
	store := openView(t)
	follow(t, projectiontest.Chaos(1, 250), store, projection.Config{})
	all := dump(t, store)
	for _, line := range []string{"\nlink ", "\ncorrection ", "\nduplicate ", "\nlate ", "\nsource ", "\nlisted ", "\nattempt ", "IT-OPP-01", "findings.POTENTIAL"} {
		if !strings.Contains(all, line) {
			t.Errorf("no %q in the dump", strings.TrimSpace(line))
		}
	}
	conflicts, err := store.Conflicts(context.Background(), nil)
	if err != nil || len(conflicts) == 0 {
		t.Errorf("conflicts: %d, %v", len(conflicts), err)
	}
}

// Stopping anywhere and going on is the same as going through.
func TestResume(t *testing.T) {
	log := projectiontest.Chaos(3, 250)
	whole, pieces := openView(t), openView(t)
	follow(t, log, whole, projection.Config{})
	for n := 10; n <= 100; n += 30 {
		part := &projectiontest.Log{Streams: log.Prefix(n)}
		follow(t, part, pieces, projection.Config{MaxBatch: 7})
	}
	follow(t, log, pieces, projection.Config{})
	if got, want := dump(t, pieces), dump(t, whole); got != want {
		t.Fatal(firstDifference(got, want))
	}
}

// Style.md 23: an unknown fact stops the projection; what stands before it is
// applied, the position stays before it.
func TestUnreadableEntryStops(t *testing.T) {
	log := projectiontest.Chaos(4, 60)
	stream := "LEDGER_REF"
	bad := len(log.Streams["LEDGER_REF"]) / 2
	log.Streams["LEDGER_REF"][bad] = bytes.Replace(log.Streams["LEDGER_REF"][bad], []byte(`"type":"`), []byte(`"type":"un.`), 1)
	store := openView(t)
	err := followErr(t, log, store, projection.Config{})
	var entry *projection.EntryError
	if !errors.As(err, &entry) || entry.Stream != stream || entry.Sequence != uint64(bad)+1 {
		t.Fatalf("got %v, want an EntryError at %s:%d", err, stream, bad+1)
	}
	at, err := store.Progress(context.Background(), consentstate.Name)
	if err != nil || at[stream].Sequence != uint64(bad) {
		t.Fatalf("position %d, %v; want %d", at[stream].Sequence, err, bad)
	}
}

// Two projectors of one name: the second to move is fenced.
func TestSecondProjectorIsFenced(t *testing.T) {
	log, store := projectiontest.Chaos(5, 60), openView(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rival := &rivalry{Store: store}
	run := projection.NewRunner(log, rival, consentstate.New(nil), projection.Config{MaxBatch: 5})
	if err := run.Run(ctx); !errors.Is(err, view.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

// rivalry moves the projection itself before the third update.
type rivalry struct {
	view.Store
	updates int
}

func (r *rivalry) Update(ctx context.Context, p view.Projection, from, to view.Progress, change func(view.Tx) error) error {
	if r.updates++; r.updates == 3 {
		if err := r.Store.Update(ctx, p, from, to, func(view.Tx) error { return nil }); err != nil {
			return err
		}
	}
	return r.Store.Update(ctx, p, from, to, change)
}

// Every update fails once in each way, at each step; the rows end up the same.
func TestFaultsAtEveryStep(t *testing.T) {
	log := projectiontest.Chaos(6, 120)
	plain := openView(t)
	follow(t, log, plain, projection.Config{})
	want := dump(t, plain)
	for _, kind := range []fault{beforeUpdate, insideUpdate, absentAfterCommit, storedAfterCommit, twice} {
		store := openView(t)
		faulty := &faultyStore{Store: store, kind: kind}
		follow(t, log, faulty, projection.Config{MaxBatch: 20, Retry: time.Microsecond})
		if faulty.failed == 0 {
			t.Fatalf("fault %d never happened", kind)
		}
		if got := dump(t, store); got != want {
			t.Fatalf("fault %d: %s", kind, firstDifference(got, want))
		}
	}
}

// A change that runs twice within one update, as it does after a serialization
// failure, stores what it learnt the first time, too: here the first calls of
// each campaign, which no later call repeats.
func TestChangeThatRunsTwice(t *testing.T) {
	log := projectiontest.Chaos(6, 120)
	plain, again := openView(t), openView(t)
	follow(t, log, plain, projection.Config{})
	follow(t, log, &faultyStore{Store: again, kind: twice}, projection.Config{})
	want, err := plain.Campaigns(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Campaigns(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	starts := 0
	for i := range want {
		starts += len(want[i].Starts)
	}
	if starts == 0 {
		t.Fatal("no campaign has a first call: the case proves nothing")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("-once +twice\n%s", d)
	}
}

// Announced are the contacts that a conflict or correction ties together.
func TestRefoldIsAnnounced(t *testing.T) {
	log, store := projectiontest.Chaos(7, 200), openView(t)
	ctx, cancel := context.WithCancel(context.Background())
	announced := map[events.ContactKey]bool{}
	run := projection.NewRunner(log, store, consentstate.New(func(list []events.ContactKey) {
		for _, c := range list {
			announced[c] = true
		}
	}), projection.Config{})
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx) }()
	if err := run.Await(ctx, log.End()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	conflicts, err := store.Conflicts(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conflicts {
		for _, v := range c.Variants {
			if !v.Contact.IsZero() && !announced[v.Contact] {
				t.Errorf("contact %v of a conflict was not announced", v.Contact)
			}
		}
	}
	if len(conflicts) == 0 {
		t.Error("no conflict in the log: the test proves nothing")
	}
	lag, err := run.Lag(context.Background())
	if err != nil || lag.Entries != 0 {
		t.Errorf("lag %d, %v; want 0", lag.Entries, err)
	}
}
