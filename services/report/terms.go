package report

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/assenso/assenso/services/rules"
)

// merged joins maps of words; of one key the first counts.
func merged(all ...labels) labels {
	out := labels{}
	for i := len(all) - 1; i >= 0; i-- {
		maps.Copy(out, all[i])
	}
	return out
}

// with adds the titles of the rules, which tables hold in English.
func (l labels) with(lang string, titles map[string]rules.Text) labels {
	if lang != "it" || len(titles) == 0 {
		return l
	}
	own := labels{}
	for _, t := range titles {
		own[t.EN] = t.IT
	}
	return merged(l, own)
}

// list translates the words of a list that is separated by commas.
func (l labels) list(cell string) string {
	if w, ok := l[cell]; ok {
		return w
	}
	parts := strings.Split(cell, ", ")
	return strings.Join(l.all(parts), ", ")
}

// words translates some columns of a table on pages; CSV files keep the words
// of the contract.
func words(columns ...int) func(row, column int) bool {
	set := map[int]bool{}
	for _, c := range columns {
		set[c] = true
	}
	return func(_, column int) bool { return set[column] }
}

// span writes seconds as people read them; what is no number stays.
func (l labels) span(cell string) string {
	s, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return cell
	}
	unit, size := spanUnit(math.Abs(s))
	return strconv.FormatFloat(math.Round(s/size*10)/10, 'f', -1, 64) + " " + l.of(unit)
}

// spanUnit picks the unit in which so many seconds are read well.
func spanUnit(s float64) (key string, size float64) {
	switch {
	case s < 120:
		return "seconds", 1
	case s < 2*3600:
		return "minutes", 60
	case s < 2*86400:
		return "hours_unit", 3600
	}
	return "days", 86400
}

// valueText writes a value of a chart: whole numbers as such, others with one
// digit.
func valueText(f float64) string {
	if f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

var englishTerms = labels{"1096-": "1096 and more", "31-": "31 and more", "hours_unit": "hours", "sms": "SMS", "sale": "sale", "in_call": "during a call"}

// italianTerms are the closed sets of the contract in Italian.
var italianTerms = labels{
	"1096-": "1096 e oltre", "31-": "31 e oltre", "hours_unit": "ore", "minutes": "minuti", "yes": "sì", "no": "no", "none": "nessuna",
	"marketing": "marketing", "market_research": "ricerche di mercato", "profiling": "profilazione", "third_party_disclosure": "comunicazione a terzi", "service": "servizio",
	"operator_call": "chiamata con operatore", "automated_call": "chiamata automatizzata", "sms": "SMS", "messaging": "messaggistica", "email": "posta elettronica", "paper_mail": "posta cartacea",
	"no_answer": "nessuna risposta", "busy": "occupato", "failed": "non riuscita", "voicemail": "segreteria", "refused_contact": "contatto rifiutato", "asked_removal": "richiesta di cancellazione",
	"not_interested": "non interessato", "callback_agreed": "richiamata concordata", "sale": "vendita", "wrong_person": "persona sbagliata", "survey_done": "intervista svolta", "service_done": "servizio svolto",
	"consent": "consenso", "contract_consent": "consenso in contratto", "directory": "elenco telefonico", "request": "richiesta", "inbound": "chiamata dell'interessato", "soft_spam": "clienti per posta elettronica",
	"third_party": "lista di terzi", "legitimate_interest": "legittimo interesse", "basis_consent": "base: consenso", "basis_contract_consent": "base: consenso in contratto", "basis_directory": "base: elenco telefonico",
	"basis_request": "base: richiesta", "basis_inbound": "base: chiamata dell'interessato", "basis_third_party": "base: lista di terzi", "basis_soft_spam": "base: clienti per posta elettronica", "basis_none": "nessuna base",
	"critical": "critica", "high": "alta", "medium": "media", "low": "bassa", "info": "informativa",
	"phone": "telefono", "postal": "posta", "web": "web", "shop": "negozio", "other": "altro", "identity": "identità", "rights": "diritti", "notice": "informativa",
	"telecom": "telecomunicazioni", "energy": "energia", "insurance": "assicurazioni", "finance": "finanza", "retail": "commercio", "publishing": "editoria",
	"void": "annullamento", "amend": "rettifica", "withheld": "nascosto", "opposition": "opposizione", "withdrawal": "revoca", "refusal": "diniego",
	"in_call": "durante la chiamata", "post": "posta", "pec": "PEC", "app": "app", "letter": "lettera", "counter": "sportello", "portal": "portale",
	"median": "mediana", "p50": "mediana", "p95": "95 %", "max": "massimo",
	"random or sequential dialling needs the numbers, which are not in the log": "la composizione casuale o sequenziale richiede i numeri, che non stanno nel registro",
	"inclusion and chain proofs are checked by the notary and by verification":  "le prove di inclusione e di catena sono verificate dal notaio e dalla verifica",
}
