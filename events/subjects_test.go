package events

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSubjects(t *testing.T) {
	cases := map[string]string{
		IntakeSubject(FamilyGrants, "crm.a.example", TypeConsentGranted):        "intake.grants.crm%2Ea%2Eexample.consent.granted.v1",
		IntakeSubject(FamilyOutcomes, "dialer.p1.example/3", TypeCallConcluded): "intake.outcomes.dialer%2Ep1%2Eexample%2F3.call.concluded.v1",
		LedgerSubject("00", TypeCallConcluded, "Acme-1_b"):                      "ledger.00.call.concluded.v1.Acme-1_b",
		LedgerSubject("ref", TypeOrderIssued, ""):                               "ledger.ref.order.issued.v1._",
		LedgerSubject("03", TypeConsentRevoked, "A.b"):                          "ledger.03.consent.revoked.v1.A%2Eb",
		ReceiptSubject("crm", "t-1"):                                            "receipts.crm.t-1",
		ReceiptSubject("crm", ""):                                               "receipts.crm._",
		ReceiptSubject("crm", "_"):                                              "receipts.crm._",
		ReceiptSubject("crm", "a.>"):                                            "receipts.crm.a%2E%3E",
		BeatSubject(FamilyCampaigns):                                            "beat.campaigns",
		RejectSubject("_"):                                                      "rejects.%5F",
		ParkedSubject("recorder.grants"):                                        "parked.recorder%2Egrants",
	}
	for got, want := range cases {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A token is one NATS token whatever the source: no dot, no wild card, no space.
func TestSubjectTokenOfEveryByte(t *testing.T) {
	for c := range 256 {
		s := "a" + string([]byte{byte(c)})
		token := SubjectToken(s)
		if strings.ContainsAny(token, ".*> \t\r\n") {
			t.Errorf("byte %02X: %q", c, token)
		}
		if back, err := ParseSubjectToken(token); err != nil || back != s {
			t.Errorf("byte %02X reads back as %q, %v", c, back, err)
		}
		if want := fmt.Sprintf("a%%%02X", c); !tokenByte(byte(c)) && token != want {
			t.Errorf("byte %02X: %s, want %s", c, token, want)
		}
	}
	for _, bad := range []string{"", "%", "%4", "%41", "a.b", "%zz", "%2e", "% 1", "%+1", "a b", "é"} {
		if _, err := ParseSubjectToken(bad); !errors.Is(err, ErrSubjectToken) {
			t.Errorf("%q: %v, want ErrSubjectToken", bad, err)
		}
	}
}

func TestParseIntakeSubject(t *testing.T) {
	for _, info := range Types {
		subject := IntakeSubject(info.Family, "crm.a.example/x", info.Type)
		f, source, typ, err := ParseIntakeSubject(subject)
		if err != nil || f != info.Family || source != "crm.a.example/x" || typ != info.Type {
			t.Errorf("%s: %s %s %s, %v", subject, f, source, typ, err)
		}
	}
	for _, bad := range []string{"", "intake.grants", "ledger.grants.a.consent.granted.v1", "intake.grants.%.consent.granted.v1"} {
		if _, _, _, err := ParseIntakeSubject(bad); !errors.Is(err, ErrSubjectToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestIdentities(t *testing.T) {
	const hex32 = "3f0c9a5d1e7744b2a0c6d2f1908b7e55"
	k, err := ParseContactKey(hex32)
	if err != nil || k.String() != hex32 || k.Partition(4) != 0x3f0c%4 || k.Partition(1) != 0 || k.Partition(65536) != 0x3f0c {
		t.Errorf("contact key %s, %v", k, err)
	}
	for _, bad := range []string{"", hex32[1:], hex32 + "0", strings.ToUpper(hex32), "g" + hex32[1:]} {
		if _, err := ParseContactKey(bad); !errors.Is(err, ErrContactKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := ParseDigest(strings.Repeat("A", 64)); !errors.Is(err, ErrDigest) {
		t.Errorf("capitals: %v", err)
	}
	var d Digest
	if err := d.UnmarshalText([]byte(hex32)); !errors.Is(err, ErrDigest) || !d.IsZero() || d.String() != "" {
		t.Errorf("short digest: %v", err)
	}
	if err := d.UnmarshalText([]byte(hex32 + hex32)); err != nil || d.String() != hex32+hex32 {
		t.Errorf("digest %s, %v", d, err)
	}
	if err := k.UnmarshalText([]byte("x")); !errors.Is(err, ErrContactKey) || k.String() != hex32 {
		t.Errorf("a bad key must leave the old one: %v, %s", err, k)
	}
	// The separator keeps ("ab","c") and ("a","bc") apart.
	if (Identity{"ab", "c"}).Hash() == (Identity{"a", "bc"}).Hash() || MessageID(Identity{"ab", "c"}, d) == MessageID(Identity{"a", "bc"}, d) {
		t.Error("two identities share a hash")
	}
	if MessageID(Identity{"s", "i"}, d) == MessageID(Identity{"s", "i"}, Digest{}) || len(MessageID(Identity{}, d)) != 32 {
		t.Error("variants of an identity share a message id")
	}
}
