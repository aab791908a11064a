package feed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/memledger"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/sqliteview"
)

// noon is when the tests begin: 12:00 in Rome of a Tuesday.
var noon = events.NewDate(2026, 3, 10).In(events.Rome).Add(12 * time.Hour)

const day = 24 * time.Hour

var engine = sync.OnceValue(func() *rules.Engine {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		panic(err)
	}
	return rules.NewEngine(packs)
})

// ticker is a clock that runs, and can be moved forward.
type ticker struct {
	mu   sync.Mutex
	base events.Instant
	from time.Time
}

func (c *ticker) now() events.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.from))
}

func (c *ticker) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = c.base.Add(d)
}

// numbers is a vault that can forget.
type numbers struct {
	mu    sync.Mutex
	known map[events.ContactKey]string
}

func (n *numbers) Number(_ context.Context, key events.ContactKey) (vault.Number, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e164, ok := n.known[key]
	if !ok {
		return vault.Number{}, vault.ErrUnknown
	}
	return vault.NewNumber(e164), nil
}

func (n *numbers) forget(key events.ContactKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, key)
}

// queue is an intake that remembers, and fails as told.
type queue struct {
	mu   sync.Mutex
	got  []intake.Submission
	fail int // next calls that fail, the answer of every second one lost
}

func (q *queue) Submit(_ context.Context, batch []intake.Submission) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(batch))
	if q.fail > 0 {
		q.fail--
		if q.fail%2 == 0 {
			q.got = append(q.got, batch...)
		}
		for i := range errs {
			errs[i] = intake.ErrUnavailable
		}
		return errs
	}
	q.got = append(q.got, batch...)
	return errs
}

// rig is a feed with everything around it, on a real broker.
type rig struct {
	t       *testing.T
	broker  *embedded.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	clock   *ticker
	log     *ledgertest.Faulty
	view    view.Store
	index   *projection.Runner
	indexed context.CancelFunc
	folder  string
	said    *said.Store
	numbers *numbers
	queue   *queue
	logs    *observer.ObservedLogs
	cfg     Config
	feed    *Feed
	stop    func()
	n       int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, broker: embeddedtest.Start(t), clock: &ticker{base: noon, from: time.Now()}, folder: t.TempDir(),
		numbers: &numbers{known: map[events.ContactKey]string{}}, queue: &queue{}}
	r.conn = embeddedtest.Conn(t, r.broker)
	r.js = embeddedtest.JetStream(t, r.broker)
	r.log = ledgertest.NewFaulty(memledger.New(memledger.Options{Partitions: 2, Clock: r.clock.now}))
	store, err := sqliteview.Open(t.Context(), filepath.Join(r.folder, sqliteview.File))
	r.must(err)
	r.view = store
	t.Cleanup(func() { r.must(store.Close()) })
	r.startIndex()
	core, logs := observer.New(zapcore.DebugLevel)
	r.logs = logs
	r.cfg = Config{
		Ledger: r.log, View: store, Index: consentstate.Name, Await: projection.Poll(store, consentstate.Name, time.Millisecond), Engine: engine(), Numbers: r.numbers,
		Intake: r.queue, Conn: r.conn, Clock: r.clock.now, BeatEvery: 20 * time.Millisecond, Retry: time.Millisecond, Log: zap.New(core),
	}
	r.openSaid()
	t.Cleanup(func() {
		r.kill()
		r.stopIndex()
		r.must(r.said.Close())
		r.noNumberIn(fmt.Sprint(r.logs.All()))
	})
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// noNumberIn fails when a text holds one of the rig's numbers.
func (r *rig) noNumberIn(text string) {
	r.t.Helper()
	if strings.Contains(text, "+3934") {
		r.t.Errorf("a number stands in: %s", text)
	}
}

func (r *rig) startIndex() {
	r.index = projection.NewRunner(r.log, r.view, consentstate.New(nil), projection.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	index := r.index
	go func() {
		defer close(ended)
		if err := index.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("index: %v", err)
		}
	}()
	r.indexed = func() { cancel(); <-ended }
}

// stopIndex holds the event index where it is.
func (r *rig) stopIndex() { r.indexed() }

func (r *rig) openSaid() {
	s, err := said.Open(context.Background(), filepath.Join(r.folder, said.File))
	r.must(err)
	r.said, r.cfg.Said = s, s
}

// start runs a feed until kill.
func (r *rig) start(change ...func(*Config)) {
	r.t.Helper()
	cfg := r.cfg
	for _, c := range change {
		c(&cfg)
	}
	f, err := New(context.Background(), cfg)
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.Run(ctx); !errors.Is(err, context.Canceled) {
			r.t.Errorf("feed: %v", err)
		}
	}()
	r.feed, r.stop = f, func() { cancel(); <-ended }
}

// kill ends the feed at whatever it does.
func (r *rig) kill() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// person is a contact and its number.
func (r *rig) person(n int) events.ContactKey {
	e164 := fmt.Sprintf("+39340%07d", n)
	sum := sha256.Sum256([]byte(e164))
	key := events.ContactKey(sum[:16])
	r.numbers.mu.Lock()
	defer r.numbers.mu.Unlock()
	r.numbers.known[key] = e164
	return key
}

// fact is an event to be recorded; zero clocks are the present.
type fact struct {
	id, controller, campaign string
	contact                  events.ContactKey
	data                     events.Payload
	time, received           events.Instant
}

// record appends facts to the ledger.
func (r *rig) record(list ...fact) {
	r.t.Helper()
	entries := make([]ledger.Entry, len(list))
	for i := range list {
		entries[i] = r.entry(&list[i])
	}
	placed, err := r.log.Append(context.Background(), entries)
	r.must(err)
	for _, p := range placed {
		r.must(p.Err)
	}
}

func (r *rig) entry(f *fact) ledger.Entry {
	r.n++
	if f.id == "" {
		f.id = fmt.Sprintf("e%d", r.n)
	}
	if f.time == 0 {
		f.time = r.clock.now().Add(-time.Millisecond)
	}
	if f.received == 0 {
		f.received = f.time
	}
	e := map[string]any{"specversion": "1.0", "id": f.id, "source": "crm", "type": f.data.EventType(), "time": f.time, "receivedtime": f.received, "recordedtime": "HOLE", "data": f.data}
	if f.controller != "" {
		e["controller"] = f.controller
	}
	if f.campaign != "" {
		e["campaign"] = f.campaign
	}
	if !f.contact.IsZero() {
		e["subject"] = f.contact
	}
	plain, err := json.Marshal(e)
	r.must(err)
	body, err := events.CanonicalJSON(plain)
	r.must(err)
	head, tail, _ := bytes.Cut(body, []byte("HOLE"))
	p := "ref"
	if !f.contact.IsZero() {
		p = fmt.Sprintf("%02d", f.contact.Partition(r.log.Partitions()))
	}
	return ledger.Entry{Subject: events.LedgerSubject(p, f.data.EventType(), f.controller), Contact: f.contact, MessageID: fmt.Sprintf("m%d", r.n), Head: head, Tail: tail}
}

// beatAll lets the recorders beat now.
func (r *rig) beatAll() events.Instant {
	r.t.Helper()
	now := r.clock.now()
	last, err := r.log.Ledger.Last(context.Background())
	r.must(err)
	for _, f := range events.Families {
		r.must(r.log.Ledger.PublishBeat(context.Background(), ledger.Beat{Family: f, Instant: now, Positions: last}))
	}
	return now
}

// settle waits until the feed has said everything that is recorded now, and
// what is due.
func (r *rig) settle() {
	r.t.Helper()
	at := r.beatAll()
	r.until("the feed is current", func() bool {
		left, err := r.said.Sweeps(context.Background()) // until then an order stops its controller as a whole
		r.must(err)
		return r.feed.Status().At >= at && len(left) == 0
	})
}

// until waits for a condition.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(end) {
			r.t.Fatalf("not in time: %s; status %+v, log:\n%v", what, r.feed.Status(), r.logs.All())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// messages reads FEED from a position on.
func (r *rig) messages(after uint64) []events.FeedMessage {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := r.js.Stream(ctx, events.FeedStream)
	r.must(err)
	info, err := stream.Info(ctx)
	r.must(err)
	var out []events.FeedMessage
	for at := max(after+1, info.State.FirstSeq); at <= info.State.LastSeq; at++ {
		raw, err := stream.GetMsg(ctx, at)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		r.must(err)
		var m events.FeedMessage
		r.must(json.Unmarshal(raw.Data, &m))
		if want := events.FeedSubject(m.Controller, m.Kind); raw.Subject != want {
			r.t.Errorf("message at %d lies on %s, want %s", at, raw.Subject, want)
		}
		m.Position = raw.Sequence
		out = append(out, m)
	}
	return out
}

// fold joins messages into what stands.
func fold(stands map[events.FeedKey]events.FeedMessage, list []events.FeedMessage) map[events.FeedKey]events.FeedMessage {
	if stands == nil {
		stands = map[events.FeedKey]events.FeedMessage{}
	}
	for _, m := range list {
		if m.Effect == events.FeedStop {
			stands[m.Key()] = m
		} else {
			delete(stands, m.Key())
		}
	}
	return stands
}

// scopes is what stands in a form that can be compared.
func scopes(stands map[events.FeedKey]events.FeedMessage) map[string]string {
	out := map[string]string{}
	for k, m := range stands {
		purposes, channels, lists := slices.Clone(m.Purposes), slices.Clone(m.Channels), slices.Clone(m.Lists)
		slices.Sort(purposes)
		slices.Sort(channels)
		slices.Sort(lists)
		out[fmt.Sprintf("%s/%s/%s/%s", k.Controller, k.Contact, k.Kind, k.List)] = fmt.Sprint(purposes, channels, lists)
	}
	return out
}

// fromScratch computes from the ledger alone what must stand now.
func (r *rig) fromScratch() map[string]string {
	r.t.Helper()
	var all []*contact.Fact
	keys := map[events.ContactKey]bool{}
	for _, s := range ledger.Streams(r.log.Partitions()) {
		list, err := r.log.Ledger.Read(context.Background(), s, 1, 1<<20)
		r.must(err)
		var top events.Instant
		for i := range list {
			e, err := codec.Decode(list[i].Body)
			r.must(err)
			digest, err := codec.Digest(list[i].Body)
			r.must(err)
			top = max(top, e.Recorded)
			e.Recorded = top
			all = append(all, contact.NewFact(e, digest, list[i].Body, string(s), uint64(list[i].Sequence)))
			keys[e.Subject] = true
		}
	}
	ref, reference := rules.NewReference(), map[events.Identity]bool{}
	for _, f := range all {
		reference[f.Identity()] = reference[f.Identity()] || f.Subject.IsZero()
	}
	for _, f := range all {
		if reference[f.Identity()] {
			ref.Add(f)
		}
	}
	now := r.clock.now()
	stops, orders, _ := standing.OfLists(ref, now)
	for k := range maps.Keys(keys) {
		if !k.IsZero() {
			own, _ := standing.OfContact(engine(), ref, contact.NewHistory(k, all), orders, now)
			stops = append(stops, own...)
		}
	}
	l := &life{Feed: &Feed{cfg: Config{Clock: r.clock.now}}}
	stands := map[events.FeedKey]events.FeedMessage{}
	for i := range stops {
		m := l.message(&stops[i])
		stands[m.Key()] = m
	}
	return scopes(stands)
}

// stop returns the message that stands of a key, if any.
func (r *rig) stands(controller string, key events.ContactKey, kind events.FeedKind) (events.FeedMessage, bool) {
	r.t.Helper()
	m, ok := fold(nil, r.messages(0))[events.FeedKey{Controller: controller, Contact: key, Kind: kind}]
	return m, ok
}
