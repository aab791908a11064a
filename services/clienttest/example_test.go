package clienttest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
)

// crm tells the ledger what people have just told the company.
func crm(ctx context.Context, url string) error {
	nc, err := client.Connect(url, "crm-aurora")
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := client.NewPublisher(nc, client.PublisherOptions{Source: "crm.aurora.example"})
	if err != nil {
		return err
	}
	defer p.Close()

	withdrawal := client.Event{
		ID:         "withdrawal-4711", // the CRM's own: sent again, it is the same event
		Time:       time.Date(2026, 3, 10, 10, 30, 0, 0, events.Rome),
		Controller: "aurora",
		Phone:      "340 234 5678",
		Country:    "IT",
		Data:       &events.ConsentRevoked{Medium: "app"},
	}
	for range 2 {
		receipt, err := p.Publish(ctx, withdrawal)
		if err != nil {
			return err
		}
		fmt.Println(receipt.ID, receipt.Result)
	}

	// An event that breaks the contract is refused before it leaves, with every
	// fault.
	receipt, err := p.Publish(ctx, client.Event{
		ID: "consent-815", Time: withdrawal.Time, Controller: "aurora", Phone: "340 234 5678",
		Data: &events.ConsentGranted{Purposes: events.PurposeMarketing.Bit()},
	})
	if !errors.Is(err, client.ErrInvalid) {
		return fmt.Errorf("an event without channels and country: %w", err)
	}
	for _, fault := range receipt.Errors {
		fmt.Println(receipt.ID, receipt.Result, fault.Code, fault.Field)
	}
	return nil
}

// dialer works off a queue of numbers for controller aurora: what the feed
// knows stops a number at once, and the gate decides the rest.
func dialer(ctx context.Context, url string, gateKey ed25519.PublicKey, queue []string) error {
	nc, err := client.Connect(url, "dialer-1")
	if err != nil {
		return err
	}
	defer nc.Close()
	feed, err := client.Follow(ctx, nc, client.FollowOptions{
		Controller: "aurora", Dialer: "dialer-1", Processor: "callcentre",
		OnStop:  hangUp, // in the middle of a day too
		OnError: func(err error) { log.Print(err) },
	})
	if err != nil {
		return err
	}
	defer feed.Close()
	if err := feed.WaitCurrent(ctx); err != nil {
		return err
	}
	gate := client.NewGate(nc, client.GateOptions{Key: gateKey})

	for place, number := range queue {
		verdict := feed.MayCall(client.Call{
			Phone: number, Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall,
			Campaign: "K-FIBRE", Lists: []string{"L-SHOP"},
		})
		if !verdict.Allowed {
			for _, why := range verdict.Reasons {
				fmt.Println(place, "dropped:", why.Code, why.Kind)
			}
			continue
		}
		decision, err := gate.Decide(ctx, events.Question{
			Number: number, Controller: "aurora", Campaign: "K-FIBRE", Attempt: client.NewID(),
			Processor: "callcentre", CLI: "+390844100100", Basis: "consent", AgentReserved: true,
		})
		if err != nil {
			log.Print(err) // the decision forbids the call then
		}
		if verdict := decision.Verdict(); !verdict.Allowed {
			for _, why := range verdict.Reasons {
				fmt.Println(place, "forbidden:", why.Rule)
			}
			continue
		}
		fmt.Println(place, "called") // its call.concluded cites decision.Receipt.Decision
	}
	return nil
}

// hangUp drops a number that a running dialer has queued or is speaking to.
func hangUp(m events.FeedMessage) { log.Printf("stop: %s %s", m.Kind, m.Cause.ID) }

func Example_crm() {
	a := opened("aurora")
	defer a.close()
	if err := crm(a.ctx, a.BrokerURL()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// withdrawal-4711 recorded
	// withdrawal-4711 duplicate
	// consent-815 invalid country_missing data.country
	// consent-815 invalid scope_missing data.channels
}

func Example_dialer() {
	a := opened("aurora", "withdrawal")
	defer a.close()
	a.settle()
	queue := []string{"+393401234567", "+393402345678", "+393403456789"}
	if err := dialer(a.ctx, a.BrokerURL(), a.Issuer().PublicKey(), queue); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 called
	// 1 dropped: suppressed revocation
	// 2 forbidden: IT-CON-01
}
