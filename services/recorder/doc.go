// Package recorder holds five consumer services (grants, revocations,
// oppositions, outcomes, campaigns: a file each) that turn submissions into
// recorded events. It imports neither view nor gateway: what it wants to know
// of the log's past it asks the port Identities.
//
//	r, err := recorder.New(recorder.Config{
//		Family: events.FamilyRevocations, Conn: nc, Leases: leases,
//		Ledger: log, Vault: safe, Receipts: queue, Rejects: rejects, Parked: parked,
//		Clock: clock, Logger: logger, Metrics: registry,
//	})
//	err = r.Run(ctx) // until ctx ends
//
// A batch passes these steps. A crash between any two repeats all of them;
// each is idempotent, so each event has its effect once:
//
//	step                                    repeated after a crash
//	decode, validate, derive keys           pure
//	refused: seal in the vault, REJECTS     the reject's id is that of the queued message
//	compare identities                      answers "duplicate" where the first try had recorded
//	vault upsert, one transaction           writes the same again
//	append to the ledger, one call          the message id is known, or readers skip the copy
//	receipts                                may be missed, may come twice
//	acknowledge                             covers only what was done
//
// A fault of the ledger, the vault or the bus repeats the batch with back-off;
// nothing is parked for it. A message that no repetition helps is parked alone
// (see worker). A refused or parked message that restricts raises an Alarm: it
// leaves somebody callable.
package recorder
