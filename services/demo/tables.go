package demo

import (
	"fmt"

	"github.com/assenso/assenso/events"
)

var dispositionWords = map[string]string{
	"no_answer": "nessuna risposta", "busy": "occupato", "failed": "fallita", "voicemail": "segreteria", "silent": "muta",
	"refused_contact": "rifiuto", "asked_removal": "cancellazione", "not_interested": "non interessato",
	"callback_agreed": "richiamare", "sale": "vendita", "wrong_person": "altra persona",
}

var basisWords = map[string]string{
	"consent": "consenso", "contract_consent": "consenso nel contratto", "directory": "elenco", "request": "richiesta",
	"third_party": "terzi", "legitimate_interest": "interesse legittimo",
}

// callTable is a call centre's export of its attempts.
func callTable(processor string) *table {
	t := &table{typ: events.TypeCallConcluded, source: dialer(processor), delimiter: ";", national: true,
		constants: []member{{"data.purpose", "marketing"}, {"data.processor", processor}},
		columns: []column{
			{header: "mandante", target: "controller"}, {header: "campagna", target: "campaign"}, {header: "numero", target: "data.phone"},
			{header: "inizio", target: "data.dialled_at"}, {header: "risposta", target: "data.answered_at"},
			{header: "operatore in linea", target: "data.agent_connected_at"}, {header: "fine", target: "data.released_at"},
			{header: "canale", target: "data.channel"}, {header: "cli", target: "data.cli"},
			{header: "paese origine", target: "data.origin_country"}, {header: "paese operatore", target: "data.agent_country"},
			{header: "modalità", target: "data.mode"}, {header: "operatore", target: "data.agent"}, {header: "operatore riservato", target: "data.agent_reserved"},
			{header: "base", target: "data.basis", words: basisWords}, {header: "consultazione", target: "data.batch"}, {header: "decisione", target: "data.decision"},
			{header: "esito", target: "data.disposition", words: dispositionWords}, {header: "rumore di conforto", target: "data.comfort_noise"},
			{header: "dichiarazioni", target: "data.statements"}, {header: "consenso prima", target: "data.consent_before_pitch"}, {header: "dirottato", target: "data.deflected"},
		}}
	if processor == sud {
		t.charset, t.delimiter, t.national = "windows-1252", ",", false
	}
	return t
}

// rowTable is the export of a list.
func rowTable(controller string, bought bool) *table {
	t := &table{typ: events.TypeListContactAdded, source: crm(controller), delimiter: ";",
		constants: []member{{"controller", controller}},
		columns: []column{{header: "aggiunto", target: "time"}, {header: "lista", target: "data.list"}, {header: "telefono", target: "data.phone"},
			{header: "fonte", target: "data.source"}, {header: "raccolto da", target: "data.collector"}, {header: "acquisito", target: "data.acquired_on"}}}
	if bought {
		t.columns = append(t.columns, column{header: "venditore", target: "data.vendor"})
	}
	return t
}

// grantTable is the export of a consent register.
func grantTable(controller, source string) *table {
	return &table{typ: events.TypeConsentGranted, source: source, delimiter: ",",
		constants: []member{{"controller", controller}},
		columns: []column{{header: "telefono", target: "data.phone"}, {header: "quando", target: "time"}, {header: "scopi", target: "data.purposes"}, {header: "canali", target: "data.channels"},
			{header: "informativa", target: "data.notice.id"}, {header: "versione", target: "data.notice.version"}, {header: "impronta informativa", target: "data.notice.sha256"},
			{header: "modulo", target: "data.source_ref"}, {header: "prova", target: "data.proof.kind"}, {header: "impronta prova", target: "data.proof.sha256"},
			{header: "immutabile", target: "data.proof.immutable"}, {header: "confermato", target: "data.proof.confirmed_at"},
			{header: "preselezionato", target: "data.pre_ticked"}, {header: "contratto", target: "data.contract"}, {header: "settori", target: "data.recipients.sectors"}}}
}

// answerTable is the register's answer file.
func answerTable(controller string) *table {
	return &table{typ: events.TypeRegisterScreened, source: srcRegister, delimiter: "|",
		constants: []member{{"controller", controller}},
		columns: []column{{header: "numero", target: "data.phone"}, {header: "risposto", target: "time"}, {header: "lotto", target: "data.batch"}, {header: "stato al", target: "data.snapshot_at"},
			{header: "esito", target: "data.answer"}, {header: "iscritto", target: "data.opposition_date"}, {header: "dal", target: "data.selective_from"}, {header: "al", target: "data.selective_to"}}}
}

// outputs opens the files in the order of import.
func (w *writer) outputs() error {
	add := func(name, note string, t *table) {
		w.files = append(w.files, &output{file: File{Name: name, Note: note}, table: t})
	}
	add("01-riferimenti.ndjson", "campaigns, lists, processors, notices, caller ids, consultations, orders, agents", nil)
	for _, c := range []string{aurora, lumen, scudo} {
		add("02-lista-"+c+".csv", "own list of "+c, rowTable(c, false))
	}
	add("03-lista-comprata.xlsx", "list bought from "+vendor, rowTable(aurora, true))
	for _, c := range []string{aurora, lumen, scudo} {
		add("04-consensi-"+c+".csv", "consents to "+c, grantTable(c, crm(c)))
	}
	add("05-consensi-"+vendor+".csv", "consents to disclosure collected by the vendor", grantTable(vendor, srcVendor))
	for _, c := range []string{aurora, lumen, scudo} {
		add("06-registro-"+c+".csv", "answers of the register of oppositions", answerTable(c))
	}
	add("07-crm.ndjson", "withdrawals, requests, contracts, complaints; some lines are bad", nil)
	add("08-decisioni.ndjson", "decisions of the gate that the dialers asked", nil)
	for _, p := range []string{nord, sud} {
		add("09-chiamate-"+p+".csv", "attempts of "+p+" and some bad rows", callTable(p))
	}
	add("10-chiamate-altri.ndjson", "attempts of other call centres; oppositions and acknowledgements of all", nil)
	add("11-tardivi.ndjson", "late uploads: oppositions and withdrawals of before the calls; a second variant of a consent", nil)
	add("12-chiamate-"+sud+"-sera.csv", "the evening's attempts of "+sud+", uploaded late", callTable(sud))
	add("13-chiamate-"+nord+"-di-nuovo.csv", "attempts of "+nord+" sent once more", callTable(nord))
	for _, o := range w.files {
		if err := o.open(w.dir); err != nil {
			return err
		}
	}
	return nil
}

// output returns the file by the beginning of its name, which must exist.
func (w *writer) output(prefix string) *output {
	for _, o := range w.files {
		if len(o.file.Name) >= len(prefix) && o.file.Name[:len(prefix)] == prefix {
			return o
		}
	}
	w.fail(fmt.Errorf("demo write: no file %s", prefix))
	return w.files[0]
}

// put sends an event to its file. Calls are kept until the end, to be in order.
func (w *writer) put(e *event) {
	switch e.typ {
	case events.TypeListContactAdded:
		if e.get("vendor") != nil {
			w.write("03-", e)
		} else {
			w.write("02-lista-"+e.controller, e)
		}
	case events.TypeConsentGranted:
		if e.controller == vendor {
			w.write("05-", e)
		} else {
			w.write("04-consensi-"+e.controller, e)
		}
	case events.TypeRegisterScreened:
		n := w.answers[e.text("batch")]
		if n == nil {
			n = map[string]int{}
			w.answers[e.text("batch")] = n
		}
		n[e.text("answer")]++
		w.write("06-registro-"+e.controller, e)
	case events.TypeDecisionIssued:
		w.write("08-", e)
	case events.TypeCallConcluded:
		w.attempts++
		w.calls = append(w.calls, e)
	case events.TypeOppositionRegistered, events.TypeSuppressionAcknowledged:
		w.write("10-", e)
	default:
		w.write("07-", e)
	}
}

func (w *writer) office(e *event)  { w.write("01-", e) }
func (w *writer) putLate(e *event) { w.write("11-", e) }
