// Package view holds the read models as a port: what the projections write and
// what queries, reports and the recorders' duplicate check read. Backends are
// sqliteview (SQLite) and crdbview (CockroachDB, PostgreSQL); viewtest holds one
// case for every sentence of this file.
//
// Everything here can be rebuilt from the ledger and may be lost. Positions are
// plain stream names and sequences, so that the port does not know the ledger.
// Instants are stored as integer microseconds UTC.
//
// A projector reads how far it is, folds a batch in Go, and writes rows and
// position in one transaction:
//
//	p, _ := store.Progress(ctx, projection)
//	err := store.Update(ctx, projection, p, next, func(tx view.Tx) error {
//		return tx.PutEvents(rows)
//	})
package view

import (
	"context"
	"errors"
	"io"
	"maps"

	"github.com/assenso/assenso/events"
)

// Reference is the name of the stream of facts without a contact.
const Reference = "LEDGER_REF"

// Positions is a vector of positions, stream → sequence; a missing stream
// counts as 0, "before the first". As a cut-off nil means "no limit".
type Positions map[string]uint64

// Covers reports whether the entry at sequence of stream lies within p. A nil
// vector covers everything.
func (p Positions) Covers(stream string, sequence uint64) bool {
	return p == nil || sequence <= p[stream]
}

// Mark is how far a projection is in one stream.
type Mark struct {
	Sequence uint64         // last applied; 0 = none
	Recorded events.Instant // running maximum of the recorded times up to there
}

// Progress is how far a projection is: stream → mark.
type Progress map[string]Mark

// Positions returns the sequences of p.
func (p Progress) Positions() Positions {
	out := make(Positions, len(p))
	for s, m := range p {
		out[s] = m.Sequence
	}
	return out
}

// Recorded is the latest running maximum over all streams; zero if there is none.
func (p Progress) Recorded() events.Instant {
	var last events.Instant
	for _, m := range p {
		last = max(last, m.Recorded)
	}
	return last
}

// Equal reports whether both vectors name the same positions; absent and 0 are
// the same.
func (p Progress) Equal(q Progress) bool {
	return maps.Equal(p.applied(), q.applied())
}

func (p Progress) applied() map[string]uint64 {
	out := map[string]uint64{}
	for s, m := range p {
		if m.Sequence > 0 {
			out[s] = m.Sequence
		}
	}
	return out
}

// Projection names a projection and its version. Positions of one name and
// another version are another projection's.
type Projection struct {
	Name    string
	Version int
}

// Names of the projections of which the port knows the rows.
const (
	ConsentState = "consentstate" // event index, links, clocks
	Violations   = "violations"   // attempts, findings, campaigns
)

// Event is one recorded event as the index keeps it. Body is the stored bytes
// of the ledger; whoever gets an Event owns it.
type Event struct {
	Stream   string
	Sequence uint64
	Recorded events.Instant // running maximum of the stream: the recorded time readers use
	Contact  events.ContactKey
	Identity events.IdentityHash
	Digest   events.Digest // payload digest
	Body     []byte
}

// Variant is one payload under which an identity is recorded. An identity with
// two variants is in conflict (events.md 1.1).
type Variant struct {
	Digest   events.Digest
	Stream   string
	Sequence uint64
	Recorded events.Instant    // running maximum of the stream
	Contact  events.ContactKey // zero in LEDGER_REF
}

// History is all that bears on one contact: its own events in the order of
// their sequence, then, for its identities in conflict and the corrections of
// its events, the events that lie elsewhere (other contacts' variants,
// event.corrected), by stream and sequence. Duplicates are not in it. Cut at
// positions, it may hold events that bear on the contact only through events
// beyond them; contact.View passes over these.
type History struct {
	Contact events.ContactKey
	Events  []Event
}

// CampaignRef names a campaign: ids are unique within a controller.
type CampaignRef struct {
	Controller string `json:"controller"`
	Campaign   string `json:"campaign"`
}

// Campaign is one line of the list of campaigns. FirstDialled and LastDialled
// are zero without attempts. Counters is keyed by what is counted; see the
// violations projection for the names.
type Campaign struct {
	CampaignRef
	FirstDialled events.Instant   `json:"first_dialled,omitempty"`
	LastDialled  events.Instant   `json:"last_dialled,omitempty"`
	Counters     map[string]int64 `json:"counters"`
	Starts       []byte           `json:"-"` // the campaign's first calls, as violations encodes them
}

// Attempt is one call.concluded in the list of its campaign.
type Attempt struct {
	CampaignRef
	Contact   events.ContactKey
	DialledAt events.Instant
	Known     events.Instant // the later of time and received: from here on others may know of it
	Stream    string
	Sequence  uint64
	ID        string // attempt id, unique within Source
	Source    string
	Findings  int // how many findings of any kind
}

// Finding is one rule found on one attempt, as of the position of the
// violations projection.
type Finding struct {
	CampaignRef
	Contact   events.ContactKey
	DialledAt events.Instant
	Source    string // of the attempt
	Attempt   string // id of the attempt
	Sequence  uint64 // of the attempt in the stream of its contact
	Rule      string
	Kind      string
	Severity  string
	Clause    string
	Imputed   string
	Evidence  []byte // JSON object
}

// Late is an event whose clocks disagree (LED-01): recorded long after it was
// received, or ahead of the recorder's clock. The rule decides; the index only
// keeps candidates.
type Late struct {
	Stream   string
	Sequence uint64
	Source   string
	ID       string
	Type     events.Type
	Time     events.Instant
	Received events.Instant
	Recorded events.Instant
}

// SourceSequence is one sourceseq seen (LED-03).
type SourceSequence struct {
	Source   string
	Seq      int64
	Stream   string
	Sequence uint64
}

// Conflict is an identity with several variants; Correction one with
// event.corrected events that name it.
type Conflict struct {
	Identity events.IdentityHash
	Variants []Variant
}

// Errors of the port. Every error that the port returns wraps one of them or
// that of the context.
var (
	// ErrUnknown: the view has no such row.
	ErrUnknown = errors.New("view entry unknown")
	// ErrUnavailable: the store cannot be reached or is busy; nothing was
	// written. Retry.
	ErrUnavailable = errors.New("view unavailable")
	// ErrAmbiguous: the transaction may or may not be committed. Read the
	// progress again: it tells which.
	ErrAmbiguous = errors.New("view commit result unknown")
	// ErrFenced: the projection is not where the caller believed: another
	// projector writes it. Stop, or read the progress and go on from there.
	ErrFenced = errors.New("view projection moved by another projector")
	// ErrBehind: the cut-off lies beyond what the projection has applied.
	ErrBehind = errors.New("view behind the cut-off")
	// ErrCorrupt: a row cannot be read back. Drop the view and rebuild it.
	ErrCorrupt = errors.New("view row unreadable")
)

// Selection says which contacts a scan visits. Exactly one field is set; the
// zero Selection visits every contact.
type Selection struct {
	Campaign *CampaignRef  // contacts with an attempt of the campaign
	Types    []events.Type // contacts with an event of one of these types; see IndexedTypes
	List     string        // contacts that ever had a row on the list
}

// IndexedTypes are the types by which a scan can select contacts: those that
// are objects of rules (rules.md 5) and lie with a contact.
var IndexedTypes = []events.Type{
	events.TypeConsentRevoked, events.TypeOppositionRegistered, events.TypeRightsRequested,
	events.TypeRightsExtended, events.TypeRightsClosed, events.TypeCallInbound,
	events.TypeContractConcluded, events.TypeContractEnded, events.TypeComplaintReceived,
	events.TypeErasureExecuted,
}

// Reader is what queries and reports need. It sees committed rows only, each
// call a consistent state of its own. asOf limits what is seen to entries
// within these positions; nil means all that is applied. It is safe for
// concurrent use.
type Reader interface {
	// Progress returns how far the projection is; empty if it never ran.
	Progress(ctx context.Context, p Projection) (Progress, error)
	// Resolve returns, for each stream that consentstate knows, the last
	// position with a recorded time (running maximum) not later than r.
	Resolve(ctx context.Context, r events.Instant) (Positions, error)

	// Identities looks up many identities at once; absent ones are missing in
	// the answer. The first variant of the slice was recorded first.
	Identities(ctx context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]Variant, error)
	// History returns all that bears on a contact; ErrUnknown if nothing of
	// the contact itself is within asOf.
	History(ctx context.Context, contact events.ContactKey, asOf Positions) (History, error)
	// References returns the events of LEDGER_REF after the given sequence, in
	// order, at most limit (0 = all).
	References(ctx context.Context, after uint64, limit int, asOf Positions) ([]Event, error)
	// Disputed returns the events with a contact that bear on the reference
	// state: variants of reference facts, and each call.concluded that is
	// corrected or in conflict, by stream and sequence.
	Disputed(ctx context.Context, asOf Positions) ([]Event, error)
	// Scan visits the histories of the selected contacts in the order of their
	// keys, in bounded memory. yield must not keep the history; its error ends
	// the scan and is returned.
	Scan(ctx context.Context, sel Selection, asOf Positions, yield func(History) error) error
	// Attempts visits the attempts of a campaign by contact key, then sequence.
	Attempts(ctx context.Context, c CampaignRef, asOf Positions, yield func(Attempt) error) error

	// Conflicts returns the identities with several variants within asOf, by
	// identity.
	Conflicts(ctx context.Context, asOf Positions) ([]Conflict, error)
	// Corrections returns the event.corrected events, by sequence.
	Corrections(ctx context.Context, asOf Positions) ([]Event, error)
	// Late visits the candidates of LED-01 by stream and sequence.
	Late(ctx context.Context, asOf Positions, yield func(Late) error) error
	// SourceSequences visits the source sequences seen, by source; within one
	// source in no particular order, duplicates included.
	SourceSequences(ctx context.Context, asOf Positions, yield func(SourceSequence) error) error
	// Duplicates counts the copies that were skipped, by stream.
	Duplicates(ctx context.Context, asOf Positions) (map[string]int64, error)

	// Campaigns returns all campaigns with an attempt or a campaign.opened, by
	// controller and id, as the violations projection counts them.
	Campaigns(ctx context.Context) ([]Campaign, error)
	// Campaign returns one line of that list, or ErrUnknown.
	Campaign(ctx context.Context, c CampaignRef) (Campaign, error)
	// Findings returns up to limit findings of a campaign by contact, attempt
	// and rule, from the cursor on ("" = first); next is "" at the end.
	Findings(ctx context.Context, c CampaignRef, cursor string, limit int) (found []Finding, next string, err error)
	// FindingsOf returns the findings of the attempts of one contact.
	FindingsOf(ctx context.Context, contact events.ContactKey) ([]Finding, error)

	// Dump writes every row of the projection except its version as lines of
	// text in a canonical order: two views of the same log have equal dumps,
	// in whatever order and batches they were built.
	Dump(ctx context.Context, p Projection, w io.Writer) error
}

// Writer is what projections need.
type Writer interface {
	// Update runs change and moves the projection from its position to the
	// next, in one transaction: on nil both are stored, on any error but
	// ErrAmbiguous neither is. Only the streams named in to move. ErrFenced if
	// the projection does not stand at from. change may run more than once and
	// must have no effect but through tx.
	Update(ctx context.Context, p Projection, from, to Progress, change func(tx Tx) error) error
	// Reset drops every row and the position of the projection, before a
	// rebuild from zero.
	Reset(ctx context.Context, p Projection) error
}

// Store is the whole port.
type Store interface {
	Reader
	Writer
	// Close releases the store.
	Close() error
}
