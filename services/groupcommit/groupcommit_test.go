package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/groupcommit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a stream "S", a committer over a wire and an undisturbed context.
type bench struct {
	t    *testing.T
	wire *embeddedtest.Wire
	js   jetstream.JetStream
	c    *groupcommit.Committer

	mu      sync.Mutex
	commits []groupcommit.Commit
}

func setUp(t *testing.T, o groupcommit.Options, settings ...func(*jetstream.StreamConfig)) *bench {
	t.Helper()
	srv := embeddedtest.Start(t)
	b := &bench{t: t, js: embeddedtest.JetStream(t, srv), wire: embeddedtest.NewWire(t, srv)}
	conf := jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowAtomicPublish: true, AllowDirect: true, Duplicates: 2 * time.Minute, Discard: jetstream.DiscardNew}
	for _, s := range settings {
		s(&conf)
	}
	if _, err := b.js.CreateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	o.Observe = func(c groupcommit.Commit) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commits = append(b.commits, c)
	}
	b.c = b.committer(o)
	return b
}

func (b *bench) committer(o groupcommit.Options) *groupcommit.Committer {
	b.t.Helper()
	c, err := groupcommit.New(b.wire.Conn, "S", o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

// messages makes n messages with ids prefix-0 …; prefix "" makes none.
func messages(prefix string, n int) []groupcommit.Message {
	msgs := make([]groupcommit.Message, n)
	for i := range msgs {
		msgs[i] = groupcommit.Message{Subject: "s.a", Data: []byte(prefix + "-" + strconv.Itoa(i))}
		if prefix != "" {
			msgs[i].ID = string(msgs[i].Data)
		}
	}
	return msgs
}

func (b *bench) publish(msgs []groupcommit.Message) []groupcommit.Result {
	b.t.Helper()
	results, err := b.c.Publish(b.t.Context(), msgs)
	if err != nil {
		b.t.Fatal(err)
	}
	return results
}

// stored returns the payloads of the stream in order.
func (b *bench) stored() []string {
	b.t.Helper()
	s, err := b.js.Stream(b.t.Context(), "S")
	if err != nil {
		b.t.Fatal(err)
	}
	info, err := s.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	out := []string{}
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := s.GetMsg(b.t.Context(), seq)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, string(m.Data))
	}
	return out
}

// check verifies that every result is right against the stored payloads, that
// nothing is stored twice and, with inOrder, that the order was kept.
func (b *bench) check(msgs []groupcommit.Message, results []groupcommit.Result, inOrder bool) {
	b.t.Helper()
	stored := b.stored()
	seen := map[string]int{}
	for i, payload := range stored {
		if seen[payload]++; seen[payload] > 1 {
			b.t.Errorf("%q is stored again at %d", payload, i+1)
		}
	}
	last := uint64(0)
	for i, r := range results {
		if r.Err != nil {
			b.t.Fatalf("message %d: %v", i, r.Err)
		}
		if r.Sequence == 0 || r.Sequence > uint64(len(stored)) || stored[r.Sequence-1] != string(msgs[i].Data) {
			b.t.Fatalf("message %d: sequence %d does not hold it", i, r.Sequence)
		}
		if inOrder && r.Sequence <= last && !r.Duplicate {
			b.t.Errorf("message %d: sequence %d after %d", i, r.Sequence, last)
		}
		last = max(last, r.Sequence)
	}
}

// seen returns the commits seen so far; Close waits for the last.
func (b *bench) seen() []groupcommit.Commit {
	b.c.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.commits {
		b.commits[i].Took = 0
	}
	return b.commits
}

func TestFewGoSingly(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	msgs := messages("m", 23)
	b.check(msgs, b.publish(msgs), true)
	if diff := cmp.Diff([]groupcommit.Commit{{Stream: "S", Messages: 23, Tries: 1}}, b.seen()); diff != "" {
		t.Error(diff)
	}
}

func TestManyGoAsAtomicBatches(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	msgs := messages("m", 1100)
	b.check(msgs, b.publish(msgs), true)
	if diff := cmp.Diff([]groupcommit.Commit{{Stream: "S", Messages: 1000, Batch: true, Tries: 1}, {Stream: "S", Messages: 100, Batch: true, Tries: 1}}, b.seen()); diff != "" {
		t.Error(diff)
	}
}

func TestAGroupIsLimitedInBytes(t *testing.T) {
	b := setUp(t, groupcommit.Options{MaxGroupBytes: 30, Threshold: 2})
	msgs := messages("m", 20) // 3 and 4 bytes each: groups of 9 or 10 and fewer
	b.check(msgs, b.publish(msgs), true)
	for _, c := range b.seen() {
		if c.Messages > 10 {
			t.Errorf("a group of %d messages exceeds 30 bytes", c.Messages)
		}
	}
}

func TestNothingToPublish(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	if got := b.publish(nil); len(got) != 0 {
		t.Errorf("%d results for no message", len(got))
	}
}

func TestHeadersAndIdAreStored(t *testing.T) {
	for name, n := range map[string]int{"singly": 1, "batch": 30} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, groupcommit.Options{})
			msgs := messages("m", n)
			header := nats.Header{"Traceparent": {"00-x"}}
			msgs[0].Header = header
			b.publish(msgs)
			s, err := b.js.Stream(t.Context(), "S")
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.GetMsg(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.Get("Traceparent") != "00-x" || m.Header.Get(jetstream.MsgIDHeader) != "m-0" {
				t.Errorf("stored headers: %v", m.Header)
			}
			if len(header) != 1 {
				t.Errorf("the caller's header was changed: %v", header)
			}
		})
	}
}

func TestARepeatedIdWithinOneGroup(t *testing.T) {
	for _, n := range []int{10, 1000} {
		b := setUp(t, groupcommit.Options{})
		msgs := messages("m", n)
		msgs[n-1] = msgs[3]
		results := b.publish(msgs)
		b.check(msgs, results, true)
		if !results[n-1].Duplicate || results[n-1].Sequence != results[3].Sequence || results[3].Duplicate {
			t.Errorf("of %d: first %+v, repeated %+v", n, results[3], results[n-1])
		}
		if got := len(b.stored()); got != n-1 {
			t.Errorf("%d stored of %d", got, n-1)
		}
	}
}

func TestABatchWithAnIdThatTheBrokerKnows(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	other := b.committer(groupcommit.Options{})
	first := messages("m", 600)[599:]
	before, err := other.Publish(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	msgs := messages("m", 1000)
	results := b.publish(msgs)
	b.check(msgs, results, true)
	for i, r := range results {
		if r.Duplicate != (i == 599) || r.Resent {
			t.Errorf("message %d: %+v", i, r)
		}
	}
	if alone := b.storedAlone(); alone > 48 {
		t.Errorf("%d messages were synced alone because of one duplicate", alone)
	}
	if results[599].Sequence != before[0].Sequence {
		t.Errorf("duplicate at %d, first copy at %d", results[599].Sequence, before[0].Sequence)
	}
}

// storedAlone counts the messages that were not stored by an atomic batch.
func (b *bench) storedAlone() (n int) {
	b.t.Helper()
	s, err := b.js.Stream(b.t.Context(), "S")
	if err != nil {
		b.t.Fatal(err)
	}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(b.t.Context(), seq)
		if err != nil {
			b.t.Fatal(err)
		}
		if m.Header.Get("Nats-Batch-Id") == "" {
			n++
		}
	}
	return n
}

func TestKnownIdsNeedNoBroker(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	msgs := messages("m", 40)
	first := b.publish(msgs)
	b.wire.Down()
	for i, r := range b.publish(messages("m", 40)) {
		if !r.Duplicate || r.Sequence != first[i].Sequence || r.Err != nil {
			t.Errorf("message %d: %+v", i, r)
		}
	}
}

func TestForgottenIdsAreAskedOfTheBroker(t *testing.T) {
	b := setUp(t, groupcommit.Options{Remember: -1})
	b.publish(messages("m", 40))
	msgs := messages("m", 40)
	results := b.publish(msgs)
	b.check(msgs, results, true)
	for i, r := range results {
		if !r.Duplicate || r.Sequence != uint64(i+1) {
			t.Errorf("message %d: %+v", i, r)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := setUp(t, groupcommit.Options{Remember: 64})
	all := messages("m", 400)
	b.publish(all)
	b.wire.Down()
	known := 0
	for _, r := range b.publish(messages("m", 400)) {
		if r.Err == nil {
			known++
		}
	}
	if known < 32 || known > 64 {
		t.Errorf("%d of 400 ids are known, want 32 to 64", known)
	}
}

// TestLostAnswers breaks every kind of publish in both ways: not done, and
// done with the answer lost.
func TestLostAnswers(t *testing.T) {
	for _, c := range []struct {
		name, marker string
		n            int
		stored       bool
	}{
		{"batch failed and absent", "Nats-Batch-Commit", 100, false},
		{"batch failed but stored", "Nats-Batch-Commit", 100, true},
		{"batch cut in the middle", "Nats-Batch-Sequence: 50", 100, false},
		{"singly failed and absent", "m-5", 10, false},
		{"singly failed but stored", "m-9", 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setUp(t, groupcommit.Options{Timeout: 300 * time.Millisecond})
			msgs := messages("m", c.n)
			call := b.lose(c.marker, c.stored, msgs)
			results, err := call.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if errors.Is(results[0].Err, groupcommit.ErrUnavailable) && !errors.Is(results[0].Err, groupcommit.ErrAmbiguous) {
				results = b.again(msgs) // known to be absent, and the connection was still down
			}
			b.check(msgs, results, c.n >= 24)
			if got := len(b.stored()); got != c.n {
				t.Errorf("%d stored, want %d", got, c.n)
			}
			for i, r := range results {
				if r.Duplicate != r.Resent {
					t.Errorf("message %d: %+v", i, r)
				}
				if c.stored && c.n >= 24 && !r.Resent {
					t.Errorf("message %d was stored by the first try, and the result does not tell: %+v", i, r)
				}
			}
		})
	}
}

// again hands msgs in once the connection is back.
func (b *bench) again(msgs []groupcommit.Message) []groupcommit.Result {
	for !b.wire.Conn.IsConnected() {
	}
	return b.publish(msgs)
}

// lose hands msgs in while the wire loses the write that holds marker, or the
// answer to it.
func (b *bench) lose(marker string, stored bool, msgs []groupcommit.Message) *groupcommit.Call {
	b.t.Helper()
	arm := b.wire.CutBefore
	if stored {
		arm = b.wire.LoseAnswerTo
	}
	hit := arm(marker)
	call := b.c.Enqueue(b.t.Context(), msgs)
	<-hit
	b.wire.Cut()
	return call
}

func TestWithoutIdsUnknownStaysUnknown(t *testing.T) {
	for _, stored := range []bool{false, true} {
		for _, n := range []int{1, 30} {
			b := setUp(t, groupcommit.Options{Timeout: 300 * time.Millisecond})
			msgs := messages("", n)
			marker := "-" + strconv.Itoa(n-1)
			results, err := b.lose(marker, stored, msgs).Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range results {
				if !errors.Is(r.Err, groupcommit.ErrAmbiguous) || !errors.Is(r.Err, groupcommit.ErrUnavailable) {
					t.Errorf("stored %v, message %d of %d: %+v", stored, i, n, r)
				}
			}
		}
	}
}

func TestBeyondTheWindowUnknownStaysUnknown(t *testing.T) {
	b := setUp(t, groupcommit.Options{Timeout: 100 * time.Millisecond, Window: time.Nanosecond})
	results, err := b.lose("Nats-Batch-Commit", true, messages("m", 30)).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if !errors.Is(r.Err, groupcommit.ErrAmbiguous) {
			t.Errorf("message %d: %+v", i, r)
		}
	}
}

func TestAFullStreamTakesWhatFits(t *testing.T) {
	for _, n := range []int{20, 40} {
		b := setUp(t, groupcommit.Options{}, func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 })
		msgs := messages("m", n)
		results := b.publish(msgs)
		for i, r := range results {
			if i < 10 && (r.Err != nil || r.Sequence != uint64(i+1)) || i >= 10 && !errors.Is(r.Err, groupcommit.ErrFull) {
				t.Errorf("message %d of %d: %+v", i, n, r)
			}
		}
		if got := len(b.stored()); got != 10 {
			t.Errorf("%d stored, room for 10", got)
		}
	}
}

func TestOneRefusedMessageDoesNotHoldUpTheRest(t *testing.T) {
	for name, spoil := range map[string]func(*groupcommit.Message){
		"too large for the stream": func(m *groupcommit.Message) { m.Data = make([]byte, 1000) },
		"too large for the broker": func(m *groupcommit.Message) { m.Data = make([]byte, 2<<20) },
		"failed expectation":       func(m *groupcommit.Message) { m.Header = nats.Header{jetstream.ExpectedLastSeqHeader: {"999"}} },
		"no subject":               func(m *groupcommit.Message) { m.Subject = "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, groupcommit.Options{}, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 500 })
			msgs := messages("m", 50)
			spoil(&msgs[20])
			results := b.publish(msgs)
			if !errors.Is(results[20].Err, groupcommit.ErrRefused) || errors.Is(results[20].Err, groupcommit.ErrUnavailable) {
				t.Errorf("spoilt message: %v", results[20].Err)
			}
			rest := append(msgs[:20:20], msgs[21:]...)
			b.check(rest, append(results[:20:20], results[21:]...), true)
			if got := len(b.stored()); got != 49 {
				t.Errorf("%d stored, want 49", got)
			}
		})
	}
}

func TestNoStreamMeansUnavailable(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	if err := b.js.DeleteStream(t.Context(), "S"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 30} {
		for _, r := range b.publish(messages("m", n)) {
			if !errors.Is(r.Err, groupcommit.ErrUnavailable) || errors.Is(r.Err, groupcommit.ErrAmbiguous) || !strings.Contains(r.Err.Error(), "does not exist") {
				t.Errorf("of %d: %+v", n, r)
			}
		}
	}
}

func TestDisconnectedMeansUnavailableAndAbsent(t *testing.T) {
	b := setUp(t, groupcommit.Options{})
	b.wire.Down()
	for b.wire.Conn.IsConnected() {
	}
	msgs := messages("m", 30)
	for i, r := range b.publish(msgs) {
		if !errors.Is(r.Err, groupcommit.ErrUnavailable) || errors.Is(r.Err, groupcommit.ErrAmbiguous) {
			t.Errorf("message %d: %+v", i, r)
		}
	}
	b.wire.Up()
	for !b.wire.Conn.IsConnected() {
	}
	b.check(msgs, b.publish(msgs), true)
}

// held is a Stamp that waits for the test.
type held struct {
	entered chan int
	release chan struct{}
}

func newHeld() *held { return &held{entered: make(chan int, 100), release: make(chan struct{})} }

func (h *held) stamp(group []*groupcommit.Message) func() {
	h.entered <- len(group)
	<-h.release
	return nil
}

func TestWhenTheCallersContextEnds(t *testing.T) {
	h := newHeld()
	b := setUp(t, groupcommit.Options{Stamp: h.stamp})
	onTheWay := b.c.Enqueue(t.Context(), messages("a", 3))
	<-h.entered
	waiting := b.c.Enqueue(t.Context(), messages("b", 3))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		call      *groupcommit.Call
		ambiguous bool
	}{"on the way": {onTheWay, true}, "waiting": {waiting, false}} {
		results, err := c.call.Wait(over)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
		for i, r := range results {
			if errors.Is(r.Err, groupcommit.ErrAmbiguous) != c.ambiguous || !errors.Is(r.Err, groupcommit.ErrUnavailable) {
				t.Errorf("%s, message %d: %+v", name, i, r)
			}
		}
	}
	close(h.release)
	<-onTheWay.Done()
	b.publish(messages("c", 1))
	if diff := cmp.Diff([]string{"a-0", "a-1", "a-2", "c-0"}, b.stored()); diff != "" {
		t.Error("withdrawn messages must not be stored, those on the way are:", diff)
	}
}

func TestBackpressureIsBounded(t *testing.T) {
	h := newHeld()
	b := setUp(t, groupcommit.Options{Stamp: h.stamp, Pending: 4})
	first := b.c.Enqueue(t.Context(), messages("a", 4))
	<-h.entered
	over, cancel := context.WithCancel(t.Context())
	refused := make(chan []groupcommit.Result)
	go func() {
		results, _ := b.c.Enqueue(over, messages("b", 1)).Wait(context.Background())
		refused <- results
	}()
	cancel()
	if r := (<-refused)[0]; !errors.Is(r.Err, groupcommit.ErrUnavailable) || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("beyond the limit: %+v", r)
	}
	close(h.release)
	<-first.Done()
	msgs := messages("c", 50) // a call larger than the limit goes in parts
	b.check(msgs, b.publish(msgs), true)
}

func TestCloseWithdrawsWhatWaits(t *testing.T) {
	h := newHeld()
	b := setUp(t, groupcommit.Options{Stamp: h.stamp})
	onTheWay := b.c.Enqueue(t.Context(), messages("a", 3))
	<-h.entered
	waiting := b.c.Enqueue(t.Context(), messages("b", 3))
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.c.Close()
	}()
	for !refuses(b.c) {
	}
	close(h.release)
	<-closed
	first, err := onTheWay.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.check(messages("a", 3), first, true)
	second, err := waiting.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range second {
		if !errors.Is(r.Err, groupcommit.ErrUnavailable) {
			t.Errorf("withdrawn message %d: %+v", i, r)
		}
	}
	if got := len(b.stored()); got != 3 {
		t.Errorf("%d stored, want 3", got)
	}
}

// refuses reports whether c was closed; an empty probe is never published.
func refuses(c *groupcommit.Committer) bool {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	results, _ := c.Enqueue(over, messages("probe", 1)).Wait(over)
	return strings.Contains(results[0].Err.Error(), "closed")
}

func TestStampsAreSetOnceAndResentUnchanged(t *testing.T) {
	var mu sync.Mutex
	stamped, settled := 0, 0
	b := setUp(t, groupcommit.Options{Timeout: 300 * time.Millisecond, Stamp: func(group []*groupcommit.Message) func() {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range group {
			stamped++
			m.Data = fmt.Appendf(nil, "%s stamped %d", m.Source, stamped)
		}
		return func() {
			mu.Lock()
			defer mu.Unlock()
			settled++
		}
	}})
	msgs := messages("m", 100)
	for i := range msgs {
		msgs[i].Source = msgs[i].ID
	}
	results, err := b.lose("Nats-Batch-Commit", true, msgs).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.check(msgs, results, true)
	if got := b.stored()[99]; got != "m-99 stamped 100" {
		t.Errorf("stored %q", got)
	}
	b.c.Close()
	if stamped != 100 || settled != 1 {
		t.Errorf("%d stamped, %d groups settled; want 100 and 1", stamped, settled)
	}
}

func TestManyCallersAreAllStoredOnceAndInOrder(t *testing.T) {
	b := setUp(t, groupcommit.Options{Pending: 300})
	const callers, rounds = 40, 5
	type done struct {
		msgs    []groupcommit.Message
		results []groupcommit.Result
	}
	all := make([]done, callers*rounds)
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			for r := range rounds {
				msgs := messages(fmt.Sprintf("w%d-%d", w, r), 1+(w*7+r)%60)
				results, err := b.c.Publish(t.Context(), msgs)
				if err != nil {
					t.Error(err)
				}
				all[w*rounds+r] = done{msgs, results}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, d := range all {
		total += len(d.msgs)
		last := uint64(0)
		for i, r := range d.results {
			if r.Err != nil || r.Sequence <= last {
				t.Fatalf("message %d: %+v after sequence %d", i, r, last)
			}
			last = r.Sequence
		}
	}
	if got := len(b.stored()); got != total {
		t.Errorf("%d stored, want %d", got, total)
	}
}
