package client_test

import (
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
)

// A dialer that has the feed by another way than NATS, such as server-sent
// events, keeps the same set with what it reads.
func ExampleSuppressions() {
	now := time.Now()
	set := client.NewSuppressions(client.SuppressionOptions{Controller: "aurora", Clock: func() time.Time { return now }})
	call := client.Call{Phone: "+393401234567", Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Campaign: "K-FIBRE", Lists: []string{"L-SHOP"}}
	fmt.Println(set.MayCall(call))

	snapshot := set.Snapshot()
	if err := snapshot.Add(events.FeedMessage{Kind: events.FeedList, Effect: events.FeedStop, Controller: "aurora", Lists: []string{"L-OLD"}}); err != nil {
		fmt.Println(err)
	}
	snapshot.Commit(41)
	beat := func(position uint64) {
		if err := set.Beat(events.FeedBeat{At: events.InstantOf(now), Sent: events.InstantOf(now), Position: position}); err != nil {
			fmt.Println(err)
		}
	}
	beat(41)
	fmt.Println(set.MayCall(call))

	revoked := events.FeedMessage{
		Position: 42, Kind: events.FeedRevocation, Effect: events.FeedStop, Controller: "aurora", Phone: "+393401234567",
		Ledger: events.FeedPlace{Stream: "LEDGER_01", Sequence: 7},
	}
	if stopped, err := set.Apply(revoked); err != nil || stopped {
		fmt.Println("hang up:", stopped, err)
	}
	set.Reach(42)
	beat(42)
	fmt.Println(set.MayCall(call))

	now = now.Add(5 * time.Second)
	call.Phone = "+393407654321"
	fmt.Println(set.MayCall(call))
	// Output:
	// blocked: starting (the snapshot of the feed is not complete)
	// allowed
	// hang up: true <nil>
	// blocked: revocation (LEDGER_01 7)
	// blocked: silent (no heartbeat of the feed was heard for 5s)
}
