package events

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func receiptKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
}

func signedReceipt(t *testing.T) Receipt {
	t.Helper()
	r := Receipt{
		Decision: "d-1", Asked: Question{Contact: strings.Repeat("ab", 16), Controller: "A", Campaign: "K-A", Channel: "operator_call"},
		At: InstantFromUnixMicro(1_772_708_400_123_000), Verdict: VerdictBlock,
		Reasons: []ReceiptReason{{Rule: "IT-OPP-01", Effect: VerdictBlock, Clause: "GDPR 21(2)-(3)", Sentence: "call after opposition"}},
		Passed:  []string{"IT-RPO-01"}, Pack: "it/2026-03", Positions: map[string]uint64{"LEDGER_REF": 17, "LEDGER_00": 412},
	}
	r.Sign(receiptKey(t))
	return r
}

// A receipt survives its way through JSON and verifies with the public key alone.
func TestReceiptVerifies(t *testing.T) {
	r := signedReceipt(t)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Receipt
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Verify(receiptKey(t).Public().(ed25519.PublicKey)); err != nil {
		t.Error(err)
	}
	if s := string(back.SignedBytes()); strings.Contains(s, "signature") || !strings.HasPrefix(s, `{"asked":{"campaign":"K-A"`) || !strings.Contains(s, `"key":"`) {
		t.Errorf("signed bytes %s: want the canonical form with the key and without the signature", s)
	}
}

// Any change of the content, another key, or a broken signature is found.
func TestReceiptChangeIsFound(t *testing.T) {
	public := receiptKey(t).Public().(ed25519.PublicKey)
	for name, change := range map[string]func(*Receipt){
		"verdict":   func(r *Receipt) { r.Verdict = VerdictAllow },
		"reason":    func(r *Receipt) { r.Reasons = nil },
		"contact":   func(r *Receipt) { r.Asked.Contact = strings.Repeat("cd", 16) },
		"instant":   func(r *Receipt) { r.At++ },
		"positions": func(r *Receipt) { r.Positions = map[string]uint64{"LEDGER_REF": 17, "LEDGER_00": 411} },
		"signature": func(r *Receipt) { r.Signature = "AAAA" + r.Signature[4:] },
		"no base64": func(r *Receipt) { r.Signature = "*" },
	} {
		r := signedReceipt(t)
		change(&r)
		if err := r.Verify(public); !errors.Is(err, ErrReceiptSignature) {
			t.Errorf("%s changed: error %v, want ErrReceiptSignature", name, err)
		}
	}
	r := signedReceipt(t)
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("o", ed25519.SeedSize))).Public().(ed25519.PublicKey)
	if err := r.Verify(other); !errors.Is(err, ErrReceiptKey) {
		t.Errorf("another key: error %v, want ErrReceiptKey", err)
	}
}

// The hand-written form is the RFC 8785 form of the plain encoding, field by
// field, for questions and receipts with everything set and with nothing set.
func TestReceiptCanonicalForm(t *testing.T) {
	type plain Receipt // without MarshalJSON
	for name, r := range map[string]Receipt{
		"full": {
			Decision: "d \"1\"", Verdict: VerdictWarn, Basis: BasisConsent, Pack: "it/2026-03", Key: "0123456789abcdef", Signature: "AA==",
			At: InstantFromUnixMicro(1), ValidUntil: InstantFromUnixMicro(1_000_001), ExpiresAt: InstantFromUnixMicro(7_000_000),
			Reasons: []ReceiptReason{{"R-1", VerdictWarn, "art. 1", "è vero <b>"}, {"R-2", VerdictBlock, "art. 2", "no"}}, Passed: []string{"R-3", "R-4"},
			Positions: map[string]uint64{"LEDGER_REF": 1, "LEDGER_00": 1 << 52, "LEDGER_10": 3},
			Asked: Question{"+391", "IT", "ab", "A", "K", "a-1", "2026-01-01T00:00:00Z", "marketing", "sms", "P1", "+392", "IT", "AL", true, "manual", "ag", true,
				"consent", "g", "rq", "b", "fibre"},
		},
		"empty": {Reasons: []ReceiptReason{}, Passed: []string{}, Positions: map[string]uint64{}, Verdict: VerdictBlock, Decision: "d", Pack: "p", Key: "k", Signature: "s",
			At: 1, ValidUntil: 1, ExpiresAt: 1, Asked: Question{Controller: "A", Campaign: "K"}},
	} {
		raw, err := json.Marshal(plain(r))
		if err != nil {
			t.Fatal(err)
		}
		want, err := CanonicalJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.AppendCanonical(nil); string(got) != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// The event that records a receipt is a valid submission of the gate.
func TestReceiptDecisionEvent(t *testing.T) {
	r := signedReceipt(t)
	r.Asked.Attempt, r.ExpiresAt = "c-1", r.At
	s, faults := Validate(r.DecisionEvent(), ValidateOptions{Family: FamilyOutcomes, Now: r.At, AllowSubject: true})
	if len(faults) > 0 {
		t.Fatalf("faults %v", faults)
	}
	if s.ID != r.Decision || s.Source != GateSource || s.Type != TypeDecisionIssued {
		t.Errorf("submission %+v is not the receipt's", s.Identity())
	}
}

// What a question names must be fit for the event that records the answer.
func TestQuestionsThatCouldNotBeRecorded(t *testing.T) {
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{Controller: "A", Campaign: "K-A"}, ""},
		{Question{Controller: "A", Campaign: "K-A", Attempt: "1700000000.12"}, ""},
		{Question{}, "controller: controller_missing; campaign: campaign_missing"},
		{Question{Controller: "A B", Campaign: strings.Repeat("k", 65)}, "controller: controller_invalid; campaign: field_type"},
		{Question{Controller: "A", Campaign: "+393401234567", Attempt: "a@b.example"}, "campaign: personal_data_in_log; attempt: personal_data_in_log"},
		{Question{Controller: "A", Campaign: "K-A", Attempt: "+393401234567"}, "attempt: personal_data_in_log"},
		{Question{Controller: "A", Campaign: "K-A", Attempt: strings.Repeat("a", 129)}, "attempt: id_invalid"},
		{Question{Controller: "A", Campaign: "K-A", Attempt: "a\n"}, "attempt: id_invalid"},
	} {
		got := strings.TrimPrefix((&Refusal{c.q.Faults()}).Error(), "read question: ")
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
		for _, f := range c.q.Faults() {
			if f.Hint == "" || strings.Contains(f.Hint+got, "340") || strings.Contains(f.Hint, "data.evidence") {
				t.Errorf("%s at %s gives the hint %q", f.Code, f.Field, f.Hint)
			}
		}
	}
}
