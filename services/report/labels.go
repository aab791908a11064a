package report

import "strings"

// labels are the words of the page in one language.
type labels map[string]string

// of returns the word for a key; a key without one is shown as it stands.
func (l labels) of(key string) string {
	if w, ok := l[key]; ok {
		return w
	}
	return strings.ReplaceAll(key, "_", " ")
}

func (l labels) all(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = l.of(k)
	}
	return out
}

// languages of the page: BCP 47 → words. English keys that read as they stand
// are left out.
var languages = map[string]labels{"en": merged(english, englishTerms, englishEvidence), "it": merged(italian, italianTerms, italianEvidence)}

var english = labels{
	"report": "Campaign report", "nothing": "Nothing to report.", "more": "Only the first rows are shown; the JSON and CSV forms hold all of them.",
	"part_1": "1 · Campaign", "part_2": "2 · Public register of oppositions", "part_3": "3 · Lawful basis", "part_4": "4 · Oppositions and withdrawals",
	"part_5": "5 · Lists", "part_6": "6 · Hours, caller identity, silent calls", "part_7": "7 · Pressure", "part_8": "8 · Contracts and commissions",
	"part_9": "9 · Findings", "part_10": "10 · Gaps", "part_11": "11 · Non-findings", "as_of": "as of (R)", "roc": "ROC number",
	"cli": "caller number", "paid": "commissions paid", "cli_findings": "findings on it", "count": "number", "p50_s": "median", "p95_s": "95 %", "max_s": "longest", "drop_p50_s": "drop, median", "drop_max_s": "drop, longest", "p50": "median", "p95": "95 %", "max": "longest",
	"median_lag_s": "median lag", "worst_lag_s": "worst lag", "price_eur": "price, €", "eur_per_row": "€ per row",
	"chart_basis": "Attempts by proven basis", "chart_lag_recorded": "From hearing of an opposition to recording it in the ledger", "chart_lag_acknowledged": "From hearing of an opposition to a processor's acknowledgement", "chart_silent": "Silent calls against the limit, in percent of the answered calls",
	"chart_pressure": "Numbers by their highest count of attempts in 30 days", "chart_rules": "Findings by rule", "chart_days": "Findings by day (the last 31 days with any)",
	"note_kinds": "CONFIRMED: broken on the evidence of the ledger. POTENTIAL: may be broken; a fact was disputed, corrected later or is not certain. HINDSIGHT: nobody could know at the time; not a violation. BEST_PRACTICE: a rule of a code to which the controller does not adhere.",
	"note_root":  "Root hash and inclusion proofs: none yet; no notary signs this log.", "by_medium": "medium", "percent": "percent of the answered calls", "title": "rule in words", "page": "page", "of_pages": "of", "attempts_per_number": "attempts per number",
	"finding_count": "number of findings", "totals": "Totals by rule", "findings": "Findings on attempts", "object_findings": "Findings on campaigns, lists, contracts and requests",
	"annex_hindsight": "Annex A: hindsight", "annex_best_practice": "Annex B: best practice",
}

var italian = labels{
	"report": "Rapporto di campagna", "nothing": "Nulla da segnalare.", "more": "Sono mostrate solo le prime righe; le forme JSON e CSV le contengono tutte.",
	"part_1": "1 · Campagna", "part_2": "2 · Registro pubblico delle opposizioni", "part_3": "3 · Base giuridica", "part_4": "4 · Opposizioni e revoche",
	"part_5": "5 · Liste", "part_6": "6 · Orari, identità del chiamante, chiamate mute", "part_7": "7 · Pressione", "part_8": "8 · Contratti e provvigioni",
	"part_9": "9 · Violazioni riscontrate", "part_10": "10 · Lacune", "part_11": "11 · Regole senza riscontri",
	"header": "intestazione", "item": "voce", "value": "valore", "controller": "titolare", "campaign": "campagna", "purpose": "finalità", "channels": "canali", "sector": "settore", "product": "prodotto",
	"product_owner": "titolare del prodotto", "lists": "liste", "opened_at": "apertura", "closed_at": "chiusura", "attempts": "tentativi", "contacts": "contatti",
	"first_attempt": "primo tentativo", "last_attempt": "ultimo tentativo", "certified_agents": "chiamate di operatori certificati", "as_of": "alla data (R)", "positions": "posizioni nel registro",
	"packs": "pacchetti di regole", "program": "programma", "time_zone_data": "dati dei fusi orari", "digest": "impronta del rapporto",
	"processor": "responsabile", "processors": "responsabili del trattamento", "appointed_by": "nominato da", "from": "dal", "to": "al", "last_day": "ultimo giorno", "roc": "numero ROC", "penalty_clause": "clausola penale", "event": "evento",
	"consultations": "consultazioni", "batch": "consultazione", "list": "lista", "register": "registro", "snapshot_at": "stato al", "answered_at": "risposta", "last_valid_day": "ultimo giorno valido",
	"submitted": "inviati", "clear": "liberi", "opposed": "iscritti", "selective": "revoca selettiva", "invalid": "non validi", "cited_by_attempts": "citata da tentativi",
	"opposed_numbers": "numeri iscritti", "to_opposed_numbers": "verso numeri iscritti", "status_unknown": "stato sconosciuto", "basis": "base", "count": "numero",
	"basis_mix": "basi dichiarate e provate", "declared": "dichiarata", "proven": "provata", "consent_ages": "età dei consensi", "days": "giorni",
	"oppositions": "opposizioni e revoche", "kind": "tipo", "by_medium": "mezzo", "received_by": "raccolta da", "opposition_lag": "tempi dell'opposizione", "step": "passo",
	"received_to_recorded": "dalla ricezione alla registrazione", "received_to_acknowledged": "dalla ricezione alla conferma", "p50_s": "mediana", "p95_s": "95 %", "max_s": "massimo",
	"calls_after_opposition": "chiamate dopo l'opposizione", "vendor": "fornitore", "vendor_chain": "catena dei fornitori", "acquired_at": "acquisita", "price_eur": "prezzo, €", "called_contacts": "contatti chiamati",
	"eur_per_row": "€ per riga", "rows": "righe", "vetting": "verifiche", "sample": "campione", "activated_at": "attivata", "own_screenings": "confronto con le proprie esclusioni",
	"list_attempts": "tentativi e liste", "off_list_attempts": "tentativi fuori lista", "attempts_without_origin": "tentativi senza origine", "hours": "orari", "hour": "ora", "caller_ids": "numeri chiamanti", "cli": "numero chiamante",
	"findings": "riscontri sui tentativi", "silent_calls": "chiamate mute", "answered": "risposte", "silent": "mute", "ratio": "rapporto", "limit": "limite", "within_limit": "entro il limite", "drop_p50_s": "caduta, mediana", "drop_max_s": "caduta, massimo",
	"statements": "dichiarazioni obbligatorie", "statement": "dichiarazione", "human_answered": "con una persona", "with_all_statements": "con tutte le dichiarazioni", "dispositions": "esiti", "disposition": "esito", "outside_hours": "fuori orario",
	"pressure": "pressione", "attempts_per_number": "tentativi per numero", "pressure_summary": "pressione, in breve", "numbers": "numeri", "highest_count": "massimo", "window_days": "giorni della finestra",
	"contract_weeks": "contratti per settimana", "week": "settimana", "channel": "canale", "lawful": "con origine lecita", "without_lawful_origin": "senza origine lecita", "contracts": "contratti", "contract": "contratto", "contact": "contatto", "at": "quando",
	"origin": "origine", "brought_by": "procurato da", "missing_link": "anello mancante", "operator": "operatore", "rules": "regole", "paid": "provvigioni pagate", "commissions_withheld": "provvigioni trattenute", "cli_findings": "riscontri sul numero", "commissions_to_withhold": "provvigioni da non pagare",
	"finding_count": "numero di riscontri", "totals": "totali per regola", "rule": "regola", "severity": "gravità", "confirmed": "accertate", "potential": "potenziali", "hindsight": "col senno di poi", "best_practice": "buona prassi", "clause": "fonte",
	"findings_by_day": "riscontri per giorno", "day": "giorno", "attempt_or_object": "tentativo o oggetto", "imputed": "imputato a", "events": "eventi", "details": "dettagli", "object_findings": "riscontri su campagne, liste, contratti e richieste",
	"annex_hindsight": "Allegato A: col senno di poi", "annex_best_practice": "Allegato B: buona prassi", "late_events": "eventi tardivi", "source": "fonte", "median_lag_s": "ritardo mediano", "worst_lag_s": "ritardo massimo",
	"sequence_gaps": "numerazioni interrotte", "conflicts": "conflitti", "corrections": "correzioni", "target": "bersaglio", "action": "azione", "reason": "motivo", "recorded_at": "registrata",
	"rules_without_a_hit": "regole applicate senza riscontri", "rules_not_evaluated": "regole non valutate", "seconds": "secondi", "percent": "percentuale delle risposte", "title": "regola in parole", "page": "pagina", "of_pages": "di",
	"chart_basis": "Tentativi per base provata", "chart_lag_recorded": "Dalla notizia di un'opposizione alla sua registrazione", "chart_lag_acknowledged": "Dalla notizia di un'opposizione alla conferma di un responsabile", "chart_silent": "Chiamate mute rispetto al limite, in percentuale delle risposte",
	"chart_pressure": "Numeri per massimo di tentativi in 30 giorni", "chart_rules": "Riscontri per regola", "chart_days": "Riscontri per giorno (gli ultimi 31 con riscontri)",
	"note_kinds": "Accertata (CONFIRMED): violazione sugli atti del registro. Potenziale (POTENTIAL): possibile; un fatto è contestato, corretto in seguito o incerto. Col senno di poi (HINDSIGHT): nessuno poteva saperlo allora; non è una violazione. Buona prassi (BEST_PRACTICE): regola di un codice cui il titolare non aderisce.",
	"note_root":  "Radice e prove di inclusione: non ancora; nessun notaio firma questo registro.",
}
