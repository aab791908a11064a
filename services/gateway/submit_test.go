package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
)

func TestOneEventIsAnsweredWithItsPlaceInTheLedger(t *testing.T) {
	b := start(t, nil)
	status, _, body := b.post(t, "/v1/events", typeEvent, event("w-1"))
	it := decode[Item](t, body)
	want := Item{Source: "app.a.example", ID: "w-1", Result: Recorded, Stream: "LEDGER_00", Sequence: 1, RecordedTime: testNow}
	if status != http.StatusOK || cmp.Diff(want, it) != "" {
		t.Errorf("status %d, item differs (-want +got):\n%s", status, cmp.Diff(want, it))
	}
	if got := b.intake.submissions()[0]; got.Family != events.FamilyRevocations || string(got.Body) != event("w-1") {
		t.Errorf("submitted to %s: %s", got.Family, got.Body)
	}
}

func TestSingleAnswersByResult(t *testing.T) {
	b := start(t, func(c *Config) { c.ReceiptWait = 20 * time.Millisecond })
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
		result     Result
		code       string
	}{
		{"duplicate", event("dup-1"), nil, 200, Duplicate, ""},
		{"late receipt", event("late-1"), nil, 202, Accepted, ""},
		{"not waited for", event("w-2"), []string{"Prefer", "respond-async"}, 202, Accepted, ""},
		{"rejected by the recorder", event("bad-1"), nil, 422, Rejected, "phone_invalid"},
		{"malformed", `{"id":`, nil, 422, Rejected, "json_invalid"},
		{"no object", `17`, nil, 422, Rejected, "json_invalid"},
		{"unknown type", strings.Replace(event("u"), "consent.revoked", "consent.eaten", 1), nil, 422, Rejected, "type_unknown"},
		{"unknown version", strings.Replace(event("u"), "revoked.v1", "revoked.v9", 1), nil, 422, Rejected, "version_unsupported"},
		{"no type", strings.Replace(event("u"), `"type"`, `"kind"`, 1), nil, 422, Rejected, "type_missing"},
		{"no source", strings.Replace(event("u"), `"source"`, `"origin"`, 1), nil, 422, Rejected, "source_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, body := b.post(t, "/v1/events", typeEvent, c.body, c.header...)
			it := decode[Item](t, body)
			if status != c.status || it.Result != c.result {
				t.Fatalf("status %d result %q, want %d %q: %s", status, it.Result, c.status, c.result, body)
			}
			if c.code != "" {
				if !hasCode(it.Errors, c.code) || it.Reject == "" {
					t.Errorf("errors %v reject %q, want code %s and a reject id", it.Errors, it.Reject, c.code)
				}
				if got := header.Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("content type %s", got)
				}
			}
		})
	}
}

func hasCode(faults []events.Fault, code string) bool {
	for _, f := range faults {
		if f.Code == code && f.Hint != "" {
			return true
		}
	}
	return false
}

func TestABatchIsAnsweredItemByItemInOrder(t *testing.T) {
	b := start(t, nil)
	body := `[` + event("w-1") + `, {"id": 3,, "x":"]"}, ` + event("dup-1") + `,"text", ` + event("w-1") + `]`
	for _, media := range []string{typeJSON, typeBatch} {
		status, _, answer := b.post(t, "/v1/events", media, body)
		got := decode[Batch](t, answer)
		var results []Result
		for i, it := range got.Results {
			results = append(results, it.Result)
			if it.Index != i {
				t.Errorf("item %d bears index %d", i, it.Index)
			}
		}
		want := []Result{Recorded, Rejected, Duplicate, Rejected, Recorded}
		if status != http.StatusOK || cmp.Diff(want, results) != "" {
			t.Errorf("%s: status %d, results differ (-want +got):\n%s", media, status, cmp.Diff(want, results))
		}
		if cmp.Diff(map[Result]int{Recorded: 2, Rejected: 2, Duplicate: 1}, got.Counts) != "" {
			t.Errorf("%s: counts %v", media, got.Counts)
		}
	}
	if n := len(b.rejects.kept); n != 4 || string(b.rejects.kept[0].Body) != `{"id": 3,, "x":"]"}` {
		t.Errorf("%d refusals kept, the first one is %s", n, b.rejects.kept[0].Body)
	}
}

func TestLimitsOfABatch(t *testing.T) {
	b := start(t, func(c *Config) { c.MaxBody = 1 << 20 })
	many := "[" + strings.Repeat("{},", MaxBatch) + "{}]"
	if status, _, body := b.post(t, "/v1/events", typeJSON, many); status != 413 || !strings.Contains(string(body), typeNDJSON) {
		t.Errorf("1001 events: %d %s", status, body)
	}
	if status, _, _ := b.post(t, "/v1/events", typeJSON, "["+strings.Repeat(" ", 1<<20)+"]"); status != 413 {
		t.Errorf("body beyond the limit: %d", status)
	}
	if status, _, body := b.post(t, "/v1/events", typeJSON, "[]"); status != 200 || len(decode[Batch](t, body).Results) != 0 {
		t.Errorf("empty batch: %d %s", status, body)
	}
	if status, _, _ := b.post(t, "/v1/events", "text/plain", "x"); status != 415 {
		t.Errorf("text/plain: %d", status)
	}
	if status, _, _ := b.post(t, "/v1/events", "", "x"); status != 415 {
		t.Errorf("no content type: %d", status)
	}
	if n := len(b.intake.submissions()) + len(b.rejects.kept); n != 0 {
		t.Errorf("%d items of refused requests were taken", n)
	}
}

func TestAFullIntakeIsAnsweredWithRetryAfter(t *testing.T) {
	b := start(t, nil)
	b.intake.full = 1
	status, header, body := b.post(t, "/v1/events", typeJSON, "["+event("w-1")+","+event("w-2")+"]")
	p := decode[Problem](t, body)
	if status != 503 || header.Get("Retry-After") == "" || p.Type != "urn:assenso:problem:intake-full" {
		t.Fatalf("%d, Retry-After %q, %s", status, header.Get("Retry-After"), body)
	}
	if p.Results[0].Result != Unavailable || p.Results[1].Result != Recorded {
		t.Errorf("results %q %q", p.Results[0].Result, p.Results[1].Result)
	}
	b.rejects.err = errors.New("disk")
	if status, _, body := b.post(t, "/v1/events", typeEvent, "{"); status != 503 || decode[Problem](t, body).Results[0].Result != Unavailable {
		t.Errorf("a refusal that cannot be kept: %d %s", status, body)
	}
}

func TestBinaryModeEqualsStructuredMode(t *testing.T) {
	b := start(t, nil)
	status, _, body := b.post(t, "/v1/events", typeJSON, `{"phone":"+393401234567"}`,
		"Ce-Specversion", "1.0", "Ce-Id", "w-%C3%A0", "Ce-Source", "app.a.example", "Ce-Type", "consent.revoked.v1",
		"Ce-Time", "2026-03-04T09:00:00+01:00", "Ce-Controller", "A", "Ce-Sourceseq", "7")
	if it := decode[Item](t, body); status != 200 || it.ID != "w-à" {
		t.Fatalf("%d %s", status, body)
	}
	var got, want any
	want = map[string]any{"specversion": "1.0", "id": "w-à", "source": "app.a.example", "type": "consent.revoked.v1", "time": "2026-03-04T09:00:00+01:00",
		"controller": "A", "sourceseq": 7.0, "data": map[string]any{"phone": "+393401234567"}}
	if err := json.Unmarshal(b.intake.submissions()[0].Body, &got); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	for _, broken := range []string{`{"phone":`, `1},"type":"consent.granted.v1","x":{`} {
		status, _, body = b.post(t, "/v1/events", typeJSON, broken, "Ce-Specversion", "1.0", "Ce-Id", "x", "Ce-Source", "s", "Ce-Type", "consent.revoked.v1")
		if it := decode[Item](t, body); status != 422 || !hasCode(it.Errors, "json_invalid") {
			t.Errorf("data %s: %d %s", broken, status, body)
		}
	}
}

func TestAStreamIsAnsweredLineByLineWhileItIsSent(t *testing.T) {
	b := start(t, nil)
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/events", pr)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeNDJSON)
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			close(answered)
			return
		}
		answered <- resp
	}()
	lines := []string{event("w-1"), `{"broken`, event("dup-2"), strings.Repeat("x", 300<<10), event("w-3")}
	want := []Result{Recorded, Rejected, Duplicate, Rejected, Recorded}
	var in *bufio.Scanner
	for i, line := range lines {
		if _, err := io.WriteString(pw, line+"\n\n"); err != nil {
			t.Fatal(err)
		}
		if in == nil {
			resp, ok := <-answered
			if !ok {
				t.FailNow()
			}
			defer resp.Body.Close()
			in = bufio.NewScanner(resp.Body)
		}
		if !in.Scan() { // each line is answered before the next one is sent
			t.Fatalf("no answer to line %d: %v", i, in.Err())
		}
		if it := decode[Item](t, in.Bytes()); it.Index != i || it.Result != want[i] {
			t.Errorf("line %d: %s", i, in.Bytes())
		}
	}
	if err := pw.Close(); err != nil {
		t.Fatal(err)
	}
	if in.Scan() {
		t.Errorf("an answer to nothing: %s", in.Bytes())
	}
}

func TestALongStreamKeepsItsOrderThroughAFullIntake(t *testing.T) {
	b := start(t, nil)
	b.intake.full = 60
	const n = 5000
	var body strings.Builder
	for range n {
		body.WriteString(event("w") + "\n")
	}
	status, header, answer := b.post(t, "/v1/events", typeNDJSON, strings.TrimSuffix(body.String(), "\n"))
	if status != 200 || header.Get("Content-Type") != typeNDJSON {
		t.Fatalf("%d %s", status, header.Get("Content-Type"))
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	if len(lines) != n {
		t.Fatalf("%d answers to %d lines", len(lines), n)
	}
	for i, line := range lines {
		if it := decode[Item](t, []byte(line)); it.Index != i || it.Result != Recorded {
			t.Fatalf("line %d: %s", i, line)
		}
	}
}

func TestAStreamGivesUpOnAnIntakeThatStaysFull(t *testing.T) {
	b := start(t, func(c *Config) { c.StallTimeout = 10 * time.Millisecond })
	b.intake.full = 1 << 30
	_, _, answer := b.post(t, "/v1/events", typeNDJSON, event("w-1")+"\n"+event("w-2"))
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	for i, line := range lines {
		if it := decode[Item](t, []byte(line)); it.Index != i || it.Result != Unavailable {
			t.Errorf("line %d: %s", i, line)
		}
	}
}

func TestElementsOfBrokenArrays(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		ok   bool
	}{
		{`{}`, nil, false},
		{``, nil, false},
		{` [ ] `, nil, true},
		{`[1]`, []string{"1"}, true},
		{`[{"a":[1,2]}, "x,]", 3]`, []string{`{"a":[1,2]}`, `"x,]"`, "3"}, true},
		{`["\"," ,2]`, []string{`"\","`, "2"}, true},
		{`[1,]`, []string{"1", ""}, true},
		{`[1,{"a":[}]`, []string{"1", `{"a":[}]`}, true},
		{`[1,{"a":1`, []string{"1", `{"a":1`}, true},
		{`[1] tail`, []string{"1", "tail"}, true},
		{`[`, nil, true},
		{`[{"id":,` + "\n" + event("a") + `,` + event("b") + `]`, []string{`{"id":`, event("a"), event("b")}, true},
		{`[` + event("a") + `,{"data":{"x":[{"y":1},{"z":2},` + event("b") + `,"t"]`, []string{event("a"), `{"data":{"x":[{"y":1},{"z":2}`, event("b"), `"t"`}, true},
		{`[` + event("a") + `,{"id":"unclosed, ` + event("b") + `]`, []string{event("a"), `{"id":"unclosed`, event("b")}, true},
	} {
		got, ok := elements([]byte(c.in))
		var text []string
		for _, e := range got {
			text = append(text, string(e))
		}
		if ok != c.ok || cmp.Diff(c.want, text) != "" {
			t.Errorf("%s: ok %v (-want +got):\n%s", c.in, ok, cmp.Diff(c.want, text))
		}
	}
}
