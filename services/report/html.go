package report

import (
	"fmt"
	"html/template"
	"io"
)

type pageTable struct {
	Title   string
	Columns []string
	Numeric []bool
	Whole   []bool // the lines of the column are short enough not to be broken
	Rows    [][]string
	More    bool
	Note    string
	Wide    bool // fills the page
}

type pagePart struct {
	Title  string
	Charts []pageChart
	Tables []pageTable
}

type pageChart struct {
	Title string
	SVG   template.HTML
	chart chart
}

type page struct {
	Lang, Title, Nothing, More, Kinds, Root string
	At                                      string // the words before AsOf
	Campaign, Controller, AsOf, Digest      string
	Parts                                   []pagePart

	labels labels
}

// WriteHTML writes a page to be printed, in "en" or "it". It needs nothing from
// elsewhere and runs no script.
func (r *Report) WriteHTML(w io.Writer, lang string) error {
	p, err := r.page(lang)
	if err != nil {
		return err
	}
	for i := range p.Parts {
		for n := range p.Parts[i].Charts {
			c := &p.Parts[i].Charts[n]
			if c.SVG, err = c.chart.svg(p.labels); err != nil {
				return err
			}
		}
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("render report: %w", err)
	}
	return nil
}

// page collects what the printed forms show, in "en" or "it".
func (r *Report) page(lang string) (page, error) {
	l, ok := languages[lang]
	if !ok {
		return page{}, fmt.Errorf("render report: language %q is not there: use en or it", lang)
	}
	l = l.with(lang, r.titles)
	p := page{
		Lang: lang, Title: l.of("report"), Nothing: l.of("nothing"), More: l.of("more"), Kinds: l.of("note_kinds"), At: l.of("as_of"), Root: l.of("note_root"),
		Campaign: r.Header.Campaign, Controller: r.Header.Controller, AsOf: offset.ReplaceAllString(wall(r.Header.AsOf), "$1$2:$3"), Digest: r.Digest.String(), labels: l,
		Parts: make([]pagePart, 11),
	}
	for i := range p.Parts {
		p.Parts[i].Title = l.of(fmt.Sprintf("part_%d", i+1))
	}
	for _, c := range r.charts() {
		if c.empty() {
			continue
		}
		part := &p.Parts[c.part-1]
		part.Charts = append(part.Charts, pageChart{Title: l.of(c.title), chart: c})
	}
	for _, t := range r.tables() {
		part := &p.Parts[t.part-1]
		part.Tables = append(part.Tables, t.page(l))
	}
	return p, nil
}

var pageTemplate = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Title}} {{.Campaign}}</title>
<style>
@page { size: A4 landscape; margin: 14mm }
body { font: 10pt/1.45 "Helvetica Neue", Arial, sans-serif; color: #1b1f24; margin: 2em auto; max-width: 1180px; padding: 0 1em }
h1 { font-size: 20pt; margin: 0 0 .2em } h2 { font-size: 14pt; border-bottom: 2px solid #1b4f72; padding-bottom: .15em; margin-top: 1.8em; break-after: avoid }
h3 { font-size: 11pt; margin: 1.2em 0 .3em; break-after: avoid } h3::first-letter { text-transform: uppercase }
.head { color: #444 } .digest { font-family: monospace; font-size: 8.5pt; overflow-wrap: anywhere }
table { border-collapse: collapse; max-width: 100%; font-size: 8.5pt; table-layout: auto } table.wide { width: 100% } thead { display: table-header-group } tr { break-inside: avoid }
th, td { border: 1px solid #cfd6dd; padding: .25em .45em; text-align: left; vertical-align: top; overflow-wrap: anywhere; white-space: pre-line }
th { background: #eef3f7; overflow-wrap: normal } td.w { white-space: pre } table.wide td.l { min-width: 25ch } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal }
.none { color: #555; font-style: italic } figure { margin: .8em 0; break-inside: avoid } figcaption { font-weight: bold; font-size: 9.5pt } svg { max-width: 100%; height: auto } @media print { svg { max-height: 160mm } }
</style></head><body>
<h1>{{.Title}} {{.Campaign}}</h1>
<p class="head">{{.Controller}} · {{.At}} {{.AsOf}}</p><p class="digest">SHA-256 {{.Digest}}</p>
<p>{{.Kinds}}</p><p>{{.Root}}</p>
{{$nothing := .Nothing}}{{$more := .More}}
{{range .Parts}}<section><h2>{{.Title}}</h2>
{{range .Charts}}<figure><figcaption>{{.Title}}</figcaption>{{.SVG}}</figure>
{{end}}{{range .Tables}}<h3>{{.Title}}</h3>
{{if .Rows}}{{$numeric := .Numeric}}{{$whole := .Whole}}<table{{if .Wide}} class="wide"{{end}}><thead><tr>{{range $i, $c := .Columns}}<th{{if index $numeric $i}} class="n"{{end}}>{{$c}}</th>{{end}}</tr></thead><tbody>
{{range .Rows}}<tr>{{range $i, $v := .}}<td{{if index $numeric $i}} class="n"{{else if index $whole $i}} class="w"{{else}} class="l"{{end}}>{{$v}}</td>{{end}}</tr>
{{end}}</tbody></table>{{if .More}}<p class="none">{{$more}}</p>{{end}}{{else}}<p class="none">{{$nothing}}</p>{{end}}{{with .Note}}<p class="none">{{.}}</p>{{end}}
{{end}}</section>
{{end}}</body></html>
`))
