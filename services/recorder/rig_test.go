package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the simulated clock's first reading: 2026-03-05T10:00:00Z.
var start = events.InstantOf(time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC))

// ticking is a clock that moves a millisecond at each reading.
type ticking struct {
	mu  sync.Mutex
	now events.Instant
}

func (c *ticking) read() events.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

// failure says how one call of a fake fails.
type failure int

const (
	fine      failure = iota
	absent            // nothing was stored, and the caller knows that it failed
	lost              // stored, but the answer was lost
	half              // the first half was stored, the rest was not
	diesAhead         // the process dies before anything is stored
	diesAfter         // the process dies when it is stored, before it hears of it
)

// faults is a script of failures, one for each call; then all is fine.
type faults struct {
	mu     sync.Mutex
	script []failure
	die    func() // ends the process under test
}

func (f *faults) next() failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) == 0 {
		return fine
	}
	n := f.script[0]
	f.script = f.script[1:]
	return n
}

func (f *faults) plan(die func(), script ...failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script, f.die = script, die
}

// death ends the run under test and returns when its context has ended, as the
// last thing that process sees.
func (f *faults) death(ctx context.Context) error {
	f.mu.Lock()
	die := f.die
	f.mu.Unlock()
	die()
	<-ctx.Done()
	return ctx.Err()
}

// fakeLog is a ledger in memory with the broker's duplicate window, which
// closes when forget is called.
type fakeLog struct {
	t     *testing.T
	clock func() events.Instant
	faults
	poison string        // an entry with this in it is ErrTooLarge
	hold   chan struct{} // Append waits for it between stamp and storage

	mu      sync.Mutex
	streams map[ledger.Stream][][]byte
	stamps  map[ledger.Stream][]events.Instant
	window  map[string]ledger.Placed
	beats   []ledger.Beat
	holding chan struct{}
}

func newFakeLog(t *testing.T, clock func() events.Instant) *fakeLog {
	return &fakeLog{
		t: t, clock: clock, streams: map[ledger.Stream][][]byte{}, stamps: map[ledger.Stream][]events.Instant{},
		window: map[string]ledger.Placed{}, holding: make(chan struct{}, 100),
	}
}

func (l *fakeLog) Partitions() int { return 4 }

func (l *fakeLog) Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	placed := make([]ledger.Placed, len(entries))
	how := l.next()
	if how == diesAhead {
		return nil, l.death(ctx)
	}
	for n, e := range entries {
		switch {
		case how == absent, how == half && n >= len(entries)/2:
			placed[n].Err = fmt.Errorf("append: %w", ledger.ErrUnavailable)
		case l.poison != "" && strings.Contains(string(e.Head), l.poison):
			placed[n].Err = fmt.Errorf("append: %w", ledger.ErrTooLarge)
		default:
			placed[n] = l.store(e)
		}
		if how == lost {
			placed[n] = ledger.Placed{Err: fmt.Errorf("append: %w", ledger.ErrAmbiguous)}
		}
	}
	if how == diesAfter {
		return nil, l.death(ctx)
	}
	return placed, nil
}

func (l *fakeLog) store(e ledger.Entry) ledger.Placed {
	stamp := l.clock()
	if l.hold != nil {
		l.holding <- struct{}{}
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.window[e.MessageID]; ok {
		p.Duplicate = true
		return p
	}
	stream := ledger.StreamOf(e.Contact, 4)
	body := append(stamp.AppendFormat(slices.Clone(e.Head)), e.Tail...)
	l.streams[stream] = append(l.streams[stream], body)
	l.stamps[stream] = append(l.stamps[stream], stamp)
	p := ledger.Placed{Stream: stream, Sequence: ledger.Sequence(len(l.streams[stream])), RecordedAt: stamp}
	l.window[e.MessageID] = p
	return p
}

func (l *fakeLog) Last(context.Context) (ledger.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := ledger.Positions{}
	for s, list := range l.streams {
		out[s] = ledger.Sequence(len(list))
	}
	return out, nil
}

func (l *fakeLog) PublishBeat(_ context.Context, b ledger.Beat) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beats = append(l.beats, b)
	return nil
}

// events decodes everything that was recorded, in the order of the streams.
func (l *fakeLog) events() []events.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []events.Event
	for p := range 5 {
		s := ledger.Reference
		if p < 4 {
			s = ledger.Partition(p)
		}
		for _, body := range l.streams[s] {
			e, err := events.Decode(body)
			if err != nil {
				l.t.Errorf("the ledger holds what is no event: %v", err)
			}
			canonical, err := events.CanonicalJSON(body)
			if err != nil || string(canonical) != string(body) {
				l.t.Errorf("stored bytes of %s are not canonical: %v", e.ID, err)
			}
			out = append(out, e)
		}
	}
	return out
}

func (l *fakeLog) ids() []string {
	var out []string
	for _, e := range l.events() {
		out = append(out, e.ID)
	}
	slices.Sort(out)
	return out
}

// fakeVault is a vault in memory. Its keys are readable in tests.
type fakeVault struct {
	vault.Vault // methods that recorders do not use
	faults
	panics string // an upsert of this number panics

	mu      sync.Mutex
	numbers map[events.ContactKey]string
	proofs  map[events.Digest][]byte
	sealed  map[string][]byte
}

func newFakeVault() *fakeVault {
	return &fakeVault{numbers: map[events.ContactKey]string{}, proofs: map[events.Digest][]byte{}, sealed: map[string][]byte{}}
}

func (v *fakeVault) Key(n vault.Number) events.ContactKey {
	h := events.Identity{Source: "pepper", ID: n.Reveal()}.Hash()
	return events.ContactKey(h)
}

func (v *fakeVault) Upsert(ctx context.Context, entries []vault.Entry) error {
	how := v.next()
	switch how {
	case absent:
		return fmt.Errorf("upsert: %w", vault.ErrUnavailable)
	case diesAhead:
		return v.death(ctx)
	}
	v.mu.Lock()
	for _, e := range entries {
		if v.panics != "" && e.Number.Reveal() == v.panics {
			v.mu.Unlock()
			panic("cannot store " + v.panics)
		}
		if n := e.Number.Reveal(); n != "" {
			v.numbers[e.Contact] = n
		}
		if e.Evidence != nil {
			v.proofs[e.Digest] = e.Evidence
		}
	}
	v.mu.Unlock()
	switch how {
	case lost:
		return fmt.Errorf("upsert: %w", vault.ErrUnavailable)
	case diesAfter:
		return v.death(ctx)
	}
	return nil
}

func (v *fakeVault) Seal(_ context.Context, bodies []vault.Sealed) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, b := range bodies {
		v.sealed[b.ID] = b.Body
	}
	return nil
}

func (v *fakeVault) Unseal(_ context.Context, id string) (vault.Sealed, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, ok := v.sealed[id]
	if !ok {
		return vault.Sealed{}, vault.ErrUnknown
	}
	return vault.Sealed{ID: id, Body: body}, nil
}

func (v *fakeVault) Discard(_ context.Context, id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sealed, id)
	return nil
}

// sealedBodies returns the ids of what is sealed.
func (v *fakeVault) sealedIDs() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for id := range v.sealed {
		out = append(out, id)
	}
	return out
}

// rig is one family's recorder with everything around it.
type rig struct {
	t      *testing.T
	nc     *nats.Conn
	js     jetstream.JetStream
	clock  *ticking
	log    *fakeLog
	vault  *fakeVault
	queue  *natsintake.Intake
	got    <-chan intake.Receipt
	logs   *observer.ObservedLogs
	cfg    Config
	alarms chan Alarm
}

const token = "door-1"

func newRig(t *testing.T, family events.Family) *rig {
	t.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "test", DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatalf("new server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	ctx := context.Background()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	must("provision intake", natsintake.Provision(ctx, nc, natsintake.Settings{MaxBytes: 64 << 20}))
	must("provision rejects", Provision(ctx, nc, 1))
	js, err := jetstream.New(nc)
	must("jetstream", err)
	leases, err := worker.OpenLeases(ctx, js, 10*time.Second, 1)
	must("leases", err)
	clock := &ticking{now: start}
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{
		t: t, nc: nc, js: js, clock: clock, log: newFakeLog(t, clock.read), vault: newFakeVault(),
		queue: natsintake.Open(nc, nil), logs: logs, alarms: make(chan Alarm, 1000),
	}
	t.Cleanup(r.queue.Close)
	rejects, err := NewRejects(nc, r.vault, clock.read)
	must("rejects", err)
	parked, err := NewParked(nc, r.vault, r.queue, clock.read)
	must("parked", err)
	got, stop, err := r.queue.Await(ctx, token)
	must("await", err)
	t.Cleanup(stop)
	r.got = got
	r.cfg = Config{
		Family: family, Conn: nc, Leases: leases, Instance: "one", Ledger: r.log, Vault: r.vault, Receipts: r.queue,
		Rejects: rejects, Parked: parked, Clock: clock.read, Logger: zap.New(core),
		Alarm: func(a Alarm) { r.alarms <- a }, BeatEvery: 20 * time.Millisecond, TakeoverGrace: 50 * time.Millisecond,
		Retry: worker.Retry{First: time.Millisecond, Most: 5 * time.Millisecond}, Idle: 100 * time.Millisecond,
	}
	return r
}

// run starts a recorder with a memory of its own and returns what ends it.
func (r *rig) run(change func(*Config)) (rec *Recorder, stop func()) {
	r.t.Helper()
	cfg := r.cfg
	if change != nil {
		change(&cfg)
	}
	rec, err := New(cfg)
	if err != nil {
		r.t.Fatalf("new recorder: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := rec.Run(ctx); err != nil {
			r.t.Errorf("run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	r.t.Cleanup(stop)
	return rec, stop
}

// submission builds one; data is JSON.
func submission(typ events.Type, id, data string) intake.Submission {
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"crm.a.example","type":%q,"time":"2026-03-04T09:00:00+01:00","controller":"A","data":%s}`, id, typ, data)
	return intake.Submission{Family: typ.Family(), Source: "crm.a.example", Type: typ, Token: token, Ref: "ref-" + id, Body: []byte(body)}
}

func revoke(id, phone string) intake.Submission {
	return submission(events.TypeConsentRevoked, id, `{"phone":"`+phone+`"}`)
}

func (r *rig) submit(list ...intake.Submission) {
	r.t.Helper()
	for i, err := range r.queue.Submit(context.Background(), list) {
		if err != nil {
			r.t.Fatalf("submit %d: %v", i, err)
		}
	}
}

// receipts waits for n receipts.
func (r *rig) receipts(n int) []intake.Receipt {
	r.t.Helper()
	var out []intake.Receipt
	deadline := time.After(20 * time.Second)
	for len(out) < n {
		select {
		case got := <-r.got:
			out = append(out, got)
		case <-deadline:
			r.t.Fatalf("%d of %d receipts came: %+v", len(out), n, out)
		}
	}
	return out
}

// settled waits until the queue is acknowledged to its end.
func (r *rig) settled() {
	r.t.Helper()
	stream := natsintake.StreamOf(r.cfg.Family)
	deadline := time.Now().Add(20 * time.Second)
	for {
		ctx := context.Background()
		s, err := r.js.Stream(ctx, stream)
		if err == nil {
			var c jetstream.Consumer
			if c, err = s.Consumer(ctx, "recorder-"+string(r.cfg.Family)); err == nil && c.CachedInfo().AckFloor.Stream >= s.CachedInfo().State.LastSeq {
				return
			}
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the queue is not acknowledged: %v", err)
		}
		time.Sleep(5 * time.Millisecond) // polls a state that has no event
	}
}

// check is the whole-state checker: the log holds exactly the given ids, each
// contact is in the vault, each reject is there once and bears no number.
func (r *rig) check(recorded []string, rejected int) {
	r.t.Helper()
	slices.Sort(recorded)
	if got := r.log.ids(); !slices.Equal(got, recorded) {
		r.t.Errorf("the ledger holds %v, want %v", got, recorded)
	}
	for _, e := range r.log.events() {
		if _, ok := r.vault.numbers[e.Subject]; !ok && !e.Subject.IsZero() {
			r.t.Errorf("the number of %s is not in the vault", e.ID)
		}
	}
	list, _, err := r.cfg.Rejects.List(context.Background(), "", "", MaxPage)
	if err != nil || len(list) != rejected {
		r.t.Errorf("%d rejects, want %d (%v)", len(list), rejected, err)
	}
	for _, one := range list {
		if _, err := r.cfg.Rejects.Original(context.Background(), one.Reject); err != nil {
			r.t.Errorf("original of reject %s: %v", one.Reject, err)
		}
	}
	r.noNumbers()
}

// noNumbers: no number stands in a log line or in a stream but the queue.
func (r *rig) noNumbers() {
	r.t.Helper()
	const digits = "340123"
	for _, line := range r.logs.All() {
		text, err := json.Marshal(line.ContextMap())
		if err != nil || strings.Contains(string(text)+line.Message, digits) {
			r.t.Errorf("a number stands in the log: %s %v", line.Message, err)
		}
	}
	for _, s := range []*shelf{&r.cfg.Rejects.shelf, &r.cfg.Parked.shelf} {
		list, _, err := s.page(context.Background(), "", "", MaxPage)
		if err != nil {
			r.t.Errorf("read %s: %v", s.stream, err)
		}
		for _, m := range list {
			if strings.Contains(string(m.body), digits) {
				r.t.Errorf("a number stands in %s", s.stream)
			}
		}
	}
	for _, e := range r.log.streams {
		for _, body := range e {
			if strings.Contains(string(body), digits) {
				r.t.Error("a number stands in the ledger")
			}
		}
	}
}

// fakeIdentities answers from a map.
type fakeIdentities struct {
	mu    sync.Mutex
	known map[events.IdentityHash][]Variant
	down  bool
	late  bool
	asked int
}

func (f *fakeIdentities) Lookup(ctx context.Context, list []events.IdentityHash) ([][]Variant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down {
		return nil, errors.New("view is away")
	}
	if f.late {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := make([][]Variant, len(list))
	for i, h := range list {
		out[i] = f.known[h]
	}
	return out, nil
}

func vaultNumber(e164 string) vault.Number { return vault.NewNumber(e164) }

// queued reads the family's queue from its beginning, as batches carry it.
func (r *rig) queued() []worker.Message {
	r.t.Helper()
	ctx := context.Background()
	s, err := r.js.Stream(ctx, natsintake.StreamOf(r.cfg.Family))
	if err != nil {
		r.t.Fatalf("queue: %v", err)
	}
	var out []worker.Message
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if err != nil {
			r.t.Fatalf("queue: %v", err)
		}
		out = append(out, worker.Message{
			Stream: natsintake.StreamOf(r.cfg.Family), Sequence: seq, Subject: m.Subject, Header: m.Header, Body: m.Data, StoredAt: m.Time.UTC(),
		})
	}
	return out
}
