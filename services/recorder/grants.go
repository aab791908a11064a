package recorder

import "github.com/assenso/assenso/events"

// grants records consents, refusals and re-verifications (events.md 4.1). A
// grant that is lost only costs a call that might have been made; a refusal
// that is lost leaves somebody callable.
var grants = family{
	restricts: func(t events.Type) bool { return t == events.TypeConsentRefused },
	target:    noTarget,
}
