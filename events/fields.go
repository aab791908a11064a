package events

import "slices"

// FieldKind is the JSON shape of a field of data.
type FieldKind uint8

// The kinds of fields.
const (
	KindString    FieldKind = iota // non-empty string
	KindBool                       // true, false
	KindInt                        // whole number, not below Field.Min
	KindInstant                    // RFC 3339 with offset
	KindDate                       // YYYY-MM-DD
	KindHash                       // 64 lower-case hex digits
	KindEnum                       // a value of Field.Set
	KindScope                      // list of values of Field.Set, "*" as Field.Star says
	KindEnums                      // list of values of Field.Set
	KindStrings                    // list of strings
	KindNumbers                    // list of E.164 numbers of callers
	KindCLI                        // E.164, three digits, or null
	KindNumber                     // E.164 number of a caller or a called line
	KindObject                     // Field.Fields
	KindObjects                    // list of Field.Fields
	KindPositions                  // object of whole numbers
	KindFree                       // any object
	KindName                       // controller syntax
	KindNames                      // list of KindName
	KindCountry                    // ISO 3166-1 alpha-2
	KindCountries                  // list of KindCountry
)

// Field is one row of a table of events.md 4.
type Field struct {
	Name     string
	Kind     FieldKind
	Required bool
	Set      string  // name of the closed set
	Star     bool    // "*" is legal
	Grant    bool    // an empty or absent scope is scope_missing
	Min      int64   // of KindInt
	Fields   []Field // of KindObject and KindObjects
}

// ClosedSets names the closed sets of events.md 2 as fields refer to them.
var ClosedSets = map[string][]string{
	"purpose":             {"marketing", "market_research", "profiling", "third_party_disclosure", "service"},
	"attempt purpose":     {"marketing", "market_research", "service"},
	"channel":             {"operator_call", "automated_call", "sms", "messaging", "email", "paper_mail"},
	"disposition":         {"no_answer", "busy", "failed", "voicemail", "silent", "refused_contact", "asked_removal", "not_interested", "callback_agreed", "sale", "wrong_person", "survey_done", "service_done"},
	"basis":               {"consent", "contract_consent", "directory", "request", "inbound", "soft_spam", "third_party", "legitimate_interest", "service"},
	"verdict":             {"allow", "warn", "block"},
	"holder":              {"natural", "legal"},
	"register":            {"phone", "postal"},
	"register answer":     {"clear", "opposed", "selective", "invalid"},
	"knowledge":           {"consultation", "citizen_receipt", "complaint", "authority"},
	"medium":              {"in_call", "web", "app", "email", "certified_email", "post", "sms", "shop", "via_list_provider", "via_authority", "legacy_import"},
	"proof kind":          {"double_opt_in", "voice_recording", "signed_form", "ip_notification"},
	"invalidation reason": {"bundled", "tainted", "fake", "wrong_number", "authority_order", "other"},
	"right":               {"access", "rectification", "erasure", "restriction", "portability", "objection"},
	"statement":           {"identity", "purpose", "origin", "rights", "notice"},
	"dialler mode":        {"manual", "preview", "progressive", "predictive", "automated"},
	"sector":              {"telecom", "energy", "insurance", "finance", "retail", "publishing", "other"},
	"order kind":          {"prohibition", "limitation", "prescription", "fine"},
	"correction action":   {"void", "amend"},
	"contract channel":    {"phone", "web", "shop", "other"},
	"reverification":      {"confirmed", "not_confirmed"},
	"complaint way":       {"garante", "agcom", "subject", "other"},
	"complaint result":    {"founded", "unfounded"},
}

// InSet reports whether v is a value of a closed set.
func InSet(set, v string) bool { return slices.Contains(ClosedSets[set], v) }

func req(f Field) Field { f.Required = true; return f }

func str(n string) Field        { return Field{Name: n, Kind: KindString} }
func boolean(n string) Field    { return Field{Name: n, Kind: KindBool} }
func count(n string) Field      { return Field{Name: n, Kind: KindInt} }
func instant(n string) Field    { return Field{Name: n, Kind: KindInstant} }
func date(n string) Field       { return Field{Name: n, Kind: KindDate} }
func hash(n string) Field       { return Field{Name: n, Kind: KindHash} }
func enum(n, set string) Field  { return Field{Name: n, Kind: KindEnum, Set: set} }
func enums(n, set string) Field { return Field{Name: n, Kind: KindEnums, Set: set} }
func names(n string) Field      { return Field{Name: n, Kind: KindNames} }
func name(n string) Field       { return Field{Name: n, Kind: KindName} }
func texts(n string) Field      { return Field{Name: n, Kind: KindStrings} }
func object(n string, f ...Field) Field {
	return Field{Name: n, Kind: KindObject, Fields: f}
}

func grantScope() []Field {
	return []Field{
		{Name: "purposes", Kind: KindScope, Set: "purpose", Grant: true},
		{Name: "channels", Kind: KindScope, Set: "channel", Grant: true},
	}
}

func restrictiveScope() []Field {
	return []Field{
		{Name: "purposes", Kind: KindScope, Set: "purpose", Star: true},
		{Name: "channels", Kind: KindScope, Set: "channel", Star: true},
	}
}

func listing() []Field {
	return []Field{req(date("listed_on")), enum("register", "register"), boolean("ex_officio"), enum("knowledge", "knowledge")}
}

func decisionTail() []Field {
	return []Field{req(str("pack")), req(Field{Name: "positions", Kind: KindPositions}), req(instant("expires_at"))}
}

func all(parts ...[]Field) []Field {
	var out []Field
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Fields returns the rows of data of t (events.md 4), without phone, country
// and evidence, which belong to submissions; nil for an unknown type.
func (t Type) Fields() []Field { return fieldTable[t] }

var fieldTable = map[Type][]Field{
	TypeConsentGranted: all(grantScope(), []Field{
		texts("products"), names("beneficiaries"),
		object("recipients", names("controllers"), enums("sectors", "sector")),
		object("notice", req(str("id")), req(str("version")), req(hash("sha256"))),
		boolean("notice_extends_to_operator"), str("source_ref"),
		object("proof", req(enum("kind", "proof kind")), req(hash("sha256")), req(boolean("immutable")), instant("confirmed_at"), instant("notified_at")),
		boolean("mandatory_for_service"), boolean("pre_ticked"), {Name: "purposes_in_control", Kind: KindInt, Min: 1},
		date("valid_to"), str("contract"), str("collection_attempt"),
	}),
	TypeConsentRefused:    all(restrictiveScope(), []Field{enum("medium", "medium")}),
	TypeConsentReverified: {req(str("grant")), req(enum("result", "reverification")), str("method")},
	TypeConsentRevoked: all(restrictiveScope(), []Field{
		enum("medium", "medium"), str("received_by"), instant("applied_at"), boolean("harder_than_grant"),
	}),
	TypeConsentInvalidated: {req(str("grant")), req(enum("reason", "invalidation reason")), str("decided_by")},
	TypeOppositionRegistered: all(restrictiveScope(), []Field{
		names("also_controllers"), enum("medium", "medium"), str("received_by"), instant("refused_at"), instant("inserted_at"),
		str("entry_source"), str("recorded_by"), str("call"),
	}),
	TypeRegisterListed:  listing(),
	TypeRegisterRenewed: listing(),
	TypeRegisterSelectivelyRevoked: {
		req(date("from")), date("to"), enum("register", "register"), enum("knowledge", "knowledge"),
	},
	TypeRegisterDelisted: {req(date("delisted_on")), enum("register", "register")},
	TypeRegisterScreened: {
		req(str("batch")), req(instant("snapshot_at")), req(enum("answer", "register answer")), date("opposition_date"),
		date("selective_from"), date("selective_to"), enum("register", "register"),
	},
	TypeRegisterScreeningCompleted: {
		req(str("batch")), str("list"), req(instant("snapshot_at")), count("submitted"), count("clear"), count("opposed"),
		count("selective"), count("invalid"), hash("set_root"), str("submitted_by"), enum("register", "register"),
	},
	TypeSuppressionAcknowledged: {req(str("opposition")), req(str("processor"))},
	TypeRightsRequested:         {req(enum("right", "right")), req(str("request"))},
	TypeRightsExtended:          {req(str("request"))},
	TypeRightsClosed:            {req(str("request")), str("outcome")},
	TypeNumberReassigned:        {str("knowledge_source")},
	TypeCallConcluded: {
		req(instant("dialled_at")), instant("answered_at"), instant("agent_connected_at"), instant("released_at"),
		req(enum("purpose", "attempt purpose")), req(enum("channel", "channel")), str("processor"), {Name: "cli", Kind: KindCLI},
		{Name: "origin_country", Kind: KindCountry}, {Name: "agent_country", Kind: KindCountry}, boolean("roaming"),
		enum("mode", "dialler mode"), str("agent"), boolean("agent_reserved"), enum("basis", "basis"), str("grant"), str("request"),
		str("batch"), str("decision"), str("product"), req(enum("disposition", "disposition")), boolean("silent"), boolean("comfort_noise"),
		enums("statements", "statement"), boolean("consent_before_pitch"), boolean("deflected"), boolean("upsell"),
	},
	TypeCallInbound: {
		{Name: "called_number", Kind: KindNumber}, name("pitched_for"), boolean("notice_given"), str("origin_attempt"),
	},
	TypeCallbackRequested: {str("product"), enum("medium", "medium")},
	TypeContractConcluded: {
		req(str("contract")), str("product"), enum("sector", "sector"), req(boolean("continuous")), req(date("started_on")),
		boolean("simplified_revocation"), boolean("email_notice"), req(enum("channel", "contract channel")), str("origin"),
		str("brought_by"), date("durable_medium_confirmed_on"), date("activated_on"),
	},
	TypeContractEnded:      {req(str("contract")), req(date("ended_on"))},
	TypeCommissionPaid:     {req(str("contract")), req(str("processor"))},
	TypeCommissionWithheld: {req(str("contract")), req(str("processor"))},
	TypeComplaintReceived:  {enum("via", "complaint way"), instant("claimed_call_at"), {Name: "cli", Kind: KindCLI}},
	TypeComplaintVerified:  {req(str("complaint")), req(enum("result", "complaint result"))},
	TypeDecisionIssued: all([]Field{
		req(str("attempt")), req(enum("verdict", "verdict")),
		{Name: "reasons", Kind: KindObjects, Required: true, Fields: []Field{req(str("rule")), req(enum("effect", "verdict"))}},
	}, decisionTail()),
	TypeDecisionBatchIssued: all([]Field{
		req(str("batch")), req(count("count")), req(hash("root")), req(count("allow")), req(count("warn")), req(count("block")),
	}, decisionTail()),
	TypeCampaignOpened: {
		req(enum("purpose", "purpose")), {Name: "channels", Kind: KindEnums, Set: "channel", Required: true}, req(enum("sector", "sector")),
		str("product"), name("product_owner"), req(texts("lists")), {Name: "clis", Kind: KindNumbers, Required: true}, boolean("profiling"), str("dpia_ref"),
	},
	TypeCampaignClosed: {str("silent_report")},
	TypeListAcquired: {
		req(str("list")), str("vendor"), texts("vendor_chain"), count("price_cents"),
		object("vetting", boolean("notice"), boolean("ux"), boolean("revocability"), boolean("traceability")),
		object("sample", req(count("size")), req(count("failures")), str("method")),
	},
	TypeListScreened: {req(str("list")), count("removed")},
	TypeListContactAdded: {
		req(str("list")), str("vendor"), str("source"), str("collector"), date("acquired_on"), enum("holder", "holder"),
	},
	TypeListContactRemoved: {req(str("list"))},
	TypeListActivated:      {req(str("list"))},
	TypeListRetired:        {req(str("list"))},
	TypeListTransferred:    {req(str("list")), req(name("recipient"))},
	TypeNoticePublished: {
		req(str("notice")), req(str("version")), req(hash("sha256")), req(date("effective_from")), date("effective_to"), names("recipients"),
	},
	TypeScriptPublished:    {req(str("script")), req(hash("sha256")), boolean("third_party_intro")},
	TypeScriptAcknowledged: {req(str("script")), req(str("processor"))},
	TypeProcessorAppointed: {
		req(str("processor")), str("by"), req(date("from")), date("to"), boolean("penalty_clause"),
		object("roc", req(str("number")), req(date("from")), date("to")), {Name: "notified_countries", Kind: KindCountries},
	},
	TypeProcessorDismissed: {req(str("processor")), req(date("last_day"))},
	TypeCallerIDDeclared:   {req(str("holder")), {Name: "clis", Kind: KindNumbers, Required: true}, req(date("from")), date("to")},
	TypeCallerIDTested:     {{Name: "cli", Kind: KindNumber, Required: true}, req(boolean("ok"))},
	TypeCodeAdhered:        {req(date("from")), date("to")},
	TypeOrderIssued: {
		req(str("authority")), req(str("number")), req(enum("kind", "order kind")), req(date("from")), date("to"),
		req(object("scope", boolean("all"), texts("lists"), texts("vendors"), texts("sources"))),
	},
	TypeAgentCertified:     {req(str("agent")), req(date("from")), date("to")},
	TypeDirectoryExtracted: {req(boolean("in_directory")), str("directory"), req(date("extracted_on"))},
	TypeEventCorrected: {
		req(object("target", req(str("source")), req(str("id")))), req(enum("action", "correction action")),
		{Name: "data", Kind: KindFree}, instant("new_time"), req(str("reason")),
	},
	TypeErasureExecuted: {boolean("suppress")},
	TypeAccessExercised: {req(str("act")), req(str("actor")), str("object"), str("reason")},
}
