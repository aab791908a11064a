package report

import (
	"fmt"
	"html/template"

	"github.com/go-analyze/charts"

	"github.com/assenso/assenso/events"
)

// chart is a bar chart: horizontal bars, one a category, one colour a series.
type chart struct {
	part     int
	title    string // key of the labels
	unit     string // key of the labels: what the value axis counts
	names    []string
	series   []string // keys of the labels
	values   [][]float64
	vertical bool
}

// empty reports whether there is nothing to draw.
func (c *chart) empty() bool {
	for _, s := range c.values {
		for _, v := range s {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

// svg draws the chart. The bytes depend on the chart alone.
func (c *chart) svg(l labels) (template.HTML, error) {
	height := 420
	if !c.vertical {
		height = 110 + 26*len(c.names)*max(1, len(c.series))
	}
	opt := charts.NewBarChartOptionWithData(c.values)
	opt.Horizontal = !c.vertical
	opt.Theme = charts.GetTheme(charts.ThemeLight)
	opt.CategoryAxis.Labels = c.names
	opt.Legend = charts.LegendOption{SeriesNames: l.all(c.series), Show: charts.Ptr(len(c.series) > 1)}
	opt.ValueAxis = []charts.ValueAxisOption{{Title: l.of(c.unit), Min: charts.Ptr(0.0)}}
	opt.ValueFormatter = func(f float64) string { return fmt.Sprintf("%.0f", f) }
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label.Show = charts.Ptr(true)
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 860, Height: height})
	if err := p.BarChart(opt); err != nil {
		return "", fmt.Errorf("draw chart %s: %w", c.title, err)
	}
	b, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("draw chart %s: %w", c.title, err)
	}
	return template.HTML(b), nil // drawn by the library from numbers and from names that it escapes
}

// charts returns the charts of the report in the order of their parts.
func (r *Report) charts() []chart {
	mix := chart{part: 3, title: "chart_basis", unit: "attempts", series: []string{"attempts"}, values: [][]float64{{}}}
	proven := map[string]int{}
	for _, m := range r.Bases.Mix {
		proven[m.Proven] += m.Attempts
	}
	for _, c := range countsOf(proven) {
		mix.names, mix.values[0] = append(mix.names, c.Name), append(mix.values[0], float64(c.Count))
	}
	lag := chart{part: 4, title: "chart_lag", unit: "seconds", series: []string{"received_to_recorded", "received_to_acknowledged"}, names: []string{"p50", "p95", "max"}}
	for _, s := range []Spread{r.Oppositions.ToRecord, r.Oppositions.ToAcknowledge} {
		lag.values = append(lag.values, []float64{float64(s.P50) / 1000, float64(s.P95) / 1000, float64(s.Max) / 1000})
	}
	silent := chart{part: 6, title: "chart_silent", unit: "per_mille", series: []string{"per_mille"}, names: []string{"silent", "limit"},
		values: [][]float64{{float64(r.Conduct.Silent.PerMille), float64(r.Conduct.Silent.LimitPercent * 10)}}}
	pressure := chart{part: 7, title: "chart_pressure", unit: "numbers", series: []string{"numbers"}, values: [][]float64{{}}, vertical: true}
	for _, c := range r.Pressure.Histogram {
		pressure.names, pressure.values[0] = append(pressure.names, c.Name), append(pressure.values[0], float64(c.Count))
	}
	return []chart{mix, lag, silent, pressure, r.ruleChart(), r.dayChart()}
}

func (r *Report) ruleChart() chart {
	c := chart{part: 9, title: "chart_rules", unit: "findings", series: []string{"confirmed", "potential"}, values: [][]float64{{}, {}}}
	for _, t := range r.Findings.Totals {
		if t.Confirmed+t.Potential > 0 {
			c.names = append(c.names, t.Rule)
			c.values[0], c.values[1] = append(c.values[0], float64(t.Confirmed)), append(c.values[1], float64(t.Potential))
		}
	}
	return c
}

func (r *Report) dayChart() chart {
	c := chart{part: 9, title: "chart_days", unit: "findings", series: []string{"confirmed", "potential"}, values: [][]float64{{}, {}}, vertical: true}
	var last events.Date
	for _, d := range r.Findings.ByDay { // by day
		if d.Day != last {
			last = d.Day
			c.names = append(c.names, d.Day.String())
			c.values[0], c.values[1] = append(c.values[0], 0), append(c.values[1], 0)
		}
		n := len(c.names) - 1
		c.values[0][n] += float64(d.Confirmed)
		c.values[1][n] += float64(d.Potential)
	}
	if n := len(c.names); n > 31 {
		c.names = c.names[n-31:]
		c.values = [][]float64{c.values[0][n-31:], c.values[1][n-31:]}
	}
	return c
}
