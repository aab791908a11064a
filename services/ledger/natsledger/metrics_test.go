package natsledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/ledger/natsledger"
	"github.com/assenso/assenso/services/telemetry"
)

func TestMetricsCountCommits(t *testing.T) {
	reg := telemetry.NewRegistry()
	observe := natsledger.Metrics(reg)
	observe(groupcommit.Commit{Stream: "LEDGER_00", Messages: 100, Batch: true, Tries: 1, Took: 5 * time.Millisecond})
	observe(groupcommit.Commit{Stream: "LEDGER_00", Messages: 3, Failed: 1, Tries: 2, Took: time.Millisecond})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"assenso_ledger_entries_total failed LEDGER_00":  1,
		"assenso_ledger_entries_total stored LEDGER_00":  102,
		"assenso_ledger_commit_seconds LEDGER_00 batch":  1,
		"assenso_ledger_commit_seconds LEDGER_00 singly": 1,
		"assenso_ledger_resent_total LEDGER_00":          1,
	}
	for name := range got {
		if _, ours := want[name]; !ours {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
