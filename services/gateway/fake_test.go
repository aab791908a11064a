package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/intake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeIntake is an intake with a recorder behind it that answers by the id of
// an event: "dup…" duplicate, "late…" never, "bad…" rejected, else recorded.
type fakeIntake struct {
	mu       sync.Mutex
	taken    []intake.Submission
	full     int // refuse this many submissions first
	receipts map[string]chan intake.Receipt
	sequence uint64
}

func newFakeIntake() *fakeIntake { return &fakeIntake{receipts: map[string]chan intake.Receipt{}} }

func (f *fakeIntake) Await(_ context.Context, token string) (<-chan intake.Receipt, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan intake.Receipt, 4096)
	f.receipts[token] = c
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, ok := f.receipts[token]; ok {
			delete(f.receipts, token)
			close(c)
		}
	}, nil
}

func (f *fakeIntake) Submit(_ context.Context, batch []intake.Submission) []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := make([]error, len(batch))
	for i, s := range batch {
		if f.full > 0 {
			f.full--
			errs[i] = fmt.Errorf("fake submit: %w", intake.ErrFull)
			continue
		}
		f.taken = append(f.taken, s)
		f.answer(s)
	}
	return errs
}

func (f *fakeIntake) answer(s intake.Submission) {
	var head struct{ ID string }
	if json.Unmarshal(s.Body, &head) != nil || strings.HasPrefix(head.ID, "late") || f.receipts[s.Token] == nil {
		return
	}
	f.sequence++
	r := intake.Receipt{Source: s.Source, ID: head.ID, Ref: s.Ref, Result: intake.Recorded, Stream: "LEDGER_00", Sequence: f.sequence, RecordedTime: testNow}
	switch {
	case strings.HasPrefix(head.ID, "dup"):
		r.Result = intake.Duplicate
	case strings.HasPrefix(head.ID, "bad"):
		r = intake.Receipt{Source: s.Source, ID: head.ID, Ref: s.Ref, Result: intake.Rejected, Reject: "r-recorder", Errors: []events.Fault{{Code: "phone_invalid", Field: "data.phone", Hint: "write it in E.164"}}}
	}
	f.receipts[s.Token] <- r
}

// submissions waits for nothing: it returns what was taken so far.
func (f *fakeIntake) submissions() []intake.Submission {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]intake.Submission(nil), f.taken...)
}

// fakeRejects keeps refusals in memory.
type fakeRejects struct {
	mu   sync.Mutex
	kept []Refusal
	err  error
}

func (f *fakeRejects) Refuse(_ context.Context, refused []Refusal) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	ids := make([]string, len(refused))
	for i, r := range refused {
		f.kept = append(f.kept, r)
		ids[i] = fmt.Sprintf("r-%d", len(f.kept))
	}
	return ids, nil
}

// asItIs takes numbers that are E.164 already.
func asItIs(number, _ string) (events.Phone, string) {
	if !strings.HasPrefix(number, "+") {
		return events.Phone{}, "country_missing"
	}
	return events.NewPhone(number, "mobile"), ""
}

var testNow = mustInstant("2026-03-05T10:00:00Z")

func mustInstant(s string) events.Instant {
	i, err := events.ParseInstant(s)
	if err != nil {
		panic(err) // a constant of a test, read before any test runs
	}
	return i
}

// bench is a gateway under test.
type bench struct {
	*Gateway
	intake  *fakeIntake
	rejects *fakeRejects
	desk    *fakeDesk
	logs    *observer.ObservedLogs
	url     string
}

// start runs a gateway with fakes; change edits its configuration.
func start(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	b := &bench{intake: newFakeIntake(), rejects: &fakeRejects{}, logs: logs}
	b.desk = &fakeDesk{}
	cfg := Config{Version: "test", Access: access.Local{}, Intake: b.intake, Rejects: b.rejects, Normalise: asItIs, Key: keyOf, Log: zap.New(core),
		Desk: b.desk, Gate: b.desk, Lists: &fakeList{}, Reports: b.desk, Objects: b.desk, Enquiries: b.desk, Numbers: b.desk.Number, RejectLog: b.desk, ParkedLog: b.desk, Readiness: b.desk,
		Clock: func() events.Instant { return testNow }, ReceiptWait: 2 * time.Second}
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Gateway = g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Receive(ctx) }()
	b.awaitSubscription(t)
	server := httptest.NewServer(g.Handler())
	b.url = server.URL
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return b
}

// awaitSubscription returns once the gateway listens for receipts.
func (b *bench) awaitSubscription(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b.intake.mu.Lock()
		n := len(b.intake.receipts)
		b.intake.mu.Unlock()
		if n > 0 {
			return
		}
	}
	t.Fatal("the gateway never subscribed to receipts")
}

// post sends a body and returns status, header and body of the answer.
func (b *bench) post(t *testing.T, path, media, body string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return roundTrip(t, req)
}

func roundTrip(t *testing.T, req *http.Request) (int, http.Header, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

func decode[T any](t *testing.T, b []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("decode answer: %v\n%s", err, b)
	}
	return v
}

// event is a valid revocation with the given id.
func event(id string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"app.a.example","type":"consent.revoked.v1","time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"+393401234567"}}`
}
