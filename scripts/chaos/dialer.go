package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/feed/standing"
	"github.com/assenso/assenso/services/rules"
)

// dialer is a dialling system of one controller: through all lives of the
// program it follows the feed and asks the gate about calls.
type dialer struct {
	controller string
	conn       *nats.Conn
	set        *client.Suppressions

	mu         sync.Mutex
	beat       events.FeedBeat            // the youngest
	heard      map[events.ContactKey]bool // of whom it was told that calls must stop
	receipts   []events.Receipt
	unanswered int
}

// openDialer connects a dialer, lets it follow and waits until it knows what
// stands: it is told of what comes later. name is that of its cursor.
func openDialer(ctx context.Context, broker, controller, name string, limit time.Duration) (*dialer, error) {
	d := &dialer{controller: controller, heard: map[events.ContactKey]bool{}}
	var err error
	if d.conn, err = client.Connect(broker, name); err != nil {
		return nil, err
	}
	_, err = d.conn.Subscribe(events.FeedBeatSubject, d.hear)
	if err == nil {
		d.set, err = client.Follow(ctx, d.conn, client.FollowOptions{Controller: controller, Dialer: name, Processor: "P1", OnStop: d.told})
	}
	if err != nil {
		d.conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := d.set.WaitCurrent(ctx); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *dialer) close() {
	d.set.Close()
	d.conn.Close()
}

// dialers is one dialer for each controller.
type dialers []*dialer

func openDialers(ctx context.Context, broker, name string, limit time.Duration) (dialers, error) {
	var all dialers
	for _, c := range controllers {
		d, err := openDialer(ctx, broker, c, name+"-"+c, limit)
		if err != nil {
			all.close()
			return nil, fmt.Errorf("dialer of %s: %w", c, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func (all dialers) close() {
	for _, d := range all {
		d.close()
	}
}

// start lets all ask; stop ends that and returns the first error.
func (all dialers) start(ctx context.Context, w world, book *book) (stop func() error) {
	group, ctx := errgroup.WithContext(ctx)
	ending := make(chan struct{})
	for _, d := range all {
		group.Go(func() error { return d.ask(ctx, w, book, ending) })
	}
	return func() error {
		close(ending)
		return group.Wait()
	}
}

// handIn hands in what all were answered and says how it went.
func (all dialers) handIn(ctx context.Context, a asker) (summary string, err error) {
	receipts, unanswered, lost := 0, 0, 0
	for _, d := range all {
		n, err := d.handIn(ctx, a)
		if err != nil {
			return "", err
		}
		receipts, unanswered, lost = receipts+len(d.receipts), unanswered+d.unanswered, lost+n
	}
	return fmt.Sprintf("%d questions answered, %d of the receipts only recorded when they were handed in; %d questions without an answer", receipts, lost, unanswered), nil
}

// stops collects what each dialer knows once it has applied everything up to
// an instant, by controller and contact key.
func (all dialers) stops(ctx context.Context, keys []string, until events.Instant, limit time.Duration) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for _, d := range all {
		if err := d.level(ctx, until, limit); err != nil {
			return nil, err
		}
		var err error
		if out[d.controller], err = d.stops(keys); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *dialer) hear(m *nats.Msg) {
	var b events.FeedBeat
	if json.Unmarshal(m.Data, &b) != nil {
		return // it will be missed at the end
	}
	d.mu.Lock()
	d.beat = b
	d.mu.Unlock()
}

func (d *dialer) told(m events.FeedMessage) {
	d.mu.Lock()
	d.heard[m.Contact] = true
	d.mu.Unlock()
}

// askEvery is the pause of a dialer between two questions, and two tries.
const askEvery = 20 * time.Millisecond

// ask asks the gate about numbers of the world until ending is closed. No
// answer is a no; an answer that cannot be trusted is an error.
func (d *dialer) ask(ctx context.Context, w world, book *book, ending <-chan struct{}) error {
	gate := client.NewGate(d.conn, client.GateOptions{Timeout: 500 * time.Millisecond})
	random := rand.New(rand.NewPCG(w.seed, uint64(d.controller[0])))
	for {
		next := time.After(askEvery)
		number := w.number(random.IntN(w.contacts))
		book.about(number)
		answer, err := gate.Decide(ctx, events.Question{Number: number, Controller: d.controller,
			Campaign: campaignOf(d.controller), CLI: "+390844100100", Processor: "P1"})
		switch {
		case err == nil:
			d.mu.Lock()
			d.receipts = append(d.receipts, answer.Receipt)
			d.mu.Unlock()
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, client.ErrNoGate):
			d.unanswered++
		default:
			return fmt.Errorf("dialer of %s: %w", d.controller, err)
		}
		select {
		case <-next:
		case <-ending:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handIn hands every receipt in, as a dialer may that does not know whether
// the gate came to record it, and returns how many were not recorded before.
func (d *dialer) handIn(ctx context.Context, a asker) (lost int, err error) {
	ids := make([]string, len(d.receipts))
	bodies := map[string]string{}
	for i := range d.receipts {
		ids[i] = d.receipts[i].Decision
		bodies[ids[i]] = string(d.receipts[i].AppendCanonical(nil))
	}
	results, err := each(ctx, ids, func(ctx context.Context, id string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, a.limit)
		defer cancel()
		for {
			status, body, err := a.do(ctx, http.MethodPost, "/v1/receipts", bodies[id])
			var it item
			switch {
			case err != nil:
				return "", err
			case status == http.StatusServiceUnavailable:
			case json.Unmarshal(body, &it) != nil, it.Result != "recorded" && it.Result != "duplicate" && it.Result != "accepted":
				return "", fmt.Errorf("hand in the receipt %s: status %d: %s", id, status, body)
			case it.Result != "accepted":
				return it.Result, nil
			}
			select {
			case <-ctx.Done():
				return "", fmt.Errorf("hand in the receipt %s: status %d: %s: %w", id, status, body, ctx.Err())
			case <-time.After(askEvery):
			}
		}
	})
	for _, r := range results {
		if r == "recorded" {
			lost++
		}
	}
	return lost, err
}

// level waits until the dialer has applied everything that was recorded up to
// an instant.
func (d *dialer) level(ctx context.Context, until events.Instant, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		d.mu.Lock()
		beat := d.beat
		d.mu.Unlock()
		if beat.At > until && d.set.Position() >= beat.Position && d.set.Current() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the dialer of %s is at %d, the feed at %d up to %s: %w: %w", d.controller, d.set.Position(), beat.Position, beat.At, ctx.Err(), d.set.Current())
		case <-tick.C:
		}
	}
}

// call is the call that a stop is held against.
func (d *dialer) call(key events.ContactKey) client.Call {
	return client.Call{Contact: key, Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall,
		Campaign: campaignOf(d.controller), Lists: []string{"L-" + d.controller}}
}

// stops says by contact key what the dialer knows against a call.
func (d *dialer) stops(keys []string) (map[string]string, error) {
	out := map[string]string{}
	for _, k := range keys {
		key, err := events.ParseContactKey(k)
		if err != nil {
			return nil, err
		}
		var kinds []string
		for _, r := range d.set.MayCall(d.call(key)).Reasons {
			if r.Code != client.CodeSuppressed {
				return nil, fmt.Errorf("the dialer of %s is in doubt: %s", d.controller, r)
			}
			kinds = append(kinds, string(r.Kind))
		}
		if len(kinds) > 0 {
			out[k] = inOrder(kinds)
		}
	}
	return out, nil
}

func inOrder(kinds []string) string {
	slices.Sort(kinds)
	return strings.Join(slices.Compact(kinds), ",")
}

// unheard lists those whose calls must stop and of whom the dialer was never
// told.
func (d *dialer) unheard(stops map[string]string) (faults []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(stops)) {
		if key, err := events.ParseContactKey(k); err != nil || !d.heard[key] {
			faults = append(faults, fmt.Sprintf("the dialer of %s was never told to stop calls to %s (%s)", d.controller, k, stops[k]))
		}
	}
	return faults
}

// expected says by contact key what the ledger holds against the calls of a
// controller at an instant.
func (a *audit) expected(controller string, at events.Instant) (map[string]string, error) {
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		return nil, err
	}
	engine, reference := rules.NewEngine(packs), rules.NewReference()
	for _, f := range a.contacts[events.ContactKey{}] {
		reference.Add(f)
	}
	out := map[string]string{}
	for key, facts := range a.contacts {
		if key.IsZero() {
			continue
		}
		stops, _ := standing.OfContact(engine, reference, contact.NewHistory(key, facts), nil, at)
		var kinds []string
		for i := range stops {
			if s := &stops[i]; covers(s, controller) {
				kinds = append(kinds, string(s.Key.Kind))
			}
		}
		if len(kinds) > 0 {
			out[key.String()] = inOrder(kinds)
		}
	}
	return out, nil
}

// covers reports whether a stop concerns the calls of a controller's campaign.
func covers(s *standing.Stop, controller string) bool {
	return (s.Key.Controller == "" || s.Key.Controller == controller) &&
		(s.Purposes == 0 || s.Purposes.Has(events.PurposeMarketing)) && (s.Channels == 0 || s.Channels.Has(events.ChannelOperatorCall)) &&
		(s.Lists == nil || slices.Contains(s.Lists, "L-"+controller))
}
