package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/assenso/assenso/services/demo"
	"github.com/assenso/assenso/services/imports"
)

// fileResult is what became of one file of the demonstration.
type fileResult struct {
	Name string `json:"name"`
	imports.Summary
}

// ruleResult counts one rule over all campaigns.
type ruleResult struct {
	Rule       string         `json:"rule"`
	Planted    int            `json:"planted"`
	Found      int            `json:"found"`
	ByCampaign map[string]int `json:"by_campaign"`
}

// demoResult is the demonstration's outcome.
type demoResult struct {
	Rows            int            `json:"rows"`
	ImportSeconds   float64        `json:"import_s"`
	EventsPerSecond float64        `json:"events_per_s"`
	Files           []fileResult   `json:"files"`
	Campaigns       []string       `json:"campaigns"`
	Planted         int            `json:"planted"`
	Found           int            `json:"found"`
	Rules           []ruleResult   `json:"rules"`
	Missing         []demo.Finding `json:"missing"`
	Unexpected      []demo.Finding `json:"unexpected"`
	Differences     []string       `json:"differences,omitempty"`
}

func (r *demoResult) rows() int {
	n := 0
	for _, f := range r.Files {
		n += f.Rows
	}
	return n
}

// wrong reports whether anything differs from the manifest.
func (r *demoResult) wrong() bool {
	return len(r.Missing)+len(r.Unexpected)+len(r.Differences) > 0
}

// compare holds what was found against what was planted.
func (r *demoResult) compare(m demo.Manifest, found []demo.Finding) {
	r.Missing, r.Unexpected = demo.Compare(m, found)
	missing, unexpected := demo.CompareApart(m, found)
	r.Missing, r.Unexpected = append(r.Missing, missing...), append(r.Unexpected, unexpected...)
	rules := map[string]*ruleResult{}
	rule := func(id string) *ruleResult {
		if rules[id] == nil {
			rules[id] = &ruleResult{Rule: id, ByCampaign: map[string]int{}}
		}
		return rules[id]
	}
	for _, f := range slices.Concat(m.Findings, m.Objects, m.Apart) {
		rule(f.Rule).Planted++
		r.Planted++
	}
	type once struct{ rule, kind, attempt, object string }
	seen := map[once]bool{}
	for _, f := range found {
		k := once{f.Rule, string(f.Kind), f.Attempt, f.Object}
		if f.Rule == "LED-01" || seen[k] {
			continue // how late an event was recorded depends on the day of the demonstration
		}
		seen[k] = true
		rule(f.Rule).Found++
		rule(f.Rule).ByCampaign[f.Campaign]++
		r.Found++
	}
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		r.Rules = append(r.Rules, *rules[id])
	}
}

// write prints the table of violations and where to look.
func (r *demoResult) write(w io.Writer, folder, data string) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "RULE\t")
	for _, c := range r.Campaigns {
		fmt.Fprintf(tw, "%s\t", c)
	}
	fmt.Fprint(tw, "OTHER\tFOUND\tPLANTED\t\n")
	for _, x := range r.Rules {
		fmt.Fprintf(tw, "%s\t", x.Rule)
		rest := x.Found
		for _, c := range r.Campaigns {
			fmt.Fprintf(tw, "%d\t", x.ByCampaign[c])
			rest -= x.ByCampaign[c]
		}
		fmt.Fprintf(tw, "%d\t%d\t%d\t\n", rest, x.Found, x.Planted)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d violations found, %d planted: %d missing, %d unexpected\n", r.Found, r.Planted, len(r.Missing), len(r.Unexpected))
	for _, d := range r.Differences {
		fmt.Fprintln(w, "differs: "+d)
	}
	for _, f := range r.Missing {
		fmt.Fprintf(w, "missing: %s %s %s%s\n", f.Rule, f.Kind, f.Attempt, f.Object)
	}
	for _, f := range r.Unexpected {
		fmt.Fprintf(w, "unexpected: %s %s %s%s\n", f.Rule, f.Kind, f.Attempt, f.Object)
	}
	_, err := fmt.Fprintf(w, "\nreports: %s/reports (open a .html in a browser, print a .pdf)\nfiles:   %s/day\nnext:    assenso serve --data %s\n", folder, folder, data)
	return err
}
