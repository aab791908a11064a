// Package house wires NATS server, SQLite and all services in one process, or
// some of them against a broker elsewhere. It is the composition root: plain
// assignments in reading order, nothing global, callable from a test. It
// decides nothing.
//
//	cfg, err := house.Load("assenso.yaml", os.Environ(), nil)
//	h, err := house.Open(ctx, cfg, house.Options{Log: log})
//	err = h.Run(ctx) // until ctx ends; then drains and returns nil
//
// A fault after which nothing may be acknowledged any more (unreadable data
// folder, changed pepper, full disk, weaker durability than promised) comes
// back as an error that wraps ErrFatal, at once.
package house
