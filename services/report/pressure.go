package report

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// Pressure is part 7: how often the controller, in whatever campaign, rang the
// numbers of this one within any 30 days.
type Pressure struct {
	WindowDays int     `json:"window_days"`
	Numbers    int     `json:"numbers"`
	Max        int     `json:"max"`
	Histogram  []Count `json:"histogram"` // numbers by their highest count
}

type pressure struct {
	numbers, max int
	bins         [6]int
}

const pressureDays = 30

// pressureBins name the bins by their upper bound.
var pressureBins = []struct {
	name string
	top  int
}{{"1", 1}, {"2", 2}, {"3-4", 4}, {"5-8", 8}, {"9-30", 30}, {"31-", 1 << 30}}

func (p *pressure) person(controller string, who *person) {
	var days []events.Date
	for _, f := range who.facts {
		if d, ok := f.Data.(*events.CallConcluded); ok && f.Controller == controller {
			days = append(days, events.DateOf(d.DialledAt, events.Rome))
		}
	}
	slices.Sort(days)
	most, from := 0, 0
	for to := range days {
		for days[from] <= days[to]-pressureDays {
			from++
		}
		most = max(most, to-from+1)
	}
	p.numbers++
	p.max = max(p.max, most)
	for i, b := range pressureBins {
		if most <= b.top {
			p.bins[i]++
			return
		}
	}
}

func (p *pressure) finish() Pressure {
	out := Pressure{WindowDays: pressureDays, Numbers: p.numbers, Max: p.max, Histogram: []Count{}}
	for i, b := range pressureBins {
		out.Histogram = append(out.Histogram, Count{b.name, p.bins[i]})
	}
	return out
}
