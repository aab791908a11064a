package clienttest

import (
	"bytes"
	"context"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/house"
)

// morning is the instant at which the examples play.
var morning = time.Date(2026, 3, 10, 11, 0, 0, 0, events.Rome)

// company is an Assenso in which a company's facts are recorded, on Tuesday
// 2026-03-10 at 11 in the morning.
type company struct {
	*assenso
	ctx    context.Context
	cancel context.CancelFunc
	folder string
}

// opened starts one with the facts of testdata/<name>.ndjson. Examples have
// nobody to report to: what fails ends the program.
func opened(names ...string) *company {
	folder, err := os.MkdirTemp("", "assenso-")
	must(err)
	began := time.Now()
	a, err := open(filepath.Join(folder, "data"), nil, house.Options{Clock: func() events.Instant { return events.InstantOf(morning.Add(time.Since(began))) }})
	must(err)
	c := &company{assenso: a, folder: folder}
	c.ctx, c.cancel = context.WithTimeout(context.Background(), time.Minute)
	nc, err := client.Connect(a.BrokerURL(), "set-up", silent)
	must(err)
	defer nc.Close()
	p, err := client.NewPublisher(nc, client.PublisherOptions{Source: "erp.aurora.example"})
	must(err)
	defer p.Close()
	var batch []client.Event
	for _, name := range names {
		facts, err := os.ReadFile(filepath.Join("testdata", name+".ndjson"))
		must(err)
		for line := range bytes.Lines(facts) {
			batch = append(batch, client.Event{Body: line})
		}
	}
	must(p.PublishAll(c.ctx, batch).Err())
	return c
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// settle waits until everything recorded so far is known everywhere.
func (c *company) settle() { must(c.Settle(c.ctx, c.Now())) }

func (c *company) close() {
	c.cancel()
	must(c.stop())
	must(os.RemoveAll(c.folder))
}
