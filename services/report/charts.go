package report

import (
	"fmt"
	"html/template"
	"slices"

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
	category string // key of the labels: what the other axis names
	stacked  bool   // the series of a category in one bar
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

// svg draws the chart for a page. The bytes depend on the chart alone.
func (c *chart) svg(l labels) (template.HTML, error) {
	b, err := c.draw(l, charts.ChartOutputSVG, 1, 0)
	return template.HTML(b), err // drawn by the library from numbers and from names that it escapes
}

// png draws the chart for print, with twice the dots and some more in width.
func (c *chart) png(l labels, more int) ([]byte, error) {
	return c.draw(l, charts.ChartOutputPNG, 2, more)
}

// chartWidth is the width of a chart in dots.
const chartWidth = 1040

// height is the height of the chart in dots.
func (c *chart) height() int {
	if c.vertical {
		return 300
	}
	bar := 24
	if len(c.names) > 20 {
		bar = 17
	}
	return 90 + bar*len(c.names)*c.bars()
}

// bars is how many bars stand side by side in one category.
func (c *chart) bars() int {
	if c.stacked {
		return 1
	}
	return max(1, len(c.series))
}

func (c *chart) draw(l labels, format string, scale, more int) ([]byte, error) {
	font := func(size int) charts.FontStyle { return charts.FontStyle{FontSize: float64(size * scale)} }
	names, values := l.all(c.names), c.values
	if !c.vertical { // the library draws from below
		names, values = slices.Clone(names), make([][]float64, len(c.values))
		slices.Reverse(names)
		for i := range c.values {
			values[i] = slices.Clone(c.values[i])
			slices.Reverse(values[i])
		}
	}
	opt := charts.NewBarChartOptionWithData(values)
	opt.Horizontal = !c.vertical
	opt.StackSeries = charts.Ptr(c.stacked)
	opt.Theme = charts.GetTheme(charts.ThemeLight)
	opt.Padding = charts.NewBox(10*scale, 10*scale, 60*scale, 10*scale)
	opt.CategoryAxis.Labels = names
	opt.CategoryAxis.LabelFontStyle = font(9)
	opt.CategoryAxis.Title, opt.CategoryAxis.TitleFontStyle = l.of(c.category), font(10)
	opt.Legend = charts.LegendOption{SeriesNames: l.all(c.series), Show: charts.Ptr(len(c.series) > 1), FontStyle: font(9)}
	opt.ValueAxis = []charts.ValueAxisOption{{Title: l.of(c.unit), Min: charts.Ptr(0.0), LabelFontStyle: font(9), TitleFontStyle: font(10), ValueFormatter: l.value}}
	opt.ValueFormatter = l.value
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label = charts.SeriesLabel{Show: charts.Ptr(true), FontStyle: font(9), ValueFormatter: func(f float64) string {
			if f == 0 && len(c.series) > 1 {
				return ""
			}
			return l.value(f)
		}}
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: format, Width: chartWidth*scale + more, Height: c.height() * scale})
	if err := p.BarChart(opt); err != nil {
		return nil, fmt.Errorf("draw chart %s: %w", c.title, err)
	}
	b, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("draw chart %s: %w", c.title, err)
	}
	return b, nil
}

// charts returns the charts of the report in the order of their parts.
func (r *Report) charts() []chart {
	mix := chart{part: 3, title: "chart_basis", category: "basis", unit: "attempts", series: []string{"attempts"}, values: [][]float64{{}}}
	proven := map[string]int{}
	for _, m := range r.Bases.Mix {
		proven[m.Proven] += m.Attempts
	}
	for _, c := range countsOf(proven) {
		mix.names, mix.values[0] = append(mix.names, c.Name), append(mix.values[0], float64(c.Count))
	}
	silent := chart{part: 6, title: "chart_silent", category: "measure", unit: "percent", series: []string{"percent"}, names: []string{"silent", "limit"},
		values: [][]float64{{float64(r.Conduct.Silent.PerMille) / 10, float64(r.Conduct.Silent.LimitPercent)}}}
	pressure := chart{part: 7, title: "chart_pressure", unit: "numbers", series: []string{"numbers"}, values: [][]float64{{}}, vertical: true, category: "attempts_per_number"}
	for _, c := range r.Pressure.Histogram {
		pressure.names, pressure.values[0] = append(pressure.names, c.Name), append(pressure.values[0], float64(c.Count))
	}
	return []chart{mix, lagChart("chart_lag_recorded", r.Oppositions.ToRecord), lagChart("chart_lag_acknowledged", r.Oppositions.ToAcknowledge), silent, pressure, r.ruleChart(), r.dayChart()}
}

// lagChart measures in the unit in which the longest lag is read well.
func lagChart(title string, s Spread) chart {
	unit, size := spanUnit(float64(s.Max) / 1000)
	return chart{part: 4, title: title, category: "measure", unit: unit, series: []string{unit}, names: []string{"p50", "p95", "max"},
		values: [][]float64{{float64(s.P50) / 1000 / size, float64(s.P95) / 1000 / size, float64(s.Max) / 1000 / size}}}
}

func (r *Report) ruleChart() chart {
	c := chart{part: 9, title: "chart_rules", category: "rule", unit: "finding_count", series: []string{"confirmed", "potential"}, values: [][]float64{{}, {}}, stacked: true}
	for _, t := range r.Findings.Totals {
		if t.Confirmed+t.Potential > 0 {
			c.names = append(c.names, t.Rule)
			c.values[0], c.values[1] = append(c.values[0], float64(t.Confirmed)), append(c.values[1], float64(t.Potential))
		}
	}
	return c
}

func (r *Report) dayChart() chart {
	c := chart{part: 9, title: "chart_days", unit: "finding_count", series: []string{"confirmed", "potential"}, values: [][]float64{{}, {}}, vertical: true, category: "day", stacked: true}
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
