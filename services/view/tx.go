package view

import "github.com/assenso/assenso/events"

// Row is an event on its way into the index, with what it is found by.
type Row struct {
	Event
	Type events.Type
	List string // list.contact_added, list.contact_removed: the list; else ""
}

// Batch is what the index keeps of a run of entries of one stream besides
// their rows: nothing of it belongs to a contact.
type Batch struct {
	Stream     string
	First      uint64           // sequence of Recorded[0]
	Recorded   []events.Instant // running maximum, one for each entry, skipped ones included
	Late       []Late
	Sources    []SourceSequence
	Duplicates []uint64 // sequences of copies that were skipped
}

// Link says that the event at Stream and Sequence, owned by another contact or
// by none, bears on Contact (History). The zero Contact stands for the
// reference state (Reader.Disputed).
type Link struct {
	Contact  events.ContactKey
	Owner    events.ContactKey // zero in LEDGER_REF
	Stream   string
	Sequence uint64
}

// Correction says that the event.corrected at Sequence of Stream, of the given
// identity, names Target.
type Correction struct {
	Target   events.IdentityHash
	Identity events.IdentityHash
	Contact  events.ContactKey // of the event.corrected; normally zero
	Stream   string
	Sequence uint64
}

// AttemptFindings are the findings of one attempt; they replace what was there.
type AttemptFindings struct {
	Attempt  Attempt
	Findings []Finding
}

// Change is the difference that a batch makes to one campaign.
type Change struct {
	CampaignRef
	FirstDialled events.Instant   // joins with min; zero = no change
	LastDialled  events.Instant   // joins with max
	Counters     map[string]int64 // added
	Starts       []byte           // replaces; nil = no change
	Recount      bool             // take first and last from the attempts, after PutFindings and DropAttempts
}

// Sweep is a standing order to evaluate the attempts of a campaign again that
// were dialled within From and Until (both included), contact by contact. After
// is the last contact done.
type Sweep struct {
	CampaignRef
	From, Until events.Instant
	After       events.ContactKey
}

// Tx is one transaction of a projection. It sees its own writes. It is used by
// one goroutine and only until the function that got it returns. Rows of one
// call must not repeat a key.
type Tx interface {
	// Index enters events by identity and by contact. For a row whose identity
	// is already there, or stands earlier in rows, known[i] holds the variants
	// that were there before it, the first recorded first: if the digest is
	// one of theirs the row is a copy and is not entered, otherwise it is
	// entered as one more variant.
	Index(rows []Row) (known map[int][]Variant, err error)
	// PutBatch keeps what does not belong to a contact.
	PutBatch(b Batch) error
	// PutLinks makes events part of further histories; known ones are kept.
	PutLinks(links []Link) error
	// PutCorrections remembers which identities are corrected.
	PutCorrections(cs []Correction) error
	// Corrections returns all that were put, by target, then stream and
	// sequence.
	Corrections() ([]Correction, error)
	// Conflicting returns the variants of those of the identities that have
	// several.
	Conflicting(ids []events.IdentityHash) (map[events.IdentityHash][]Variant, error)
	// Events returns the events at the places of variants; absent ones are
	// missing.
	Events(places []Variant) ([]Event, error)
	// Disputed is Reader.Disputed within the transaction.
	Disputed(asOf Positions) ([]Event, error)
	// Called returns those of the contacts that have attempts.
	Called(contacts []events.ContactKey) (map[events.ContactKey]bool, error)

	// Variants returns the variants of identities; absent ones are missing.
	Variants(ids []events.IdentityHash) (map[events.IdentityHash][]Variant, error)
	// Histories returns what bears on each contact within asOf; contacts
	// without events are missing. The histories share nothing.
	Histories(contacts []events.ContactKey, asOf Positions) (map[events.ContactKey]History, error)
	// References is Reader.References within the transaction.
	References(after uint64, limit int, asOf Positions) ([]Event, error)
	// PutDue notes that a contact is to be looked at again when the
	// projection's clock reaches the instant.
	PutDue(at events.Instant, contacts []events.ContactKey) error
	// TakeDue removes and returns up to limit contacts noted for now or
	// earlier, the earliest first.
	TakeDue(now events.Instant, limit int) ([]events.ContactKey, error)

	// PutFindings enters attempts and replaces their findings.
	PutFindings(rows []AttemptFindings) error
	// DropAttempts removes attempts that no longer count, with their findings.
	DropAttempts(attempts []Attempt) error
	// FindingsOf returns attempts and findings as stored, by contact; contacts
	// without attempts are missing.
	FindingsOf(contacts []events.ContactKey) (map[events.ContactKey][]AttemptFindings, error)
	// Change adds to the lines of campaigns, making them where needed. After
	// attempts were dropped or moved in time, Recount is to be set.
	Change(changes []Change) error
	// Campaigns returns the lines of campaigns.
	Campaigns() ([]Campaign, error)
	// Sweeps returns the standing sweeps, by campaign.
	Sweeps() ([]Sweep, error)
	// PutSweeps stores sweeps: one campaign has at most one, and putting it
	// again replaces it. DropSweeps removes those of the campaigns.
	PutSweeps(sweeps []Sweep) error
	DropSweeps(campaigns []CampaignRef) error
	// SweepContacts returns up to limit contacts after s.After, by key, with
	// an attempt of the campaign dialled within s.From and s.Until.
	SweepContacts(s Sweep, limit int) ([]events.ContactKey, error)
}
