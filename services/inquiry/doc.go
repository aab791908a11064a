// Package inquiry answers questions from the view: may this call be placed,
// what is known of a contact, which campaigns there are. It is the part of an
// answer that gateway, report and the scenario player share: it resolves
// cut-offs (at, known_as_of, as_of), loads histories and asks rules; it never
// judges by itself.
//
//	desk := inquiry.Desk{View: store, Beats: log.Beats, Engine: engine, Clock: now, …}
//	answer, err := desk.Decide(ctx, inquiry.Question{Contact: key, Controller: "A", Campaign: "K-A"})
package inquiry
