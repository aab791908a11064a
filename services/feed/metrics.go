package feed

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/telemetry"
)

// metrics are the feed's. Labels are kinds and names of dialers, never numbers.
type metrics struct {
	messages *prometheus.CounterVec
	lag      *prometheus.HistogramVec
	restarts prometheus.Counter
	wiped    prometheus.Counter
	position prometheus.Gauge
	age      prometheus.Gauge
	acked    *prometheus.GaugeVec
	dialer   *prometheus.HistogramVec
}

func newMetrics(reg *prometheus.Registry) metrics {
	m := telemetry.For(reg, "feed")
	return metrics{
		messages: m.Counter("messages_total", "Messages said to dialers.", "kind", "effect"),
		lag:      m.Durations("recorded_to_said_seconds", "From the recorded time of a restriction to FEED.", "kind"),
		restarts: m.Counter("restarts_total", "Times that the feed began again from what is stored.").WithLabelValues(),
		wiped:    m.Counter("wiped_total", "Messages about erased contacts that were deleted.").WithLabelValues(),
		position: m.Gauge("position", "Last position of FEED that is settled.").WithLabelValues(),
		age:      m.Gauge("age_seconds", "Age of the instant up to which everything is said; dialers stop at 5.").WithLabelValues(),
		acked:    m.Gauge("acknowledged_position", "Last position that a dialer applies.", "controller", "dialer"),
		dialer:   m.Durations("sent_to_acknowledged_seconds", "From FEED to a dialer's acknowledgement.", "controller", "dialer"),
	}
}

// said counts a message that is stored.
func (m *metrics) said(f *events.FeedMessage) {
	m.messages.WithLabelValues(string(f.Kind), string(f.Effect)).Inc()
	if f.Effect == events.FeedStop && f.Recorded != 0 && (f.Kind == events.FeedRevocation || f.Kind == events.FeedOpposition) {
		m.lag.WithLabelValues(string(f.Kind)).Observe(f.Sent.Sub(f.Recorded).Seconds())
	}
}

func (m *metrics) beat(b *events.FeedBeat) {
	m.position.Set(float64(b.Position))
	if b.At != 0 {
		m.age.Set(b.Sent.Sub(b.At).Seconds())
	}
}
