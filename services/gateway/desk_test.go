package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// keyOf stands for the vault's key derivation.
func keyOf(p events.Phone) events.ContactKey {
	sum := sha256.Sum256([]byte(p.E164()))
	return events.ContactKey(sum[:16])
}

var knownKey = keyOf(events.NewPhone("+393401234567", "mobile"))

// fakeDesk stands for everything behind the questions. err, if set, is the
// answer to all of them.
type fakeDesk struct {
	err     error
	asked   events.Question
	cut     inquiry.Cutoffs
	asOf    inquiry.AsOf
	settled []string
	reasons []string
}

// Ask stands for the gate: it refuses a question without a contact, and signs.
func (f *fakeDesk) Ask(_ context.Context, q events.Question) (events.Receipt, error) {
	f.asked = q
	if (q.Number == "") == (q.Contact == "") {
		return events.Receipt{}, fmt.Errorf("fake ask: %w", &events.Refusal{Errors: []events.Fault{{Code: "phone_missing", Field: "number", Hint: "give either number or contact"}}})
	}
	q.Number, q.Contact = "", knownKey.String()
	r := events.Receipt{Decision: "d-1", Asked: q, At: testNow, Verdict: events.VerdictBlock, Pack: "it/2026-03", Passed: []string{"IT-CLI-01"}, ExpiresAt: testNow, ValidUntil: testNow,
		Positions: map[string]uint64{"LEDGER_00": 7}, Reasons: []events.ReceiptReason{{Rule: "IT-RPO-02", Effect: events.VerdictBlock, Clause: "DPR 26/2022 8(2)", Sentence: "no valid consultation"}}}
	r.Asked.Attempt = "c-1"
	r.Sign(gateKey)
	return r, f.err
}

// gateKey signs the receipts of the fake gate.
var gateKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))

func (f *fakeDesk) PublicKeys() []ed25519.PublicKey {
	return []ed25519.PublicKey{gateKey.Public().(ed25519.PublicKey)}
}

func (f *fakeDesk) Recompute(context.Context, events.Receipt) (rules.Decision, error) {
	return rules.Decision{Verdict: events.VerdictBlock, Reasons: []rules.Reason{{Rule: "IT-RPO-02", Effect: events.VerdictBlock}}}, f.err
}

func (f *fakeDesk) ListCheck(_ context.Context, id string) (inquiry.ListCheck, error) {
	return inquiry.ListCheck{ID: id}, f.err
}

func (f *fakeDesk) Contact(_ context.Context, key events.ContactKey, c inquiry.Cutoffs) (inquiry.Contact, error) {
	f.cut = c
	if f.err == nil && key != knownKey {
		return inquiry.Contact{}, fmt.Errorf("fake contact: %w", inquiry.ErrUnknown)
	}
	return inquiry.Contact{Contact: key, State: json.RawMessage(`{"grants":[]}`)}, f.err
}

func (f *fakeDesk) Timeline(_ context.Context, key events.ContactKey, c inquiry.Cutoffs) (inquiry.Timeline, error) {
	f.cut = c
	return inquiry.Timeline{Contact: key, Entries: []inquiry.Entry{{Stream: "LEDGER_00", Sequence: 4, Data: json.RawMessage(`{}`)}}}, f.err
}

func (f *fakeDesk) Campaigns(_ context.Context, asOf inquiry.AsOf) (inquiry.Campaigns, error) {
	f.asOf = asOf
	return inquiry.Campaigns{Campaigns: []view.Campaign{{CampaignRef: view.CampaignRef{Controller: "A", Campaign: "K-A"}, Counters: map[string]int64{"attempts": 3}}}}, f.err
}

func (f *fakeDesk) Resolve(_ context.Context, controller, campaign string) (view.CampaignRef, error) {
	switch {
	case campaign == "K-TWICE" && controller == "":
		return view.CampaignRef{}, fmt.Errorf("fake resolve: %w", inquiry.ErrAmbiguous)
	case campaign != "K-A" && campaign != "K-TWICE":
		return view.CampaignRef{}, fmt.Errorf("fake resolve: %w", inquiry.ErrUnknown)
	}
	return view.CampaignRef{Controller: "A", Campaign: campaign}, nil
}

func (f *fakeDesk) Build(_ context.Context, c view.CampaignRef, asOf inquiry.AsOf, since events.Instant) (Report, error) {
	if asOf.Instant > testNow || since > testNow {
		return nil, &inquiry.TooLateError{Latest: testNow}
	}
	return fakeReport(c.Campaign), f.err
}

func (f *fakeDesk) Findings(_ context.Context, asOf inquiry.AsOf) (ObjectFindings, error) {
	if asOf.Instant > testNow {
		return ObjectFindings{}, &inquiry.TooLateError{Latest: testNow}
	}
	return ObjectFindings{AsOf: testNow, Findings: []rules.Finding{{Rule: "IT-RPO-04", Object: "L-A", Kind: events.KindConfirmed}}}, f.err
}

type fakeReport string

func (f fakeReport) WriteJSON(w io.Writer) error { return say(w, `{"campaign":"`+string(f)+`"}`) }
func (f fakeReport) WriteCSV(w io.Writer) error  { return say(w, "rule\r\n") }
func (f fakeReport) WriteZip(w io.Writer) error  { return say(w, "PK") }
func (f fakeReport) WritePDF(w io.Writer, lang string) error {
	return say(w, "%PDF "+lang)
}

func (f fakeReport) Contacts() []events.ContactKey { return []events.ContactKey{{1}, {2}} }

func (f fakeReport) WriteXLSX(w io.Writer) error { return say(w, "PK xlsx") }

func (f fakeReport) WriteHTML(w io.Writer, lang string) error {
	return say(w, "<html lang="+lang+">")
}

func say(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

func (f *fakeDesk) Rejects(_ context.Context, cursor string, limit int) (RejectPage, error) {
	return RejectPage{Rejects: []Reject{{Reject: "r-1", RejectedAt: testNow, Errors: []events.Fault{{Code: "type_unknown", Hint: "x"}}}}, Next: fmt.Sprintf("%s+%d", cursor, limit)}, f.err
}

func (f *fakeDesk) Reject(_ context.Context, id string) (Reject, error) {
	if id != "r-1" {
		return Reject{}, fmt.Errorf("fake reject: %w", ErrUnknown)
	}
	return Reject{Reject: id, RejectedAt: testNow}, f.err
}

func (f *fakeDesk) Parked(context.Context, string, int) (ParkedPage, error) {
	return ParkedPage{Parked: []Parked{{ID: "p-1", Service: "recorder.grants", Reason: "x"}}}, f.err
}

func (f *fakeDesk) Retry(_ context.Context, id string) error { return f.settleOne("retry", id) }
func (f *fakeDesk) Drop(_ context.Context, id string) error  { return f.settleOne("drop", id) }

func (f *fakeDesk) settleOne(act, id string) error {
	if id != "p-1" {
		return fmt.Errorf("fake parked: %w", ErrUnknown)
	}
	f.settled = append(f.settled, act)
	return f.err
}

func (f *fakeDesk) Ready(context.Context) ([]string, map[string]uint64) {
	return f.reasons, map[string]uint64{"consentstate": 3}
}

func (f *fakeDesk) Durability() string { return "acknowledged means: on disk on 1 of 1" }
