package house

import (
	"context"
	"maps"
	"runtime"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/report"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// zoneData names the time-zone database that is compiled in: that of the Go
// release.
const zoneData = "go time/tzdata"

// Reports builds reports from the view, one at a time, since one may take the
// memory and the cores of many questions. It keeps the last report, since the
// forms of one report are asked for one after the other, and the last findings
// on all objects, which the origins of contracts share.
type Reports struct {
	desk   *inquiry.Desk
	house  *House
	source report.Source

	building sync.Mutex
	last     struct {
		campaign    view.CampaignRef
		asOf, since events.Instant
		positions   view.Positions
		report      *report.Report
	}
	objects struct {
		asOf      events.Instant
		positions view.Positions
		found     []rules.Finding
	}
}

func newReports(h *House) *Reports {
	r := &Reports{desk: h.desk, house: h}
	packs := h.engine.Packs()
	r.source = report.Source{
		View: h.view, Decode: codec.Decode, Engine: h.engine, Packs: packs, Rules: packs.Rules(),
		Open:    r.open,
		Program: Version(), ZoneData: zoneData, Workers: runtime.GOMAXPROCS(0),
	}
	return r
}

// Build implements gateway.Reports.
func (r *Reports) Build(ctx context.Context, c view.CampaignRef, asOf inquiry.AsOf, since events.Instant) (gateway.Report, error) {
	r.building.Lock()
	defer r.building.Unlock()
	instant, p, err := r.desk.FinalAt(ctx, asOf)
	if err != nil {
		return nil, err
	}
	if r.last.report != nil && r.last.campaign == c && r.last.asOf == instant && r.last.since == since && maps.Equal(r.last.positions, p) {
		return r.last.report, nil
	}
	built, err := report.Build(ctx, r.source, report.Question{Campaign: c, AsOf: instant, Positions: p, Since: since})
	if err != nil {
		return nil, err
	}
	r.last.campaign, r.last.asOf, r.last.positions, r.last.since, r.last.report = c, instant, p, since, built
	return built, nil
}

// Findings implements gateway.Objects.
func (r *Reports) Findings(ctx context.Context, asOf inquiry.AsOf) (gateway.ObjectFindings, error) {
	r.building.Lock()
	defer r.building.Unlock()
	instant, p, err := r.desk.FinalAt(ctx, asOf)
	if err != nil {
		return gateway.ObjectFindings{}, err
	}
	found, err := inquiry.Objects(ctx, r.house.view, codec.Decode, r.house.engine, p, instant)
	if found == nil {
		found = []rules.Finding{}
	}
	return gateway.ObjectFindings{AsOf: instant, Positions: p, Findings: found}, err
}

// open implements report.Source.Open.
func (r *Reports) open(ctx context.Context, c view.CampaignRef, asOf view.Positions) (report.Campaign, error) {
	opened, err := inquiry.OpenCampaign(ctx, r.house.view, codec.Decode, c, asOf)
	if err != nil {
		return nil, err
	}
	return &campaignLog{inquiry.Judged{Campaign: opened, Engine: r.house.engine}, r, asOf}, nil
}

// campaignLog is a campaign with the findings on its objects: those at hand, or
// those of the campaign alone.
type campaignLog struct {
	inquiry.Judged
	reports   *Reports
	positions view.Positions
}

// Objects implements report.Campaign.
func (c *campaignLog) Objects(ctx context.Context, asOf events.Instant) ([]rules.Finding, error) {
	if o := &c.reports.objects; o.asOf == asOf && maps.Equal(o.positions, c.positions) {
		return o.found, nil
	}
	return c.Judged.Objects(ctx, asOf)
}

// evaluate runs the object rules but LED-01, which a report sums up by itself,
// as of an instant, once: what lies within positions does not change, so they
// and the instant name the answer.
func (r *Reports) evaluate(ctx context.Context, p view.Positions, asOf events.Instant) ([]rules.Finding, error) {
	if r.objects.asOf == asOf && maps.Equal(r.objects.positions, p) {
		return r.objects.found, nil
	}
	found, err := inquiry.ObjectsBarLate(ctx, r.house.view, codec.Decode, r.house.engine, p, asOf)
	if err != nil {
		return nil, err
	}
	r.objects.asOf, r.objects.positions, r.objects.found = asOf, p, found
	return found, nil
}
