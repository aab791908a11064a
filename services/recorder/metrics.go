package recorder

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are shared by the recorders of one process; the label family tells
// them apart. None bears a source, a contact or a number.
type metrics struct {
	results    *prometheus.CounterVec   // family, result
	alarms     *prometheus.CounterVec   // family, reason
	identities *prometheus.CounterVec   // family, outcome
	receipts   *prometheus.CounterVec   // family
	steps      *prometheus.HistogramVec // family, step
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "assenso", Subsystem: "recorder", Name: name, Help: help}, labels)
	}
	m := &metrics{
		results:    counter("results_total", "Submissions by what became of them.", "family", "result"),
		alarms:     counter("alarms_total", "Restrictions that were not recorded as they were sent.", "family", "reason"),
		identities: counter("identities_total", "Look-ups of identities by outcome.", "family", "outcome"),
		receipts:   counter("receipts_lost_total", "Batches whose receipts could not be sent.", "family"),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "assenso", Subsystem: "recorder", Name: "step_seconds",
			Help: "Time of one step of a batch.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}, []string{"family", "step"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(
		register(reg, &m.results), register(reg, &m.alarms), register(reg, &m.identities), register(reg, &m.receipts), register(reg, &m.steps))
}

// register registers *c, or puts in its place what another recorder of this
// process registered before.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if former, ok := already.ExistingCollector.(C); ok {
			*c = former
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("register metrics of the recorder: %w", err)
	}
	return nil
}
