// Package report builds a campaign's report and renders it (JSON, CSV, HTML;
// Italian and English). A report is a pure function of (log prefix, rule packs,
// parameters, program version): it re-evaluates every attempt of the campaign
// as of R, from the histories that a view hands out contact by contact, and
// names R and the positions it was made from. The same inputs give the same
// bytes on every machine (rules.md 7).
//
//	r, err := report.Build(ctx, report.Source{View: store, Engine: engine, …}, report.Question{Campaign: ref, AsOf: r, Positions: p})
//	err = r.WriteHTML(w, "it")
//
// One file builds and renders each of the eleven parts.
package report
