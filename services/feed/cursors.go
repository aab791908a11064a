package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// CursorBucket is the JetStream key-value bucket of the dialers' positions.
const CursorBucket = "FEED_CURSORS"

// cursor is how far one dialer of one controller is.
type cursor struct {
	Controller string         `json:"controller"`
	Dialer     string         `json:"dialer"`
	Processor  string         `json:"processor"`
	Position   uint64         `json:"position"` // applied by the dialer
	At         events.Instant `json:"at"`       // when it said so last
	// Reported: for oppositions up to here the acknowledgement is submitted.
	Reported uint64 `json:"reported"`
	// Open are acknowledged parts that are not reported yet, in order.
	Open []part `json:"open,omitempty"`
	// Slowest is the slowest restriction of a day.
	Slowest *Slowest `json:"slowest,omitempty"`

	revision uint64
}

// part is a run of positions that was acknowledged at one instant: the time of
// the events that report it, whenever that happens, so that a repetition is the
// same event.
type part struct {
	UpTo      uint64         `json:"up_to"`
	At        events.Instant `json:"at"`
	Processor string         `json:"processor"`
}

// openMost bounds the parts that wait; beyond it the youngest grows.
const openMost = 64

// acknowledge moves the cursor.
func (c *cursor) acknowledge(position uint64, processor string, at events.Instant) {
	c.At, c.Processor = at, processor
	if position <= c.Position {
		return
	}
	c.Position = position
	n := len(c.Open)
	if n >= openMost && c.Open[n-1].Processor == processor { // never the first: it may be half reported
		c.Open[n-1].UpTo, c.Open[n-1].At = position, at
		return
	}
	c.Open = append(c.Open, part{UpTo: position, At: at, Processor: processor})
}

// reported notes that everything up to a position is submitted.
func (c *cursor) reportedUpTo(position uint64) {
	c.Reported = max(c.Reported, position)
	for len(c.Open) > 0 && c.Open[0].UpTo <= c.Reported {
		c.Open = c.Open[1:]
	}
}

// Slowest is the restriction that took a dialer longest on one day, from its
// recorded time to the acknowledgement.
type Slowest struct {
	Day      events.Date     `json:"day"` // in Rome
	TookMS   int64           `json:"took_ms"`
	Event    events.Identity `json:"event"`
	Kind     events.FeedKind `json:"kind"`
	Position uint64          `json:"position"`
}

// cursors keeps the dialers' positions durably.
type cursors struct{ kv jetstream.KeyValue }

func openCursors(ctx context.Context, js jetstream.JetStream, replicas int) (*cursors, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: CursorBucket, Description: "how far each dialer has applied the feed", Storage: jetstream.FileStorage, History: 1, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", CursorBucket, err)
	}
	return &cursors{kv}, nil
}

// CursorKey names a cursor in the bucket: two tokens, escaped with = since a key may not hold %.
func CursorKey(controller, dialer string) string {
	return strings.ReplaceAll(events.SubjectToken(controller)+"."+events.SubjectToken(dialer), "%", "=")
}

// get returns a cursor; a dialer that never acknowledged has a zero one.
func (c *cursors) get(ctx context.Context, controller, dialer string) (*cursor, error) {
	e, err := c.kv.Get(ctx, CursorKey(controller, dialer))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return &cursor{Controller: controller, Dialer: dialer}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	return readCursor(e)
}

func readCursor(e jetstream.KeyValueEntry) (*cursor, error) {
	out := &cursor{revision: e.Revision()}
	if err := json.Unmarshal(e.Value(), out); err != nil {
		return nil, fmt.Errorf("read cursor %s: %w", e.Key(), err)
	}
	return out, nil
}

// change reads a cursor, changes it and stores it; again when somebody else
// stored it in between.
func (c *cursors) change(ctx context.Context, controller, dialer string, change func(*cursor) error) (*cursor, error) {
	for {
		cur, err := c.get(ctx, controller, dialer)
		if err != nil {
			return nil, err
		}
		if err := change(cur); err != nil {
			return nil, err
		}
		body, err := json.Marshal(cur)
		if err != nil {
			return nil, fmt.Errorf("write cursor: %w", err)
		}
		if cur.revision == 0 {
			_, err = c.kv.Create(ctx, CursorKey(controller, dialer), body)
		} else {
			_, err = c.kv.Update(ctx, CursorKey(controller, dialer), body, cur.revision)
		}
		if err == nil {
			return cur, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, fmt.Errorf("write cursor: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// know makes a cursor before its dialer has acknowledged anything: erasures
// wait for a dialer that is known.
func (c *cursors) know(ctx context.Context, controller, dialer string) error {
	cur, err := c.get(ctx, controller, dialer)
	if err != nil || cur.revision != 0 {
		return err
	}
	_, err = c.change(ctx, controller, dialer, func(*cursor) error { return nil })
	return err
}

// all returns every cursor.
func (c *cursors) all(ctx context.Context) ([]*cursor, error) {
	w, err := c.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	var out []*cursor
	var bad error
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok || e == nil {
				return out, errors.Join(bad, w.Stop())
			}
			cur, err := readCursor(e)
			if err != nil {
				bad = err
				continue
			}
			out = append(out, cur)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), w.Stop())
		}
	}
}
