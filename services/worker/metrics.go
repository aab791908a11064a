package worker

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts one service's work. The label service is the only one: no
// metric bears a source, a contact or a number.
type metrics struct {
	messages, parked, retries, faults prometheus.Counter
	batches, seconds                  prometheus.Observer
	active                            prometheus.Gauge
}

func newMetrics(service string, reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "assenso", Subsystem: "worker", Name: name, Help: help}, []string{"service"})
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "assenso", Subsystem: "worker", Name: name, Help: help, Buckets: buckets}, []string{"service"})
	}
	messages, err := register(reg, counter("messages_total", "Messages handled."))
	if err != nil {
		return nil, err
	}
	parked, err := register(reg, counter("parked_total", "Messages set aside for a person."))
	if err != nil {
		return nil, err
	}
	retries, err := register(reg, counter("retries_total", "Batches tried again after a transient fault."))
	if err != nil {
		return nil, err
	}
	faults, err := register(reg, counter("bus_faults_total", "Faults of the bus that were waited out."))
	if err != nil {
		return nil, err
	}
	batches, err := register(reg, histogram("batch_messages", "Messages in one batch.", prometheus.ExponentialBuckets(1, 2, 11)))
	if err != nil {
		return nil, err
	}
	seconds, err := register(reg, histogram("handle_seconds", "Time from hand-out to acknowledgement of a batch.", prometheus.ExponentialBuckets(0.0005, 2, 14)))
	if err != nil {
		return nil, err
	}
	active, err := register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "assenso", Subsystem: "worker", Name: "active",
		Help: "1 where this instance is the active one."}, []string{"service"}))
	if err != nil {
		return nil, err
	}
	return &metrics{
		messages: messages.WithLabelValues(service), parked: parked.WithLabelValues(service),
		retries: retries.WithLabelValues(service), faults: faults.WithLabelValues(service),
		batches: batches.WithLabelValues(service), seconds: seconds.WithLabelValues(service),
		active: active.WithLabelValues(service),
	}, nil
}

// register registers c, or returns what an earlier service of this process
// registered under the same name.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	if reg == nil {
		return c, nil
	}
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if former, ok := already.ExistingCollector.(C); ok {
			return former, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("register metrics: %w", err)
	}
	return c, nil
}
