package house

import (
	"net/http"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
)

const (
	grant = `{"specversion":"1.0","id":"g-1","source":"crm.a.example","type":"consent.granted.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","data":{"phone":"+393401234567","purposes":["marketing"],"channels":["operator_call"]}}`
	wish  = `{"specversion":"1.0","id":"w-1","source":"app.a.example","type":"consent.revoked.v1","time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"3401234567","country":"IT","medium":"app"}}`
)

// TestABadBatchIsAnsweredItemByItem is the batch of bad input that the step
// asks for: each item is answered with its code, field and hint; the rest is
// recorded.
func TestABadBatchIsAnsweredItemByItem(t *testing.T) {
	r := start(t, nil)
	if status, body := r.do(t, http.MethodPost, "/v1/events", "application/cloudevents+json", grant); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	items := []string{
		`{"specversion":"1.0","id":`,
		strings.Replace(wish, "consent.revoked", "consent.eaten", 1),
		strings.Replace(strings.Replace(grant, "g-1", "g-2", 1), "+393401234567", "+39340", 1),
		strings.Replace(strings.Replace(grant, "g-1", "g-3", 1), `["operator_call"]`, `["*"]`, 1),
		strings.Replace(strings.Replace(grant, "g-1", "g-4", 1), "2026-01-10", "2036-01-10", 1),
		strings.Replace(grant, "operator_call", "sms", 1),
		grant,
		wish,
	}
	want := []struct {
		result      gateway.Result
		code, field string
	}{
		{gateway.Rejected, "json_invalid", ""},
		{gateway.Rejected, "type_unknown", "type"},
		{gateway.Rejected, "phone_invalid", "data.phone"},
		{gateway.Rejected, "scope_too_wide", "data.channels[0]"},
		{gateway.Rejected, "time_in_future", "time"},
		{gateway.Conflict, "", ""},
		{gateway.Duplicate, "", ""},
		{gateway.Recorded, "", ""},
	}
	status, body := r.do(t, http.MethodPost, "/v1/events", "application/json", "["+strings.Join(items, ",")+"]")
	got := decode[gateway.Batch](t, body)
	if status != 200 || len(got.Results) != len(want) {
		t.Fatalf("%d %s", status, body)
	}
	for i, w := range want {
		it := got.Results[i]
		if it.Result != w.result {
			t.Errorf("item %d: %s, want %s (%v)", i, it.Result, w.result, it.Errors)
		}
		if w.code == "" {
			if it.Stream == "" || it.Sequence == 0 || it.RecordedTime.IsZero() {
				t.Errorf("item %d has no place in the ledger: %+v", i, it)
			}
			continue
		}
		if len(it.Errors) == 0 || it.Errors[0].Code != w.code || it.Errors[0].Field != w.field || it.Errors[0].Hint == "" || it.Reject == "" {
			t.Errorf("item %d: %+v reject %q, want %s at %s with a hint", i, it.Errors, it.Reject, w.code, w.field)
		}
	}
	status, body = r.do(t, http.MethodGet, "/v1/rejects", "", "")
	if page := decode[gateway.RejectPage](t, body); status != 200 || len(page.Rejects) != 5 {
		t.Errorf("rejects: %d %s", status, body)
	}
	if strings.Contains(string(body), "3401234567") || strings.Contains(string(body), "39340") {
		t.Errorf("the rejects say a number: %s", body)
	}
	r.settle(t)
	status, body = r.do(t, http.MethodPost, "/v1/contacts:find", "application/json", `{"number":"340 123 4567","country":"IT"}`)
	found := decode[inquiry.Contact](t, body)
	if status != 200 || found.Contact.String() != got.Results[7].Contact || !strings.Contains(string(found.State), "withdrawals") {
		t.Errorf("contact: %d %s", status, body)
	}
	status, body = r.do(t, http.MethodGet, "/v1/contacts/"+found.Contact.String()+"/timeline", "", "")
	if line := decode[inquiry.Timeline](t, body); status != 200 || len(line.Entries) != 3 {
		t.Errorf("timeline: %d %s", status, body)
	}
	for _, entry := range r.logs.All() {
		for _, text := range append([]string{entry.Message}, values(entry.ContextMap())...) {
			if strings.Contains(text, "3401234567") {
				t.Errorf("the log says a number: %s", text)
			}
		}
	}
}
