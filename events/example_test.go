package events_test

import (
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
)

// A submission becomes a recorded event: the number and the evidence leave it,
// the contact key and the evidence's digest take their place.
func Example() {
	now, _ := events.ParseInstant("2026-03-04T08:00:02Z")
	s, faults := events.Validate([]byte(`{"specversion":"1.0","id":"w-7","source":"app.a.example","type":"consent.revoked.v1",
		"time":"2026-03-04T09:00:00+01:00","controller":"A","data":{"phone":"3401234567","country":"IT","channels":["sms"],"medium":"pigeon"}}`),
		events.ValidateOptions{Now: now, Family: events.FamilyRevocations, Normalise: eventstest.Normalise})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	record, fault := s.Record(eventstest.Key(s.Phone.E164()), events.ContactKey{})
	if fault != nil {
		fmt.Println(fault)
		return
	}
	stored := record.Stamp(now)
	fmt.Println(string(stored))
	event, err := events.Decode(stored)
	fmt.Println(event.Data.(*events.ConsentRevoked).Channels.List(), err)
	// Output:
	// {"controller":"A","data":{"channels":["sms"],"dropped":["medium"],"line":"mobile"},"id":"w-7","receivedtime":"2026-03-04T08:00:00.000Z","recordedtime":"2026-03-04T08:00:02.000Z","source":"app.a.example","specversion":"1.0","subject":"9bfc8657d4b1a9fa5833ed80c596e1a9","time":"2026-03-04T08:00:00.000Z","type":"consent.revoked.v1"}
	// [sms] <nil>
}
