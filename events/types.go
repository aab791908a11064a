package events

// Presence says whether an envelope attribute must, may or must not be there.
type Presence uint8

// The values of Presence. Absent attributes are not looked at: a value that
// stands there all the same is kept and ignored.
const (
	Absent Presence = iota
	Optional
	Required
)

// TypeInfo is what the contract says of a type besides its fields.
type TypeInfo struct {
	Type       Type
	Family     Family
	Contact    Presence // data.phone in a submission, subject in the record
	Controller Presence
	Campaign   Presence
	New        func() Payload
}

// The types of contract version 1 (events.md 1.3).
const (
	TypeConsentGranted             Type = "consent.granted.v1"
	TypeConsentRefused             Type = "consent.refused.v1"
	TypeConsentReverified          Type = "consent.reverified.v1"
	TypeConsentRevoked             Type = "consent.revoked.v1"
	TypeConsentInvalidated         Type = "consent.invalidated.v1"
	TypeOppositionRegistered       Type = "opposition.registered.v1"
	TypeRegisterListed             Type = "register.listed.v1"
	TypeRegisterRenewed            Type = "register.renewed.v1"
	TypeRegisterSelectivelyRevoked Type = "register.selectively_revoked.v1"
	TypeRegisterDelisted           Type = "register.delisted.v1"
	TypeRegisterScreened           Type = "register.screened.v1"
	TypeRegisterScreeningCompleted Type = "register.screening_completed.v1"
	TypeSuppressionAcknowledged    Type = "suppression.acknowledged.v1"
	TypeRightsRequested            Type = "rights.requested.v1"
	TypeRightsExtended             Type = "rights.extended.v1"
	TypeRightsClosed               Type = "rights.closed.v1"
	TypeNumberReassigned           Type = "number.reassigned.v1"
	TypeCallConcluded              Type = "call.concluded.v1"
	TypeCallInbound                Type = "call.inbound.v1"
	TypeCallbackRequested          Type = "callback.requested.v1"
	TypeContractConcluded          Type = "contract.concluded.v1"
	TypeContractEnded              Type = "contract.ended.v1"
	TypeCommissionWithheld         Type = "commission.withheld.v1"
	TypeCommissionPaid             Type = "commission.paid.v1"
	TypeComplaintReceived          Type = "complaint.received.v1"
	TypeComplaintVerified          Type = "complaint.verified.v1"
	TypeDecisionIssued             Type = "decision.issued.v1"
	TypeDecisionBatchIssued        Type = "decision.batch_issued.v1"
	TypeCampaignOpened             Type = "campaign.opened.v1"
	TypeCampaignClosed             Type = "campaign.closed.v1"
	TypeListAcquired               Type = "list.acquired.v1"
	TypeListScreened               Type = "list.screened.v1"
	TypeListContactAdded           Type = "list.contact_added.v1"
	TypeListContactRemoved         Type = "list.contact_removed.v1"
	TypeListActivated              Type = "list.activated.v1"
	TypeListRetired                Type = "list.retired.v1"
	TypeListTransferred            Type = "list.transferred.v1"
	TypeNoticePublished            Type = "notice.published.v1"
	TypeScriptPublished            Type = "script.published.v1"
	TypeScriptAcknowledged         Type = "script.acknowledged.v1"
	TypeProcessorAppointed         Type = "processor.appointed.v1"
	TypeProcessorDismissed         Type = "processor.dismissed.v1"
	TypeCallerIDDeclared           Type = "caller_id.declared.v1"
	TypeCallerIDTested             Type = "caller_id.tested.v1"
	TypeCodeAdhered                Type = "code.adhered.v1"
	TypeOrderIssued                Type = "order.issued.v1"
	TypeAgentCertified             Type = "agent.certified.v1"
	TypeDirectoryExtracted         Type = "directory.extracted.v1"
	TypeEventCorrected             Type = "event.corrected.v1"
	TypeErasureExecuted            Type = "erasure.executed.v1"
	TypeAccessExercised            Type = "access.exercised.v1"
)

// Types lists every type in the order of the specification.
var Types = []TypeInfo{
	{TypeConsentGranted, FamilyGrants, Required, Required, Optional, func() Payload { return new(ConsentGranted) }},
	{TypeConsentRefused, FamilyGrants, Required, Required, Optional, func() Payload { return new(ConsentRefused) }},
	{TypeConsentReverified, FamilyGrants, Required, Required, Optional, func() Payload { return new(ConsentReverified) }},
	{TypeConsentRevoked, FamilyRevocations, Required, Required, Optional, func() Payload { return new(ConsentRevoked) }},
	{TypeConsentInvalidated, FamilyRevocations, Required, Required, Optional, func() Payload { return new(ConsentInvalidated) }},
	{TypeOppositionRegistered, FamilyOppositions, Required, Required, Optional, func() Payload { return new(OppositionRegistered) }},
	{TypeRegisterListed, FamilyOppositions, Required, Required, Optional, func() Payload { return new(RegisterListed) }},
	{TypeRegisterRenewed, FamilyOppositions, Required, Required, Optional, func() Payload { return new(RegisterRenewed) }},
	{TypeRegisterSelectivelyRevoked, FamilyOppositions, Required, Required, Optional, func() Payload { return new(RegisterSelectivelyRevoked) }},
	{TypeRegisterDelisted, FamilyOppositions, Required, Required, Optional, func() Payload { return new(RegisterDelisted) }},
	{TypeRegisterScreened, FamilyOppositions, Required, Required, Optional, func() Payload { return new(RegisterScreened) }},
	{TypeRegisterScreeningCompleted, FamilyOppositions, Absent, Required, Optional, func() Payload { return new(RegisterScreeningCompleted) }},
	{TypeSuppressionAcknowledged, FamilyOppositions, Optional, Required, Optional, func() Payload { return new(SuppressionAcknowledged) }},
	{TypeRightsRequested, FamilyOppositions, Optional, Required, Optional, func() Payload { return new(RightsRequested) }},
	{TypeRightsExtended, FamilyOppositions, Optional, Required, Optional, func() Payload { return new(RightsExtended) }},
	{TypeRightsClosed, FamilyOppositions, Optional, Required, Optional, func() Payload { return new(RightsClosed) }},
	{TypeNumberReassigned, FamilyOppositions, Required, Optional, Optional, func() Payload { return new(NumberReassigned) }},
	{TypeCallConcluded, FamilyOutcomes, Required, Required, Required, func() Payload { return new(CallConcluded) }},
	{TypeCallInbound, FamilyOutcomes, Required, Required, Optional, func() Payload { return new(CallInbound) }},
	{TypeCallbackRequested, FamilyOutcomes, Required, Required, Optional, func() Payload { return new(CallbackRequested) }},
	{TypeContractConcluded, FamilyOutcomes, Required, Required, Optional, func() Payload { return new(ContractConcluded) }},
	{TypeContractEnded, FamilyOutcomes, Required, Required, Optional, func() Payload { return new(ContractEnded) }},
	{TypeCommissionWithheld, FamilyOutcomes, Absent, Required, Optional, func() Payload { return new(CommissionWithheld) }},
	{TypeCommissionPaid, FamilyOutcomes, Absent, Required, Optional, func() Payload { return new(CommissionPaid) }},
	{TypeComplaintReceived, FamilyOutcomes, Required, Required, Optional, func() Payload { return new(ComplaintReceived) }},
	{TypeComplaintVerified, FamilyOutcomes, Absent, Required, Optional, func() Payload { return new(ComplaintVerified) }},
	{TypeDecisionIssued, FamilyOutcomes, Required, Required, Required, func() Payload { return new(DecisionIssued) }},
	{TypeDecisionBatchIssued, FamilyOutcomes, Absent, Required, Required, func() Payload { return new(DecisionBatchIssued) }},
	{TypeCampaignOpened, FamilyCampaigns, Absent, Required, Required, func() Payload { return new(CampaignOpened) }},
	{TypeCampaignClosed, FamilyCampaigns, Absent, Required, Required, func() Payload { return new(CampaignClosed) }},
	{TypeListAcquired, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ListAcquired) }},
	{TypeListScreened, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ListScreened) }},
	{TypeListContactAdded, FamilyCampaigns, Required, Required, Optional, func() Payload { return new(ListContactAdded) }},
	{TypeListContactRemoved, FamilyCampaigns, Required, Required, Optional, func() Payload { return new(ListContactRemoved) }},
	{TypeListActivated, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ListActivated) }},
	{TypeListRetired, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ListRetired) }},
	{TypeListTransferred, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ListTransferred) }},
	{TypeNoticePublished, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(NoticePublished) }},
	{TypeScriptPublished, FamilyCampaigns, Absent, Required, Required, func() Payload { return new(ScriptPublished) }},
	{TypeScriptAcknowledged, FamilyCampaigns, Absent, Required, Required, func() Payload { return new(ScriptAcknowledged) }},
	{TypeProcessorAppointed, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ProcessorAppointed) }},
	{TypeProcessorDismissed, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(ProcessorDismissed) }},
	{TypeCallerIDDeclared, FamilyCampaigns, Absent, Absent, Optional, func() Payload { return new(CallerIDDeclared) }},
	{TypeCallerIDTested, FamilyCampaigns, Absent, Optional, Optional, func() Payload { return new(CallerIDTested) }},
	{TypeCodeAdhered, FamilyCampaigns, Absent, Required, Optional, func() Payload { return new(CodeAdhered) }},
	{TypeOrderIssued, FamilyCampaigns, Absent, Optional, Optional, func() Payload { return new(OrderIssued) }},
	{TypeAgentCertified, FamilyCampaigns, Absent, Optional, Optional, func() Payload { return new(AgentCertified) }},
	{TypeDirectoryExtracted, FamilyCampaigns, Required, Optional, Optional, func() Payload { return new(DirectoryExtracted) }},
	{TypeEventCorrected, FamilyCampaigns, Absent, Optional, Optional, func() Payload { return new(EventCorrected) }},
	{TypeErasureExecuted, FamilyCampaigns, Required, Required, Optional, func() Payload { return new(ErasureExecuted) }},
	{TypeAccessExercised, FamilyCampaigns, Optional, Optional, Optional, func() Payload { return new(AccessExercised) }},
}

var typeIndex = func() map[Type]*TypeInfo {
	m := make(map[Type]*TypeInfo, len(Types))
	for i := range Types {
		m[Types[i].Type] = &Types[i]
	}
	return m
}()

// Info returns what the contract says of t; ok is false for an unknown type.
func (t Type) Info() (info *TypeInfo, ok bool) {
	info, ok = typeIndex[t]
	return info, ok
}

// Family returns the recorder of t; "" for an unknown type.
func (t Type) Family() Family {
	if info, ok := typeIndex[t]; ok {
		return info.Family
	}
	return ""
}

// Restrictive reports whether conflicting variants of t all count: the
// revocations family, refusals, oppositions and listings (events.md 1.1).
func (t Type) Restrictive() bool {
	switch t {
	case TypeConsentRevoked, TypeConsentInvalidated, TypeConsentRefused, TypeOppositionRegistered, TypeRegisterListed, TypeRegisterRenewed:
		return true
	}
	return false
}

// Lenient reports whether an ill-filled submission of t is recorded all the
// same, without the invalid optional fields (events.md 6).
func (t Type) Lenient() bool {
	switch t {
	case TypeConsentRevoked, TypeConsentRefused, TypeOppositionRegistered, TypeRegisterListed, TypeRegisterRenewed:
		return true
	}
	return false
}

// EventType implements Payload.
func (*ConsentGranted) EventType() Type { return TypeConsentGranted }

// EventType implements Payload.
func (*ConsentRefused) EventType() Type { return TypeConsentRefused }

// EventType implements Payload.
func (*ConsentReverified) EventType() Type { return TypeConsentReverified }

// EventType implements Payload.
func (*ConsentRevoked) EventType() Type { return TypeConsentRevoked }

// EventType implements Payload.
func (*ConsentInvalidated) EventType() Type { return TypeConsentInvalidated }

// EventType implements Payload.
func (*OppositionRegistered) EventType() Type { return TypeOppositionRegistered }

// EventType implements Payload.
func (*RegisterListed) EventType() Type { return TypeRegisterListed }

// EventType implements Payload.
func (*RegisterRenewed) EventType() Type { return TypeRegisterRenewed }

// EventType implements Payload.
func (*RegisterSelectivelyRevoked) EventType() Type { return TypeRegisterSelectivelyRevoked }

// EventType implements Payload.
func (*RegisterDelisted) EventType() Type { return TypeRegisterDelisted }

// EventType implements Payload.
func (*RegisterScreened) EventType() Type { return TypeRegisterScreened }

// EventType implements Payload.
func (*RegisterScreeningCompleted) EventType() Type { return TypeRegisterScreeningCompleted }

// EventType implements Payload.
func (*SuppressionAcknowledged) EventType() Type { return TypeSuppressionAcknowledged }

// EventType implements Payload.
func (*RightsRequested) EventType() Type { return TypeRightsRequested }

// EventType implements Payload.
func (*RightsExtended) EventType() Type { return TypeRightsExtended }

// EventType implements Payload.
func (*RightsClosed) EventType() Type { return TypeRightsClosed }

// EventType implements Payload.
func (*NumberReassigned) EventType() Type { return TypeNumberReassigned }

// EventType implements Payload.
func (*CallConcluded) EventType() Type { return TypeCallConcluded }

// EventType implements Payload.
func (*CallInbound) EventType() Type { return TypeCallInbound }

// EventType implements Payload.
func (*CallbackRequested) EventType() Type { return TypeCallbackRequested }

// EventType implements Payload.
func (*ContractConcluded) EventType() Type { return TypeContractConcluded }

// EventType implements Payload.
func (*ContractEnded) EventType() Type { return TypeContractEnded }

// EventType implements Payload.
func (*CommissionWithheld) EventType() Type { return TypeCommissionWithheld }

// EventType implements Payload.
func (*CommissionPaid) EventType() Type { return TypeCommissionPaid }

// EventType implements Payload.
func (*ComplaintReceived) EventType() Type { return TypeComplaintReceived }

// EventType implements Payload.
func (*ComplaintVerified) EventType() Type { return TypeComplaintVerified }

// EventType implements Payload.
func (*DecisionIssued) EventType() Type { return TypeDecisionIssued }

// EventType implements Payload.
func (*DecisionBatchIssued) EventType() Type { return TypeDecisionBatchIssued }

// EventType implements Payload.
func (*CampaignOpened) EventType() Type { return TypeCampaignOpened }

// EventType implements Payload.
func (*CampaignClosed) EventType() Type { return TypeCampaignClosed }

// EventType implements Payload.
func (*ListAcquired) EventType() Type { return TypeListAcquired }

// EventType implements Payload.
func (*ListScreened) EventType() Type { return TypeListScreened }

// EventType implements Payload.
func (*ListContactAdded) EventType() Type { return TypeListContactAdded }

// EventType implements Payload.
func (*ListContactRemoved) EventType() Type { return TypeListContactRemoved }

// EventType implements Payload.
func (*ListActivated) EventType() Type { return TypeListActivated }

// EventType implements Payload.
func (*ListRetired) EventType() Type { return TypeListRetired }

// EventType implements Payload.
func (*ListTransferred) EventType() Type { return TypeListTransferred }

// EventType implements Payload.
func (*NoticePublished) EventType() Type { return TypeNoticePublished }

// EventType implements Payload.
func (*ScriptPublished) EventType() Type { return TypeScriptPublished }

// EventType implements Payload.
func (*ScriptAcknowledged) EventType() Type { return TypeScriptAcknowledged }

// EventType implements Payload.
func (*ProcessorAppointed) EventType() Type { return TypeProcessorAppointed }

// EventType implements Payload.
func (*ProcessorDismissed) EventType() Type { return TypeProcessorDismissed }

// EventType implements Payload.
func (*CallerIDDeclared) EventType() Type { return TypeCallerIDDeclared }

// EventType implements Payload.
func (*CallerIDTested) EventType() Type { return TypeCallerIDTested }

// EventType implements Payload.
func (*CodeAdhered) EventType() Type { return TypeCodeAdhered }

// EventType implements Payload.
func (*OrderIssued) EventType() Type { return TypeOrderIssued }

// EventType implements Payload.
func (*AgentCertified) EventType() Type { return TypeAgentCertified }

// EventType implements Payload.
func (*DirectoryExtracted) EventType() Type { return TypeDirectoryExtracted }

// EventType implements Payload.
func (*EventCorrected) EventType() Type { return TypeEventCorrected }

// EventType implements Payload.
func (*ErasureExecuted) EventType() Type { return TypeErasureExecuted }

// EventType implements Payload.
func (*AccessExercised) EventType() Type { return TypeAccessExercised }
