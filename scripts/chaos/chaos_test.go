package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

var now = events.InstantOf(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))

// stored makes the ledger's form of a submission.
func stored(t *testing.T, s submission) []byte {
	t.Helper()
	valid, faults := events.Validate(s.body, events.ValidateOptions{Now: now, Normalise: eventstest.Normalise})
	if len(faults) > 0 {
		t.Fatalf("%s is no valid submission: %v\n%s", name(s.identity), faults, s.body)
	}
	var key events.ContactKey
	if e164 := valid.Phone.E164(); e164 != "" {
		key = eventstest.Key(e164)
	}
	r, fault := valid.Record(key, events.ContactKey{})
	if fault != nil {
		t.Fatal(fault)
	}
	return r.Stamp(now)
}

func TestTheWorldIsValidAndTheSameForASeed(t *testing.T) {
	w, kinds := world{seed: 7, contacts: 20}, map[string]int{}
	list := append(w.opening(), w.markers()...)
	for n := range 2000 {
		s := w.next(n%3, n)
		if again := w.next(n%3, n); string(again.body) != string(s.body) {
			t.Fatalf("event %d is another the second time", n)
		}
		list = append(list, s)
	}
	for _, s := range list {
		_, _, mark, err := read(stored(t, s))
		if err != nil || mark != s.mark {
			t.Fatalf("%s: mark %q (%v), want %q", name(s.identity), mark, err, s.mark)
		}
		_, kind, err := events.Peek(s.body)
		if err != nil {
			t.Fatal(err)
		}
		kinds[string(kind.Family())]++
	}
	for _, f := range events.Families {
		if kinds[string(f)] == 0 {
			t.Errorf("no event of the family %s", f)
		}
	}
}

func TestTheWorldRepeatsAndContradictsItself(t *testing.T) {
	w := world{seed: 7, contacts: 20}
	bodies, marks := map[string]int{}, map[events.Identity]map[string]bool{}
	for n := range 3000 {
		s := w.next(0, n)
		bodies[string(s.body)]++
		if marks[s.identity] == nil {
			marks[s.identity] = map[string]bool{}
		}
		marks[s.identity][s.mark] = true
	}
	repeated, contradicted := 0, 0
	for _, n := range bodies {
		repeated += n - 1
	}
	for _, m := range marks {
		contradicted += len(m) - 1
	}
	if repeated < 20 || contradicted < 10 {
		t.Errorf("%d repeated, %d contradicted of 3000, want some of each", repeated, contradicted)
	}
}

// history sends some events and returns the book and the ledger of a program
// that did everything right.
func history(t *testing.T) (*book, []record) {
	t.Helper()
	w, b := world{seed: 3, contacts: 5}, newBook()
	var records []record
	for n := range 40 {
		s := w.invent(0, n, "")
		b.sent(s)
		at := place{"LEDGER_00", uint64(n + 1)}
		it := item{Source: s.identity.Source, ID: s.identity.ID, Result: "recorded", Stream: at.stream, Sequence: at.sequence}
		if n%4 == 0 {
			it = item{Source: it.Source, ID: it.ID, Result: "accepted"}
		}
		if settled, err := b.answered(s, it); !settled || err != nil {
			t.Fatalf("answer to %s: %v %v", name(s.identity), settled, err)
		}
		records = append(records, record{at, stored(t, s)})
	}
	return b, records
}

func TestAWholeLedgerPassesAndEachFaultIsFound(t *testing.T) {
	byHouse := func(source string, kind events.Type, data string) []byte {
		w := world{seed: 9, contacts: 5}
		return stored(t, w.event(source, "h-1", kind, day, "A", "K-A", w.contact(0, data)))
	}
	answer := `,"attempt":"h-1","verdict":"allow","reasons":[],"expires_at":"2026-09-15T09:00:00Z","pack":"it","positions":{}`
	stranger := world{seed: 9, contacts: 5}.event("stranger", "x", events.TypeListScreened, day, "A", "", `{"list":"L-A"}`)
	for _, c := range []struct {
		name   string
		change func(r []record) []record
		want   string // "" = no fault
		copies int
	}{
		{"as it should be", func(r []record) []record { return r }, "", 0},
		{"an event twice", func(r []record) []record { return append(r, record{place{"LEDGER_00", 41}, r[3].body}) }, "", 1},
		{"a recorded event lost", func(r []record) []record { return slices.Delete(r, 1, 2) }, "was acknowledged and is not in the ledger", 0},
		{"an accepted event lost", func(r []record) []record { return slices.Delete(r, 4, 5) }, "was acknowledged and is not in the ledger", 0},
		{"a receipt that lied", func(r []record) []record { r[1].place, r[2].place = r[2].place, r[1].place; return r }, "which holds", 0},
		{"a stranger", func(r []record) []record { return append(r, record{place{"LEDGER_REF", 1}, stored(t, stranger)}) }, "which nobody sent", 0},
		{"the gate's answer", func(r []record) []record {
			return append(r, record{place{"LEDGER_00", 41}, byHouse(events.GateSource, events.TypeDecisionIssued, answer)})
		}, "", 0},
		{"an answer that is not the gate's", func(r []record) []record {
			return append(r, record{place{"LEDGER_00", 41}, byHouse("crm-0", events.TypeDecisionIssued, answer)})
		}, "which nobody sent", 0},
		{"rubbish", func(r []record) []record { return append(r, record{place{"LEDGER_REF", 1}, []byte("{")}) }, "decode", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, records := history(t)
			a := b.check(c.change(records))
			faults := strings.Join(a.faults, "\n")
			if c.want == "" && faults != "" || !strings.Contains(faults, c.want) {
				t.Errorf("faults %q, want %q", faults, c.want)
			}
			if a.copies != c.copies {
				t.Errorf("%d copies, want %d", a.copies, c.copies)
			}
		})
	}
}

// What dialers should know is computed from the ledger, for each controller by
// itself: every stop that is missing there is missing among the stops.
func TestStopsComeFromTheLedger(t *testing.T) {
	b, records := history(t)
	whole := b.check(records)
	for _, c := range controllers {
		stops, err := whole.expected(c, now)
		if err != nil || len(stops) == 0 {
			t.Fatalf("%s: %d stops, %v", c, len(stops), err)
		}
		other := slices.DeleteFunc(slices.Clone(records), func(r record) bool {
			e, _, _, err := read(r.body)
			if err != nil {
				t.Fatal(err)
			}
			return e.Controller == c && (e.Type == events.TypeConsentRevoked || e.Type == events.TypeOppositionRegistered)
		})
		less, err := b.check(other).expected(c, now)
		if err != nil || len(differences("what the dialer knows", stops, less)) == 0 {
			t.Errorf("%s: nothing is missing without the revocations and oppositions (%v)", c, err)
		}
		kept := controllers[1-slices.Index(controllers, c)]
		before, err1 := whole.expected(kept, now)
		after, err2 := b.check(other).expected(kept, now)
		if d := cmp.Diff(before, after); d != "" || err1 != nil || err2 != nil {
			t.Errorf("%s: what %s must stop changed (-before +after) %v %v:\n%s", c, kept, err1, err2, d)
		}
	}
}

func TestADialerMustBeToldOfEveryStop(t *testing.T) {
	key := eventstest.Key("+393401000001")
	stops := map[string]string{key.String(): "revocation"}
	d := &dialer{controller: "A", heard: map[events.ContactKey]bool{}}
	if faults := d.unheard(stops); len(faults) != 1 || !strings.Contains(faults[0], key.String()) {
		t.Errorf("faults %q, want one", faults)
	}
	d.told(events.FeedMessage{Contact: key})
	if faults := d.unheard(stops); len(faults) != 0 {
		t.Errorf("faults %q of a dialer that was told", faults)
	}
}

func TestAnswersOfTheGateMustBeInTheLedger(t *testing.T) {
	a := &audit{answers: map[string]bool{"d-1": true}}
	all := dialers{{receipts: []events.Receipt{{Decision: "d-1"}}}, {receipts: []events.Receipt{{Decision: "d-2"}}}}
	if faults := a.unrecorded(all); len(faults) != 1 || !strings.Contains(faults[0], "d-2") {
		t.Errorf("faults %q, want one about d-2", faults)
	}
}

// A receipt is handed in until the ledger has it; one that is refused is an
// error.
func TestReceiptsAreHandedInUntilTheyAreRecorded(t *testing.T) {
	answers := []string{`{"result":"accepted"}`, `{"result":"recorded"}`}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, answers[min(asked, len(answers)-1)])
		asked++
	}))
	defer server.Close()
	all := dialers{{controller: "A", receipts: []events.Receipt{{Decision: "d-1"}}, unanswered: 2}}
	said, err := all.handIn(t.Context(), newAsker(server.URL, time.Minute))
	if err != nil || asked != 2 || !strings.HasPrefix(said, "1 questions answered, 1 of the receipts") || !strings.HasSuffix(said, "2 questions without an answer") {
		t.Errorf("%q after %d tries: %v", said, asked, err)
	}
	answers = []string{`{"result":"rejected"}`}
	if _, err := all.handIn(t.Context(), newAsker(server.URL, time.Minute)); err == nil {
		t.Error("a refused receipt is no error")
	}
}

func TestCopiesDoNotChangeStates(t *testing.T) {
	b, records := history(t)
	once, err := b.check(records).states(now)
	if err != nil || len(once) == 0 {
		t.Fatalf("%d states: %v", len(once), err)
	}
	for i := range records[:10] {
		records = append(records, record{place{"LEDGER_00", uint64(41 + i)}, records[i].body})
	}
	twice, err := b.check(records).states(now)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(once, twice); d != "" {
		t.Errorf("copies changed states (-once +twice):\n%s", d)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	got := differences("state", map[string]string{"a": "same", "b": "one", "c": "x"}, map[string]string{"a": "same", "b": "ore", "d": "y"})
	want := []string{"state of b differs from byte 1 on", "state of c is missing", "state of d is there and should not be"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
}

// door is a gateway that takes every event and now and then dies: before it
// took a request, or after it took it and before it answered.
type door struct {
	mu       sync.Mutex
	random   *rand.Rand
	sequence uint64
	taken    map[string]uint64
	copies   int
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	luck := d.random.IntN(10)
	if luck == 0 {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	stream := strings.HasSuffix(r.Header.Get("Content-Type"), "ndjson")
	text := string(body)
	if stream {
		text = "[" + strings.Join(strings.Split(strings.TrimSpace(text), "\n"), ",") + "]"
	}
	var list []struct{ ID, Source string }
	if json.Unmarshal([]byte(text), &list) != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	items := make([]map[string]any, 0, len(list))
	for _, e := range list {
		key := e.Source + "/" + e.ID
		if d.taken[key] == 0 {
			d.sequence++
			d.taken[key] = d.sequence
		} else {
			d.copies++
		}
		items = append(items, map[string]any{"source": e.Source, "id": e.ID, "result": "recorded", "stream": "LEDGER_00", "sequence": d.taken[key]})
	}
	if luck == 1 {
		panic(http.ErrAbortHandler)
	}
	if !stream {
		_ = json.NewEncoder(w).Encode(map[string]any{"results": items}) // the sender is gone if this fails
		return
	}
	for i, it := range items {
		if luck == 2 && i == len(items)/2 {
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode(it)
	}
}

func TestSendersKeepIdentityUntilAllIsAcknowledged(t *testing.T) {
	d := &door{random: rand.New(rand.NewPCG(1, 1)), taken: map[string]uint64{}}
	server := httptest.NewServer(d)
	server.Config.ErrorLog = nil
	defer server.Close()
	p := plan{workers: 2, batch: 20, limit: time.Minute}
	crew := newCrew(world{seed: 5, contacts: 10}, server.URL, p)
	for n := range 30 {
		batch := make([]submission, p.batch)
		for i := range batch {
			batch[i] = crew.world.invent(0, n*p.batch+i, "")
		}
		if err := crew.deliver(t.Context(), batch, forms[n%2]); err != nil {
			t.Fatal(err)
		}
	}
	if got := crew.book.acknowledged(); got != 600 || len(d.taken) != 600 {
		t.Errorf("%d acknowledged, %d taken, want 600 of each", got, len(d.taken))
	}
	if d.copies == 0 || crew.book.resent == 0 {
		t.Errorf("nothing was sent twice (%d, %d): the door never died in the middle", d.copies, crew.book.resent)
	}
}

func TestAnswersThatNoValidEventMayGetStopASender(t *testing.T) {
	w := world{seed: 5, contacts: 10}
	s := w.invent(0, 1, "")
	for _, it := range []item{
		{Source: s.identity.Source, ID: s.identity.ID, Result: "rejected"},
		{Source: s.identity.Source, ID: "other", Result: "recorded", Stream: "LEDGER_00", Sequence: 1},
		{Source: s.identity.Source, ID: s.identity.ID, Result: "recorded"},
	} {
		b := newBook()
		b.sent(s)
		if _, err := b.answered(s, it); err == nil {
			t.Errorf("the answer %+v was taken", it)
		}
	}
}

func TestTheCopyLeavesTheViewsOutAndKeepsModes(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	for path, mode := range map[string]os.FileMode{"view.db": 0o600, "view.db-wal": 0o600, "pepper": 0o600, "nats/x": 0o640} {
		full := filepath.Join(from, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(path), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyWithoutViews(to, from); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, _ := d.Info()
			got = append(got, fmt.Sprintf("%s %o", strings.TrimPrefix(path, to+"/"), info.Mode()))
		}
		return err
	})
	if d := cmp.Diff([]string{"nats/x 640", "pepper 600"}, got); d != "" || err != nil {
		t.Errorf("copied (-want +got) %v:\n%s", err, d)
	}
	if err := copyWithoutViews(filepath.Join(t.TempDir(), "again"), to); err == nil {
		t.Error("a folder without views was copied: the rebuild would prove nothing")
	}
}

func TestAProgramThatEndsByItselfIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho the disk is full >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := newProgram(path, t.TempDir(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := p.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v, want the exit code and what the program said", err)
	}
	if err := p.close(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v of a kill that came too late, want the exit code", err)
	}
}

func TestAKillIsNoFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec tail -f /dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := newProgram(path, t.TempDir(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.kill(); err != nil {
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Errorf("close after a kill: %v", err)
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-cycles=0"}, {"-batch=1001"}, {"-workers=0"}, {"stray"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

// Many questions are under way at once; each answer belongs to its question,
// what is not known is left out, and what is not there yet is asked again.
func TestAnswersBelongToTheirQuestions(t *testing.T) {
	var mu sync.Mutex
	early := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/contacts:find", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Number string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || strings.HasSuffix(q.Number, "7") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"contact":"key-%s"}`, q.Number)
	})
	mux.HandleFunc("GET /v1/contacts/{key}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		mu.Lock()
		again := early[key]
		early[key] = true
		mu.Unlock()
		if q := r.URL.Query(); !again || q.Get("as_of") != now.String() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"state": {"of": "%s"}}`, key)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	var numbers []string
	want := map[string]string{}
	for n := range 100 {
		number := fmt.Sprint(n)
		numbers = append(numbers, number)
		if n%10 != 7 {
			want["key-"+number] = `{"of":"key-` + number + `"}`
		}
	}
	ask := newAsker(server.URL, time.Minute)
	keys, err := ask.find(t.Context(), numbers)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask.states(t.Context(), keys, now)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("states (-want +got) %v:\n%s", err, d)
	}
	ask.limit = time.Millisecond
	if _, err := ask.states(t.Context(), keys, now+1); err == nil {
		t.Error("states that never come are no error")
	}
}

// The end is waited for as long as the projections come nearer.
func TestTheWaitLastsAsLongAsThereIsProgress(t *testing.T) {
	answers := []string{`{"lag":{"a":500,"b":2}}`, `{"lag":{"a":200,"b":2}}`, `{"lag":{"a":0,"b":0}}`, `{"status":"ok","lag":{"a":0,"b":0}}`}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := answers[min(asked, len(answers)-1)]
		if asked++; !strings.Contains(answer, "ok") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	p := &program{base: server.URL, limit: time.Minute, ended: make(chan error, 1), output: &tail{}}
	if err := p.level(t.Context()); err != nil || asked != len(answers) {
		t.Errorf("%d questions, %v; want %d", asked, err, len(answers))
	}
	answers, p.limit = answers[:1], time.Millisecond
	if err := p.level(t.Context()); err == nil || !strings.Contains(err.Error(), `"a":500`) {
		t.Errorf("%v, want what the program said last", err)
	}
}

func TestSendersShareTheRate(t *testing.T) {
	for rate, want := range map[int]time.Duration{2000: 100 * time.Millisecond, 0: 0} {
		if got := newCrew(world{}, "", plan{workers: 4, batch: 50, rate: rate}).pause; got != want {
			t.Errorf("%d events a second: a pause of %v, want %v", rate, got, want)
		}
	}
}
