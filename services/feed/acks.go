package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/telemetry"
)

// Source is the source of the events that the feed submits.
const Source = "feed"

// answerAck answers one acknowledgement over NATS.
func (f *Feed) answerAck(ctx context.Context, m *nats.Msg) {
	var out events.FeedAcked
	controller, err := controllerOf(m.Subject)
	var ack events.FeedAck
	switch {
	case err != nil:
		out.Errors = []events.Fault{{Code: "controller_invalid", Field: "controller", Hint: "write the controller as one subject token"}}
	case json.Unmarshal(m.Data, &ack) != nil:
		out.Errors = []events.Fault{{Code: "json_invalid", Hint: "send a FeedAck: dialer, processor, position"}}
	default:
		if out, err = f.acknowledge(ctx, controller, ack); err != nil {
			f.log.Warn("feed: acknowledgement not stored", telemetry.Err(err))
			out.Errors = []events.Fault{{Code: "unavailable", Hint: "the position could not be stored: send it again"}}
		}
	}
	if m.Reply == "" {
		return
	}
	body, err := json.Marshal(out)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil && ctx.Err() == nil {
		f.log.Warn("feed: acknowledgement not answered", telemetry.Err(err))
	}
}

// acknowledge stores a dialer's position; the answer means that it is on disk.
func (f *Feed) acknowledge(ctx context.Context, controller string, ack events.FeedAck) (events.FeedAcked, error) {
	var out events.FeedAcked
	fault := func(code, field, hint string) {
		out.Errors = append(out.Errors, events.Fault{Code: code, Field: field, Hint: hint})
	}
	if !events.IsName(controller) {
		fault("controller_invalid", "controller", "name the controller for whom the dialer calls")
	}
	if len(ack.Dialer) == 0 || len(ack.Dialer) > 128 {
		fault("field_missing", "dialer", "name the dialer, in at most 128 characters; the name is that of its cursor")
	}
	if ack.Processor == "" {
		ack.Processor = controller
	}
	if !events.IsName(ack.Processor) {
		fault("value_unknown", "processor", "name the processor that calls, as in processor.appointed; absent: the controller itself")
	}
	if len(out.Errors) > 0 {
		return out, nil
	}
	known, err := f.settled(ctx, ack.Position)
	if err != nil {
		return out, err
	}
	if !known {
		fault("value_unknown", "position", "the feed has not come to this position: acknowledge what was received")
		return out, nil
	}
	cur, err := f.cursors.change(ctx, controller, ack.Dialer, func(c *cursor) error { return f.moveCursor(ctx, c, &ack) })
	if err != nil {
		return out, err
	}
	f.metrics.acked.WithLabelValues(controller, ack.Dialer).Set(float64(cur.Position))
	out.Position = cur.Position
	f.kick()
	return out, nil
}

// settled waits until a position that a dialer has seen is settled here.
func (f *Feed) settled(ctx context.Context, position uint64) (bool, error) {
	end := time.Now().Add(settleMost)
	for f.Status().Position < position {
		if time.Now().After(end) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return true, nil
}

// moveCursor notes an acknowledgement and what it says of speed.
func (f *Feed) moveCursor(ctx context.Context, c *cursor, ack *events.FeedAck) error {
	now := f.cfg.Clock()
	today := events.DateOf(now, events.Rome)
	if c.Position > 0 && ack.Position > c.Position { // the first one is a snapshot's
		m, found, err := f.cfg.Said.Slowest(ctx, c.Controller, c.Position, ack.Position, today.In(events.Rome))
		if err != nil {
			return err
		}
		took := now.Sub(m.Recorded)
		if found && (c.Slowest == nil || c.Slowest.Day != today || c.Slowest.TookMS < took.Milliseconds()) {
			c.Slowest = &Slowest{Day: today, TookMS: took.Milliseconds(), Event: m.Cause, Kind: m.Kind, Position: m.Position}
		}
		if found {
			f.metrics.dialer.WithLabelValues(c.Controller, c.Dialer).Observe(now.Sub(m.Sent).Seconds())
		}
	}
	c.acknowledge(ack.Position, ack.Processor, now)
	return nil
}

// kick wakes reportAcks.
func (f *Feed) kick() {
	select {
	case f.kicked <- struct{}{}:
	default:
	}
}

// Bounds of reporting acknowledgements.
const (
	reportPage  = 500
	reportFirst = 50 * time.Millisecond // pause after a fault, doubled up to reportMost
	reportMost  = 5 * time.Second
)

// reportAcks submits suppression.acknowledged for what dialers acknowledge,
// until ctx ends. What fails is tried again.
func (f *Feed) reportAcks(ctx context.Context) {
	wait, pause := time.NewTimer(0), reportFirst
	defer wait.Stop()
	for {
		select {
		case <-f.kicked:
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		if err := f.reportAll(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("feed: acknowledgements not submitted, trying again", telemetry.Err(err))
			wait.Reset(pause)
			pause = min(2*pause, reportMost)
			continue
		}
		wait.Reset(reportMost)
		pause = reportFirst
	}
}

func (f *Feed) reportAll(ctx context.Context) error {
	list, err := f.cursors.all(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		for c != nil && len(c.Open) > 0 && err == nil {
			c, err = f.report(ctx, c)
		}
		errs, err = append(errs, err), nil
	}
	return errors.Join(errs...)
}

// report submits one page of the first open part of a cursor and moves
// Reported. A crash in between repeats the page: the same events.
func (f *Feed) report(ctx context.Context, c *cursor) (*cursor, error) {
	p := c.Open[0]
	list, err := f.cfg.Said.Opposed(ctx, c.Controller, c.Reported, p.UpTo, reportPage)
	if err != nil {
		return nil, err
	}
	upTo := p.UpTo
	if len(list) == reportPage {
		upTo = list[len(list)-1].Position
	}
	batch := make([]intake.Submission, len(list))
	for i := range list {
		if batch[i], err = acknowledgement(c, p, &list[i]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(f.cfg.Intake.Submit(ctx, batch)...); err != nil {
		return nil, err
	}
	return f.cursors.change(ctx, c.Controller, c.Dialer, func(c *cursor) error { c.reportedUpTo(upTo); return nil })
}

// acknowledgement is the event that a processor applies an opposition. The same
// opposition, dialer and place in the feed give the same event.
func acknowledgement(c *cursor, p part, o *said.Opposed) (intake.Submission, error) {
	h := sha256.New()
	for _, s := range []string{o.Event.Source, o.Event.ID, c.Controller, c.Dialer} {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	h.Write(binary.AppendUvarint(nil, o.Position))
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "ack-" + hex.EncodeToString(h.Sum(nil)[:16]), "source": Source,
		"type": string(events.TypeSuppressionAcknowledged), "time": p.At, "controller": c.Controller, "subject": o.Contact,
		"data": map[string]string{"opposition": o.Event.ID, "processor": p.Processor},
	})
	if err != nil {
		return intake.Submission{}, fmt.Errorf("write acknowledgement: %w", err)
	}
	t := events.TypeSuppressionAcknowledged
	return intake.Submission{Family: t.Family(), Source: Source, Type: t, Body: body}, nil
}

// Dialer says how far one dialer is behind the feed.
type Dialer struct {
	Controller string `json:"controller"`
	Dialer     string `json:"dialer"`
	Processor  string `json:"processor"`
	Position   uint64 `json:"position"`
	Feed       uint64 `json:"feed"` // last position of FEED
	// Behind is how many stops that stand it has not acknowledged; DelayMS how
	// long ago the first of them was sent.
	Behind         int            `json:"behind"`
	DelayMS        int64          `json:"delay_ms"`
	AcknowledgedAt events.Instant `json:"acknowledged_at"`
	// Slowest is the slowest revocation or opposition of the day, from its
	// recorded time to the acknowledgement.
	Slowest *Slowest `json:"slowest,omitempty"`
}

// lag says how far every dialer is behind.
func (f *Feed) lag(ctx context.Context) ([]Dialer, error) {
	list, err := f.cursors.all(ctx)
	if err != nil {
		return nil, err
	}
	now, last := f.cfg.Clock(), f.Status().Position
	today := events.DateOf(now, events.Rome)
	out := make([]Dialer, 0, len(list))
	for _, c := range list {
		d := Dialer{Controller: c.Controller, Dialer: c.Dialer, Processor: c.Processor, Position: c.Position, Feed: last, AcknowledgedAt: c.At}
		b, err := f.cfg.Said.Behind(ctx, c.Controller, c.Position)
		if err != nil {
			return nil, err
		}
		d.Behind = b.Messages
		if b.Oldest != 0 {
			d.DelayMS = max(0, now.Sub(b.Oldest).Milliseconds())
		}
		if c.Slowest != nil && c.Slowest.Day == today {
			d.Slowest = c.Slowest
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Dialer) int {
		return cmp.Or(cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Dialer, b.Dialer))
	})
	return out, nil
}

// answerLag answers a question about lag.
func (f *Feed) answerLag(ctx context.Context, m *nats.Msg) {
	list, err := f.lag(ctx)
	if err != nil {
		f.log.Warn("feed: lag cannot be read", telemetry.Err(err))
		return
	}
	body, err := json.Marshal(list)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil && ctx.Err() == nil {
		f.log.Warn("feed: lag not answered", telemetry.Err(err))
	}
}
