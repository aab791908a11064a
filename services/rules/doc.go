// Package rules evaluates state, attempt and rule pack; returns verdict, reasons, findings with evidence (pure).
//
// One function decides: the question before the call, the finding after it and
// the auditor's replay evaluate the same rules with other cut-offs (rules.md 1):
//
//	engine := rules.NewEngine(packs)
//	decision := engine.Gate(history, reference, attempt, t)      // View(t, t, t)
//	decision, ok := engine.GateFacts(facts, reference, attempt, t)
//	question := engine.Prepare(reference, attempt, t)            // one question to a million contacts
//	ruling, ok := question.Verdict(facts)
//	result := engine.Assess(history, reference, attempt, asOf)   // View(t, t, R), hindsight
//	objects, err := engine.Objects(world, asOf)                  // View(R, R, R)
//
// A contact.History holds what concerns one contact point, a Reference the
// facts without a contact (campaigns, lists, notices, processors, orders …),
// Packs the law as dated data. Nothing here reads a clock, a file or a socket;
// every instant is an argument. Civil dates and hours are those of
// Europe/Rome; the time-zone database is compiled in.
package rules
