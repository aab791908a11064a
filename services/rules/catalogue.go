package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/assenso/assenso/events"
)

// Text is a text in the two languages of the reports.
type Text struct {
	EN string `yaml:"en" json:"en"`
	IT string `yaml:"it" json:"it"`
}

// Rule is what the catalogue says of one rule, besides its condition.
type Rule struct {
	ID      string `yaml:"id"`
	Section string `yaml:"section"` // of rules.md
	Object  bool   `yaml:"object"`  // object-level (section 5); LED-01 is both
	Title   Text   `yaml:"title"`
	Explain Text   `yaml:"explain"` // in plain words
	Clause  string `yaml:"clause"`
	Tag     string `yaml:"tag"`
	// Severity is that of the rule; WarnSeverity, where given, that of its
	// warning form.
	Severity     events.Severity `yaml:"severity"`
	WarnSeverity events.Severity `yaml:"warn_severity"`
	// Effects are the gate effects that the rule can have; none = empty.
	Effects []events.Verdict `yaml:"effects"`
	// Service says whether the rule runs for service attempts too.
	Service bool `yaml:"service"`
	// Kinds are the kinds of a finding by the rule's own condition; a dispute
	// can make any CONFIRMED one POTENTIAL, later knowledge one HINDSIGHT.
	Kinds []events.Kind `yaml:"kinds"`
	// Parameters are the values of the pack that the condition reads itself.
	Parameters []string `yaml:"parameters"`
}

// CanBlock reports whether the rule can block at the gate.
func (r *Rule) CanBlock() bool { return slices.Contains(r.Effects, events.VerdictBlock) }

// NotEvaluated lists the rules that no evaluation of the log can decide, with
// the reason.
var NotEvaluated = map[string]string{
	"IT-LST-07": "random or sequential dialling needs the numbers, which are not in the log",
	"LED-04":    "inclusion and chain proofs are checked by the notary and by verification",
}

func loadCatalogue(files fs.FS) ([]Rule, error) {
	const name = "catalogue.yaml"
	var file struct {
		Rules []located[Rule] `yaml:"rules"`
	}
	if err := readYAML(files, name, &file); err != nil {
		return nil, err
	}
	var errs []error
	seen := map[string]bool{}
	out := make([]Rule, 0, len(file.Rules))
	for _, l := range file.Rules {
		r := l.Value
		if reason := r.check(); reason != "" {
			errs = append(errs, &PackError{name, l.Line, fmt.Sprintf("%s: %s", r.ID, reason)})
		}
		if seen[r.ID] {
			errs = append(errs, &PackError{name, l.Line, r.ID + ": stands twice"})
		}
		seen[r.ID] = true
		out = append(out, r)
	}
	for _, id := range implemented() {
		if !seen[id] {
			errs = append(errs, &PackError{name, 0, id + ": the program evaluates it, the catalogue lacks it"})
		}
	}
	for id := range seen {
		if !slices.Contains(implemented(), id) && NotEvaluated[id] == "" {
			errs = append(errs, &PackError{name, 0, id + ": the program does not know it"})
		}
	}
	return out, errors.Join(errs...)
}

func (r *Rule) check() string {
	severities := []events.Severity{events.SeverityCritical, events.SeverityHigh, events.SeverityMedium, events.SeverityLow, events.SeverityInfo}
	switch {
	case r.ID == "":
		return "id missing"
	case r.Title.EN == "" || r.Title.IT == "" || r.Explain.EN == "" || r.Explain.IT == "":
		return "title and explain need en and it"
	case r.Clause == "" || r.Tag == "" || r.Section == "":
		return "clause, tag or section missing"
	case !slices.Contains(severities, r.Severity) || (r.WarnSeverity != "" && !slices.Contains(severities, r.WarnSeverity)):
		return "unknown severity"
	}
	if len(r.Kinds) == 0 {
		return "kinds missing"
	}
	for _, k := range r.Kinds {
		if k != events.KindConfirmed && k != events.KindPotential && k != events.KindBestPractice {
			return "kinds are CONFIRMED, POTENTIAL and BEST_PRACTICE"
		}
	}
	for _, name := range r.Parameters {
		if parameterTable[name] == nil {
			return "no such parameter: " + name
		}
	}
	for _, e := range r.Effects {
		if e != events.VerdictBlock && e != events.VerdictWarn {
			return "effects are block and warn"
		}
	}
	return ""
}
