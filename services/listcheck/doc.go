// Package listcheck puts one question to a list of contacts: it reads the lines, has them answered in order, and commits to the answers with a Merkle root.
//
// A list check plans: it says which numbers of a list may be called, and until
// when each answer holds. It replaces no question at the dial (LED-05).
//
//	run := listcheck.Run{List: list, Normalise: numbers.Normalise, Key: vault.Key, Read: read, Write: write}
//	totals, err := run.Do(ctx)
//
// Each line of the list is a number, or an object (see Line). Each line of the
// answer is an object in its RFC 8785 form, in the order of the list:
//
//	{"contact":"3f0c…","index":0,"reasons":[{"effect":"block","rule":"IT-CON-05"}],"ref":"row 7","valid_until":"2026-03-05T19:00:00.000001Z","verdict":"block"}
//
// index counts from 0. contact is absent where the number cannot be read; then
// errors says why. reasons are the rules that warn or block, sorted by rule, as
// in decision.issued; those that begin with "SYS-" are the ledger's own doubt.
// valid_until is the first instant at which the answer may change by time alone.
// register_until is when the register's answer expires that the check relied on:
// absent where none is needed or none is valid (then IT-RPO-02 or IT-RPO-09
// says so).
//
// # Commitment
//
// The last line of an answer is its Summary, and decision.batch_issued records
// what it commits to. Whoever has the answer can recompute the root: the leaf of
// a line is its RFC 8785 form without the members errors and ref, hashed as
// SHA-256(0x00 ‖ leaf); the tree over the leaves in order is that of RFC 6962
// section 2.1, the root of no leaf being SHA-256 of nothing. The batch id is
// the digest of the question, its instant and the positions, so that the record
// names what was asked: see Summary.ID.
package listcheck
