package report

import (
	"strings"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
)

// details writes the evidence of a finding for people: names and words of the
// contract in the language of the page, instants as Rome's clocks show them,
// spans of time written out. The machine forms keep names and values as the
// rules say them.
func (l labels) details(list []rules.Detail) string {
	var out []string
	for i, d := range list {
		value := l.evidence(d)
		if i > 0 && list[i-1].Name == d.Name {
			out[len(out)-1] += ", " + value
			continue
		}
		out = append(out, l.evidenceName(d.Name)+": "+value)
	}
	return strings.Join(out, "; ")
}

func (l labels) evidenceName(name string) string {
	if w, ok := l[evidenceKey+name]; ok {
		return w
	}
	return strings.ReplaceAll(name, "_", " ")
}

// evidenceKey begins the keys of the labels that name details.
const evidenceKey = "ev_"

// worded are the details whose values are words: of the closed sets of the
// contract, or of the rule itself. The values of the others are ids, names,
// numbers, dates and instants.
var worded = map[string]bool{
	"missing": true, "declared": true, "basis": true, "channel": true, "mode": true, "medium": true, "outcome": true, "verdict": true,
	"not_said": true, "invalidated": true, "tested": true, "test": true, "origin": true, "notice_given": true, "harder_than_grant": true, "comfort_noise": true,
}

// evidence writes one value.
func (l labels) evidence(d rules.Detail) string {
	switch d.Name {
	case "grant":
		return l.grantEvidence(d.Value)
	case "gap":
		from, to, _ := strings.Cut(d.Value, " to ")
		return from + " → " + to
	case "lag", "ahead":
		if span, err := time.ParseDuration(d.Value); err == nil {
			return l.span(seconds(span.Milliseconds()))
		}
	case "utc":
		return d.Value
	case "cli", "campaign": // a number or an id, unless the rule has a word for it
		if d.Value == "withheld" || d.Value == "not open" {
			return l.of(d.Value)
		}
		return d.Value
	}
	if processor, ok := strings.CutPrefix(d.Value, acknowledgementOf); ok && d.Name == "missing" {
		return l.of("acknowledgement_of") + " " + processor
	}
	switch {
	case d.Name == "answer" || d.Name == "status":
		return l.of("answer_" + d.Value)
	case worded[d.Name]:
		return l.of(d.Value)
	}
	if at, err := events.ParseInstant(d.Value); err == nil {
		return wall(at)
	}
	return d.Value
}

// acknowledgementOf begins the detail of a script that a processor has not
// acknowledged.
const acknowledgementOf = "acknowledgement of the script by "

// grantEvidence writes a grant and why it does not hold: "id: void IT-CON-03".
func (l labels) grantEvidence(value string) string {
	id, sound := strings.CutSuffix(value, ":")
	if sound {
		return id + " (" + l.of("no_defect") + ")"
	}
	at := strings.LastIndex(value, ": ")
	if at < 0 {
		return value
	}
	why := strings.Fields(value[at+1:])
	if why[0] == "void" {
		why[0] = l.of("grant_void")
	}
	return value[:at] + " (" + strings.Join(why, ", ") + ")"
}

// clause writes where a rule comes from. What the law itself is called stays.
func (l labels) clause(text string) string {
	for _, w := range clauseWords {
		if in, ok := l["clause_"+w]; ok {
			text = strings.ReplaceAll(text, w, in)
		}
	}
	return text
}

// clauseWords are the English words in the sources of the catalogue, longer
// ones first.
var clauseWords = []string{"Code of conduct, hours of contact", "Code of conduct", "Energy decree 2026", "decision", "arts ", "policy", "RPO FAQ"}
