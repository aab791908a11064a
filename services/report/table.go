package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// table is one table of the report as CSV and HTML show it. Its name is that
// of the CSV file; titles and columns are keys of the labels.
type table struct {
	name    string
	part    int // of rules.md 7
	columns []string
	rows    [][]string
	numeric map[int]bool // columns set flush right
	// words tells the cells that are words of the contract, which pages
	// translate; seconds the columns in seconds, which pages write as spans.
	words   func(row, column int) bool
	seconds map[int]bool
	// clauses is the column with sources of rules, which pages translate; 0 =
	// none.
	clauses int
	// onPage, where set, gives what pages show instead of the rows.
	onPage func(l labels) pageForm
}

func num(i int) string { return strconv.Itoa(i) }

func optional(i *int) string {
	if i == nil {
		return ""
	}
	return num(*i)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// permille writes thousandths as a percentage with one digit.
func permille(n int) string { return fmt.Sprintf("%d.%d %%", n/10, n%10) }

// wall writes an instant as local time of Rome with its offset.
func wall(i events.Instant) string {
	if i == 0 {
		return ""
	}
	return i.Time().In(events.Rome).Format("2006-01-02 15:04:05 -0700")
}

// tables returns all tables in the order of the parts.
func (r *Report) tables() []table {
	return slices.Concat(r.headerTables(), r.registerTables(), r.basisTables(), r.oppositionTables(), r.listTables(),
		r.conductTables(), r.pressureTables(), r.contractTables(), r.findingTables(), r.gapTables(), r.nonFindingTables())
}

func (r *Report) headerTables() []table {
	h := &r.Header
	about := [][]string{
		{"controller", h.Controller}, {"campaign", h.Campaign}, {"purpose", string(h.Purpose)}, {"channels", join(h.Channels)},
		{"sector", string(h.Sector)}, {"product", h.Product}, {"product_owner", orWord(h.ProductOwner, h.Controller)}, {"lists", strings.Join(h.ListIDs, ", ")},
		{"opened_at", wall(h.OpenedAt)}, {"closed_at", wall(h.ClosedAt)}, {"attempts", num(h.Attempts)}, {"contacts", num(h.Contacts)},
		{"first_attempt", wall(h.First)}, {"last_attempt", wall(h.Last)}, {"certified_agents", permille(h.CertifiedPerMille)},
		{"as_of", h.AsOf.String()}, {"positions", positions(h)}, {"packs", strings.Join(h.Packs, ", ")},
		{"program", h.Program}, {"time_zone_data", h.ZoneData}, {"digest", r.Digest.String()},
	}
	chain := table{name: "processors", part: 1, columns: []string{"processor", "attempts", "appointed_by", "from", "to", "last_day", "roc", "penalty_clause", "event"}, numeric: map[int]bool{1: true}, words: words(7)}
	for _, p := range h.Processors {
		if len(p.Appointments) == 0 {
			chain.rows = append(chain.rows, []string{p.Processor, num(p.Attempts), "", "", "", "", "", "", ""})
		}
		for _, a := range p.Appointments {
			by := a.By
			if by == "" {
				by = h.Controller
			}
			chain.rows = append(chain.rows, []string{p.Processor, num(p.Attempts), by, a.From.String(), a.To.String(), a.Dismissed.String(), a.ROC, yes(a.Penalty), eventName(a.Event)})
		}
	}
	return []table{{name: "header", part: 1, columns: []string{"item", "value"}, rows: about,
		words: func(row, column int) bool { return column == 0 || row >= 2 && row <= 4 }}, chain}
}

func positions(h *Header) string {
	var out []string
	for s, n := range h.Positions {
		out = append(out, fmt.Sprintf("%s:%d", s, n))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}

func eventName(i events.Identity) string {
	if i.ID == "" {
		return ""
	}
	return i.Source + " " + i.ID
}

func (r *Report) registerTables() []table {
	t := table{name: "consultations", part: 2, columns: []string{"batch", "list", "register", "snapshot_at", "answered_at", "last_valid_day", "submitted", "clear", "opposed", "selective", "invalid", "cited_by_attempts"},
		numeric: map[int]bool{6: true, 7: true, 8: true, 9: true, 10: true, 11: true}, words: words(2)}
	for _, c := range r.Register.Batches {
		t.rows = append(t.rows, []string{c.Batch, c.List, string(c.Part), wall(c.SnapshotAt), wall(c.AnsweredAt), c.LastDay.String(),
			optional(c.Submitted), optional(c.Clear), optional(c.Opposed), optional(c.Selective), optional(c.Invalid), num(c.Cited)})
	}
	g := &r.Register
	sum := counts("opposed_numbers", 2, "basis", append([]Count{{"attempts", g.Attempts}, {"to_opposed_numbers", g.Opposed}, {"status_unknown", g.Unknown}}, prefixed("basis_", g.OpposedByBasis)...))
	sum.columns, sum.numeric = append(sum.columns, "share"), map[int]bool{1: true, 2: true}
	for i, row := range sum.rows {
		n := g.Attempts
		switch {
		case i == 1:
			n = g.Opposed
		case i == 2:
			n = g.Unknown
		case i > 2:
			n = g.OpposedByBasis[i-3].Count
		}
		sum.rows[i] = append(row, permille(perMille(n, g.Attempts)))
	}
	reached := table{name: "list_coverage", part: 2, columns: []string{"list", "called_contacts", "answered_contacts", "share"}, numeric: map[int]bool{1: true, 2: true, 3: true}}
	for _, c := range g.Coverage {
		reached.rows = append(reached.rows, []string{c.List, num(c.Called), num(c.Answered), permille(c.AnsweredPerMille)})
	}
	return []table{t, reached, sum}
}

func prefixed(p string, list []Count) []Count {
	out := make([]Count, len(list))
	for i, c := range list {
		out[i] = Count{p + c.Name, c.Count}
	}
	return out
}

func counts(name string, part int, what string, list []Count) table {
	t := table{name: name, part: part, columns: []string{what, "count"}, numeric: map[int]bool{1: true}, words: words(0)}
	for _, c := range list {
		t.rows = append(t.rows, []string{c.Name, num(c.Count)})
	}
	return t
}

func (r *Report) basisTables() []table {
	t := table{name: "basis_mix", part: 3, columns: []string{"declared", "proven", "attempts"}, numeric: map[int]bool{2: true}, words: words(0, 1)}
	for _, l := range r.Bases.Mix {
		t.rows = append(t.rows, []string{l.Declared, l.Proven, num(l.Attempts)})
	}
	return []table{t, counts("consent_ages", 3, "days", r.Bases.Ages)}
}

func (r *Report) oppositionTables() []table {
	t := table{name: "oppositions", part: 4, columns: []string{"kind", "by_medium", "received_by", "count"}, numeric: map[int]bool{3: true}, words: words(0, 1)}
	for _, l := range r.Oppositions.Lines {
		t.rows = append(t.rows, []string{l.Kind, l.Medium, l.ReceivedBy, num(l.Count)})
	}
	lag := table{name: "opposition_lag", part: 4, columns: []string{"step", "count", "p50_s", "p95_s", "max_s"}, numeric: map[int]bool{1: true, 2: true, 3: true, 4: true},
		words: words(0), seconds: map[int]bool{2: true, 3: true, 4: true}}
	for _, s := range []struct {
		name string
		s    Spread
	}{{"received_to_recorded", r.Oppositions.ToRecord}, {"received_to_acknowledged", r.Oppositions.ToAcknowledge}} {
		lag.rows = append(lag.rows, append([]string{s.name}, spread(s.s)...))
	}
	return []table{t, lag, counts("calls_after_opposition", 4, "item", []Count{{"calls_after_opposition", r.Oppositions.CallsAfter}})}
}

func seconds(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

func spread(s Spread) []string {
	if s.Count == 0 {
		return []string{"0", "", "", ""}
	}
	return []string{num(s.Count), seconds(s.P50), seconds(s.P95), seconds(s.Max)}
}

func (r *Report) listTables() []table {
	t := table{name: "lists", part: 5, columns: []string{"list", "vendor", "vendor_chain", "acquired_at", "price_eur", "rows", "eur_per_row", "called_contacts", "vetting", "sample", "activated_at", "own_screenings"},
		numeric: map[int]bool{4: true, 5: true, 6: true, 7: true}}
	for _, l := range r.Lists.Lists {
		t.rows = append(t.rows, []string{l.List, l.Vendor, strings.Join(l.Chain, " → "), wall(l.AcquiredAt), euros(l.PriceCents), optional(l.Rows), euros(l.CentsPerRow), num(l.Called),
			vetting(l.Vetting), sample(l.Sample), wall(l.ActivatedAt), screenings(l.Screenings)})
	}
	return []table{t, counts("list_attempts", 5, "item", []Count{{"off_list_attempts", r.Lists.OffList}, {"attempts_without_origin", r.Lists.NoOrigin}})}
}

func euros(cents *int64) string {
	if cents == nil {
		return ""
	}
	return fmt.Sprintf("%d.%02d", *cents/100, *cents%100)
}

func vetting(v *events.Vetting) string {
	if v == nil {
		return ""
	}
	done := 0
	for _, b := range []bool{v.Notice, v.UX, v.Revocability, v.Traceability} {
		if b {
			done++
		}
	}
	return fmt.Sprintf("%d/4", done)
}

func sample(s *events.Sample) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%d (%d failed)", s.Size, s.Failures)
}

func screenings(list []OwnSuppressions) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = wall(s.At)
	}
	return strings.Join(out, "; ")
}

func (r *Report) conductTables() []table {
	c := &r.Conduct
	hours := table{name: "hours", part: 6, columns: []string{"hour", "attempts"}, numeric: map[int]bool{1: true}}
	for h, n := range c.Hours {
		if n > 0 {
			hours.rows = append(hours.rows, []string{fmt.Sprintf("%02d", h), num(n)})
		}
	}
	ids := table{name: "caller_ids", part: 6, columns: []string{"cli", "attempts", "cli_findings"}, numeric: map[int]bool{1: true}, words: words(0)}
	for _, i := range c.CallerIDs {
		ids.rows = append(ids.rows, []string{orWord(i.CLI, "withheld"), num(i.Attempts), ruleCounts(i.Findings)})
	}
	silent := table{name: "silent_calls", part: 6, columns: []string{"answered", "silent", "ratio", "limit", "within_limit", "drop_p50_s", "drop_max_s"}, numeric: map[int]bool{0: true, 1: true, 2: true, 3: true, 5: true, 6: true},
		words: words(4), seconds: map[int]bool{5: true, 6: true}}
	drop := spread(c.Silent.Dropped)
	silent.rows = [][]string{{num(c.Silent.Answered), num(c.Silent.Silent), permille(c.Silent.PerMille), fmt.Sprintf("%d %%", c.Silent.LimitPercent), yes(c.Silent.Within), drop[1], drop[3]}}
	said := counts("statements", 6, "statement", append([]Count{{"human_answered", c.Spoken}, {"with_all_statements", c.Complete}}, c.Statement...))
	return []table{hours, ids, silent, said, counts("dispositions", 6, "disposition", c.Outcomes), counts("outside_hours", 6, "item", []Count{{"outside_hours", c.Outside}})}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

func ruleCounts(m map[string]int) string {
	var out []string
	for _, c := range countsOf(m) {
		out = append(out, fmt.Sprintf("%s: %d", c.Name, c.Count))
	}
	return strings.Join(out, ", ")
}

func (r *Report) pressureTables() []table {
	p := &r.Pressure
	return []table{counts("pressure", 7, "attempts_per_number", p.Histogram), counts("pressure_summary", 7, "item", []Count{{"numbers", p.Numbers}, {"highest_count", p.Max}, {"window_days", p.WindowDays}})}
}

func (r *Report) contractTables() []table {
	weeks := table{name: "contract_weeks", part: 8, columns: []string{"week", "channel", "lawful", "without_lawful_origin"}, numeric: map[int]bool{2: true, 3: true}, words: words(1)}
	for _, w := range r.Contracts.Weeks {
		weeks.rows = append(weeks.rows, []string{w.Week, string(w.Channel), num(w.Lawful), num(w.Without)})
	}
	t := table{name: "contracts", part: 8, columns: []string{"contract", "contact", "at", "channel", "origin", "brought_by", "missing_link", "rules", "paid", "commissions_withheld"}}
	for _, c := range r.Contracts.Contracts {
		t.rows = append(t.rows, []string{c.Contract, c.Contact.String(), wall(c.At), string(c.Channel), c.Origin, c.BroughtBy, c.Missing, strings.Join(c.Broken, ", "), strings.Join(c.Paid, ", "), strings.Join(c.Withheld, ", ")})
	}
	t.onPage = r.Contracts.onPage(table{columns: t.columns, rows: t.rows})
	hold := table{name: "commissions_to_withhold", part: 8, columns: []string{"contract"}}
	for _, c := range r.Contracts.Withhold {
		hold.rows = append(hold.rows, []string{c})
	}
	return []table{weeks, t, hold}
}

var findingColumns = []string{"rule", "kind", "severity", "at", "attempt_or_object", "contact", "imputed", "clause", "events", "details"}

func findingRow(f *rules.Finding) []string {
	imputed := f.Controller
	if f.Processor != "" {
		imputed += ", " + f.Processor
	}
	ids := make([]string, len(f.Evidence.Events))
	for i, e := range f.Evidence.Events {
		ids[i] = eventName(e)
	}
	details := make([]string, len(f.Evidence.Details))
	for i, d := range f.Evidence.Details {
		details[i] = d.Name + "=" + d.Value
	}
	return []string{f.Rule, string(f.Kind), string(f.Severity), wall(f.At), f.Attempt + f.Object, f.Contact.String(), imputed, f.Clause, strings.Join(ids, "; "), strings.Join(details, "; ")}
}

func (r *Report) findingTables() []table {
	f := &r.Findings
	totals := table{name: "totals", part: 9, columns: []string{"rule", "title", "severity", "confirmed", "potential", "hindsight", "best_practice", "clause"}, numeric: map[int]bool{3: true, 4: true, 5: true, 6: true}, words: words(1, 2), clauses: 7}
	for _, t := range f.Totals {
		totals.rows = append(totals.rows, []string{t.Rule, r.titles[t.Rule].EN, string(t.Severity), num(t.Confirmed), num(t.Potential), num(t.Hindsight), num(t.BestPractice), t.Clause})
	}
	days := table{name: "findings_by_day", part: 9, columns: []string{"day", "rule", "confirmed", "potential"}, numeric: map[int]bool{2: true, 3: true}}
	for _, d := range f.ByDay {
		days.rows = append(days.rows, []string{d.Day.String(), d.Rule, num(d.Confirmed), num(d.Potential)})
	}
	objects := findingTable("object_findings", 9, len(f.Objects), func(i int) *rules.Finding { return &f.Objects[i] })
	return []table{totals, days, found("findings", f.Attempts), objects, found("annex_hindsight", f.Hindsight), found("annex_best_practice", f.BestPractice)}
}

func found(name string, list []*Found) table {
	return findingTable(name, 9, len(list), func(i int) *rules.Finding { return &list[i].Finding })
}

// findingTable shows n findings.
func findingTable(name string, part, n int, at func(i int) *rules.Finding) table {
	t := table{name: name, part: part, columns: findingColumns, onPage: findingsOnPage(n, at)}
	for i := range n {
		t.rows = append(t.rows, findingRow(at(i)))
	}
	return t
}

func (r *Report) gapTables() []table {
	late := table{name: "late_events", part: 10, columns: []string{"source", "day", "count", "median_lag_s", "worst_lag_s"}, numeric: map[int]bool{2: true, 3: true, 4: true}, seconds: map[int]bool{3: true, 4: true}}
	for _, l := range r.Gaps.Late {
		late.rows = append(late.rows, []string{l.Source, l.Day.String(), num(l.Count), num(int(l.MedianMS / 1000)), num(int(l.WorstMS / 1000))})
	}
	missing := table{name: "sequence_gaps", part: 10, columns: []string{"source"}}
	for _, s := range r.Gaps.Sources {
		missing.rows = append(missing.rows, []string{s})
	}
	conflicts := findingTable("conflicts", 10, len(r.Gaps.Conflicts), func(i int) *rules.Finding { return &r.Gaps.Conflicts[i] })
	fixes := table{name: "corrections", part: 10, columns: []string{"event", "target", "action", "reason", "recorded_at"}, words: words(2)}
	for _, c := range r.Gaps.Corrections {
		fixes.rows = append(fixes.rows, []string{eventName(c.Event), eventName(c.Target), string(c.Action), c.Reason, c.RecordedAt.String()})
	}
	return []table{late, missing, conflicts, fixes}
}

func (r *Report) nonFindingTables() []table {
	clean := table{name: "rules_without_a_hit", part: 11, columns: []string{"rule", "title"}, words: words(1)}
	for _, id := range r.NonFindings.Clean {
		clean.rows = append(clean.rows, []string{id, r.titles[id].EN})
	}
	not := table{name: "rules_not_evaluated", part: 11, columns: []string{"rule", "reason"}, words: words(1)}
	for _, n := range r.NonFindings.NotEvaluated {
		not.rows = append(not.rows, []string{n.Rule, n.Reason})
	}
	return []table{clean, not}
}
