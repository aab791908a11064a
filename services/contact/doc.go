// Package contact folds the events of one contact point into state, in any order (pure).
//
// Three steps, each a function without a clock and without input or output
// (rules.md 1 and 2):
//
//	h := contact.NewHistory(key, facts)              // every fact that concerns one contact
//	seen := contact.View(h, contact.Finding(t, r))   // duplicates, conflicts, corrections, cut-offs
//	state := contact.Fold(seen)                      // registers, each a join-semilattice
//
// The same facts in any order and with any repetition give the same view and
// the same state: two states join by State.Join, which is commutative,
// associative and idempotent.
package contact
