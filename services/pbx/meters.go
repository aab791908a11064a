package pbx

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Doors, as the metrics name them.
const (
	doorFastAGI = "fastagi"
	doorSIP     = "sip"
)

// meters are the metrics of both doors. Labels come from closed sets.
type meters struct {
	answers *prometheus.CounterVec   // by door and verdict
	doubts  *prometheus.CounterVec   // by door and reason of the system
	seconds *prometheus.HistogramVec // from the question to the answer
	turned  *prometheus.CounterVec   // connections and datagrams that were not served
}

func newMeters(reg *prometheus.Registry) (*meters, error) {
	m := &meters{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assenso_pbx_answers_total", Help: "Calls answered by door and verdict."}, []string{"door", "verdict"}),
		doubts:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assenso_pbx_doubts_total", Help: "Calls blocked in doubt, by door and reason."}, []string{"door", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "assenso_pbx_answer_seconds", Help: "Duration of answers by door.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16)}, []string{"door"}),
		turned: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assenso_pbx_turned_away_total", Help: "Connections and datagrams not served, by door and cause."}, []string{"door", "cause"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.answers, m.doubts, m.seconds, m.turned} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("pbx register metrics: %w", err)
		}
	}
	return m, nil
}

// observe counts an answer.
func (m *meters) observe(door string, a *Answer, took time.Duration) {
	verdict := "block"
	if a.Allows() {
		verdict = string(a.Verdict)
	}
	m.answers.WithLabelValues(door, verdict).Inc()
	m.seconds.WithLabelValues(door).Observe(took.Seconds())
	if rule := a.First(); strings.HasPrefix(rule, doubtPrefix) {
		m.doubts.WithLabelValues(door, rule).Inc()
	}
}

// Causes of turning somebody away.
const (
	causeStranger   = "stranger"   // not in the list of switches
	causeCrowd      = "crowd"      // more connections than allowed
	causeUnreadable = "unreadable" // no message of the protocol
	causeFault      = "fault"      // a connection or a transaction broke
)

func (m *meters) turnAway(door, cause string) { m.turned.WithLabelValues(door, cause).Inc() }
