package events

// Type is an event type with its major version: "consent.granted.v1".
type Type string

// Family names one of the five recorders (events.md 1.3).
type Family string

// The families, in the order of the specification.
const (
	FamilyGrants      Family = "grants"
	FamilyRevocations Family = "revocations"
	FamilyOppositions Family = "oppositions"
	FamilyOutcomes    Family = "outcomes"
	FamilyCampaigns   Family = "campaigns"
)

// Families lists all families.
var Families = []Family{FamilyGrants, FamilyRevocations, FamilyOppositions, FamilyOutcomes, FamilyCampaigns}

// Payload is the typed data of an event: a pointer to one of the structs of
// this package. Unknown fields are not in it; they stay in the stored bytes.
type Payload interface{ EventType() Type }

// Event is a recorded event as its readers see it. Instants are UTC; an absent
// clock is the zero Instant. Controller, Campaign and Subject are zero where
// absent.
type Event struct {
	ID         string
	Source     string
	Type       Type
	Time       Instant // occurred
	Received   Instant
	Recorded   Instant // as stamped; readers use the running maximum of the stream
	Controller string
	Campaign   string
	SourceSeq  int64
	Subject    ContactKey
	Target     ContactKey // targetsubject of event.corrected
	Data       Payload
}

// Identity returns the event's identity.
func (e *Event) Identity() Identity { return Identity{Source: e.Source, ID: e.ID} }
