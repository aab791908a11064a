package recorder

import "github.com/assenso/assenso/events"

// outcomes records calls, contracts, complaints and the gate's decisions
// (events.md 4.4). It is the flood that must not delay a revocation, and the
// reason why each family has a queue and a recorder of its own. Nothing here
// restricts: a person's "do not call me" in a call is an opposition of its own.
var outcomes = family{
	restricts: func(events.Type) bool { return false },
	target:    noTarget,
}
