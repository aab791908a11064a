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
}

// gaugeTimeout bounds one reading.
const gaugeTimeout = 2 * time.Second

func newGauges(h *House) *gauges {
	return &gauges{
		house: h,
		lag:   prometheus.NewDesc("assenso_projection_lag_events", "Recorded events that a projection has yet to apply.", []string{"projection"}, nil),
		beat:  prometheus.NewDesc("assenso_beat_age_seconds", "Age of the youngest beat of a family; the gate needs less than 5.", []string{"family"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(into chan<- *prometheus.Desc) {
	into <- g.lag
	into <- g.beat
}

// Collect implements prometheus.Collector. What cannot be read is left out: an
// absent series is what an alarm should hear of.
func (g *gauges) Collect(into chan<- prometheus.Metric) {
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
