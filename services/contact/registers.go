package contact

import (
	"github.com/assenso/assenso/events"
)

// Clocks are the three clocks of the fact behind an entry.
type Clocks struct {
	Time     events.Instant `json:"time"`
	Received events.Instant `json:"received"`
	Recorded events.Instant `json:"recorded"`
}

// Origin says which fact an entry comes from.
type Origin struct {
	events.Identity
	Digest     events.Digest `json:"digest"`
	Controller string        `json:"controller,omitempty"`
	Clocks
}

// Grant is one consent (register `grants`: immutable, union).
type Grant struct {
	Origin
	Data *events.ConsentGranted `json:"data"`
}

// Reverification is the latest confirmed check of a grant (`reverified`: max).
// It names the grant by its id within the controller.
type Reverification struct {
	Origin
	Grant string `json:"grant"`
}

// Invalidation is one reason for which a grant is void (`invalid`: set of
// reasons; of several facts with one reason the earliest is kept).
type Invalidation struct {
	Origin
	Grant  string                    `json:"grant"`
	Reason events.InvalidationReason `json:"reason"`
}

// Withdrawal is the latest withdrawal or refusal of one scope (`W`: max).
// W[C,pu,ch] is the maximum over the entries whose scope contains pu and ch.
type Withdrawal struct {
	Origin
	Purposes events.PurposeSet `json:"purposes"`
	Channels events.ChannelSet `json:"channels"`
}

// Opposition is one direct opposition (`oppositions`: union). O[C,pu,ch] is
// the maximum over those that name C and whose scope contains pu and ch.
type Opposition struct {
	Origin
	Also       []string          `json:"also,omitempty"`
	Purposes   events.PurposeSet `json:"purposes"`
	Channels   events.ChannelSet `json:"channels"`
	ReceivedBy string            `json:"received_by"` // the controller where absent
	Medium     events.Medium     `json:"medium,omitempty"`
	Call       string            `json:"call,omitempty"`
}

// Mark is the latest instant of a kind for a controller (`E`, `X`: max). For X
// the empty controller means all.
type Mark struct {
	Origin
}

// Listing is the latest known date of entry in, or removal from, the public
// register (`listed`, `delisted`: max).
type Listing struct {
	Origin
	Register events.Register `json:"register"`
	On       events.Date     `json:"on"`
}

// Lift is one selective revocation (`lifts`: union). A zero To is open.
type Lift struct {
	Origin
	Register events.Register `json:"register"`
	From     events.Date     `json:"from"`
	To       events.Date     `json:"to,omitempty"`
}

// Answer is the register's answer in one batch (`answers`: the same key twice:
// opposed > selective > clear > invalid, then later date, then earlier
// snapshot; the window is that of the kept answer).
type Answer struct {
	Origin
	Register events.Register       `json:"register"`
	Batch    string                `json:"batch"`
	Answer   events.RegisterAnswer `json:"answer"`
	Snapshot events.Instant        `json:"snapshot"`
	Date     events.Date           `json:"date,omitempty"` // zero: the answer bears none
	From     events.Date           `json:"from,omitempty"` // zero: no bound
	To       events.Date           `json:"to,omitempty"`
}

// Contract is one contract of a controller with the contact (`contracts`:
// facts of the earliest contract.concluded; end: min). Data is nil when only
// the end is known; a zero EndedOn means no end is known.
type Contract struct {
	Origin
	ID      string                    `json:"contract"`
	Data    *events.ContractConcluded `json:"data,omitempty"`
	EndedOn events.Date               `json:"ended_on,omitempty"`
	EndedBy events.Identity           `json:"ended_by,omitzero"`
}

// Request is one request to be called back (`requests`: union).
type Request struct {
	Origin
	Product string `json:"product,omitempty"`
}

// Inbound is one call by the person (`inbound`: union).
type Inbound struct {
	Origin
	Data *events.CallInbound `json:"data"`
}

// Row is one addition of the contact to a list (`rows`, added: set).
type Row struct {
	Origin
	Data *events.ListContactAdded `json:"data"`
}

// Removal is the latest removal from a list (`rows`, removed: max).
type Removal struct {
	Origin
	List string `json:"list"`
}

// Call is one attempt (`attempts`: union).
type Call struct {
	Origin
	Campaign string                `json:"campaign"`
	Data     *events.CallConcluded `json:"data"`
}

// Directory is the latest extract of a public directory (`directory`: max by
// date; tie: not in directory). A zero ExtractedOn means none is known.
type Directory struct {
	Origin
	ExtractedOn events.Date `json:"extracted_on,omitempty"`
	InDirectory bool        `json:"in_directory"`
}

// Acknowledgement is the earliest confirmation by a processor that it applies
// an opposition (`acks`: min).
type Acknowledgement struct {
	Origin
	Opposition string `json:"opposition"`
	Processor  string `json:"processor"`
}

// Decision is one answer of the gate (union); LED-05 reads it.
type Decision struct {
	Origin
	Attempt string         `json:"attempt"`
	Verdict events.Verdict `json:"verdict"`
}

// State is the tuple of registers of one contact (rules.md 2). It is a plain
// value: serialisable as JSON, comparable with reflect.DeepEqual, its slices
// sorted by key, nil where empty. The zero State is ⊥. Payloads are shared and
// immutable.
type State struct {
	Grants          []Grant           `json:"grants,omitempty"`
	Reverified      []Reverification  `json:"reverified,omitempty"`
	Invalid         []Invalidation    `json:"invalid,omitempty"`
	Withdrawals     []Withdrawal      `json:"withdrawals,omitempty"`
	Oppositions     []Opposition      `json:"oppositions,omitempty"`
	Erased          []Mark            `json:"erased,omitempty"`
	Reassigned      []Mark            `json:"reassigned,omitempty"`
	Listed          []Listing         `json:"listed,omitempty"`
	Delisted        []Listing         `json:"delisted,omitempty"`
	Lifts           []Lift            `json:"lifts,omitempty"`
	Answers         []Answer          `json:"answers,omitempty"`
	Contracts       []Contract        `json:"contracts,omitempty"`
	Requests        []Request         `json:"requests,omitempty"`
	Inbound         []Inbound         `json:"inbound,omitempty"`
	Rows            []Row             `json:"rows,omitempty"`
	Removals        []Removal         `json:"removals,omitempty"`
	Calls           []Call            `json:"calls,omitempty"`
	Directory       Directory         `json:"directory,omitzero"`
	Acknowledgments []Acknowledgement `json:"acknowledgments,omitempty"`
	Decisions       []Decision        `json:"decisions,omitempty"`
}
