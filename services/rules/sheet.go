package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// Sheet is what there is to say of one rule: its words, and the values that it
// reads.
type Sheet struct {
	ID           string           `json:"rule"`
	Section      string           `json:"section"` // of the catalogue
	Object       bool             `json:"object"`  // judged when a report is built, never before a call
	Title        Text             `json:"title"`
	Explain      Text             `json:"explain"`
	Clause       string           `json:"clause"`
	Tag          string           `json:"tag"`
	Severity     events.Severity  `json:"severity"`
	WarnSeverity events.Severity  `json:"warn_severity,omitempty"`
	Effects      []events.Verdict `json:"gate_effects"`
	Kinds        []events.Kind    `json:"kinds"`
	Service      bool             `json:"runs_for_service_calls"`
	NotEvaluated string           `json:"not_evaluated,omitempty"` // the reason
	Parameters   []Parameter      `json:"parameters"`
}

// Sheet returns the sheet of a rule with the values valid on a day; day 0
// means all of them. ok is false for an unknown id.
func (p *Packs) Sheet(id string, day events.Date) (s Sheet, ok bool) {
	r, ok := p.byID[id]
	if !ok {
		return Sheet{}, false
	}
	s = Sheet{
		ID: r.ID, Section: r.Section, Object: r.Object, Title: r.Title, Explain: r.Explain, Clause: r.Clause, Tag: r.Tag,
		Severity: r.Severity, WarnSeverity: r.WarnSeverity, Effects: slices.Clone(r.Effects), Kinds: slices.Clone(r.Kinds), Service: r.Service,
		NotEvaluated: NotEvaluated[id], Parameters: []Parameter{},
	}
	if s.Effects == nil {
		s.Effects = []events.Verdict{}
	}
	for _, name := range r.Parameters {
		s.Parameters = append(s.Parameters, p.values(name, day)...)
	}
	return s, true
}

// Sheets returns the sheets of all rules in the order of the catalogue.
func (p *Packs) Sheets(day events.Date) []Sheet {
	out := make([]Sheet, len(p.catalogue))
	for i := range p.catalogue {
		out[i], _ = p.Sheet(p.catalogue[i].ID, day)
	}
	return out
}

// On returns the pack of a civil day in Rome.
func (p *Packs) On(day events.Date) *Pack { return p.on(day) }

func (p *Packs) values(name string, day events.Date) []Parameter {
	var out []Parameter
	for _, v := range p.parameters {
		if v.Name == name && (day == 0 || (v.From <= day && (v.To == 0 || day <= v.To))) {
			out = append(out, v)
		}
	}
	return out
}

// Validity says in words from when to when a value holds.
func (v Parameter) Validity(lang string) string {
	always, since, until, between := "always", "from %s", "until %s", "%s to %s"
	if lang == "it" {
		always, since, until, between = "sempre", "dal %s", "fino al %s", "dal %s al %s"
	}
	switch {
	case v.From == 0 && v.To == 0:
		return always
	case v.To == 0:
		return fmt.Sprintf(since, v.From)
	case v.From == 0:
		return fmt.Sprintf(until, v.To)
	}
	return fmt.Sprintf(between, v.From, v.To)
}

const pageHead = `# The rules of the pack, in plain words · Le regole del pacchetto, in parole semplici

Generated from catalogue.yaml and parameters.yaml by ` + "`go generate ./services/rules`" + `; do not edit. Not legal advice.
Generato da catalogue.yaml e parameters.yaml; non modificare. Non costituisce consulenza legale.

**Tags.** V: source read. P: instrument confirmed, number or wording from commentary. U: counsel must check. policy: the
law is open and this is the product's choice. **Gate**: what the rule does to a question before the call; "–" means that it
speaks only of what was done. **Kinds**: CONFIRMED is a violation on the evidence of the log, POTENTIAL may be one. Any CONFIRMED
finding becomes POTENTIAL where it rests on a fact corrected or disputed only later, and HINDSIGHT (never a violation)
where nobody could know at the time. BEST_PRACTICE: a rule of the code of conduct, and the controller did not adhere.
The parameters of the bases (` + "`request.days`, `inbound.days`, `contract.after_end_days`, `register.selective_is_basis`" + `) also
act through every rule that asks whether a basis stands.

**Sigle.** V: fonte letta. P: atto confermato, numero o testo da dottrina. U: da verificare con un legale. policy: la norma è
aperta, scelta del prodotto. **Gate**: effetto sulla domanda prima della chiamata. **Kinds**: CONFIRMED accertata, POTENTIAL
possibile, HINDSIGHT nota solo dopo (mai violazione), BEST_PRACTICE codice di condotta senza adesione.
`

// WritePage writes the page that explains every rule, in Italian and English.
// The bytes depend on the packs alone.
func (p *Packs) WritePage(w io.Writer) error {
	var b strings.Builder
	b.WriteString(pageHead)
	section := ""
	for _, s := range p.Sheets(0) {
		if s.Section != section {
			section = s.Section
			fmt.Fprintf(&b, "\n## %s\n", sectionTitles[section])
		}
		s.write(&b)
	}
	b.WriteString("\n## Every parameter · Tutti i parametri\n\n| Parameter | Value | Valid | Tag | Source |\n|---|---|---|---|---|\n")
	for _, v := range p.parameters {
		parameterRow(&b, v)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write page of the pack: %w", err)
	}
	return nil
}

// sectionTitles are the headings of the page, by section of the catalogue.
var sectionTitles = map[string]string{
	"4.1": "Public register of oppositions · Registro pubblico delle opposizioni",
	"4.2": "Consent and basis · Consenso e base giuridica",
	"4.3": "Direct opposition · Opposizione diretta",
	"4.4": "Code of conduct: hours, frequency, statements · Codice di condotta: orari, frequenza, dichiarazioni",
	"4.5": "Caller identity · Identità del chiamante",
	"4.6": "Silent calls, lists, orders, energy, log, agents · Chiamate mute, liste, provvedimenti, energia, registro, operatori",
	"5":   "Objects: lists, contracts, requests, campaigns · Oggetti: liste, contratti, richieste, campagne",
}

func (s *Sheet) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s · %s · %s\n\n", s.ID, s.Title.EN, s.Title.IT)
	fmt.Fprintf(b, "%s\n\n*%s*\n\n", s.Explain.EN, s.Explain.IT)
	severity := string(s.Severity)
	if s.WarnSeverity != "" {
		severity += " (warning form: " + string(s.WarnSeverity) + ")"
	}
	fmt.Fprintf(b, "- Clause: %s\n- Severity: %s · Kinds: %s · Gate: %s · Tag: %s%s\n", s.Clause, severity, joined(s.Kinds, ", "), joined(s.Effects, " or "), s.Tag, serviceNote(s))
	if s.NotEvaluated != "" {
		fmt.Fprintf(b, "- Not evaluated: %s\n", s.NotEvaluated)
	}
	if len(s.Parameters) == 0 {
		return
	}
	b.WriteString("\n| Parameter | Value | Valid | Tag | Source |\n|---|---|---|---|---|\n")
	for _, v := range s.Parameters {
		parameterRow(b, v)
	}
}

func serviceNote(s *Sheet) string {
	if s.Service && !s.Object {
		return " · service calls too"
	}
	return ""
}

func parameterRow(b *strings.Builder, v Parameter) {
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", v.Name, v.Value, v.Validity("en"), v.Tag, strings.ReplaceAll(v.Source, "|", `\|`))
}

func joined[T ~string](list []T, sep string) string {
	if len(list) == 0 {
		return "–"
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, sep)
}
