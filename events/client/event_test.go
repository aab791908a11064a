package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

func TestMintedIDsAreUUIDsOfVersion7(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("minted %q", id)
		}
		seen[id] = true
	}
	// The instant of RFC 9562, appendix A.6.
	at := time.Date(2022, 2, 22, 14, 22, 22, 0, time.FixedZone("", -5*3600))
	if id := idAt(at); !strings.HasPrefix(id, "017f22e2-79b0-7") {
		t.Errorf("minted %q at the instant of the example", id)
	}
}

func TestAnEventIsEncodedAsASubmission(t *testing.T) {
	e := Event{
		ID: "g-1", Time: time.Date(2026, 1, 10, 12, 0, 0, 0, events.Rome), Received: time.Date(2026, 1, 10, 11, 0, 1, 0, time.UTC),
		Controller: "A", Campaign: "K", SourceSeq: 3, Phone: "340 123 4567", Country: "IT", Evidence: map[string]any{"ip": "192.0.2.1"},
		Data: &events.ConsentGranted{Purposes: events.PurposeMarketing.Bit(), Channels: events.ChannelOperatorCall.Bit(), SourceRef: "form 7"},
	}
	body, err := e.encode("crm.a.example")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"specversion":"1.0","id":"g-1","source":"crm.a.example","type":"consent.granted.v1","time":"2026-01-10T12:00:00+01:00","receivedtime":"2026-01-10T11:00:01Z","controller":"A","campaign":"K","sourceseq":3,` +
		`"data":{"channels":["operator_call"],"country":"IT","evidence":{"ip":"192.0.2.1"},"phone":"340 123 4567","purposes":["marketing"],"source_ref":"form 7"}}`
	if string(body) != want {
		t.Errorf("encoded\n%s\nwant\n%s", body, want)
	}
	if s, faults := events.Validate(body, events.ValidateOptions{Normalise: FormOfNumber}); len(faults) > 0 || s.Type != events.TypeConsentGranted {
		t.Errorf("%v", faults)
	}
	if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, "340") {
		t.Errorf("an event prints its number: %s", text)
	}
}

func TestAReadyMadeEventIsCompleted(t *testing.T) {
	for body, want := range map[string]events.Identity{
		`{"id":"x","source":"y"}`:            {Source: "y", ID: "x"},
		`{"id":"x"}`:                         {Source: "s", ID: "x"},
		`{"source":"y","id":""}`:             {Source: "y", ID: "*"},
		` { "source" : null , "id" : null }`: {Source: "s", ID: "*"},
		`{}`:                                 {Source: "s", ID: "*"},
		`{"id":7,"source":"y"}`:              {Source: "y"},
		`[1]`:                                {},
		`{"id":`:                             {},
	} {
		filled, err := (&Event{Body: []byte(body)}).encode("s")
		if err != nil {
			t.Fatal(err)
		}
		got, _, _ := events.Peek(filled) // of what is no object nothing is to be read
		if want.ID == "*" && len(got.ID) == 36 {
			want.ID = got.ID
		}
		if got != want {
			t.Errorf("%s became %s", body, filled)
		}
	}
}

func TestWhatDoesNotEncodeIsInvalid(t *testing.T) {
	for name, e := range map[string]Event{
		"a list":      {Data: []int{1}},
		"a function":  {Data: map[string]any{"f": func() {}}},
		"nothing":     {Data: (*events.ConsentRevoked)(nil)},
		"of evidence": {Evidence: make(chan int)},
	} {
		if _, err := e.encode("s"); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverySubmissionOfTheContractPasses: the validation before sending refuses
// nothing that a ledger takes.
func TestEverySubmissionOfTheContractPasses(t *testing.T) {
	g := eventstest.NewGenerator(4)
	for _, info := range events.Types {
		for range 20 {
			var env struct {
				ID, Controller, Campaign string
				Source                   string
				Type                     events.Type
				Time                     time.Time
				Data                     map[string]any
			}
			body := g.Submission(info.Type)
			if err := json.Unmarshal(body, &env); err != nil {
				t.Fatal(err)
			}
			e := Event{ID: env.ID, Type: env.Type, Time: env.Time, Controller: env.Controller, Campaign: env.Campaign, Data: env.Data}
			again, err := e.encode(env.Source)
			if err != nil {
				t.Fatal(err)
			}
			if _, faults := events.Validate(again, events.ValidateOptions{Normalise: FormOfNumber}); len(faults) > 0 {
				t.Fatalf("%s: %v", info.Type, faults)
			}
		}
	}
}
