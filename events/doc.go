// Package events is the contract of Assenso: the envelope, the event types,
// the closed sets, validation, the canonical form and the subjects. It imports
// the standard library only, so that a CRM, a dialer or another ledger can
// import it without drawing in anything else.
//
// A submission is what a system publishes (it bears a phone number); a recorded
// event is what the log stores (it bears a contact key). Strict validation
// belongs to submissions; recorded events decode leniently for ever, whatever
// the rules of today say.
package events
