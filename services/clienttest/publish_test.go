package clienttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/intake"
)

var legal = time.Date(2026, 3, 4, 9, 0, 0, 0, events.Rome)

// revocation is a withdrawal of consent with an id of the CRM's own.
func revocation(id string) client.Event {
	return client.Event{
		ID: id, Time: legal, Controller: "A", Phone: "340 123 4567", Country: "IT",
		Data: &events.ConsentRevoked{Channels: events.ChannelSMS.Bit()},
	}
}

func grant(id string) client.Event {
	return client.Event{
		ID: id, Type: events.TypeConsentGranted, Time: legal.Add(-time.Hour), Controller: "A", Phone: "+393401234567",
		Data: map[string]any{"purposes": []string{"marketing"}, "channels": []string{"operator_call"}},
	}
}

func TestAnEventIsRecordedOnceHoweverOftenItIsPublished(t *testing.T) {
	a := start(t, nil)
	p := publisher(t, connect(t, a.BrokerURL()), nil)
	first, err := p.Publish(soon(t), revocation("w-1"))
	if err != nil || first.Result != client.Recorded || first.Stream == "" || first.Sequence == 0 || first.Contact.IsZero() || first.RecordedTime.IsZero() {
		t.Fatalf("%+v %v", first, err)
	}
	again, err := p.Publish(soon(t), revocation("w-1"))
	if err != nil || again.Result != client.Duplicate || again.Stream != first.Stream || again.Sequence != first.Sequence {
		t.Errorf("again %+v %v, first %+v", again, err, first)
	}
	other := revocation("w-1")
	other.Time = legal.Add(time.Minute)
	conflict, err := p.Publish(soon(t), other)
	if err != nil || conflict.Result != client.Conflict || conflict.Other == nil || conflict.Other.Sequence != first.Sequence {
		t.Errorf("another variant %+v %v", conflict, err)
	}
}

func TestAnIDIsMintedBeforeTheFirstTry(t *testing.T) {
	a := start(t, nil)
	p := publisher(t, connect(t, a.BrokerURL()), nil)
	w := p.PublishAsync(soon(t), grant(""))
	minted := w.ID()
	r, err := w.Wait(soon(t))
	if err != nil || minted == "" || r.ID != minted || r.Source != "crm.a.example" {
		t.Errorf("%+v %v, minted %q", r, err, minted)
	}
	raw := client.Event{Body: []byte(`{"specversion":"1.0","type":"consent.revoked.v1","time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"+393401234567"}}`)}
	if r, err := p.Publish(soon(t), raw); err != nil || r.Result != client.Recorded || r.ID == "" {
		t.Errorf("a ready-made event without id and source: %+v %v", r, err)
	}
}

func TestABatchHasAReceiptForEach(t *testing.T) {
	a := start(t, nil)
	p := publisher(t, connect(t, a.BrokerURL()), func(o *client.PublisherOptions) { o.Pending = 8 })
	var batch []client.Event
	for i := range 60 {
		batch = append(batch, grant(fmt.Sprintf("g-%d", i)))
	}
	batch[7].Phone = "call me"
	batch[9].Data = map[string]any{"purposes": []string{"*"}, "channels": []string{"operator_call"}}
	batch[11] = batch[10]
	receipts := p.PublishAll(soon(t), batch)
	if len(receipts) != len(batch) {
		t.Fatalf("%d receipts for %d events", len(receipts), len(batch))
	}
	for i, r := range receipts {
		switch {
		case i == 7 || i == 9:
			if r.Result != client.Invalid || !errors.Is(r.Err, client.ErrInvalid) || len(r.Errors) == 0 || r.Attempts != 0 {
				t.Errorf("event %d: %+v", i, r)
			}
		case i == 10 || i == 11:
			if !r.InLedger() || r.Err != nil {
				t.Errorf("event %d: %+v", i, r)
			}
		case r.Result != client.Recorded || r.ID != batch[i].ID || r.Err != nil:
			t.Errorf("event %d: %+v", i, r)
		}
	}
	if err := receipts.Err(); !errors.Is(err, client.ErrInvalid) || strings.Contains(err.Error(), "call me") {
		t.Errorf("error of the batch: %v", err)
	}
	if results := []client.Result{receipts[10].Result, receipts[11].Result}; !slices.Contains(results, client.Recorded) || !slices.Contains(results, client.Duplicate) {
		t.Errorf("of two copies: %v", results)
	}
}

// TestARevocationWithFaultsReachesTheLedger: refused in a sender's log it would
// leave somebody callable; among the rejects it raises an alarm.
func TestARevocationWithFaultsReachesTheLedger(t *testing.T) {
	a := start(t, nil)
	p := publisher(t, connect(t, a.BrokerURL()), nil)
	bad := revocation("w-bad")
	bad.Phone, bad.Country = "12", "IT"
	r, err := p.Publish(soon(t), bad)
	if !errors.Is(err, client.ErrRejected) || r.Result != client.Rejected || r.Reject == "" || len(r.Errors) != 1 || r.Errors[0].Code != "phone_invalid" {
		t.Errorf("%+v %v", r, err)
	}
	foreign := revocation("w-2")
	foreign.Phone, foreign.Controller = "", ""
	if r, err = p.Publish(soon(t), foreign); !errors.Is(err, client.ErrRejected) || len(r.Errors) != 2 {
		t.Errorf("with two faults: %+v %v", r, err)
	}
	if mended, err := p.Publish(soon(t), revocation("w-bad")); err != nil || mended.Result != client.Recorded {
		t.Errorf("mended: %+v %v", mended, err)
	}
}

func TestTheReceiptIsThatOfTheContract(t *testing.T) {
	sent := intake.Receipt{
		Source: "s", ID: "i", Ref: "r", Result: intake.Conflict, Stream: "LEDGER_01", Sequence: 7, RecordedTime: events.InstantOf(legal),
		Contact: strings.Repeat("0a", 16), Other: &intake.Position{Stream: "LEDGER_00", Sequence: 3}, Reject: "x", RejectedAt: events.InstantOf(legal),
		Errors: []events.Fault{{Code: "c", Field: "f", Hint: "h"}},
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var heard client.Receipt
	if err := json.Unmarshal(body, &heard); err != nil {
		t.Fatal(err)
	}
	back, err := json.Marshal(heard)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(body), string(back)); d != "" {
		t.Errorf("receipt differs (-sent +heard):\n%s", d)
	}
}
