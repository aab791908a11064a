package events

import (
	"encoding/json"
	"slices"
)

// The closed sets of events.md 2. A submission with another value is rejected
// (value_unknown); a recorded event may bear a value of a later minor version
// and is then read restrictively (events.md 7).
type (
	// Purpose says what a contact is for.
	Purpose string
	// Channel says how a contact is made.
	Channel string
	// Disposition is the end of a call attempt.
	Disposition string
	// Basis is the lawful basis that a caller declares.
	Basis string
	// Verdict is the gate's answer.
	Verdict string
	// Kind is the kind of a finding.
	Kind string
	// Severity grades a rule.
	Severity string
	// Line is the kind of number, derived by the recorder.
	Line string
	// Holder says whether the number belongs to a person or a company.
	Holder string
	// Register is the part of the public register of oppositions.
	Register string
	// RegisterAnswer is the register's answer for one number.
	RegisterAnswer string
	// Knowledge says how a listing became known.
	Knowledge string
	// Medium is the way by which a declaration came.
	Medium string
	// ProofKind is the kind of proof of a consent.
	ProofKind string
	// InvalidationReason says why a grant is void.
	InvalidationReason string
	// Right is a right of the data subject.
	Right string
	// Statement is one of the five things that an agent must say.
	Statement string
	// DiallerMode is how the number was dialled.
	DiallerMode string
	// Sector is the product sector of a campaign or contract.
	Sector string
	// OrderKind is the kind of a regulator's order.
	OrderKind string
	// CorrectionAction says what a correction does.
	CorrectionAction string
	// ContractChannel is the channel by which a contract was concluded.
	ContractChannel string
)

// Values of the closed sets.
const (
	PurposeMarketing            Purpose = "marketing"
	PurposeMarketResearch       Purpose = "market_research"
	PurposeProfiling            Purpose = "profiling"
	PurposeThirdPartyDisclosure Purpose = "third_party_disclosure"
	PurposeService              Purpose = "service"

	ChannelOperatorCall  Channel = "operator_call"
	ChannelAutomatedCall Channel = "automated_call"
	ChannelSMS           Channel = "sms"
	ChannelMessaging     Channel = "messaging"
	ChannelEmail         Channel = "email"
	ChannelPaperMail     Channel = "paper_mail"

	DispositionNoAnswer       Disposition = "no_answer"
	DispositionBusy           Disposition = "busy"
	DispositionFailed         Disposition = "failed"
	DispositionVoicemail      Disposition = "voicemail"
	DispositionSilent         Disposition = "silent"
	DispositionRefusedContact Disposition = "refused_contact"
	DispositionAskedRemoval   Disposition = "asked_removal"
	DispositionNotInterested  Disposition = "not_interested"
	DispositionCallbackAgreed Disposition = "callback_agreed"
	DispositionSale           Disposition = "sale"
	DispositionWrongPerson    Disposition = "wrong_person"
	DispositionSurveyDone     Disposition = "survey_done"
	DispositionServiceDone    Disposition = "service_done"

	BasisConsent            Basis = "consent"
	BasisContractConsent    Basis = "contract_consent"
	BasisDirectory          Basis = "directory"
	BasisRequest            Basis = "request"
	BasisInbound            Basis = "inbound"
	BasisSoftSpam           Basis = "soft_spam"
	BasisThirdParty         Basis = "third_party"
	BasisLegitimateInterest Basis = "legitimate_interest"
	BasisService            Basis = "service"

	VerdictAllow Verdict = "allow"
	VerdictWarn  Verdict = "warn"
	VerdictBlock Verdict = "block"

	KindConfirmed    Kind = "CONFIRMED"
	KindPotential    Kind = "POTENTIAL"
	KindHindsight    Kind = "HINDSIGHT"
	KindBestPractice Kind = "BEST_PRACTICE"

	SeverityCritical Severity = "critical"
	SeverityHigh     Severity = "high"
	SeverityMedium   Severity = "medium"
	SeverityLow      Severity = "low"
	SeverityInfo     Severity = "info"

	LineMobile  Line = "mobile"
	LineFixed   Line = "fixed"
	LineOtherIT Line = "other_it"
	LineForeign Line = "foreign"

	HolderNatural Holder = "natural"
	HolderLegal   Holder = "legal"

	RegisterPhone  Register = "phone"
	RegisterPostal Register = "postal"

	AnswerClear     RegisterAnswer = "clear"
	AnswerOpposed   RegisterAnswer = "opposed"
	AnswerSelective RegisterAnswer = "selective"
	AnswerInvalid   RegisterAnswer = "invalid"

	ProofDoubleOptIn    ProofKind = "double_opt_in"
	ProofVoiceRecording ProofKind = "voice_recording"
	ProofSignedForm     ProofKind = "signed_form"
	ProofIPNotification ProofKind = "ip_notification"

	InvalidBundled        InvalidationReason = "bundled"
	InvalidTainted        InvalidationReason = "tainted"
	InvalidFake           InvalidationReason = "fake"
	InvalidWrongNumber    InvalidationReason = "wrong_number"
	InvalidAuthorityOrder InvalidationReason = "authority_order"
	InvalidOther          InvalidationReason = "other"

	StatementIdentity Statement = "identity"
	StatementPurpose  Statement = "purpose"
	StatementOrigin   Statement = "origin"
	StatementRights   Statement = "rights"
	StatementNotice   Statement = "notice"

	SectorTelecom    Sector = "telecom"
	SectorEnergy     Sector = "energy"
	SectorInsurance  Sector = "insurance"
	SectorFinance    Sector = "finance"
	SectorRetail     Sector = "retail"
	SectorPublishing Sector = "publishing"
	SectorOther      Sector = "other"

	OrderProhibition  OrderKind = "prohibition"
	OrderLimitation   OrderKind = "limitation"
	OrderPrescription OrderKind = "prescription"
	OrderFine         OrderKind = "fine"

	CorrectionVoid  CorrectionAction = "void"
	CorrectionAmend CorrectionAction = "amend"

	ContractByPhone ContractChannel = "phone"
	ContractByWeb   ContractChannel = "web"
	ContractInShop  ContractChannel = "shop"
	ContractOther   ContractChannel = "other"
)

// Purposes and Channels list the sets in the order of their bits.
var (
	Purposes = []Purpose{PurposeMarketing, PurposeMarketResearch, PurposeProfiling, PurposeThirdPartyDisclosure, PurposeService}
	Channels = []Channel{ChannelOperatorCall, ChannelAutomatedCall, ChannelSMS, ChannelMessaging, ChannelEmail, ChannelPaperMail}
)

// Human reports whether a person was spoken to (events.md 2: the last eight).
func (d Disposition) Human() bool {
	switch d {
	case DispositionRefusedContact, DispositionAskedRemoval, DispositionNotInterested, DispositionCallbackAgreed,
		DispositionSale, DispositionWrongPerson, DispositionSurveyDone, DispositionServiceDone:
		return true
	}
	return false
}

// PurposeSet is a set of purposes as bits in the order of Purposes. The top
// bit (Unknown) says that a value of a later version stood there.
type PurposeSet uint8

// ChannelSet is a set of channels as bits in the order of Channels, with the
// same top bit.
type ChannelSet uint8

// Special members of both kinds of set.
const (
	AllPurposes    PurposeSet = 1<<5 - 1
	AllChannels    ChannelSet = 1<<6 - 1
	UnknownPurpose PurposeSet = 1 << 7
	UnknownChannel ChannelSet = 1 << 7
)

// Bit returns the set {p}; the empty set for a value outside the closed set.
func (p Purpose) Bit() PurposeSet {
	if i := slices.Index(Purposes, p); i >= 0 {
		return 1 << i
	}
	return 0
}

// Bit returns the set {c}; the empty set for a value outside the closed set.
func (c Channel) Bit() ChannelSet {
	if i := slices.Index(Channels, c); i >= 0 {
		return 1 << i
	}
	return 0
}

// Has reports whether p is a member.
func (s PurposeSet) Has(p Purpose) bool { return s&p.Bit() != 0 }

// Has reports whether c is a member.
func (s ChannelSet) Has(c Channel) bool { return s&c.Bit() != 0 }

// Restrictive is the reading of a scope in a restrictive event: empty or
// unknown means everything (events.md 4.3, 7).
func (s PurposeSet) Restrictive() PurposeSet {
	if s == 0 || s&UnknownPurpose != 0 {
		return AllPurposes
	}
	return s
}

// Restrictive is the reading of a scope in a restrictive event: empty or
// unknown means everything (events.md 4.3, 7).
func (s ChannelSet) Restrictive() ChannelSet {
	if s == 0 || s&UnknownChannel != 0 {
		return AllChannels
	}
	return s
}

// List returns the known members in the order of the closed set.
func (s PurposeSet) List() []Purpose {
	var out []Purpose
	for i, p := range Purposes {
		if s&(1<<i) != 0 {
			out = append(out, p)
		}
	}
	return out
}

// List returns the known members in the order of the closed set.
func (s ChannelSet) List() []Channel {
	var out []Channel
	for i, c := range Channels {
		if s&(1<<i) != 0 {
			out = append(out, c)
		}
	}
	return out
}

// MarshalJSON writes a list of names.
func (s PurposeSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.List()) }

// MarshalJSON writes a list of names.
func (s ChannelSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.List()) }

// UnmarshalJSON reads a list of names leniently: "*" is the whole set, an
// unknown value sets the top bit.
func (s *PurposeSet) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	var out PurposeSet
	for _, n := range names {
		switch bit := Purpose(n).Bit(); {
		case n == "*":
			out |= AllPurposes
		case bit == 0:
			out |= UnknownPurpose
		default:
			out |= bit
		}
	}
	*s = out
	return nil
}

// UnmarshalJSON reads a list of names leniently: "*" is the whole set, an
// unknown value sets the top bit.
func (s *ChannelSet) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	var out ChannelSet
	for _, n := range names {
		switch bit := Channel(n).Bit(); {
		case n == "*":
			out |= AllChannels
		case bit == 0:
			out |= UnknownChannel
		default:
			out |= bit
		}
	}
	*s = out
	return nil
}
