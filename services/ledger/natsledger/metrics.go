package natsledger

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/telemetry"
)

// Metrics counts group commits in reg, for Options.Commit:
// assenso_ledger_entries_total{stream,result}, assenso_ledger_commit_seconds
// {stream,way} and assenso_ledger_resent_total{stream}.
func Metrics(reg *prometheus.Registry) func(groupcommit.Commit) {
	m := telemetry.For(reg, "ledger")
	entries := m.Counter("entries_total", "Entries handed to the broker, by result.", "stream", "result")
	took := m.Durations("commit_seconds", "From the first publish of a group to its last result.", "stream", "way")
	resent := m.Counter("resent_total", "Groups of which something was published again.", "stream")
	return func(c groupcommit.Commit) {
		entries.WithLabelValues(c.Stream, "stored").Add(float64(c.Messages - c.Failed))
		entries.WithLabelValues(c.Stream, "failed").Add(float64(c.Failed))
		way := "singly"
		if c.Batch {
			way = "batch"
		}
		took.WithLabelValues(c.Stream, way).Observe(c.Took.Seconds())
		if c.Tries > 1 {
			resent.WithLabelValues(c.Stream).Inc()
		}
	}
}
