package recorder

import "github.com/assenso/assenso/events"

// revocations records withdrawals and invalidations (events.md 4.2). All of
// them restrict, and so may whatever else was sent here, readable or not.
var revocations = family{
	restricts: func(events.Type) bool { return true },
	target:    noTarget,
}
