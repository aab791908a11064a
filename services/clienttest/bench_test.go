package clienttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/house"
	"github.com/assenso/assenso/services/ledger"
)

// BenchmarkRevocation measures, on a ledger that syncs before every
// acknowledgement, how long after a CRM's publish the receipt is there, and how
// long until a dialer obeys.
func BenchmarkRevocation(b *testing.B) {
	a := start(b, func(c *house.Config) { c.Ledger.Durability = ledger.Strict })
	p := publisher(b, connect(b, a.BrokerURL()), nil)
	obeyed := make(chan time.Time, 16)
	d := follow(b, connect(b, a.BrokerURL()), func(o *client.FollowOptions) {
		o.OnStop = func(m events.FeedMessage) {
			if m.Kind == events.FeedRevocation {
				obeyed <- time.Now()
			}
		}
	})
	d.current(b)
	var recorded, stopped []float64 // milliseconds
	for i := 0; b.Loop(); i++ {
		e := revocation(fmt.Sprintf("w-%d", i))
		e.Phone, e.Data = number(i), &events.ConsentRevoked{}
		began := time.Now()
		if _, err := p.Publish(soon(b), e); err != nil {
			b.Fatal(err)
		}
		recorded = append(recorded, float64(time.Since(began).Microseconds())/1000)
		select {
		case at := <-obeyed:
			stopped = append(stopped, float64(at.Sub(began).Microseconds())/1000)
		case <-soon(b).Done():
			b.Fatalf("revocation %d is not obeyed", i)
		}
	}
	for name, all := range map[string][]float64{"recorded": recorded, "obeyed": stopped} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name+"-p50-ms")
		b.ReportMetric(all[len(all)*99/100], name+"-p99-ms")
	}
}

// BenchmarkPublishAll measures events a second through one publisher, each
// with its receipt. Each is a write and a sync of its own in its queue.
func BenchmarkPublishAll(b *testing.B) {
	for _, pending := range []int{256, 2048} {
		b.Run(fmt.Sprint("pending ", pending), func(b *testing.B) {
			a := start(b, func(c *house.Config) { c.Ledger.Durability = ledger.Strict })
			p := publisher(b, connect(b, a.BrokerURL()), func(o *client.PublisherOptions) { o.Pending = pending })
			batch := make([]client.Event, b.N)
			for i := range batch {
				batch[i] = grant(fmt.Sprintf("g-%d", i))
				batch[i].Phone = number(i)
			}
			b.ResetTimer()
			if err := p.PublishAll(b.Context(), batch).Err(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
