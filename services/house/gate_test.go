package house

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gate"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/vault"
)

const asking = `{"number":"+393401234567","controller":"A","campaign":"K-A","cli":"+390844100100"}`

// askOver asks the running house over HTTP until it is no longer in doubt about
// what it has applied.
func (r *running) askOver(t *testing.T) (events.Receipt, []byte) {
	t.Helper()
	status, body := r.do(t, http.MethodPost, "/v1/decisions", "application/json", asking)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	return decode[events.Receipt](t, body), body
}

// decisions are the decision.issued in the contact's timeline.
func (r *running) decisions(t *testing.T, contact string) []string {
	t.Helper()
	r.settle(t)
	status, body := r.do(t, http.MethodGet, "/v1/contacts/"+contact+"/timeline", "", "")
	if status == http.StatusNotFound {
		return nil
	}
	var out []string
	for _, e := range decode[inquiry.Timeline](t, body).Entries {
		if e.Type == events.TypeDecisionIssued {
			out = append(out, e.ID)
		}
	}
	return out
}

// A decision over HTTP and over NATS is signed, recorded within a second,
// recomputed from the ledger, and handed in again without effect; the key
// survives a restart.
func TestReceiptsAreSignedRecordedAndRecomputed(t *testing.T) {
	cfg := quick(t)
	r := startWith(t, cfg, Options{})
	if _, body := r.do(t, http.MethodPost, "/v1/events", "application/json", grant); decode[gateway.Item](t, body).Result != gateway.Recorded {
		t.Fatalf("%s", body)
	}
	r.settle(t)
	first, body := r.askOver(t)
	public := r.issuer.PublicKey()
	if err := first.Verify(public); err != nil {
		t.Error(err)
	}
	if first.Verdict != events.VerdictBlock || first.Asked.Number != "" || strings.Contains(string(body), "340") {
		t.Errorf("receipt %s", body)
	}

	question, err := json.Marshal(events.Question{Number: "+393401234567", Controller: "A", Campaign: "K-A"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.conn.Request(events.DecideSubject("A"), question, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	second := decode[events.Receipt](t, m.Data)
	if err := second.Verify(public); err != nil || second.Decision == first.Decision {
		t.Errorf("over NATS: %s: %v", m.Data, err)
	}
	for subject, want := range map[string]string{events.DecideSubject("B"): "not_permitted", events.DecideSubject(""): "not_permitted"} {
		m, err := r.conn.Request(subject, question, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode[events.Refusal](t, m.Data); len(got.Errors) != 1 || got.Errors[0].Code != want {
			t.Errorf("asked at %s: %s", subject, m.Data)
		}
	}

	deadline := time.Now().Add(20 * time.Second)
	for len(r.decisions(t, first.Asked.Contact)) < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if got := r.decisions(t, first.Asked.Contact); len(got) != 2 {
		t.Fatalf("recorded decisions %q, want %s and %s", got, first.Decision, second.Decision)
	}
	if status, body := r.do(t, http.MethodPost, "/v1/receipts", "application/json", string(body)); decode[gateway.Item](t, body).Result != gateway.Duplicate {
		t.Errorf("handed in again: %d %s", status, body)
	}
	for _, receipt := range [][]byte{body, m.Data} {
		status, answer := r.do(t, http.MethodPost, "/v1/receipts:verify", "application/json", string(receipt))
		if c := decode[gateway.ReceiptCheck](t, answer); status != 200 || !c.Genuine || !c.Recomputed {
			t.Errorf("verified: %d %s", status, answer)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, snapshotFile)); err != nil {
		t.Errorf("a stop leaves no snapshot: %v", err)
	}
	again := startWith(t, cfg, Options{})
	if !public.Equal(again.issuer.PublicKey()) {
		t.Error("the key changed with a restart")
	}
	// What a receipt proves does not depend on the process that gave it.
	again.settle(t)
	status, answer := again.do(t, http.MethodPost, "/v1/receipts:verify", "application/json", string(body))
	if c := decode[gateway.ReceiptCheck](t, answer); status != 200 || !c.Recomputed {
		t.Errorf("verified after a restart: %d %s", status, answer)
	}
}

// A receipt whose recording was lost, because the process died first, is handed
// in and recorded once.
func TestALostReceiptIsHandedIn(t *testing.T) {
	cfg := quick(t)
	r := startWith(t, cfg, Options{})
	r.settle(t)
	key, err := gate.OpenKey(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	receipt, _ := r.askOver(t)
	receipt.Decision = "d-lost" // as if another process with this key had issued it and died
	receipt.Sign(key)
	for _, want := range []gateway.Result{gateway.Recorded, gateway.Duplicate} {
		status, body := r.do(t, http.MethodPost, "/v1/receipts", "application/json", string(receipt.AppendCanonical(nil)))
		if got := decode[gateway.Item](t, body); got.Result != want {
			t.Errorf("handed in: %d %s, want %s", status, body, want)
		}
	}
	public, err := filepath.Glob(filepath.Join(cfg.Data, gate.PublicKeyFile))
	if err != nil || len(public) != 1 {
		t.Errorf("no public key beside the key: %v %v", public, err)
	}
}

// A house without a gate asks one over NATS, and says no when none answers.
func TestADoorWithoutAGate(t *testing.T) {
	r := start(t, func(c *Config) { c.Only = []string{ServiceGateway} })
	status, body := r.do(t, http.MethodPost, "/v1/decisions", "application/json", asking)
	if p := decode[gateway.Problem](t, body); status != http.StatusServiceUnavailable || !strings.HasSuffix(p.Type, "no-gate") {
		t.Errorf("%d %s", status, body)
	}
}

// A gate in another process than the ledger blocks when the ledger cannot be
// reached, and says so; nobody is allowed in doubt (design.md 8).
func TestAGateWithoutItsLedgerBlocks(t *testing.T) {
	cfg := quick(t)
	cfg.NATS.Listen = "127.0.0.1:0"
	log := startWith(t, cfg, Options{})
	log.settle(t)
	apart := quick(t)
	apart.NATS.URL, apart.Only = log.broker.URL(), []string{ServiceGateway, ServiceConsentState, ServiceGate}
	for _, name := range []string{vault.PepperFile, vault.SealFile} {
		key, err := os.ReadFile(filepath.Join(cfg.Data, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(apart.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(apart.Data, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apart.Ledger.AcceptLoss = true // an ordinary user of a broker cannot read when it syncs
	r := startWith(t, apart, Options{})
	await := func(what string, wanted func(events.Receipt) bool) {
		t.Helper()
		var last events.Receipt
		for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if last, _ = r.askOver(t); wanted(last) {
				return
			}
		}
		t.Fatalf("%s: the last answer is %+v", what, last)
	}
	doubt := func(d events.Receipt) bool { return hasReason(d, rules.StaleLedger) || hasReason(d, rules.Behind) }
	await("the gate is current", func(d events.Receipt) bool { return !doubt(d) })
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	await("the ledger is gone", func(d events.Receipt) bool {
		return d.Verdict == events.VerdictBlock && hasReason(d, rules.StaleLedger)
	})
	status, body := r.do(t, http.MethodGet, "/readyz", "", "")
	if status != http.StatusServiceUnavailable {
		t.Errorf("ready without a ledger: %d %s", status, body)
	}
}
