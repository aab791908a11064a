package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/report"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// weigh builds the report once more, untimed, and stops it again and again to
// collect garbage and see what is alive: besides the report that is made, that
// must not grow with the attempts. held is the weight of the report, in
// megabytes, and one is alive already.
func (c *stock) weigh(ctx context.Context, s settings, k view.CampaignRef, want events.Digest, held float64) error {
	const stops = 16
	contacts := 0
	count := func(view.History) error { contacts++; return nil }
	if err := c.store.Scan(ctx, view.Selection{Campaign: &k}, c.positions, count); err != nil {
		return err
	}
	sc := &scale{every: max(contacts/stops, 1), before: heapInUse()}
	source := c.source(&stopwatch{})
	source.Open = func(ctx context.Context, k view.CampaignRef, asOf view.Positions) (report.Campaign, error) {
		opened, err := inquiry.OpenCampaign(ctx, c.store, codec.Decode, k, asOf)
		return &weighed{&inquiry.Judged{Campaign: opened, Engine: weighedObjects{c.engine, sc}}, sc}, err
	}
	r, err := report.Build(ctx, source, report.Question{Campaign: k, AsOf: c.asOf, Positions: c.positions})
	if err != nil {
		return err
	}
	if r.Digest != want {
		return fmt.Errorf("the second report differs from the first: %s, want %s", r.Digest, want)
	}
	s.figure("  heap alive at most while it is made", sc.most, "MB")
	s.figure("  of which besides the report", sc.most-held, "MB")
	return nil
}

// scale stops what goes by and weighs what is alive.
type scale struct {
	every, passed int
	before, most  float64 // megabytes
}

// settle is how long the evaluation gets to finish what it has begun.
const settle = 30 * time.Millisecond

func (s *scale) pass() {
	if s.passed++; s.passed%s.every != 0 {
		return
	}
	time.Sleep(settle)
	runtime.GC() // what was allocated while it marked counts as alive: once more
	s.most = max(s.most, heapInUse()-s.before)
}

// weighed is a campaign of which every contact passes the scale.
type weighed struct {
	*inquiry.Judged
	scale *scale
}

// Contacts implements report.Campaign.
func (w *weighed) Contacts(ctx context.Context, yield func(view.History) error) error {
	return w.Judged.Contacts(ctx, func(h view.History) error {
		w.scale.pass()
		return yield(h)
	})
}

// weighedObjects lets the contacts of the object rules pass the scale too.
type weighedObjects struct {
	*rules.Engine
	scale *scale
}

// ObjectsApart implements inquiry.ApartEngine.
func (w weighedObjects) ObjectsApart(world rules.World, asOf events.Instant, late func(rules.Finding)) ([]rules.Finding, error) {
	return w.Engine.ObjectsApart(weighedWorld{world.(rules.SequenceSource), w.scale}, asOf, late)
}

type weighedWorld struct {
	rules.SequenceSource
	scale *scale
}

// Contacts implements rules.World.
func (w weighedWorld) Contacts(yield func(*contact.History) error) error {
	return w.SequenceSource.Contacts(func(h *contact.History) error {
		w.scale.pass()
		return yield(h)
	})
}
