package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/rules"
)

// fakeList allows even keys and blocks odd ones; it can be told to fail.
type fakeList struct {
	a    rules.Attempt
	at   events.Instant
	open error
	fail atomic.Bool
}

func (f *fakeList) OpenList(_ context.Context, a rules.Attempt, at events.Instant) (ListCheck, error) {
	f.a, f.at = a, at
	return f, f.open
}

func (f *fakeList) Head() listcheck.Head {
	h := listcheck.Head{Asked: listcheck.Asked(&f.a), Begun: testNow, Instant: testNow, Pack: "it/2026-03", Positions: map[string]uint64{"LEDGER_00": 7}}
	if f.at > testNow {
		h.Instant, h.Plan = f.at, true
	}
	return h
}

func (f *fakeList) Applied() map[string]uint64 { return map[string]uint64{"LEDGER_00": 9} }

func (f *fakeList) Answer(_ context.Context, keys []events.ContactKey, out []listcheck.Answer) error {
	if f.fail.Load() {
		return fmt.Errorf("fake answer: %w: SYS-STALE", listcheck.ErrDoubt)
	}
	for i, k := range keys {
		out[i] = listcheck.Answer{Ruling: rules.Ruling{Verdict: events.VerdictAllow, ValidUntil: testNow.Add(time.Hour)}}
		if k[0]%2 == 1 {
			out[i] = listcheck.Answer{Ruling: rules.Ruling{Verdict: events.VerdictBlock, Blocks: rules.SetOf("IT-CON-05"), ValidUntil: testNow.Add(time.Minute)}}
		}
	}
	return nil
}

const question = `{"controller":"A","campaign":"K-A","cli":"+390844100100"}` + "\n"

// split takes a list's answer apart and checks it against its summary.
func split(t *testing.T, answer []byte) ([]listcheck.Given, listcheck.Summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	var again listcheck.Recount
	var given []listcheck.Given
	for i, l := range lines {
		g, s, err := listcheck.ParseAnswer([]byte(l))
		if err != nil {
			t.Fatalf("line %d: %s: %v", i, l, err)
		}
		if s != nil {
			if err := again.Check(s); err != nil || i != len(lines)-1 {
				t.Fatalf("summary in line %d of %d: %v", i, len(lines), err)
			}
			return given, *s
		}
		again.Add(g)
		given = append(given, *g)
	}
	t.Fatalf("no summary: %s", answer)
	return nil, listcheck.Summary{}
}

// A list is answered in order, and its commitment recorded once.
func TestListIsAnsweredAndRecorded(t *testing.T) {
	b := start(t, nil)
	var body strings.Builder
	body.WriteString(question)
	for i := range 3000 {
		fmt.Fprintf(&body, "+3934%08d\n", i)
	}
	body.WriteString("nonsense\n\n{\"number\":\"+393401234567\",\"ref\":\"x\"}")
	status, header, answer := b.post(t, "/v1/decisions:batch", typeNDJSON, body.String())
	if status != http.StatusOK || header.Get("Content-Type") != typeNDJSON {
		t.Fatalf("status %d, %s: %s", status, header.Get("Content-Type"), answer[:min(len(answer), 300)])
	}
	given, sum := split(t, answer)
	if len(given) != 3002 || sum.Count != 3002 || sum.Warn != 0 || sum.Plan || sum.Record.Result != "recorded" || sum.Record.Stream == "" || sum.ExpiresAt != testNow.Add(time.Hour) {
		t.Fatalf("%d answers, summary %+v", len(given), sum)
	}
	for i := range 3000 {
		if key := keyOf(events.NewPhone(fmt.Sprintf("+3934%08d", i), "mobile")); given[i].Contact != key.String() || (given[i].Verdict == events.VerdictBlock) != (key[0]%2 == 1) {
			t.Fatalf("answer %d is %+v, want contact %s", i, given[i], key)
		}
	}
	if given[3000].Contact != "" || given[3000].Verdict != events.VerdictBlock || given[3000].Reasons[0].Rule != rules.Unreadable || given[3001].Contact != knownKey.String() {
		t.Errorf("the last answers are %+v", given[3000:])
	}
	taken := b.intake.submissions()
	if len(taken) != 1 || taken[0].Type != events.TypeDecisionBatchIssued || taken[0].Source != events.GateSource {
		t.Fatalf("%d submissions: %+v", len(taken), taken)
	}
	recorded := decode[struct {
		ID   string
		Data events.DecisionBatchIssued
	}](t, taken[0].Body)
	if err := sum.CheckRecord(&recorded.Data); err != nil || recorded.ID != sum.Record.ID || recorded.Data.Positions["LEDGER_00"] != 7 {
		t.Errorf("recorded %+v: %v", recorded, err)
	}
	if strings.Contains(fmt.Sprint(b.logs.All()), "+39") {
		t.Error("a number was logged")
	}
}

// The answer lost on its way from the queue does not record a list twice.
func TestListIsRecordedOnceWhenTheAnswerIsLost(t *testing.T) {
	lossy := &lossyIntake{lose: 2}
	b := start(t, func(c *Config) {
		lossy.fakeIntake = c.Intake.(*fakeIntake)
		c.Intake = lossy
	})
	_, _, answer := b.post(t, "/v1/decisions:batch", typeNDJSON, question+"+393401234567\n")
	_, sum := split(t, answer)
	bodies := map[string]bool{}
	for _, s := range lossy.submissions() {
		bodies[string(s.Body)] = true
	}
	if len(bodies) != 1 || sum.Record.Result == "" {
		t.Errorf("%d different submissions of one commitment, record %+v", len(bodies), sum.Record)
	}
}

// lossyIntake stores and loses its answer at first.
type lossyIntake struct {
	*fakeIntake
	lose int
}

func (l *lossyIntake) Submit(ctx context.Context, batch []intake.Submission) []error {
	errs := l.fakeIntake.Submit(ctx, batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose > 0 {
		l.lose--
		for i := range errs {
			errs[i] = fmt.Errorf("lossy submit: %w", intake.ErrUnavailable)
		}
		for _, c := range l.receipts { // and the receipt too
			for len(c) > 0 {
				<-c
			}
		}
	}
	return errs
}

// Answers come while the list is still being written.
func TestListIsAnsweredLineByLine(t *testing.T) {
	b := start(t, nil)
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/decisions:batch", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeNDJSON)
	type opened struct {
		resp *http.Response
		err  error
	}
	answered := make(chan opened, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		answered <- opened{resp, err}
	}()
	if _, err := io.WriteString(writer, question); err != nil {
		t.Fatal(err)
	}
	o := <-answered
	if o.err != nil {
		t.Fatal(o.err)
	}
	defer o.resp.Body.Close()
	in := bufio.NewReader(o.resp.Body)
	for i := range 3 {
		if _, err := fmt.Fprintf(writer, "+39340123456%d\n", i); err != nil {
			t.Fatal(err)
		}
		text, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if g, _, err := listcheck.ParseAnswer(text); err != nil || g == nil || g.Index != uint64(i) {
			t.Fatalf("answer %d: %s (%v)", i, text, err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, s, err := listcheck.ParseAnswer(rest); err != nil || s.Count != 3 {
		t.Errorf("the end is %s (%v)", rest, err)
	}
}

// A list that cannot be answered is refused before its first answer, and one
// that falls into doubt ends with a problem and no record.
func TestListIsRefused(t *testing.T) {
	list := &fakeList{}
	b := start(t, func(c *Config) { c.Lists = list })
	for _, c := range []struct {
		name, media, body string
		open              error
		status            int
		text              string
	}{
		{"media type", typeJSON, question, nil, http.StatusUnsupportedMediaType, "media-type"},
		{"empty", typeNDJSON, "", nil, http.StatusBadRequest, "json_invalid"},
		{"no question", typeNDJSON, "+393401234567\n", nil, http.StatusBadRequest, "json_invalid"},
		{"faults", typeNDJSON, `{"campaign":"K","channel":"fax"}`, nil, http.StatusBadRequest, "controller_missing"},
		{"doubt", typeNDJSON, question, listcheck.ErrDoubt, http.StatusServiceUnavailable, "in-doubt"},
		{"campaign", typeNDJSON, question, listcheck.ErrCampaign, http.StatusUnprocessableEntity, "campaign-unknown"},
		{"pack", typeNDJSON, question, listcheck.ErrPack, http.StatusUnprocessableEntity, "no-pack"},
		{"past", typeNDJSON, question, listcheck.ErrPast, http.StatusUnprocessableEntity, "instant-past"},
		{"no gate", typeNDJSON, question, ErrNoGate, http.StatusServiceUnavailable, "no-gate"},
	} {
		list.open = c.open
		status, _, answer := b.post(t, "/v1/decisions:batch", c.media, c.body)
		if status != c.status || !strings.Contains(string(answer), c.text) || strings.Contains(string(answer), "3401234567") {
			t.Errorf("%s: status %d, %s; want %d and %s", c.name, status, answer, c.status, c.text)
		}
	}
	list.open = nil
	list.fail.Store(true)
	status, _, answer := b.post(t, "/v1/decisions:batch", typeNDJSON, question+strings.Repeat("+393401234567\n", 20_000))
	var end struct{ Problem Problem }
	if err := json.Unmarshal(answer, &end); err != nil || status != http.StatusOK || !strings.HasSuffix(end.Problem.Type, "in-doubt") {
		t.Errorf("a list in doubt: status %d, %s (%v)", status, answer, err)
	}
	list.fail.Store(false)
	http.DefaultClient.CloseIdleConnections() // a list that was cut off may take its connection with it
	status, _, answer = b.post(t, "/v1/decisions:batch", typeNDJSON, question)
	if _, sum := split(t, answer); status != http.StatusOK || sum.Count != 0 || sum.Record.Result != "" {
		t.Errorf("an empty list: status %d, %s", status, answer)
	}
	if n := len(b.intake.submissions()); n != 0 {
		t.Errorf("%d commitments recorded, want none", n)
	}
}

// A plan says so.
func TestListIsPlanned(t *testing.T) {
	b := start(t, nil)
	_, _, answer := b.post(t, "/v1/decisions:batch", typeNDJSON, `{"controller":"A","campaign":"K-A","at":"2026-03-06T10:00:00+01:00"}`+"\n+393401234567\n")
	if _, sum := split(t, answer); !sum.Plan || sum.Instant == sum.Begun || !strings.Contains(sum.Note, "no permission") {
		t.Errorf("the plan's summary is %+v", sum)
	}
}

// The recorded commitment is found by its id.
func TestListCheckIsFound(t *testing.T) {
	b := start(t, nil)
	if status, _, answer := b.get(t, "/v1/lists/list-1"); status != http.StatusOK || decode[inquiry.ListCheck](t, answer).ID != "list-1" {
		t.Errorf("status %d: %s", status, answer)
	}
	b.desk.err = inquiry.ErrUnknown
	if status, _, _ := b.get(t, "/v1/lists/list-1"); status != http.StatusNotFound {
		t.Errorf("an unknown one: status %d", status)
	}
}

// slowClient is a client that sends without end and does not read until it is
// released.
type slowClient struct {
	header  http.Header
	release chan struct{}
	sent    atomic.Int64 // lines
	most    int64
	rest    []byte
	got     strings.Builder
}

func (c *slowClient) Header() http.Header     { return c.header }
func (c *slowClient) WriteHeader(int)         {}
func (c *slowClient) Flush()                  {}
func (c *slowClient) EnableFullDuplex() error { return nil }
func (c *slowClient) Close() error            { return nil }

func (c *slowClient) Write(b []byte) (int, error) {
	<-c.release
	return c.got.Write(b)
}

func (c *slowClient) Read(b []byte) (int, error) {
	for len(c.rest) < len(b) {
		n := c.sent.Load()
		if n == c.most {
			break
		}
		c.rest = fmt.Appendf(c.rest, "+3934%08d\n", n)
		c.sent.Add(1)
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A client that does not read its answers is not read from: memory is bounded
// by a few chunks, whatever the list's length.
func TestListWaitsForASlowClient(t *testing.T) {
	b := start(t, nil)
	c := &slowClient{header: http.Header{}, release: make(chan struct{}), most: 400_000, rest: []byte(question)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/decisions:batch", c)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr, r.Host, r.ContentLength = "127.0.0.1:1", "127.0.0.1", 1
	r.Header.Set("Content-Type", typeNDJSON)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Handler().ServeHTTP(c, r)
	}()
	for last, still := int64(-1), 0; still < 50; time.Sleep(2 * time.Millisecond) { // until it reads no more
		if n := c.sent.Load(); n == last {
			still++
		} else {
			last, still = n, 0
		}
	}
	if n := c.sent.Load(); n == 0 || n > c.most/4 {
		t.Errorf("%d of %d lines were read while no answer was taken", n, c.most)
	}
	close(c.release)
	<-done
	if _, sum := split(t, []byte(c.got.String())); int64(sum.Count) != c.most {
		t.Errorf("%d answers, want %d", sum.Count, c.most)
	}
}
