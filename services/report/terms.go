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
	return l.decimal(strconv.FormatFloat(math.Round(s/size*10)/10, 'f', -1, 64)) + " " + l.of(unit)
}

// decimal writes a number with the decimal mark of the language.
func (l labels) decimal(number string) string {
	if mark, ok := l["decimal_mark"]; ok {
		return strings.Replace(number, ".", mark, 1)
	}
	return number
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

// value writes a value of a chart: whole numbers as such, others with one
// digit.
func (l labels) value(f float64) string {
	if f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return l.decimal(fmt.Sprintf("%.1f", f))
}

var englishTerms = labels{
	"basis_consent": "basis: consent", "basis_contract_consent": "basis: contract consent", "basis_directory": "basis: directory", "basis_request": "basis: request", "basis_inbound": "basis: call by the person",
	"basis_third_party": "basis: third-party list", "basis_soft_spam": "basis: customers by e-mail", "basis_none": "no basis",
	"answer": "answer of the register", "attempt_or_object_contact": "attempt or object, contact",
	"contracts_note": "Shown are contracts that lack a link of the chain or broke a rule; the JSON and CSV forms hold all of them.",
	"answer_clear":   "clear", "answer_opposed": "opposed", "answer_selective": "selective", "answer_invalid": "invalid", "grant_void": "void", "true": "yes", "false": "no",
	"acknowledgement_of": "acknowledgement of the script by", "1096-": "1096 and more", "31-": "31 and more", "hours_unit": "hours", "sms": "SMS", "sale": "sale", "in_call": "during a call"}

// italianTerms are the closed sets of the contract in Italian.
var italianTerms = labels{
	"decimal_mark": ",", "list_coverage": "copertura delle liste", "answered_contacts": "contatti con risposta", "share": "quota", "attempt_or_object_contact": "tentativo o oggetto, contatto", "measure": "misura",
	"contracts_note": "Sono mostrati i contratti senza un anello della catena o con una regola violata; le forme JSON e CSV li contengono tutti.",
	"1096-":          "1096 e oltre", "31-": "31 e oltre", "hours_unit": "ore", "minutes": "minuti", "yes": "sì", "no": "no", "none": "nessuna",
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
	"access": "accesso", "rectification": "rettifica", "erasure": "cancellazione", "restriction": "limitazione", "portability": "portabilità", "objection": "opposizione",
	"answer_clear": "libero", "answer_opposed": "iscritto", "answer_selective": "revoca selettiva", "answer_invalid": "non valido", "grant_void": "nullo", "unknown": "sconosciuto", "undeclared": "non dichiarata", "allow": "consentire", "warn": "avvertire", "block": "bloccare",
	"manual": "manuale", "preview": "anteprima", "progressive": "progressiva", "predictive": "predittiva", "automated": "automatica", "deflected": "dirottata altrove",
	"certified_email": "PEC", "via_list_provider": "tramite il fornitore della lista", "via_authority": "tramite l'autorità", "legacy_import": "importazione storica",
	"bundled": "accorpato", "tainted": "viziato", "fake": "falso", "wrong_number": "numero sbagliato", "authority_order": "ordine dell'autorità",
	"answered_at": "istante della risposta", "not open": "non aperta", "true": "sì", "false": "no", "critical finding": "violazione critica", "no_defect": "senza vizi",
	"acknowledgement_of": "conferma del testo da parte di", "recipient in a notice in force": "destinatario in un'informativa in vigore", "script": "testo della chiamata",
	"answer": "risposta del registro", "row on a list of the campaign": "riga su una lista della campagna", "extract of a directory": "estratto di un elenco",
	"ux": "percorso di raccolta", "revocability": "revocabilità", "traceability": "tracciabilità", "refused_at": "ora del rifiuto", "inserted_at": "ora dell'iscrizione",
	"entry_source": "fonte dell'iscrizione", "recorded_by": "chi ha registrato",
	"CONFIRMED": "accertata", "POTENTIAL": "potenziale", "HINDSIGHT": "col senno di poi", "BEST_PRACTICE": "buona prassi",
	"clause_Code of conduct, hours of contact": "Codice di condotta, fasce orarie di contatto", "clause_Code of conduct": "Codice di condotta", "clause_Energy decree 2026": "Decreto energia 2026",
	"clause_decision": "provvedimento", "clause_arts ": "artt. ", "clause_policy": "scelta di prodotto", "clause_RPO FAQ": "FAQ del RPO", "decision": "decisione",
	"random or sequential dialling needs the numbers, which are not in the log": "la composizione casuale o sequenziale richiede i numeri, che non stanno nel registro",
	"inclusion and chain proofs are checked by the notary and by verification":  "le prove di inclusione e di catena sono verificate dal notaio e dalla verifica",
}

// italianEvidence names the details of findings in Italian.
var italianEvidence = labels{
	"ev_acquired_by": "acquisita da", "ev_activated": "attivata", "ev_activated_on": "attivato il", "ev_added": "aggiunta", "ev_agent": "operatore", "ev_agent_country": "paese dell'operatore",
	"ev_ahead": "orologio avanti di", "ev_answer": "risposta", "ev_answered": "risposte", "ev_applied": "applicata", "ev_attempts": "tentativi", "ev_authority": "autorità", "ev_basis": "base",
	"ev_batch": "consultazione", "ev_call": "chiamata", "ev_campaign": "campagna", "ev_channel": "canale", "ev_cli": "numero chiamante", "ev_comfort_noise": "rumore di conforto", "ev_confirmed_on": "confermato il",
	"ev_contacts": "contatti", "ev_contract": "contratto", "ev_contract_broke": "il contratto viola", "ev_days": "giorni", "ev_decided": "decisa", "ev_decision": "decisione", "ev_declared": "base dichiarata", "ev_dialled": "composta",
	"ev_disclosure_grant": "consenso alla comunicazione", "ev_due": "termine", "ev_earlier_contact": "contatto precedente", "ev_end": "fine", "ev_ended_on": "cessato il", "ev_eve_of": "vigilia di", "ev_expired_batch": "consultazione scaduta",
	"ev_expires": "scade il", "ev_extracted_on": "estratto il", "ev_gap": "intervallo", "ev_given_in_call": "dato nella chiamata", "ev_grant": "consenso", "ev_granted": "dato", "ev_harder_than_grant": "più difficile del consenso", "ev_holiday": "festività",
	"ev_horizon_from": "orizzonte dal", "ev_horizon_to": "orizzonte al", "ev_inactive_list": "lista non attiva", "ev_invalidated": "invalidato", "ev_lag": "ritardo", "ev_largest": "maggiore", "ev_list": "lista", "ev_made_by": "a nome di",
	"ev_medium": "mezzo", "ev_missing": "manca", "ev_mode": "modo di composizione", "ev_not_appointed": "non nominato", "ev_not_said": "non detto", "ev_notice": "informativa", "ev_notice_given": "informativa data", "ev_number": "numero",
	"ev_one_of_them": "uno di essi", "ev_opposed": "opposizione", "ev_origin": "origine", "ev_origin_broke": "l'origine viola", "ev_origin_country": "paese di origine", "ev_origin_unknown": "origine sconosciuta", "ev_outcome": "esito", "ev_pitched_for": "offerta per",
	"ev_processor": "responsabile", "ev_product_owner": "titolare del prodotto", "ev_reassigned": "riassegnato", "ev_received": "ricevuta", "ev_received_by": "raccolta da", "ev_recipient": "destinatario", "ev_recorded": "registrata",
	"ev_requested": "richiesta", "ev_rest_until": "pausa fino a", "ev_reverified": "verificato di nuovo", "ev_rome": "ora di Roma", "ev_script": "testo", "ev_set_root": "radice dell'insieme", "ev_silent": "mute", "ev_silent_call": "chiamata muta",
	"ev_silent_ms": "millisecondi muti", "ev_smallest": "minore", "ev_snapshot": "stato al", "ev_started_on": "iniziato il", "ev_status": "stato nel registro", "ev_suppressed": "esclusione", "ev_test": "prova", "ev_tested": "verificato",
	"ev_type": "tipo", "ev_used_up_by": "esaurita da", "ev_utc": "UTC", "ev_vendor": "fornitore", "ev_verdict": "esito della domanda", "ev_version": "versione", "ev_which_broke": "che viola", "ev_withdrawn": "revoca",
}

// englishEvidence names the details that do not read well as they stand.
var englishEvidence = labels{
	"ev_cli": "caller number", "ev_utc": "UTC", "ev_rome": "in Rome", "ev_silent_ms": "milliseconds silent", "ev_horizon_from": "register horizon from", "ev_horizon_to": "register horizon to",
	"ev_status": "status in the register", "ev_ahead": "clock ahead by", "ev_test": "call-back test", "ev_mode": "dialling mode", "ev_declared": "declared basis", "ev_set_root": "root of the set",
}
