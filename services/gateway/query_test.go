package gateway

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/view"
)

// get asks a path.
func (b *bench) get(t *testing.T, path string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return roundTrip(t, req)
}

func TestADecisionIsAskedByNumberOrKey(t *testing.T) {
	b := start(t, nil)
	for _, who := range []string{`"number":"+393401234567"`, `"contact":"` + knownKey.String() + `"`} {
		status, _, body := b.post(t, "/v1/decisions", "application/json",
			`{`+who+`,"controller":"A","campaign":"K-A","at":"2026-03-05T11:00:00+01:00","processor":"P1","cli":"+390844100100","basis":"consent"}`)
		got := decode[events.Receipt](t, body)
		if status != 200 || got.Verdict != events.VerdictBlock || got.Reasons[0].Rule != "IT-RPO-02" || got.Asked.Contact != knownKey.String() {
			t.Errorf("%s: %d %s", who, status, body)
		}
		if err := got.Verify(gateKey.Public().(ed25519.PublicKey)); err != nil {
			t.Errorf("%s: what arrived does not verify: %v", who, err)
		}
		if q := b.desk.asked; q.At == "" || q.Purpose != "marketing" || q.Channel != "operator_call" || q.Basis != "consent" || q.CLI != "+390844100100" {
			t.Errorf("%s: asked %+v", who, q)
		}
	}
}

func TestQuestionsThatCannotBeUnderstood(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		name, path, body string
		status           int
		field            string
	}{
		{"neither number nor key", "/v1/decisions", `{"controller":"A","campaign":"K-A"}`, 400, "number"},
		{"both", "/v1/decisions", `{"number":"+393401234567","contact":"` + knownKey.String() + `","controller":"A","campaign":"K-A"}`, 400, "number"},
		{"national number", "/v1/contacts:find", `{"number":"3401234567"}`, 400, "number"},
		{"no campaign", "/v1/decisions", `{"number":"+393401234567","controller":"A"}`, 422, "body"},
		{"unknown channel", "/v1/decisions", `{"number":"+393401234567","controller":"A","campaign":"K","channel":"3401234567"}`, 422, "body.channel"},
		{"unknown field", "/v1/decisions", `{"+393401234567":1,"number":"+393401234567","controller":"A","campaign":"K"}`, 422, ""},
		{"number of the wrong type", "/v1/contacts:find", `{"number":393401234567}`, 422, "body.number"},
		{"malformed", "/v1/contacts:find", `{"number":"+393401234567`, 400, ""},
		{"nothing known", "/v1/contacts:find", `{"number":"+393400000000"}`, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, body := b.post(t, c.path, "application/json", c.body)
			p := decode[Problem](t, body)
			if status != c.status || p.Status != c.status || header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s %s, want %d", status, header.Get("Content-Type"), body, c.status)
			}
			if c.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != c.field || p.Errors[0].Hint == "") {
				t.Errorf("errors %v, want one at %s", p.Errors, c.field)
			}
			if strings.Contains(string(body), "340") {
				t.Errorf("the answer repeats the number: %s", body)
			}
		})
	}
}

func TestContactsAreReadAtThreeClocks(t *testing.T) {
	b := start(t, nil)
	path := "/v1/contacts/" + knownKey.String()
	if status, _, body := b.post(t, "/v1/contacts:find", "application/json", `{"number":"+393401234567"}`); status != 200 || decode[inquiry.Contact](t, body).Contact != knownKey {
		t.Errorf("find: %d %s", status, body)
	}
	query := "?at=2026-03-05T10:00:00Z&known_as_of=2026-03-05T11:00:00%2B01:00&as_of=LEDGER_00:12,LEDGER_REF:7"
	for _, p := range []string{path, path + "/timeline"} {
		b.desk.cut = inquiry.Cutoffs{}
		if status, _, body := b.get(t, p+query); status != 200 {
			t.Errorf("%s: %d %s", p, status, body)
		}
		want := inquiry.Cutoffs{At: testNow, Known: testNow, AsOf: inquiry.AsOf{Positions: view.Positions{"LEDGER_00": 12, "LEDGER_REF": 7}}}
		if d := cmp.Diff(want, b.desk.cut); d != "" {
			t.Errorf("%s: cut-offs differ (-want +got):\n%s", p, d)
		}
		for _, bad := range []string{"?at=today", "?known_as_of=1", "?as_of=LEDGER_00", "?as_of=:5"} {
			if status, _, _ := b.get(t, p+bad); status != 400 {
				t.Errorf("%s: %d, want 400", bad, status)
			}
		}
	}
	if status, _, _ := b.get(t, "/v1/contacts/+393401234567"); status != 400 {
		t.Errorf("a number in the URL: %d, want 400", status)
	}
	if status, _, _ := b.get(t, "/v1/contacts/"+strings.Repeat("0", 31)+"1"); status != 404 {
		t.Errorf("unknown contact: %d", status)
	}
}

func TestCampaignsAsOf(t *testing.T) {
	b := start(t, nil)
	for query, want := range map[string]inquiry.AsOf{
		"": {}, "?as_of=2026-03-05T09:00:00Z": {Instant: 1},
		"?as_of=LEDGER_00:3,LEDGER_REF:4": {Positions: view.Positions{"LEDGER_00": 3, "LEDGER_REF": 4}},
	} {
		status, _, body := b.get(t, "/v1/campaigns"+query)
		if status != 200 || len(b.desk.asOf.Positions) != len(want.Positions) || (b.desk.asOf.Instant == 0) != (want.Instant == 0) {
			t.Errorf("%q: %d %s, asked as of %v", query, status, body, b.desk.asOf)
		}
	}
	if status, _, body := b.get(t, "/v1/campaigns?as_of=yesterday"); status != 400 {
		t.Errorf("%d %s, want 400", status, body)
	}
}

func TestReportsInEveryForm(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct{ query, media, begin string }{
		{"", "application/json", `{"campaign":"K-A"}`},
		{"?format=json&controller=A&as_of=2026-03-05T09:00:00Z", "application/json", `{`},
		{"?format=csv", "text/csv; charset=utf-8", "rule"},
		{"?format=zip", "application/zip", "PK"},
		{"?format=xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK xlsx"},
		{"?format=pdf&lang=it&since=2026-03-01T00:00:00Z", "application/pdf", "%PDF it"},
		{"?format=html&lang=it", "text/html; charset=utf-8", "<html lang=it>"},
	} {
		status, header, body := b.get(t, "/v1/campaigns/K-A/report"+c.query)
		if status != 200 || header.Get("Content-Type") != c.media || !strings.HasPrefix(string(body), c.begin) {
			t.Errorf("%s: %d %s %s", c.query, status, header.Get("Content-Type"), body)
		}
	}
	for query, want := range map[string]int{"K-A/report?format=doc": 400, "K-A/report?since=x": 400, "K-A/report?lang=fr": 400, "K-A/report?as_of=x": 400, "K-B/report": 404, "K-TWICE/report": 409, "K-A/report?as_of=2026-03-06T00:00:00Z": 409} {
		status, _, body := b.get(t, "/v1/campaigns/"+query)
		if status != want {
			t.Errorf("%s: %d %s, want %d", query, status, body, want)
		}
		if strings.Contains(query, "03-06") && decode[Problem](t, body).LatestAsOf != testNow {
			t.Errorf("409 without the latest possible as_of: %s", body)
		}
	}
}

func TestFindingsOnObjects(t *testing.T) {
	b := start(t, nil)
	status, _, body := b.get(t, "/v1/objects/findings?as_of=2026-03-05T09:00:00Z")
	if got := decode[ObjectFindings](t, body); status != 200 || got.Findings[0].Object != "L-A" {
		t.Errorf("%d %s", status, body)
	}
	for query, want := range map[string]int{"?as_of=x": 400, "?as_of=2026-03-06T00:00:00Z": 409} {
		if status, _, body := b.get(t, "/v1/objects/findings"+query); status != want {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

func TestRejectsAndParked(t *testing.T) {
	b := start(t, nil)
	_, _, body := b.get(t, "/v1/rejects?cursor=5&limit=7")
	if page := decode[RejectPage](t, body); page.Next != "5+7" || page.Rejects[0].Errors[0].Code != "type_unknown" {
		t.Errorf("%s", body)
	}
	for path, want := range map[string]int{"/v1/rejects/r-1": 200, "/v1/rejects/r-2": 404, "/v1/rejects?limit=5000": 422, "/v1/parked": 200, "/v1/campaigns": 200, "/nowhere": 404} {
		if status, _, body := b.get(t, path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for path, want := range map[string]int{"/v1/parked/p-1:retry": 200, "/v1/parked/p-1:drop": 200, "/v1/parked/p-2:drop": 404, "/v1/parked/p-1:eat": 404, "/v1/parked/p-1": 404} {
		if status, _, body := b.post(t, path, "", ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if d := cmp.Diff([]string{"drop", "retry"}, sorted(b.desk.settled)); d != "" {
		t.Error(d)
	}
}

func sorted(s []string) []string {
	out := append([]string(nil), s...)
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

func TestHealth(t *testing.T) {
	b := start(t, nil)
	if status, _, body := b.get(t, "/healthz"); status != 200 || decode[Health](t, body).Status != "ok" {
		t.Errorf("%d %s", status, body)
	}
	status, _, body := b.get(t, "/readyz")
	if h := decode[Health](t, body); status != 200 || h.Lag["consentstate"] != 3 || !strings.Contains(h.Durability, "on disk") {
		t.Errorf("%d %s", status, body)
	}
	b.desk.reasons = []string{"recorder.grants has not reported"}
	if status, _, body := b.get(t, "/readyz"); status != 503 || decode[Health](t, body).Reasons[0] == "" {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := b.get(t, "/metrics"); status != 200 || !strings.Contains(string(body), `route="GET /readyz"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestOnlyThisMachineIsAnswered(t *testing.T) {
	b := start(t, nil)
	for path, want := range map[string]int{"/v1/campaigns": 401, "/openapi.json": 401, "/metrics": 401, "/healthz": 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "attacker.example"
		if status, _, _ := roundTrip(t, req); status != want {
			t.Errorf("%s under a foreign name: %d, want %d", path, status, want)
		}
	}
}

func TestNothingSaysANumber(t *testing.T) {
	b := start(t, func(c *Config) { c.StallTimeout = time.Millisecond })
	const number = "+393401234567"
	leaky := fmt.Errorf("a driver that quotes its row (%s, 340 123 4567, 3401234567)", number)
	b.desk.err, b.rejects.err = leaky, leaky
	key := knownKey.String()
	var said strings.Builder
	visit := func(method, path, media, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", media)
		_, header, answer := roundTrip(t, req)
		fmt.Fprintln(&said, method, strings.Split(path, "?")[0] == path, header, string(answer))
	}
	for _, op := range []struct{ method, path, media, body string }{
		{"POST", "/v1/events", typeEvent, event("w-1")},
		{"POST", "/v1/events", typeEvent, `{"phone":"` + number + `"`},
		{"POST", "/v1/events", typeNDJSON, event("w-1") + "\n" + number},
		{"POST", "/v1/events", typeEvent, strings.Replace(event("bad-1"), "app.a.example", number, 1)},
		{"POST", "/v1/events", number, event("w-1")},
		{"POST", "/v1/decisions", "application/json", `{"number":"` + number + `","controller":"A","campaign":"K-A"}`},
		{"POST", "/v1/decisions", "application/json", `{"number":"` + number + `","controller":"A","campaign":"` + number + `","at":"` + number + `"}`},
		{"POST", "/v1/contacts:find", "application/json", `{"number":"` + number + `"}`},
		{"POST", "/v1/contacts:find", "application/json", `{"number":393401234567, "x": "` + number + `"}`},
		{"GET", "/v1/contacts/" + number, "", ""},
		{"GET", "/v1/contacts/" + key + "?at=" + number, "", ""},
		{"GET", "/v1/contacts/" + key + "/timeline?as_of=" + number, "", ""},
		{"GET", "/v1/contacts/" + key, "", ""},
		{"GET", "/v1/campaigns", "", ""},
		{"GET", "/v1/campaigns/K-A/report", "", ""},
		{"GET", "/v1/campaigns/" + number + "/report?controller=" + number, "", ""},
		{"GET", "/v1/rejects?cursor=" + number, "", ""},
		{"GET", "/v1/rejects/" + number, "", ""},
		{"GET", "/v1/objects/findings?as_of=" + number, "", ""},
		{"GET", "/v1/objects/findings", "", ""},
		{"GET", "/v1/parked", "", ""},
		{"POST", "/v1/parked/" + number + ":retry", "", ""},
		{"POST", "/v1/parked/p-1:drop", "", ""},
		{"GET", "/" + number, "", ""},
		{"PATCH", "/v1/contacts/" + number, "", ""},
		{"GET", "/metrics", "", ""},
	} {
		visit(op.method, op.path, op.media, op.body)
	}
	for _, entry := range b.logs.All() {
		line, err := json.Marshal(entry.ContextMap())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&said, entry.Message, string(line))
	}
	for _, digits := range []string{"3401234567", "340 123 4567"} {
		for line := range strings.Lines(said.String()) {
			if strings.Contains(line, digits) {
				t.Errorf("said aloud: %s", line)
			}
		}
	}
	if b.logs.FilterMessage("gateway: request failed").Len() == 0 {
		t.Error("no failure was logged")
	}
}

func TestProblemsKeepTheirCauseInside(t *testing.T) {
	b := start(t, nil)
	b.desk.err = errors.New("secret words of the engine")
	status, header, body := b.get(t, "/v1/campaigns")
	if status != 500 || strings.Contains(string(body), "secret") || header.Get("X-Request-Id") == "" {
		t.Errorf("%d %s", status, body)
	}
	failed := b.logs.FilterMessage("gateway: request failed").All()
	if len(failed) != 1 || failed[0].ContextMap()["request_id"] != header.Get("X-Request-Id") || !strings.Contains(fmt.Sprint(failed[0].ContextMap()["error"]), "secret") {
		t.Errorf("log %v", failed)
	}
	for err, want := range map[error]int{view.ErrUnavailable: 503, inquiry.ErrBehind: 503, io.ErrUnexpectedEOF: 500} {
		b.desk.err = fmt.Errorf("wrapped: %w", err)
		if status, header, _ := b.get(t, "/v1/campaigns"); status != want || (want == 503) != (header.Get("Retry-After") != "") {
			t.Errorf("%v: %d, Retry-After %q", err, status, header.Get("Retry-After"))
		}
	}
}
