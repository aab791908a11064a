// Package worker hosts handlers on the Watermill router (retry, parking,
// metrics); the only importer of Watermill. Watermill hosts, it does not own:
// its JetStream adapters are not used, and no type of it appears in what other
// packages call (design.md 5).
//
// A consumer service is a Config and a Run:
//
//	s, err := worker.New(worker.Config{
//		Name:      "recorder.grants",
//		JetStream: js,
//		Leases:    leases,
//		Stream:    "INTAKE_GRANTS",
//		Durable:   "recorder-grants",
//		Handle:    func(ctx context.Context, batch []worker.Message) error { … },
//		Transient: func(err error) bool { … },
//		Park:      func(ctx context.Context, m worker.Message, cause error) error { … },
//	})
//	err = s.Run(ctx)
//
// What the package promises to such a service:
//
//   - Batches arrive in the order of the stream, without gaps, one at a time.
//     A message is handed out again after a crash, never skipped: message n is
//     acknowledged only after every message up to n was handled.
//   - A transient error repeats the batch with back-off, for ever. Any other
//     error (and a panic) is traced to its message by bisection, and that
//     message alone is parked.
//   - Of several instances with one durable, one is active. The others wait
//     for its lease (see Lease) and go on where it stopped.
//
// Publisher, Subscriber and their batches are Watermill's interfaces over
// nats.go/jetstream and pass Watermill's own pubsub/tests.
package worker
