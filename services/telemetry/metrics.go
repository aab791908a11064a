package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Namespace begins the name of every metric: assenso_<package>_<what>_<unit>.
const Namespace = "assenso"

// Metrics creates the metrics of one package under the project's names. Label
// values must come from closed sets (stream, family, result); never a contact,
// a source or a number, which would also make series without end.
type Metrics struct {
	reg *prometheus.Registry
	pkg string
}

// NewRegistry returns a registry with the metrics of the Go runtime and the
// process.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// For returns the metrics of package pkg in reg. Creating one name twice
// returns the first.
func For(reg *prometheus.Registry, pkg string) Metrics { return Metrics{reg: reg, pkg: pkg} }

// Counter counts events; name ends in _total.
func (m Metrics) Counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: Namespace, Subsystem: m.pkg, Name: name, Help: help}, labels)
	return registered(m.reg, v)
}

// Gauge holds a value that goes up and down; name ends in its unit.
func (m Metrics) Gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: Namespace, Subsystem: m.pkg, Name: name, Help: help}, labels)
	return registered(m.reg, v)
}

// Durations is a histogram of spans in seconds from 0.5 ms to 16 s; name ends
// in _seconds.
func (m Metrics) Durations(name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: Namespace, Subsystem: m.pkg, Name: name, Help: help,
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
	}, labels)
	return registered(m.reg, v)
}

// registered registers c, or returns the collector of that name that is there.
func registered[C prometheus.Collector](reg *prometheus.Registry, c C) C {
	err := reg.Register(c)
	if there, ok := err.(prometheus.AlreadyRegisteredError); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			return same
		}
	}
	return c
}
