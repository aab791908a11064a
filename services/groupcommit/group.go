package groupcommit

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// group is what is published together.
type group struct {
	items   []*item
	settled func()
	begun   time.Time
	tries   int
	failed  int

	rejections int // batches that the broker rejected for one message
	asBatch    bool

	batch    jetstreamext.BatchPublisher // nil unless staged
	inBatch  []*item
	stageErr error // why staging failed
}

// newGroup stamps the messages of items.
func (c *Committer) newGroup(items []*item) *group {
	g := &group{items: items, begun: time.Now()}
	if c.opts.Stamp != nil {
		msgs := make([]*Message, len(items))
		for i, it := range items {
			msgs[i] = it.msg
		}
		g.settled = c.opts.Stamp(msgs)
	}
	return g
}

// build returns the broker's form of a message; a new one for each try, since
// publishing in a batch adds headers.
func (it *item) build() *nats.Msg {
	h := make(nats.Header, len(it.msg.Header)+4)
	for k, v := range it.msg.Header {
		h[k] = v
	}
	if it.msg.ID != "" {
		h[jetstream.MsgIDHeader] = []string{it.msg.ID}
	}
	return &nats.Msg{Subject: it.msg.Subject, Header: h, Data: it.msg.Data}
}

// stage sends all messages but the last of an atomic batch. Nothing is stored
// before the last one is.
func (g *group) stage(c *Committer, items []*item) {
	g.inBatch = items
	g.batch, g.stageErr = jetstreamext.NewBatchPublisher(c.js, jetstreamext.BatchFlowControl{})
	for _, it := range items[:len(items)-1] {
		if g.stageErr != nil {
			return
		}
		g.stageErr = g.batch.AddMsg(it.build())
	}
}

// commit sends the last message of the staged batch and waits for the answer.
func (g *group) commit(c *Committer) (last uint64, what outcome, err error) {
	defer func() { g.batch = nil }()
	if g.stageErr != nil {
		if what = classify(g.stageErr); what == unknown {
			what = absent // nothing is stored without the last message
		}
		return 0, what, g.stageErr
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.Timeout)
	defer cancel()
	c.mu.Lock()
	c.interrupt = cancel
	c.mu.Unlock()
	ack, err := g.batch.CommitMsg(ctx, g.inBatch[len(g.inBatch)-1].build())
	if err != nil {
		return 0, classify(err), err
	}
	return ack.Sequence, stored, nil
}

// commitGroups settles one group after the other.
func (c *Committer) commitGroups() {
	defer c.ended.Done()
	defer close(c.settled)
	for g := range c.staged {
		c.settleGroup(g)
		if g.settled != nil {
			g.settled()
		}
		if c.opts.Observe != nil {
			c.opts.Observe(Commit{
				Stream: c.stream, Messages: len(g.items), Batch: g.asBatch,
				Tries: g.tries, Failed: g.failed, Took: time.Since(g.begun),
			})
		}
		c.idle()
	}
}

// settleGroup publishes until every message of g has its result.
func (c *Committer) settleGroup(g *group) {
	rest := g.items
	for {
		g.tries++
		switch {
		case !c.nc.IsConnected():
			rest = c.failFresh(g, rest, nats.ErrDisconnected)
		case len(rest) < c.opts.Threshold:
			rest = c.publishAlone(g, rest)
		default:
			var blamed bool
			if rest, blamed = c.publishBatch(g, rest); blamed {
				g.tries++
				rest = c.divide(g, rest)
			}
		}
		if len(rest) == 0 {
			return
		}
		if time.Since(g.begun) > c.opts.Window {
			c.giveUp(g, rest, errWindow)
			return
		}
		if !c.pause(g.tries) {
			c.giveUp(g, rest, errClosed)
			return
		}
	}
}

// maxRejections is how many rejected batches of one group it takes to publish
// the rest message by message: more than a lone culprit among 1000 causes.
const maxRejections = 8

// divide publishes the messages of a batch in which the broker blamed one that
// it does not name. A lone culprit is closed in by halving, so that the others
// are still synced together; many culprits, as after an unanswered try that was
// stored after all, are quicker published alone, since a duplicate costs no
// sync.
func (c *Committer) divide(g *group, items []*item) (open []*item) {
	if g.rejections++; g.rejections > maxRejections || len(items) < 2*c.opts.Threshold || items[0].unknown {
		return c.publishAlone(g, items)
	}
	half := len(items) / 2
	for _, part := range [][]*item{items[:half], items[half:]} {
		if len(open) > 0 {
			open = append(open, part...) // keeps the order
			continue
		}
		var blamed bool
		if open, blamed = c.publishBatch(g, part); blamed {
			open = c.divide(g, part)
		}
	}
	return open
}

// publishBatch publishes items as one atomic batch and returns what is open;
// blamed means that the broker found fault with one of them.
func (c *Committer) publishBatch(g *group, items []*item) (open []*item, blamed bool) {
	g.asBatch = true
	if g.batch == nil {
		g.stage(c, items)
	}
	last, what, err := g.commit(c)
	switch what {
	case stored:
		first := last - uint64(len(items)) + 1
		for i, it := range items {
			c.settle(it, Result{Sequence: first + uint64(i), Stamped: it.msg.Stamped})
		}
		return nil, false
	case singly:
		return items, true
	case unknown, repeated:
		return c.noAnswer(g, items, err), false
	case again:
		// The broker lost a part of the batch, or refused it without an answer
		// since only the last message asks for one.
		return items, g.tries > 1
	}
	return c.failFresh(g, items, err), false
}

var errWindow = errors.New("no answer within the stream's duplicate window")

// publishAlone publishes each message alone, all of them at once, settles what
// is decided and returns those without an answer in their order.
func (c *Committer) publishAlone(g *group, items []*item) []*item {
	futures := make([]jetstream.PubAckFuture, len(items))
	failed := make([]error, len(items))
	for i, it := range items {
		futures[i], failed[i] = c.js.PublishMsgAsync(it.build(), jetstream.WithRetryAttempts(0), jetstream.WithStallWait(c.opts.Timeout))
	}
	var open []*item
	for i, it := range items {
		var ack *jetstream.PubAck
		if failed[i] == nil {
			select {
			case ack = <-futures[i].Ok():
			case failed[i] = <-futures[i].Err():
			}
		}
		switch what := classify(failed[i]); {
		case what == stored:
			r := Result{Sequence: ack.Sequence, Duplicate: ack.Duplicate, Stamped: it.msg.Stamped}
			if ack.Duplicate {
				r.Resent, r.Stamped = it.unknown, 0
			}
			c.settle(it, r)
		case what == unknown || what == repeated:
			open = append(open, c.noAnswer(g, items[i:i+1], failed[i])...)
		default:
			open = append(open, c.failFresh(g, items[i:i+1], failed[i])...)
		}
	}
	return open
}

// noAnswer marks items as unknown; those with a message id are returned to be
// sent again.
func (c *Committer) noAnswer(g *group, items []*item, err error) []*item {
	open := make([]*item, 0, len(items))
	for _, it := range items {
		if it.msg.ID == "" {
			g.failed++
			c.settle(it, Result{Err: ambiguous(c.stream, err)})
			continue
		}
		it.unknown = true
		open = append(open, it)
	}
	return open
}

// failFresh settles items of which no try is open with err; the others are
// returned, since this refusal says nothing about the tries before.
func (c *Committer) failFresh(g *group, items []*item, err error) []*item {
	var open []*item
	for _, it := range items {
		if it.unknown {
			open = append(open, it)
			continue
		}
		g.failed++
		c.settle(it, Result{Err: failure(c.stream, err)})
	}
	return open
}

// giveUp settles what is left when there will be no further try.
func (c *Committer) giveUp(g *group, items []*item, cause error) {
	for _, it := range items {
		g.failed++
		if it.unknown {
			c.settle(it, Result{Err: ambiguous(c.stream, cause)})
		} else {
			c.settle(it, Result{Err: failure(c.stream, cause)})
		}
	}
}

// pause waits before try n, at most a second; it reports false when the
// committer is being closed.
func (c *Committer) pause(n int) bool {
	wait := min(time.Second, 5*time.Millisecond<<min(n, 8))
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-c.life.Done():
		return false
	case <-t.C:
		return true
	}
}
