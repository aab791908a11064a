package recorder

import "github.com/assenso/assenso/events"

// family is what is special to one of the five recorders; the course of a
// batch is common to all.
type family struct {
	// restricts reports whether a message of type t that is not recorded may
	// leave somebody callable. An unreadable type is "".
	restricts func(t events.Type) bool
	// target returns the identity whose contact is stamped on the event.
	target func(s *events.Submission) (events.Identity, bool)
}

var families = map[events.Family]family{
	events.FamilyGrants:      grants,
	events.FamilyRevocations: revocations,
	events.FamilyOppositions: oppositions,
	events.FamilyOutcomes:    outcomes,
	events.FamilyCampaigns:   campaigns,
}

func noTarget(*events.Submission) (events.Identity, bool) { return events.Identity{}, false }
