package worker_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/worker"
)

// TestPubSub runs Watermill's own suite over the publisher in both its ways
// and the subscriber in both its forms.
func TestPubSub(t *testing.T) {
	for _, c := range []struct {
		name   string
		atomic bool
		open   func(worker.SubscriberConfig) (*worker.Subscriber, error)
	}{
		{"asynchronous publisher, ordered subscriber", false, worker.NewOrdered},
		{"atomic publisher, batch subscriber at N=1", true, worker.NewBatch},
	} {
		t.Run(c.name, func(t *testing.T) { pubSub(t, c.atomic, c.open) })
	}
}

func pubSub(t *testing.T, atomic bool, open func(worker.SubscriberConfig) (*worker.Subscriber, error)) {
	js := broker(t)
	l := leases(t, js, 3*time.Second)
	group := func(t *testing.T, durable string) (message.Publisher, message.Subscriber) {
		pub := worker.NewPublisher(worker.PublisherConfig{JetStream: js, Atomic: atomic})
		sub, err := open(worker.SubscriberConfig{
			JetStream: js, Leases: l, Durable: durable, Backoff: time.Millisecond, MaxMessages: 1,
			Create: func(topic string) jetstream.StreamConfig {
				return jetstream.StreamConfig{Name: topic, Subjects: []string{topic}, AllowAtomicPublish: true}
			},
		})
		if err != nil {
			t.Fatalf("new subscriber: %v", err)
		}
		t.Cleanup(func() { // the suite does not close all that it opens
			if err := sub.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return pub, sub
	}
	features := tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, "all") }, group)

	// That case is about subscribers without a group: each has its own here.
	features.NewSubscriberReceivesOldMessages = true
	old := tests.TestContext{TestID: tests.NewTestID(), Features: features}
	t.Run("TestNewSubscriberReceivesOldMessages", func(t *testing.T) {
		tests.TestNewSubscriberReceivesOldMessages(t, old, func(t *testing.T) (message.Publisher, message.Subscriber) {
			return group(t, watermill.NewShortUUID())
		})
	})
}
