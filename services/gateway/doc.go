// Package gateway speaks HTTP: submit, ask, query, download; one problem
// table. It knows the ports (intake, view, …) and never what stands behind
// them; wiring is done by the composition root.
//
// A CRM posts one CloudEvent and reads what became of it:
//
//	POST /v1/events            Content-Type: application/cloudevents+json
//	{"specversion":"1.0","id":"w-7","source":"app.a.example", …}
//	→ 200 {"index":0,"source":"app.a.example","id":"w-7","result":"recorded",
//	       "stream":"LEDGER_01","sequence":18,"recordedtime":"2026-…Z"}
//
// Two acknowledgements stand behind the results (design.md 5): "accepted" is
// given when the submission is on disk in its queue, "recorded" (or duplicate,
// conflict, rejected) when a recorder has answered. The gateway waits up to
// Config.ReceiptWait for the second and answers "accepted" otherwise; sending
// the same event again brings the receipt again and records nothing twice.
//
// A phone number is read from bodies only: no route takes one in its URL, and
// no log line, metric or problem document repeats what a client sent.
package gateway
