package report

import (
	"cmp"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// Gaps is part 10: what the log itself lacks or disputes, of the sources that
// publish facts of the controller.
type Gaps struct {
	Late        []LateLine      `json:"late"`
	Sources     []string        `json:"sources_with_gaps"`
	Conflicts   []rules.Finding `json:"conflicts"`
	Corrections []Correction    `json:"corrections"`
	// Since is the earlier R that Corrections counts from; absent = all.
	Since events.Instant `json:"corrections_since,omitzero"`
}

// LateLine sums up LED-01 by source and Rome day of recording, so that a legacy
// import does not drown the rest. Lags are recorded − received, negative where
// the clock of the source ran ahead.
type LateLine struct {
	Source   string      `json:"source"`
	Day      events.Date `json:"day"`
	Count    int         `json:"count"`
	MedianMS int64       `json:"median_lag_ms"`
	WorstMS  int64       `json:"worst_lag_ms"`
}

// Correction is one event.corrected.
type Correction struct {
	Event      events.Identity         `json:"event"`
	Target     events.Identity         `json:"target"`
	Action     events.CorrectionAction `json:"action"`
	Reason     string                  `json:"reason"`
	RecordedAt events.Instant          `json:"recorded_at"`
}

func (b *builder) gaps(objects []rules.Finding) Gaps {
	g := Gaps{Late: []LateLine{}, Sources: []string{}, Conflicts: []rules.Finding{}, Corrections: []Correction{}, Since: b.question.Since}
	for _, l := range b.late {
		if b.sources[l.Source] {
			g.Late = append(g.Late, l)
		}
	}
	for i := range objects {
		f := &objects[i]
		switch {
		case f.Rule == "LED-03" && b.sources[f.Object]:
			g.Sources = append(g.Sources, f.Object)
		case f.Rule == "LED-02" && b.concerns(f):
			g.Conflicts = append(g.Conflicts, *f)
		}
	}
	slices.Sort(g.Sources)
	slices.SortFunc(g.Conflicts, compareFindings)
	for _, f := range b.corrected {
		d := f.Data.(*events.EventCorrected)
		if f.Recorded <= b.question.Since || (f.Controller != "" && f.Controller != b.question.Campaign.Controller) {
			continue
		}
		g.Corrections = append(g.Corrections, Correction{f.Identity(), d.Target, d.Action, d.Reason, f.Recorded})
	}
	return g
}

// lateKey groups late events.
type lateKey struct {
	source string
	day    events.Date
}

func lateLines(lags map[lateKey][]int64) []LateLine {
	out := []LateLine{}
	for k, ms := range lags {
		slices.Sort(ms)
		worst := ms[len(ms)-1]
		if -ms[0] > worst {
			worst = ms[0]
		}
		out = append(out, LateLine{k.source, k.day, len(ms), ms[(len(ms)-1)/2], worst})
	}
	slices.SortFunc(out, func(a, b LateLine) int { return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Day, b.Day)) })
	return out
}
