package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
)

func (f *fakeDesk) WhatIf(_ context.Context, draft string, q inquiry.WhatIfQuestion, asOf inquiry.AsOf) (inquiry.WhatIf, error) {
	if draft == "bad" {
		return inquiry.WhatIf{}, &rules.PackError{File: "draft", Line: 3, Reason: "no such parameter"}
	}
	return inquiry.WhatIf{Campaign: q.Campaign.Campaign, Attempts: q.Limit, AsOf: q.From, Positions: asOf.Positions}, f.err
}

func (f *fakeDesk) Origin(_ context.Context, controller, contract string, asOf inquiry.AsOf) (inquiry.Origin, error) {
	if contract == "C-NONE" {
		return inquiry.Origin{}, inquiry.ErrUnknown
	}
	return inquiry.Origin{Contract: contract, Controller: controller, Positions: asOf.Positions, Missing: "call"}, f.err
}

func (f *fakeDesk) CaseFile(_ context.Context, q inquiry.CaseQuestion, _ inquiry.AsOf) (inquiry.Case, error) {
	return inquiry.Case{Contact: q.Contact, ClaimedAt: q.ClaimedAt + q.Around, CLI: q.CLI, Summary: "x"}, f.err
}

func TestEnquiriesReachTheirPort(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","from":"2026-03-01T00:00:00Z"}`, 200, `"attempts":100`},
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","limit":7}`, 200, `"attempts":7`},
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","from":"2026-03-01"}`, 200, `"as_of":"2026-02-28T23:00:00.000Z"`},
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","as_of":"LEDGER_REF:7"}`, 200, `"LEDGER_REF":7`},
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","as_of":"noon"}`, 400, `"as_of"`},
		{"/v1/whatif", `{"pack":"bad","campaign":"K-A"}`, 422, "draft line 3: no such parameter"},
		{"/v1/whatif", `{"pack":"p","campaign":"K-NONE"}`, 404, "unknown"},
		{"/v1/whatif", `{"pack":"p","campaign":"K-A","to":"noon"}`, 400, `"to"`},
		{"/v1/cases:open", `{"number":"+393331234567","claimed_at":"2026-03-01T00:00:00Z","cli":"+390844100100","hours":2}`, 200, `"claimed_at":"2026-03-01T02:00:00`},
		{"/v1/cases:open", `{"cli":"+390844100100"}`, 400, "number"},
		{"/v1/cases:open", `{"number":"+393331234567","as_of":"x"}`, 400, "as_of"},
	} {
		status, _, body := b.post(t, c.path, "application/json", c.body)
		if status != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, body)
		}
		if strings.Contains(string(body), "3331234567") {
			t.Errorf("%s: the answer bears the number", c.path)
		}
	}
	status, _, body := b.get(t, "/v1/contracts/C-1/origin?controller=A&as_of=LEDGER_REF:7")
	got := decode[inquiry.Origin](t, body)
	if status != 200 || got.Contract != "C-1" || got.Controller != "A" || got.Positions["LEDGER_REF"] != 7 || got.Missing != "call" {
		t.Errorf("origin: %d %s", status, body)
	}
	if status, _, body := b.get(t, "/v1/contracts/C-NONE/origin"); status != http.StatusNotFound {
		t.Errorf("unknown contract: %d %s", status, body)
	}
	if status, _, body := b.get(t, "/v1/contracts/C-1/origin?as_of=x"); status != http.StatusBadRequest {
		t.Errorf("bad as_of: %d %s", status, body)
	}
}
