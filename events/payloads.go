package events

// Dropped is embedded by the restrictive types: the optional fields that were
// invalid and left out when the event was recorded (events.md 6).
type Dropped struct {
	Dropped []string `json:"dropped,omitempty"`
}

// NoticeRef is the notice that was shown with a consent (GDPR 13).
type NoticeRef struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	SHA256  Digest `json:"sha256"`
}

// Proof is the proof of a consent (Code of conduct 6).
type Proof struct {
	Kind        ProofKind `json:"kind"`
	SHA256      Digest    `json:"sha256"`
	Immutable   bool      `json:"immutable"`
	ConfirmedAt Instant   `json:"confirmed_at,omitempty"`
	NotifiedAt  Instant   `json:"notified_at,omitempty"`
}

// Recipients says to whom data may be disclosed (Code of conduct 13).
type Recipients struct {
	Controllers []string `json:"controllers,omitempty"`
	Sectors     []Sector `json:"sectors,omitempty"`
}

// ConsentGranted: the person accepted (events.md 4.1).
type ConsentGranted struct {
	Line                    Line        `json:"line,omitempty"`
	Purposes                PurposeSet  `json:"purposes"`
	Channels                ChannelSet  `json:"channels"`
	Products                []string    `json:"products,omitempty"`
	Beneficiaries           []string    `json:"beneficiaries,omitempty"`
	Recipients              *Recipients `json:"recipients,omitempty"`
	Notice                  *NoticeRef  `json:"notice,omitempty"`
	NoticeExtendsToOperator bool        `json:"notice_extends_to_operator,omitempty"`
	SourceRef               string      `json:"source_ref,omitempty"`
	Proof                   *Proof      `json:"proof,omitempty"`
	MandatoryForService     bool        `json:"mandatory_for_service,omitempty"`
	PreTicked               bool        `json:"pre_ticked,omitempty"`
	PurposesInControl       int         `json:"purposes_in_control,omitempty"` // 0 = absent = 1
	ValidTo                 Date        `json:"valid_to,omitempty"`
	Contract                string      `json:"contract,omitempty"`
	CollectionAttempt       string      `json:"collection_attempt,omitempty"`
	EvidenceSHA256          Digest      `json:"evidence_sha256,omitzero"`
}

// ConsentRefused: the person was asked and said no.
type ConsentRefused struct {
	Line     Line       `json:"line,omitempty"`
	Purposes PurposeSet `json:"purposes,omitempty"` // absent = all
	Channels ChannelSet `json:"channels,omitempty"` // absent = all
	Medium   Medium     `json:"medium,omitempty"`
	Dropped
}

// ConsentReverified: an old grant was checked again with the person.
type ConsentReverified struct {
	Line           Line   `json:"line,omitempty"`
	Grant          string `json:"grant"`
	Result         string `json:"result"` // confirmed, not_confirmed
	Method         string `json:"method,omitempty"`
	EvidenceSHA256 Digest `json:"evidence_sha256,omitzero"`
}

// ConsentRevoked: withdrawal (GDPR 7(3)).
type ConsentRevoked struct {
	Line            Line       `json:"line,omitempty"`
	Purposes        PurposeSet `json:"purposes,omitempty"`
	Channels        ChannelSet `json:"channels,omitempty"`
	Medium          Medium     `json:"medium,omitempty"`
	ReceivedBy      string     `json:"received_by,omitempty"`
	AppliedAt       Instant    `json:"applied_at,omitempty"`
	HarderThanGrant bool       `json:"harder_than_grant,omitempty"`
	Dropped
}

// ConsentInvalidated: a grant is declared void.
type ConsentInvalidated struct {
	Line      Line               `json:"line,omitempty"`
	Grant     string             `json:"grant"`
	Reason    InvalidationReason `json:"reason"`
	DecidedBy string             `json:"decided_by,omitempty"`
}

// OppositionRegistered: "do not contact me" (GDPR 21(2)-(3)).
type OppositionRegistered struct {
	Line            Line       `json:"line,omitempty"`
	Purposes        PurposeSet `json:"purposes,omitempty"`
	Channels        ChannelSet `json:"channels,omitempty"`
	AlsoControllers []string   `json:"also_controllers,omitempty"`
	Medium          Medium     `json:"medium,omitempty"`
	ReceivedBy      string     `json:"received_by,omitempty"`
	RefusedAt       Instant    `json:"refused_at,omitempty"`
	InsertedAt      Instant    `json:"inserted_at,omitempty"`
	EntrySource     string     `json:"entry_source,omitempty"`
	RecordedBy      string     `json:"recorded_by,omitempty"`
	Call            string     `json:"call,omitempty"`
	Dropped
}

// RegisterListed: the number is known to be in the public register.
type RegisterListed struct {
	Line      Line      `json:"line,omitempty"`
	ListedOn  Date      `json:"listed_on"`
	Register  Register  `json:"register,omitempty"` // absent = phone
	ExOfficio bool      `json:"ex_officio,omitempty"`
	Knowledge Knowledge `json:"knowledge,omitempty"`
	Dropped
}

// RegisterRenewed: the entry was renewed; ListedOn is the new date.
type RegisterRenewed RegisterListed

// RegisterSelectivelyRevoked: opposition lifted toward the controller.
type RegisterSelectivelyRevoked struct {
	Line      Line      `json:"line,omitempty"`
	From      Date      `json:"from"`
	To        Date      `json:"to,omitempty"` // absent = open
	Register  Register  `json:"register,omitempty"`
	Knowledge Knowledge `json:"knowledge,omitempty"`
}

// RegisterDelisted: removal from the register.
type RegisterDelisted struct {
	Line       Line     `json:"line,omitempty"`
	DelistedOn Date     `json:"delisted_on"`
	Register   Register `json:"register,omitempty"`
}

// RegisterScreened: the register's answer for one number of one consultation.
type RegisterScreened struct {
	Line           Line           `json:"line,omitempty"`
	Batch          string         `json:"batch"`
	SnapshotAt     Instant        `json:"snapshot_at"`
	Answer         RegisterAnswer `json:"answer"`
	OppositionDate Date           `json:"opposition_date,omitempty"`
	SelectiveFrom  Date           `json:"selective_from,omitempty"`
	SelectiveTo    Date           `json:"selective_to,omitempty"`
	Register       Register       `json:"register,omitempty"`
}

// RegisterScreeningCompleted: a consultation batch is complete.
type RegisterScreeningCompleted struct {
	Batch       string   `json:"batch"`
	List        string   `json:"list,omitempty"`
	SnapshotAt  Instant  `json:"snapshot_at"`
	Submitted   *int     `json:"submitted,omitempty"`
	Clear       *int     `json:"clear,omitempty"`
	Opposed     *int     `json:"opposed,omitempty"`
	Selective   *int     `json:"selective,omitempty"`
	Invalid     *int     `json:"invalid,omitempty"`
	SetRoot     Digest   `json:"set_root,omitzero"`
	SubmittedBy string   `json:"submitted_by,omitempty"`
	Register    Register `json:"register,omitempty"`
}

// SuppressionAcknowledged: a processor confirms it applies an opposition.
type SuppressionAcknowledged struct {
	Line       Line   `json:"line,omitempty"`
	Opposition string `json:"opposition"`
	Processor  string `json:"processor"`
}

// RightsRequested: a request under GDPR 12(3).
type RightsRequested struct {
	Line    Line   `json:"line,omitempty"`
	Right   Right  `json:"right"`
	Request string `json:"request"`
}

// RightsExtended: the term of a request was extended.
type RightsExtended struct {
	Line    Line   `json:"line,omitempty"`
	Request string `json:"request"`
}

// RightsClosed: a request was answered.
type RightsClosed struct {
	Line    Line   `json:"line,omitempty"`
	Request string `json:"request"`
	Outcome string `json:"outcome,omitempty"`
}

// NumberReassigned: the number belongs to another person since the event's time.
type NumberReassigned struct {
	Line            Line   `json:"line,omitempty"`
	KnowledgeSource string `json:"knowledge_source,omitempty"`
}

// CallConcluded: one event per attempt, whatever its end (events.md 4.4).
type CallConcluded struct {
	Line               Line        `json:"line,omitempty"`
	DialledAt          Instant     `json:"dialled_at"`
	AnsweredAt         Instant     `json:"answered_at,omitempty"`
	AgentConnectedAt   Instant     `json:"agent_connected_at,omitempty"`
	ReleasedAt         Instant     `json:"released_at,omitempty"`
	Purpose            Purpose     `json:"purpose"`
	Channel            Channel     `json:"channel"`
	Processor          string      `json:"processor,omitempty"`      // absent = the controller
	CLI                string      `json:"cli,omitempty"`            // "" = withheld
	OriginCountry      string      `json:"origin_country,omitempty"` // absent = IT
	AgentCountry       string      `json:"agent_country,omitempty"`  // absent = IT
	Roaming            bool        `json:"roaming,omitempty"`
	Mode               DiallerMode `json:"mode,omitempty"`
	Agent              string      `json:"agent,omitempty"`
	AgentReserved      bool        `json:"agent_reserved,omitempty"`
	Basis              Basis       `json:"basis,omitempty"`
	Grant              string      `json:"grant,omitempty"`
	Request            string      `json:"request,omitempty"`
	Batch              string      `json:"batch,omitempty"`
	Decision           string      `json:"decision,omitempty"`
	Product            string      `json:"product,omitempty"`
	Disposition        Disposition `json:"disposition"`
	Silent             *bool       `json:"silent,omitempty"`        // absent = (disposition is silent)
	ComfortNoise       *bool       `json:"comfort_noise,omitempty"` // absent = true
	Statements         []Statement `json:"statements,omitempty"`
	ConsentBeforePitch bool        `json:"consent_before_pitch,omitempty"`
	Deflected          bool        `json:"deflected,omitempty"`
	Upsell             bool        `json:"upsell,omitempty"`
}

// CallInbound: the person called.
type CallInbound struct {
	Line          Line   `json:"line,omitempty"`
	CalledNumber  string `json:"called_number,omitempty"`
	PitchedFor    string `json:"pitched_for,omitempty"`  // absent = the controller
	NoticeGiven   *bool  `json:"notice_given,omitempty"` // absent = true
	OriginAttempt string `json:"origin_attempt,omitempty"`
}

// CallbackRequested: one-off request to be called.
type CallbackRequested struct {
	Line           Line   `json:"line,omitempty"`
	Product        string `json:"product,omitempty"`
	Medium         Medium `json:"medium,omitempty"`
	EvidenceSHA256 Digest `json:"evidence_sha256,omitzero"`
}

// ContractConcluded: a contract of the controller with the contact.
type ContractConcluded struct {
	Line                     Line            `json:"line,omitempty"`
	Contract                 string          `json:"contract"`
	Product                  string          `json:"product,omitempty"`
	Sector                   Sector          `json:"sector,omitempty"`
	Continuous               bool            `json:"continuous"`
	StartedOn                Date            `json:"started_on"`
	SimplifiedRevocation     *bool           `json:"simplified_revocation,omitempty"` // absent = true
	EmailNotice              bool            `json:"email_notice,omitempty"`
	Channel                  ContractChannel `json:"channel"`
	Origin                   string          `json:"origin,omitempty"`
	BroughtBy                string          `json:"brought_by,omitempty"`
	DurableMediumConfirmedOn Date            `json:"durable_medium_confirmed_on,omitempty"`
	ActivatedOn              Date            `json:"activated_on,omitempty"`
}

// ContractEnded: the last day of a contract; it may lie in the future.
type ContractEnded struct {
	Line     Line   `json:"line,omitempty"`
	Contract string `json:"contract"`
	EndedOn  Date   `json:"ended_on"`
}

// CommissionPaid: the processor was paid for a contract.
type CommissionPaid struct {
	Contract  string `json:"contract"`
	Processor string `json:"processor"`
}

// CommissionWithheld: the processor was not paid for a contract.
type CommissionWithheld CommissionPaid

// ComplaintReceived: a person complained.
type ComplaintReceived struct {
	Line           Line    `json:"line,omitempty"`
	Via            string  `json:"via,omitempty"` // garante, agcom, subject, other
	ClaimedCallAt  Instant `json:"claimed_call_at,omitempty"`
	CLI            string  `json:"cli,omitempty"`
	EvidenceSHA256 Digest  `json:"evidence_sha256,omitzero"`
}

// ComplaintVerified: a complaint was checked.
type ComplaintVerified struct {
	Complaint string `json:"complaint"`
	Result    string `json:"result"` // founded, unfounded
}

// ReasonEffect is a rule and its effect in a decision.
type ReasonEffect struct {
	Rule   string  `json:"rule"`
	Effect Verdict `json:"effect"`
}

// DecisionIssued: the gate's answer to one question.
type DecisionIssued struct {
	Line      Line             `json:"line,omitempty"`
	Attempt   string           `json:"attempt"`
	Verdict   Verdict          `json:"verdict"`
	Reasons   []ReasonEffect   `json:"reasons"`
	Pack      string           `json:"pack"`
	Positions map[string]int64 `json:"positions"`
	ExpiresAt Instant          `json:"expires_at"`
}

// DecisionBatchIssued: commitment to a list check; no rule reads it.
type DecisionBatchIssued struct {
	Batch     string           `json:"batch"`
	Count     int              `json:"count"`
	Root      Digest           `json:"root"`
	Allow     int              `json:"allow"`
	Warn      int              `json:"warn"`
	Block     int              `json:"block"`
	Pack      string           `json:"pack"`
	Positions map[string]int64 `json:"positions"`
	ExpiresAt Instant          `json:"expires_at"`
}

// CampaignOpened: a campaign begins (events.md 4.5).
type CampaignOpened struct {
	Purpose      Purpose    `json:"purpose"`
	Channels     ChannelSet `json:"channels"`
	Sector       Sector     `json:"sector"`
	Product      string     `json:"product,omitempty"`
	ProductOwner string     `json:"product_owner,omitempty"` // absent = the controller
	Lists        []string   `json:"lists"`
	CLIs         []string   `json:"clis"`
	Profiling    bool       `json:"profiling,omitempty"`
	DPIARef      string     `json:"dpia_ref,omitempty"`
}

// CampaignClosed: a campaign ends.
type CampaignClosed struct {
	SilentReport string `json:"silent_report,omitempty"`
}

// Vetting is what was checked of a list's vendor (Code of conduct 6).
type Vetting struct {
	Notice       bool `json:"notice"`
	UX           bool `json:"ux"`
	Revocability bool `json:"revocability"`
	Traceability bool `json:"traceability"`
}

// Sample is the sample drawn from an acquired list.
type Sample struct {
	Size     int    `json:"size"`
	Failures int    `json:"failures"`
	Method   string `json:"method,omitempty"`
}

// ListAcquired: a list was bought or made.
type ListAcquired struct {
	List        string   `json:"list"`
	Vendor      string   `json:"vendor,omitempty"` // absent = own list
	VendorChain []string `json:"vendor_chain,omitempty"`
	PriceCents  *int64   `json:"price_cents,omitempty"`
	Vetting     *Vetting `json:"vetting,omitempty"`
	Sample      *Sample  `json:"sample,omitempty"`
}

// ListScreened: a list was compared with the controller's own suppressions.
type ListScreened struct {
	List    string `json:"list"`
	Removed *int   `json:"removed,omitempty"`
}

// ListContactAdded: a row of a list.
type ListContactAdded struct {
	Line       Line   `json:"line,omitempty"`
	List       string `json:"list"`
	Vendor     string `json:"vendor,omitempty"`
	Source     string `json:"source,omitempty"`
	Collector  string `json:"collector,omitempty"`
	AcquiredOn Date   `json:"acquired_on,omitempty"`
	Holder     Holder `json:"holder,omitempty"` // absent = natural
}

// ListContactRemoved: a row was taken off a list.
type ListContactRemoved struct {
	Line Line   `json:"line,omitempty"`
	List string `json:"list"`
}

// ListActivated: a list may be dialled.
type ListActivated struct {
	List string `json:"list"`
}

// ListRetired: a list may not be dialled any more.
type ListRetired ListActivated

// ListTransferred: a list was given to another controller.
type ListTransferred struct {
	List      string `json:"list"`
	Recipient string `json:"recipient"`
}

// NoticePublished: a version of an information notice (GDPR 13-14).
type NoticePublished struct {
	Notice        string   `json:"notice"`
	Version       string   `json:"version"`
	SHA256        Digest   `json:"sha256"`
	EffectiveFrom Date     `json:"effective_from"`
	EffectiveTo   Date     `json:"effective_to,omitempty"`
	Recipients    []string `json:"recipients,omitempty"`
}

// ScriptPublished: the call script of a campaign.
type ScriptPublished struct {
	Script          string `json:"script"`
	SHA256          Digest `json:"sha256"`
	ThirdPartyIntro bool   `json:"third_party_intro,omitempty"`
}

// ScriptAcknowledged: a processor has taken over the script.
type ScriptAcknowledged struct {
	Script    string `json:"script"`
	Processor string `json:"processor"`
}

// ROC is an entry in the register of communication operators.
type ROC struct {
	Number string `json:"number"`
	From   Date   `json:"from"`
	To     Date   `json:"to,omitempty"`
}

// ProcessorAppointed: an appointment under GDPR 28.
type ProcessorAppointed struct {
	Processor         string   `json:"processor"`
	By                string   `json:"by,omitempty"` // sub-processor of that processor
	From              Date     `json:"from"`
	To                Date     `json:"to,omitempty"`
	PenaltyClause     bool     `json:"penalty_clause,omitempty"`
	ROC               *ROC     `json:"roc,omitempty"`
	NotifiedCountries []string `json:"notified_countries,omitempty"`
}

// ProcessorDismissed: an appointment ends with LastDay.
type ProcessorDismissed struct {
	Processor string `json:"processor"`
	LastDay   Date   `json:"last_day"`
}

// CallerIDDeclared: numbers declared in the operators' register (L.5/2018 2).
type CallerIDDeclared struct {
	Holder string   `json:"holder"`
	CLIs   []string `json:"clis"`
	From   Date     `json:"from"`
	To     Date     `json:"to,omitempty"`
}

// CallerIDTested: a number was called back for a test.
type CallerIDTested struct {
	CLI string `json:"cli"`
	OK  bool   `json:"ok"`
}

// CodeAdhered: the controller adheres to the Code of conduct.
type CodeAdhered struct {
	From Date `json:"from"`
	To   Date `json:"to,omitempty"`
}

// OrderScope says what a regulator's order hits.
type OrderScope struct {
	All     bool     `json:"all,omitempty"`
	Lists   []string `json:"lists,omitempty"`
	Vendors []string `json:"vendors,omitempty"`
	Sources []string `json:"sources,omitempty"`
}

// OrderIssued: a regulator's order; no controller means all.
type OrderIssued struct {
	Authority string     `json:"authority"`
	Number    string     `json:"number"`
	Kind      OrderKind  `json:"kind"`
	From      Date       `json:"from"`
	To        Date       `json:"to,omitempty"`
	Scope     OrderScope `json:"scope"`
}

// AgentCertified: an agent holds a certificate.
type AgentCertified struct {
	Agent string `json:"agent"`
	From  Date   `json:"from"`
	To    Date   `json:"to,omitempty"`
}

// DirectoryExtracted: whether the number stands in a public directory.
type DirectoryExtracted struct {
	Line        Line   `json:"line,omitempty"`
	InDirectory bool   `json:"in_directory"`
	Directory   string `json:"directory,omitempty"`
	ExtractedOn Date   `json:"extracted_on"`
}

// EventCorrected: voids or amends an event of any type.
type EventCorrected struct {
	Target  Identity         `json:"target"`
	Action  CorrectionAction `json:"action"`
	Data    map[string]any   `json:"data,omitempty"` // fields that replace; nil removes
	NewTime Instant          `json:"new_time,omitempty"`
	Reason  string           `json:"reason"`
}

// ErasureExecuted: the controller's vault entries of the contact are shredded.
type ErasureExecuted struct {
	Line     Line  `json:"line,omitempty"`
	Suppress *bool `json:"suppress,omitempty"` // absent = true
}

// AccessExercised: numbers were shown or an administrative act was done.
type AccessExercised struct {
	Line   Line   `json:"line,omitempty"`
	Act    string `json:"act"`
	Actor  string `json:"actor"`
	Object string `json:"object,omitempty"`
	Reason string `json:"reason,omitempty"`
}
