// Package client is what a CRM or a dialer written in Go imports: publish with
// receipts, follow the feed, a local suppression set that fails closed. It
// needs the contract and nats.go, nothing of the house.
//
// A CRM publishes what people say, and hears when it is in the ledger:
//
//	nc, err := client.Connect("nats://127.0.0.1:4222", "crm-aurora")
//	p, err := client.NewPublisher(nc, client.PublisherOptions{Source: "crm.aurora.example"})
//	receipt, err := p.Publish(ctx, client.Event{
//		ID: "withdrawal-4711", Time: said, Controller: "aurora", Phone: "+393402345678",
//		Data: &events.ConsentRevoked{Medium: "app"},
//	})
//
// It sends an event until its receipt is there, always under one identity, so
// the ledger holds it once: whatever was lost on the way, and whoever sent it
// again.
//
// A dialer keeps what it must not call, and asks the gate before each call:
//
//	feed, err := client.Follow(ctx, nc, client.FollowOptions{
//		Controller: "aurora", Dialer: "dialer-1", Processor: "callcentre", OnStop: hangUp,
//	})
//	err = feed.WaitCurrent(ctx)
//	if feed.MayCall(call).Allowed {
//		decision, err := client.Decide(ctx, nc, question)
//		if decision.MayCall() { … }
//	}
//
// Everything that a caller could forget to look at reads as "do not call": the
// zero Verdict, the zero Decision, a Decision that came with an error, a set
// whose feed is silent, late or unreadable. README.md holds whole programs, and
// what a broker must permit to each.
package client
