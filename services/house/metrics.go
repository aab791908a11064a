package house

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assenso/assenso/events"
)

// gauges reads, whenever /metrics is asked, how far the projections are behind
// and how old each family's beat is.
type gauges struct {
	house *House
	lag   *prometheus.Desc
	beat  *prometheus.Desc
	gate  gateGauges
}

// gaugeTimeout bounds one reading.
const gaugeTimeout = 2 * time.Second

func newGauges(h *House) *gauges {
	return &gauges{
		house: h,
		lag:   prometheus.NewDesc("assenso_projection_lag_events", "Recorded events that a projection has yet to apply.", []string{"projection"}, nil),
		beat:  prometheus.NewDesc("assenso_beat_age_seconds", "Age of the youngest beat of a family; the gate needs less than 5.", []string{"family"}, nil),
		gate:  newGateGauges(),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(into chan<- *prometheus.Desc) {
	into <- g.lag
	into <- g.beat
	g.gate.describe(into)
}

// Collect implements prometheus.Collector. What cannot be read is left out: an
// absent series is what an alarm should hear of.
func (g *gauges) Collect(into chan<- prometheus.Metric) {
	g.gate.collect(g.house, into)
	ctx, cancel := context.WithTimeout(context.Background(), gaugeTimeout)
	defer cancel()
	beats, err := g.house.beats(ctx)
	if err != nil {
		return
	}
	now := g.house.clock()
	for _, f := range events.Families {
		if b, ok := beats[f]; ok {
			into <- prometheus.MustNewConstMetric(g.beat, prometheus.GaugeValue, now.Sub(b.Instant).Seconds(), string(f))
		}
	}
	horizon, err := g.house.desk.Horizon(ctx)
	if err != nil {
		return
	}
	for _, p := range g.house.projected {
		if behind, err := g.house.lag(ctx, p, horizon.Needs); err == nil {
			into <- prometheus.MustNewConstMetric(g.lag, prometheus.GaugeValue, float64(behind), p.Name)
		}
	}
}

// gateGauges tell how much the gate holds.
type gateGauges struct{ contacts, bytes, full, unrecorded *prometheus.Desc }

func newGateGauges() gateGauges {
	return gateGauges{
		contacts:   prometheus.NewDesc("assenso_gate_contacts", "Contacts in the gate's memory.", nil, nil),
		bytes:      prometheus.NewDesc("assenso_gate_bytes", "Bytes of the gate's memory, by what they hold.", []string{"part"}, nil),
		full:       prometheus.NewDesc("assenso_gate_whole_histories", "Contacts that are judged from their whole histories (conflict, correction, possible taint).", nil, nil),
		unrecorded: prometheus.NewDesc("assenso_gate_unrecorded_receipts", "Receipts that are issued and not in the queue yet.", nil, nil),
	}
}

func (g *gateGauges) describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.contacts, g.bytes, g.full, g.unrecorded} {
		into <- d
	}
}

func (g *gateGauges) collect(h *House, into chan<- prometheus.Metric) {
	if h.gate == nil {
		return
	}
	s := h.gate.Stats()
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(g.contacts, s.Contacts)
	gauge(g.bytes, s.Records, "records")
	gauge(g.bytes, s.Filter, "identities")
	gauge(g.full, s.Full)
	gauge(g.unrecorded, h.issuer.Unrecorded())
}
