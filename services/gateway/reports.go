package gateway

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// reportFormats are the forms of a report.
var reportFormats = map[string]struct {
	media, suffix string
	write         func(r Report, w io.Writer, lang string) error
}{
	"json": {"application/json", ".json", func(r Report, w io.Writer, _ string) error { return r.WriteJSON(w) }},
	"csv":  {"text/csv; charset=utf-8", ".csv", func(r Report, w io.Writer, _ string) error { return r.WriteCSV(w) }},
	"zip":  {"application/zip", ".zip", func(r Report, w io.Writer, _ string) error { return r.WriteZip(w) }},
	"html": {"text/html; charset=utf-8", ".html", func(r Report, w io.Writer, lang string) error { return r.WriteHTML(w, lang) }},
	"pdf":  {"application/pdf", ".pdf", func(r Report, w io.Writer, lang string) error { return r.WritePDF(w, lang) }},
	"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx", func(r Report, w io.Writer, _ string) error { return r.WriteXLSX(w) }},
}

// reportRoutes registers the report's download.
func (g *Gateway) reportRoutes() {
	text := func(enum ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: enum} }
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	g.raw(&huma.Operation{
		OperationID: "getReport", Method: http.MethodGet, Path: "/v1/campaigns/{id}/report", Tags: []string{"campaigns"},
		Summary: "Violation report of a campaign", Description: "Which calls broke which rule, on what evidence. The same ledger prefix, packs, parameters and program version give the same bytes.",
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Schema: text()},
			{Name: "controller", In: "query", Description: "needed when several controllers have a campaign of this id", Schema: text()},
			{Name: "format", In: "query", Description: "csv: the findings; zip: one CSV a table", Schema: text("json", "csv", "zip", "html", "pdf", "xlsx")},
			{Name: "lang", In: "query", Description: "of the HTML and PDF pages", Schema: text("en", "it")},
			{Name: "as_of", In: "query", Description: "recorded by then: RFC 3339, or positions as LEDGER_00:12,LEDGER_REF:7; default the latest possible", Schema: text()},
			{Name: "since", In: "query", Description: "an earlier as_of, RFC 3339: corrections recorded after it are listed; default all", Schema: text()},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "the report", Content: map[string]*huma.MediaType{
				"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}, "text/csv": file, "text/html": file, "application/zip": file,
				"application/pdf": file, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": file}},
			"400": g.problemResponse("a parameter cannot be understood"),
			"404": g.problemResponse("no such campaign"),
			"409": g.problemResponse("as_of is too late (latest_as_of says what is possible), or the id is ambiguous"),
			"503": g.problemResponse("the view is behind the ledger: try again"),
		},
	}, g.report)
}

func (g *Gateway) report(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	format, lang := q.Get("format"), q.Get("lang")
	if format == "" {
		format = "json"
	}
	form, ok := reportFormats[format]
	if !ok {
		badParam("format", "write json, csv, zip, html, pdf or xlsx").write(w)
		return
	}
	if lang == "" {
		lang = "en"
	}
	if lang != "en" && lang != "it" {
		badParam("lang", "write en or it").write(w)
		return
	}
	asOf, err := asOfParam(q.Get("as_of"))
	if err != nil {
		problemOf(err).write(w)
		return
	}
	since, err := instantParam("since", q.Get("since"))
	if err != nil {
		problemOf(err).write(w)
		return
	}
	campaign, err := g.cfg.Desk.Resolve(r.Context(), q.Get("controller"), r.PathValue("id"))
	if err != nil {
		g.failed(r.Context(), err).write(w)
		return
	}
	built, err := g.cfg.Reports.Build(r.Context(), campaign, asOf, since)
	if err != nil {
		g.failed(r.Context(), err).write(w)
		return
	}
	var out bytes.Buffer // whole before the first byte leaves: a broken report must not look like one
	if err := form.write(built, &out, lang); err != nil {
		g.failed(r.Context(), err).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", form.media)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `inline; filename="report-`+fileName(campaign.Campaign)+form.suffix+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	_, _ = w.Write(out.Bytes()) // the client is gone if this fails
}

// fileName keeps what is safe in a file's name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
}
