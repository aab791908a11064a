package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
)

// item is as much of the answer to one event as a sender needs.
type item struct {
	Source       string          `json:"source"`
	ID           string          `json:"id"`
	Result       string          `json:"result"`
	Stream       string          `json:"stream"`
	Sequence     uint64          `json:"sequence"`
	RecordedTime events.Instant  `json:"recordedtime"`
	Errors       json.RawMessage `json:"errors"`
}

// crew is the senders. Each sends its events in order, a batch at a time, and
// sends a batch again until every event of it is acknowledged: a CRM that
// keeps the identity of what it retries.
type crew struct {
	world   world
	base    string
	workers int
	batch   int
	pause   time.Duration // between the beginnings of two batches of one sender, at least
	book    *book
	client  *http.Client
	ending  atomic.Bool
	limit   time.Duration
}

func newCrew(w world, base string, p plan) *crew {
	var pause time.Duration
	if p.rate > 0 {
		pause = time.Duration(p.workers) * time.Duration(p.batch) * time.Second / time.Duration(p.rate)
	}
	return &crew{world: w, base: base, workers: p.workers, batch: p.batch, pause: pause, book: newBook(),
		client: &http.Client{Timeout: 30 * time.Second}, limit: p.limit}
}

// start sets the senders to work; they end after crew.stop.
func (c *crew) start(ctx context.Context) *errgroup.Group {
	group, ctx := errgroup.WithContext(ctx)
	for sender := range c.workers {
		group.Go(func() error {
			for n := 0; !c.ending.Load(); n += c.batch {
				next := time.After(c.pause)
				batch := make([]submission, c.batch)
				for i := range batch {
					batch[i] = c.world.next(sender, n+i)
				}
				if err := c.deliver(ctx, batch, forms[n/c.batch%len(forms)]); err != nil {
					return fmt.Errorf("sender %d: %w", sender, err)
				}
				select {
				case <-next:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	return group
}

// stop lets every sender finish its batch, which may need the program.
func (c *crew) stop(group *errgroup.Group) error {
	c.ending.Store(true)
	return group.Wait()
}

// open records the reference facts.
func (c *crew) open(ctx context.Context) error {
	return c.deliver(ctx, c.world.opening(), forms[0])
}

// seal records a marker of each family and returns an instant at which
// everything acknowledged before has been recorded.
func (c *crew) seal(ctx context.Context) (events.Instant, error) {
	var until events.Instant
	for _, m := range c.world.markers() {
		c.book.sent(m)
		for {
			items, err := c.post(ctx, []submission{m}, forms[0])
			if err != nil || len(items) != 1 {
				return 0, fmt.Errorf("record the marker of %s: %d answers, %w", m.identity.ID, len(items), err)
			}
			if _, err := c.book.answered(m, items[0]); err != nil {
				return 0, err
			}
			if items[0].Sequence > 0 {
				until = max(until, items[0].RecordedTime)
				break
			}
		}
	}
	return until, nil
}

// form is a way of sending a batch.
type form struct {
	media, begin, between, end, prefer string
}

// forms alternate; the last one does not wait for receipts, so that some
// events are acknowledged as accepted only.
var forms = []form{
	{media: "application/cloudevents-batch+json", begin: "[", between: ",", end: "]"},
	{media: "application/x-ndjson", between: "\n", end: "\n"},
	{media: "application/cloudevents-batch+json", begin: "[", between: ",", end: "]", prefer: "respond-async"},
}

// deliver sends a batch until every event of it is acknowledged.
func (c *crew) deliver(ctx context.Context, batch []submission, f form) error {
	for _, s := range batch {
		c.book.sent(s)
	}
	since := time.Now()
	for len(batch) > 0 {
		items, err := c.post(ctx, batch, f)
		open, fault := c.settle(batch, items)
		if fault != nil {
			return fault
		}
		if len(open) < len(batch) {
			since = time.Now()
		}
		if len(open) == 0 {
			return nil
		}
		if time.Since(since) > 2*c.limit {
			return fmt.Errorf("no event of a batch of %d was acknowledged for %s: %w", len(open), 2*c.limit, err)
		}
		batch = open
		if !errors.Is(err, syscall.ECONNREFUSED) {
			c.book.again(len(batch)) // its fate is unknown
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return nil
}

// settle notes the answers and returns the submissions without one. Answers
// come in the order of the batch; the program may die in the middle of them.
func (c *crew) settle(batch []submission, items []item) (open []submission, err error) {
	for i, s := range batch {
		if i >= len(items) {
			return append(open, batch[i:]...), nil
		}
		settled, err := c.book.answered(s, items[i])
		if err != nil {
			return nil, err
		}
		if !settled {
			open = append(open, s)
		}
	}
	return open, nil
}

// post sends a batch once. Items that arrived before the connection broke are
// returned beside the error.
func (c *crew) post(ctx context.Context, batch []submission, f form) ([]item, error) {
	var body bytes.Buffer
	body.WriteString(f.begin)
	for i, s := range batch {
		if i > 0 {
			body.WriteString(f.between)
		}
		body.Write(s.body)
	}
	body.WriteString(f.end)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/events", &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", f.media)
	if f.prefer != "" {
		req.Header.Set("Prefer", f.prefer)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if f.media == "application/x-ndjson" && resp.StatusCode == http.StatusOK {
		return lines(resp.Body)
	}
	var answer struct {
		Results []item `json:"results"`
		Detail  string `json:"detail"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read answer of status %d: %w", resp.StatusCode, err)
	}
	if resp.StatusCode >= 400 && resp.StatusCode != http.StatusServiceUnavailable {
		return nil, fmt.Errorf("status %d: %s", resp.StatusCode, answer.Detail)
	}
	return answer.Results, nil
}

// lines reads the items of an NDJSON answer as far as whole lines arrive.
func lines(body io.Reader) ([]item, error) {
	var items []item
	for dec := json.NewDecoder(body); ; {
		var it item
		switch err := dec.Decode(&it); {
		case errors.Is(err, io.EOF):
			return items, nil
		case err != nil:
			return items, fmt.Errorf("read line %d: %w", len(items)+1, err)
		}
		items = append(items, it)
	}
}
