package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
)

// A receipt is handed in as it was given; the door records its event, under the
// gate's identity. A changed one, or another's, is refused.
func TestAReceiptIsHandedIn(t *testing.T) {
	b := start(t, nil)
	_, _, receipt := b.post(t, "/v1/decisions", "application/json", `{"contact":"`+knownKey.String()+`","controller":"A","campaign":"K-A"}`)
	status, _, body := b.post(t, "/v1/receipts", "application/json", string(receipt))
	if got := decode[Item](t, body); status != 200 || got.ID != "d-1" || got.Source != events.GateSource {
		t.Errorf("handing in: %d %s", status, body)
	}
	changed := strings.Replace(string(receipt), `"verdict":"block"`, `"verdict":"allow"`, 1)
	if changed == string(receipt) {
		t.Fatalf("no verdict in %s", receipt)
	}
	for name, bad := range map[string]string{"changed": changed, "none": `{"decision":"d"}`, "no receipt": `[]`} {
		if status, _, body := b.post(t, "/v1/receipts", "application/json", bad); status != 422 {
			t.Errorf("%s: %d %s, want 422", name, status, body)
		}
	}
}

// A receipt is genuine when its signature fits, and recomputed when the ledger
// gives the same verdict and reasons.
func TestAReceiptIsVerified(t *testing.T) {
	b := start(t, nil)
	_, _, receipt := b.post(t, "/v1/decisions", "application/json", `{"contact":"`+knownKey.String()+`","controller":"A","campaign":"K-A"}`)
	var r events.Receipt
	if err := json.Unmarshal(receipt, &r); err != nil {
		t.Fatal(err)
	}
	resigned := func(change func(*events.Receipt)) string {
		c := r
		change(&c)
		c.Sign(gateKey)
		return string(c.AppendCanonical(nil))
	}
	for name, c := range map[string]struct {
		body                string
		genuine, recomputed bool
	}{
		"as given":        {string(receipt), true, true},
		"changed":         {strings.Replace(string(receipt), `"verdict":"block"`, `"verdict":"allow"`, 1), false, false},
		"another verdict": {resigned(func(r *events.Receipt) { r.Verdict = events.VerdictAllow }), true, false},
		"another reason":  {resigned(func(r *events.Receipt) { r.Reasons = []events.ReceiptReason{{Rule: "IT-OPP-01"}} }), true, false},
		"doubt":           {resigned(func(r *events.Receipt) { r.Reasons = append(r.Reasons[:1:1], events.ReceiptReason{Rule: "SYS-STALE"}) }), true, true},
		"doubt, no block": {resigned(func(r *events.Receipt) {
			r.Verdict = events.VerdictWarn
			r.Reasons = append(r.Reasons[:1:1], events.ReceiptReason{Rule: "SYS-STALE"})
		}), true, false},
	} {
		status, _, body := b.post(t, "/v1/receipts:verify", "application/json", c.body)
		got := decode[ReceiptCheck](t, body)
		if status != 200 || got.Genuine != c.genuine || got.Recomputed != c.recomputed || (got.Fault == "") != (c.genuine && c.recomputed) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, _, body := b.get(t, "/v1/keys")
	if got := decode[Keys](t, body); status != 200 || len(got.Keys) != 1 || got.Keys[0].Key != r.Key || !strings.HasPrefix(got.Keys[0].PEM, "-----BEGIN PUBLIC KEY") {
		t.Errorf("keys: %d %s", status, body)
	}
}
