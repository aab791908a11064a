// Package feed tells dialers, at once and without gaps, what they must stop calling.
//
// It follows the ledger, works out for each contact that a record touches what
// stands against calling it (package standing), compares that with what it has
// said (package said), and publishes the difference to the stream FEED:
//
//	f, err := feed.New(feed.Config{Ledger: log, View: store, Await: index.Await, …})
//	err = f.Run(ctx)
//
// A stop need not wait for the views: it is said as soon as the record is read,
// from what the views hold and the records that they lack. Everything else,
// and whatever a correction or a conflict changes, is said once the event index
// has applied the record. What comes by time alone is said at its instant.
//
// What is certain: said, position in the ledger and position in FEED move in
// one transaction after FEED has stored the messages. A crash in between leaves
// messages in FEED that said does not know; every life begins by reading them
// and by looking again at the contacts that they name. So no stop is missed; one
// that is said twice changes nothing.
//
// Dialers on NATS read FEED themselves, ask here for a snapshot, hear a beat
// every second and acknowledge what they apply; package tail does the same for
// those who speak HTTP.
package feed
