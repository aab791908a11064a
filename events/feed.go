package events

// The feed tells dialers what they must stop calling (design.md 9). Over NATS:
//
//	feedsnapshot.<controller>   request: FeedSnapshotRequest; replies: FeedPage …, the last with Done
//	FEED stream, feed.<controller or _>.<kind>   the tail: one FeedMessage a message, read by a durable consumer
//	feedbeat                    a FeedBeat every second (core NATS)
//	feedack.<controller>        request: FeedAck; reply: FeedAcked
//
// Over HTTP the same as server-sent events: GET /v1/feed with the events
// "suppression" (FeedMessage), "current" and "heartbeat" (both FeedBeat); the
// id of each event is the feed position.
const (
	// FeedStream is the JetStream stream of the tail.
	FeedStream = "FEED"
	// FeedBeatSubject bears a FeedBeat every second.
	FeedBeatSubject = "feedbeat"
)

// FeedSubject is where messages of one controller and kind lie; controller ""
// (every controller) is written "_".
func FeedSubject(controller string, k FeedKind) string {
	return "feed." + SubjectToken(controller) + "." + string(k)
}

// FeedFilters are the subjects that a dialer of the controller reads: its own
// and those that concern every controller.
func FeedFilters(controller string) []string {
	return []string{"feed." + SubjectToken(controller) + ".*", "feed." + NoToken + ".*"}
}

// FeedSnapshotSubject is where a controller's snapshot is asked for.
func FeedSnapshotSubject(controller string) string { return "feedsnapshot." + SubjectToken(controller) }

// FeedAckSubject is where a dialer of the controller says what it has applied.
func FeedAckSubject(controller string) string { return "feedack." + SubjectToken(controller) }

// FeedKind is a cause that stops calls.
type FeedKind string

// The kinds. A suppression is keyed by controller, contact (or list, or
// campaign) and kind; a later message with the same key replaces it.
const (
	FeedRevocation FeedKind = "revocation" // consent.revoked, consent.refused in force
	FeedOpposition FeedKind = "opposition" // opposition.registered in force
	FeedRegister   FeedKind = "register"   // the public register bars the number
	FeedConsent    FeedKind = "consent"    // a grant relied upon was invalidated, has lapsed or died
	FeedErasure    FeedKind = "erasure"    // erased with suppression, or the number reassigned
	FeedList       FeedKind = "list"       // the row was removed, or the list retired
	FeedOrder      FeedKind = "order"      // prohibition or limitation of an authority
	FeedAnswer     FeedKind = "answer"     // the register's answer has expired: consult again before calling
)

// FeedKinds lists the kinds.
var FeedKinds = []FeedKind{FeedRevocation, FeedOpposition, FeedRegister, FeedConsent, FeedErasure, FeedList, FeedOrder, FeedAnswer}

// FeedEffect says what to do.
type FeedEffect string

// The effects.
const (
	FeedStop   FeedEffect = "stop"   // do not call; take the number out of the queue
	FeedResume FeedEffect = "resume" // this cause no longer stands; the gate still decides each call
)

// FeedPlace is a place in the ledger.
type FeedPlace struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
}

// FeedMessage is one change of what a dialer must not call. A message without
// contact and phone concerns every number of its lists or campaigns, or, where
// it names neither, of its controller.
type FeedMessage struct {
	// Position is the sequence in the FEED stream; 0 in a snapshot.
	Position uint64     `json:"position,omitempty"`
	Kind     FeedKind   `json:"kind"`
	Effect   FeedEffect `json:"effect"`
	// Controller "" means every controller.
	Controller string     `json:"controller,omitempty"`
	Contact    ContactKey `json:"contact,omitzero"`
	// Phone is E.164; absent where no contact is meant or the vault has
	// forgotten the number.
	Phone string `json:"phone,omitempty"`
	// Purposes and Channels are the scope; absent = all.
	Purposes []Purpose `json:"purposes,omitempty"`
	Channels []Channel `json:"channels,omitempty"`
	// Campaigns and Lists narrow it further; absent = all.
	Campaigns []string `json:"campaigns,omitempty"`
	Lists     []string `json:"lists,omitempty"`
	// Cause is the event behind it, Type its type; of a cause that comes by
	// time alone, the event whose effect ended.
	Cause Identity `json:"cause,omitzero"`
	Type  Type     `json:"type,omitempty"`
	// At is from when it holds (legal time); Received and Recorded are the
	// cause's other clocks; Sent is when the feed published it. All UTC.
	At       Instant `json:"at"`
	Received Instant `json:"received,omitzero"`
	Recorded Instant `json:"recorded,omitzero"`
	Sent     Instant `json:"sent,omitzero"`
	// Ledger is where the cause lies.
	Ledger FeedPlace `json:"ledger,omitzero"`
}

// FeedKey says what a message is about: a later message with the same key
// replaces an earlier one. List and Campaign are set where no contact is meant
// and the message names one.
type FeedKey struct {
	Controller string
	Contact    ContactKey
	List       string
	Campaign   string
	Kind       FeedKind
}

// Key returns what m is about. A message without contact names at most one
// list or campaign.
func (m *FeedMessage) Key() FeedKey {
	k := FeedKey{Controller: m.Controller, Contact: m.Contact, Kind: m.Kind}
	if m.Contact.IsZero() && len(m.Lists) > 0 {
		k.List = m.Lists[0]
	}
	if m.Contact.IsZero() && len(m.Campaigns) > 0 {
		k.Campaign = m.Campaigns[0]
	}
	return k
}

// FeedSnapshotRequest asks for what stands. Dialer names the durable cursor;
// asking makes it, so that what is erased waits until this dialer has heard of
// the erasure.
type FeedSnapshotRequest struct {
	Dialer string `json:"dialer"`
}

// FeedPage is a part of a snapshot. The tail goes on after Position, which
// every page of one snapshot bears. Messages of the tail that repeat what the
// snapshot says are harmless.
type FeedPage struct {
	Messages []FeedMessage `json:"messages"`
	Position uint64        `json:"position"`
	Page     int           `json:"page"` // from 0
	Done     bool          `json:"done,omitempty"`
	Error    string        `json:"error,omitempty"` // the snapshot failed: ask again
}

// FeedBeat says every second how far the feed is. A dialer that has applied
// Position and heard a beat less than 5 s ago knows everything up to At.
type FeedBeat struct {
	At        Instant           `json:"at"`        // everything recorded before this instant is in the feed; zero = nothing can be said
	Position  uint64            `json:"position"`  // last sequence of the FEED stream
	Positions map[string]uint64 `json:"positions"` // ledger stream → sequence, applied by the feed
	Sent      Instant           `json:"sent"`
}

// FeedAck says that a dialer applies everything up to a feed position.
type FeedAck struct {
	Dialer    string `json:"dialer"`
	Processor string `json:"processor"` // for whom suppression.acknowledged is recorded; "" = the controller itself
	Position  uint64 `json:"position"`
}

// FeedAcked is the answer to a FeedAck, once the cursor is durable.
type FeedAcked struct {
	Position uint64  `json:"position"`
	Errors   []Fault `json:"errors,omitempty"`
}
