package recorder

import "github.com/assenso/assenso/events"

// oppositions records direct oppositions, the public register and the rights
// of persons (events.md 4.3). All restrict but the types that lift a
// restriction or only tell of one; an unreadable message is taken for a
// restriction.
var oppositions = family{
	restricts: func(t events.Type) bool {
		switch t {
		case events.TypeRegisterSelectivelyRevoked, events.TypeRegisterDelisted, events.TypeRegisterScreeningCompleted,
			events.TypeSuppressionAcknowledged, events.TypeRightsExtended, events.TypeRightsClosed:
			return false
		}
		return true
	},
	target: noTarget,
}
