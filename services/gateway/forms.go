package gateway

import (
	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// DecisionRequest asks whether one call may be placed. The contact is given by
// its key or by its number; a number is read here and forgotten.
type DecisionRequest struct {
	Number  string `json:"number,omitempty" maxLength:"32" doc:"E.164, or national format with country"`
	Country string `json:"country,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2, for a number in national format"`
	Contact string `json:"contact,omitempty" maxLength:"32" doc:"contact key, instead of a number"`

	Controller string `json:"controller" minLength:"1" maxLength:"64"`
	Campaign   string `json:"campaign" minLength:"1" maxLength:"64"`
	Attempt    string `json:"attempt,omitempty" maxLength:"128" doc:"id that the call will bear"`
	At         string `json:"at,omitempty" doc:"RFC 3339 instant of the dial; default now"`

	Purpose       string `json:"purpose,omitempty" enum:"marketing,market_research,service" default:"marketing"`
	Channel       string `json:"channel,omitempty" enum:"operator_call,automated_call,sms,messaging,email,paper_mail" default:"operator_call"`
	Processor     string `json:"processor,omitempty" maxLength:"64" doc:"who dials; default the controller"`
	CLI           string `json:"cli,omitempty" maxLength:"16" doc:"number that will be presented; absent = withheld"`
	OriginCountry string `json:"origin_country,omitempty" maxLength:"2" doc:"default IT"`
	AgentCountry  string `json:"agent_country,omitempty" maxLength:"2" doc:"default IT"`
	Roaming       bool   `json:"roaming,omitempty"`
	Mode          string `json:"mode,omitempty" enum:"manual,preview,progressive,predictive,automated"`
	Agent         string `json:"agent,omitempty" maxLength:"64"`
	AgentReserved bool   `json:"agent_reserved,omitempty"`
	Basis         string `json:"basis,omitempty" enum:"consent,contract_consent,directory,request,inbound,soft_spam,third_party,legitimate_interest,service"`
	Grant         string `json:"grant,omitempty" maxLength:"128"`
	Request       string `json:"request,omitempty" maxLength:"128"`
	Batch         string `json:"batch,omitempty" maxLength:"128"`
	Product       string `json:"product,omitempty" maxLength:"128"`
}

// FindRequest looks a contact up by its number.
type FindRequest struct {
	Number    string `json:"number" minLength:"1" maxLength:"32" doc:"E.164, or national format with country"`
	Country   string `json:"country,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2, for a number in national format"`
	At        string `json:"at,omitempty" doc:"legal time, RFC 3339; default known_as_of"`
	KnownAsOf string `json:"known_as_of,omitempty" doc:"known to the controller or one of its processors by then; default as_of"`
	AsOf      string `json:"as_of,omitempty" doc:"recorded by then: RFC 3339, or positions as LEDGER_00:12,LEDGER_REF:7; default the latest"`
}

// ObjectFindings are the findings on objects as of a ledger time.
type ObjectFindings struct {
	AsOf      events.Instant  `json:"as_of"`
	Positions view.Positions  `json:"positions" doc:"ledger positions that were read"`
	Findings  []rules.Finding `json:"findings"`
}

// Reject is one refused submission, without its content.
type Reject struct {
	Reject     string         `json:"reject" doc:"id of the reject"`
	RejectedAt events.Instant `json:"rejected_at"`
	Source     string         `json:"source,omitempty"`
	ID         string         `json:"id,omitempty"`
	Type       string         `json:"type,omitempty"`
	Errors     []events.Fault `json:"errors"`
}

// RejectPage is a page of rejects, the oldest first.
type RejectPage struct {
	Rejects []Reject `json:"rejects"`
	Next    string   `json:"next,omitempty" doc:"give it as cursor for the next page; absent at the end"`
}

// Parked is a message that needs a person.
type Parked struct {
	ID       string         `json:"id"`
	Service  string         `json:"service"`
	ParkedAt events.Instant `json:"parked_at"`
	Reason   string         `json:"reason"`
	Source   string         `json:"source,omitempty"`
	Type     string         `json:"type,omitempty"`
}

// ParkedPage is a page of parked messages, the oldest first.
type ParkedPage struct {
	Parked []Parked `json:"parked"`
	Next   string   `json:"next,omitempty"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status     string            `json:"status" enum:"ok,not ready"`
	Version    string            `json:"version"`
	Durability string            `json:"durability,omitempty" doc:"what an acknowledgement means"`
	Reasons    []string          `json:"reasons,omitempty" doc:"why it is not ready, and what to do"`
	Lag        map[string]uint64 `json:"lag,omitempty" doc:"events that a projection has yet to apply"`
}
