// Package gate keeps every contact's state in memory, answers call questions, signs receipts.
//
// It follows all partitions of the ledger and the reference stream, keeps of
// each fact what the rules read (compactly and without pointers), and answers
// for its own clock:
//
//	g, err := gate.New(gate.Config{Ledger: log, Index: index, Engine: engine, Clock: clock, Log: log})
//	go g.Run(ctx)                       // follow; from a snapshot, if there is one
//	d, err := g.Decide(ctx, attempt)    // microseconds: View(t, t, t) by rules.Engine
//
// One function decides: the gate rebuilds the facts of a contact and hands them
// to rules.Engine, which also judges findings and replays. What it cannot hold
// compactly (an identity in conflict, a correction, a consent given in a call
// that may taint it) it reads from the event index of consentstate through the
// port Index; until such a contact is settled it is blocked.
//
// It fails closed (design.md 8): unless the beats of all families are younger
// than 5 s and everything up to their positions is applied, no question is
// answered with allow. Its doubts are reasons whose rule begins with "SYS-".
package gate
