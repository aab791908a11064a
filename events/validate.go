package events

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the legal calendar must not depend on the host
	"unicode/utf8"
)

// MaxSubmission is the largest submission in bytes (events.md 6).
const MaxSubmission = 256 << 10

// MaxAhead is how far a submitted clock may run ahead of the ledger's.
const MaxAhead = 15 * time.Minute

// Rome is the legal time zone, Europe/Rome.
var Rome = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic("events: time zone database compiled in lacks Europe/Rome: " + err.Error())
	}
	return loc
}()

// Phone is a normalised number. It prints as +… in every format; E164 gives
// the number in clear.
type Phone struct {
	e164 string
	line Line
}

// NewPhone wraps an E.164 number and its line type.
func NewPhone(e164 string, line Line) Phone { return Phone{e164, line} }

// E164 returns the number in clear, "" when there is none.
func (p Phone) E164() string { return p.e164 }

// Line returns the line type.
func (p Phone) Line() Line { return p.line }

// String hides the number.
func (p Phone) String() string { return "+…" }

// GoString hides the number.
func (p Phone) GoString() string { return "+…" }

// Normaliser turns data.phone and data.country ("" = absent) into an E.164
// number. It returns "" as code, or phone_invalid or country_missing.
type Normaliser func(phone, country string) (p Phone, code string)

// ValidateOptions are the surroundings of a validation.
type ValidateOptions struct {
	Now          Instant    // the ledger's clock; zero leaves out the tests of future times
	Family       Family     // of the recorder; "" = any
	Normalise    Normaliser // required
	AllowSubject bool       // services of the ledger may send subject instead of data.phone
}

// Submission is a valid submission on its way into the ledger.
type Submission struct {
	Type       Type
	ID         string
	Source     string
	Time       Instant
	Received   Instant // zero = absent
	Controller string
	Campaign   string
	SourceSeq  int64
	Phone      Phone      // zero where the type or the submission has no contact
	Subject    ContactKey // with AllowSubject only
	Evidence   []byte     // canonical data.evidence, nil = none
	Dropped    []string   // optional fields that were invalid (restrictive types)
	Future     bool       // time or received lie beyond MaxAhead (restrictive types): raise an alarm

	data map[string]any // in recorded form, without phone, country, evidence
}

// Identity returns the submission's identity.
func (s *Submission) Identity() Identity { return Identity{s.Source, s.ID} }

// CorrectionTarget returns what an event.corrected targets.
func (s *Submission) CorrectionTarget() (Identity, bool) {
	if s.Type != TypeEventCorrected {
		return Identity{}, false
	}
	t, _ := s.data["target"].(map[string]any)
	source, _ := t["source"].(string)
	id, _ := t["id"].(string)
	return Identity{source, id}, true
}

// Peek returns what a door must know to queue a submission: its source, id and
// type, empty where unreadable. It validates nothing, but reads the very members
// that Validate reads: names in their exact case, of a repeated one the last.
// The error says that body is no JSON object.
func Peek(body []byte) (id Identity, t Type, err error) {
	var env map[string]json.RawMessage
	if err := json.Unmarshal(body, &env); err != nil {
		return Identity{}, "", fmt.Errorf("peek at submission: send one JSON object: %w", err)
	}
	text := func(name string) string {
		var s any
		if json.Unmarshal(env[name], &s) != nil {
			return ""
		}
		out, _ := s.(string)
		return out
	}
	return Identity{text("source"), text("id")}, Type(text("type")), nil
}

// Validate reads a structured-mode submission and reports all of its faults
// together, in the order of events.md 6: envelope, type, family, contact,
// fields, cross-field. The Submission is nil when a fault is reported, but for
// ID, Source and Type as far as they could be read.
func Validate(body []byte, opts ValidateOptions) (*Submission, []Fault) {
	v := &validation{opts: opts, s: &Submission{}}
	if len(body) > MaxSubmission {
		v.fault("json_invalid", "", "send at most 256 KiB an event")
		return v.s, v.faults
	}
	raw, err := decodeGeneric(body)
	env, ok := raw.(map[string]any)
	if err != nil || !ok {
		v.fault("json_invalid", "", "send one JSON object")
		return v.s, v.faults
	}
	v.env = env
	v.envelope()
	if v.info != nil {
		if v.contact() {
			v.fields()
			v.cross()
		}
	}
	if len(v.faults) > 0 {
		return v.s, v.faults
	}
	v.finish()
	return v.s, nil
}

type validation struct {
	opts    ValidateOptions
	env     map[string]any
	info    *TypeInfo
	s       *Submission
	faults  []Fault
	lenient bool
}

func (v *validation) fault(code, field, hint string) {
	v.faults = append(v.faults, Fault{Code: code, Field: field, Hint: hint})
}

// drop leaves an invalid optional field out of a restrictive event.
func (v *validation) drop(field string) {
	if !slices.Contains(v.s.Dropped, field) {
		v.s.Dropped = append(v.s.Dropped, field)
	}
}

func (v *validation) envelope() {
	if sv, ok := v.env["specversion"].(string); !ok || sv != "1.0" {
		v.fault("specversion_unsupported", "specversion", `send "1.0"`)
	}
	v.s.ID = v.text("id", "id_missing", "id_invalid", 128)
	v.s.Source = v.text("source", "source_missing", "source_invalid", 256)
	if v.s.Source != "" && !validSource(v.s.Source) {
		v.fault("source_invalid", "source", "send a URI-reference without spaces")
	}
	v.typeName()
	v.s.Time = v.envInstant("time", true)
	v.s.Received = v.envInstant("receivedtime", false)
	v.clocks()
	v.controller()
	v.campaign()
	v.sequence()
	v.personalEnvelope()
	v.typeAndFamily()
}

// text reads a required string attribute of the envelope.
func (v *validation) text(name, missing, invalid string, limit int) string {
	raw, ok := v.env[name]
	if !ok || raw == nil || raw == "" {
		v.fault(missing, name, "send "+name+", unique and stable")
		return ""
	}
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", name, "send a string")
		return ""
	}
	if utf8.RuneCountInString(s) > limit || strings.ContainsFunc(s, isControl) {
		v.fault(invalid, name, fmt.Sprintf("send 1 to %d characters without control characters", limit))
		return ""
	}
	return s
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xFFFD }

// validSource reports whether s is a URI-reference (RFC 3986: ASCII only).
func validSource(s string) bool {
	_, err := url.Parse(s)
	foreign := func(r rune) bool { return r > 0x7e }
	return err == nil && !strings.ContainsAny(s, " <>\"{}|\\^`") && !strings.ContainsFunc(s, foreign)
}

var typeForm = regexp.MustCompile(`^(.+)\.v[0-9]+$`)

// typeName reads the type, on which the demands of the envelope depend.
func (v *validation) typeName() {
	raw, ok := v.env["type"]
	if !ok || raw == nil || raw == "" {
		v.fault("type_missing", "type", "send type, such as consent.granted.v1")
		return
	}
	name, ok := raw.(string)
	if !ok {
		v.fault("field_type", "type", "send a string")
		return
	}
	v.s.Type = Type(name)
	v.lenient = v.s.Type.Lenient()
	v.info, _ = v.s.Type.Info()
}

// typeAndFamily judges the type that typeName read.
func (v *validation) typeAndFamily() {
	name := string(v.s.Type)
	switch m := typeForm.FindStringSubmatch(name); {
	case name == "":
	case v.info != nil:
		if v.opts.Family != "" && v.info.Family != v.opts.Family {
			v.fault("family_mismatch", "type", "send this type to the recorder of "+string(v.info.Family))
		}
	case m != nil && Type(m[1]+".v1").Family() != "":
		v.fault("version_unsupported", "type", "this ledger records version v1 of the type")
	default:
		v.fault("type_unknown", "type", "send a type of the contract, see schemas/events")
	}
}

func (v *validation) envInstant(name string, required bool) Instant {
	raw, ok := v.env[name]
	if !ok || raw == nil || raw == "" {
		if required {
			v.fault("time_missing", name, "send the legal time of the fact, RFC 3339 with offset")
		}
		return 0
	}
	s, ok := raw.(string)
	if ok {
		if i, err := ParseInstant(s); err == nil {
			return i
		}
	}
	switch {
	case v.lenient && !required:
		v.drop(name)
	case !ok:
		v.fault("field_type", name, "send a string")
	default:
		v.fault("time_invalid", name, "send RFC 3339 with offset, such as 2026-01-10T12:00:00+01:00")
	}
	return 0
}

func (v *validation) clocks() {
	s := v.s
	if s.Received != 0 && s.Time != 0 && s.Received < s.Time {
		if v.lenient {
			v.drop("receivedtime")
			s.Received = 0
		} else {
			v.fault("received_before_time", "receivedtime", "nobody knows of a fact before it happens: send a later receivedtime, or none")
		}
	}
	if v.opts.Now == 0 {
		return
	}
	limit := v.opts.Now.Add(MaxAhead)
	for _, c := range []struct {
		name string
		at   Instant
	}{{"time", s.Time}, {"receivedtime", s.Received}} {
		if c.at <= limit {
			continue
		}
		if v.lenient {
			s.Future = true
			v.drop("time")
			continue
		}
		v.fault("time_in_future", c.name, "lies more than 15 minutes ahead of the ledger's clock: check the source's clock")
	}
}

var controllerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (v *validation) controller() {
	raw := v.env["controller"]
	if raw == nil || raw == "" {
		if v.info != nil && v.info.Controller == Required {
			v.fault("controller_missing", "controller", "send the controller whom the fact concerns")
		}
		return
	}
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", "controller", "send a string")
		return
	}
	if !controllerForm.MatchString(s) {
		v.fault("controller_invalid", "controller", "send 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit")
		return
	}
	v.s.Controller = s
}

func (v *validation) campaign() {
	raw := v.env["campaign"]
	if raw == nil || raw == "" {
		if v.info != nil && v.info.Campaign == Required {
			v.fault("campaign_missing", "campaign", "send the campaign id")
		}
		return
	}
	s, ok := raw.(string)
	switch {
	case ok && utf8.RuneCountInString(s) <= 64 && !strings.ContainsFunc(s, isControl):
		v.s.Campaign = s
	case v.lenient:
		v.drop("campaign")
	default:
		v.fault("field_type", "campaign", "send a string of 1 to 64 characters")
	}
}

func (v *validation) sequence() {
	raw := v.env["sourceseq"]
	if raw == nil {
		return
	}
	if i, ok := wholeNumber(raw); ok && i >= 1 {
		v.s.SourceSeq = i
		return
	}
	if v.lenient {
		v.drop("sourceseq")
		return
	}
	v.fault("sequence_invalid", "sourceseq", "send a whole number from 1 on")
}

// wholeNumber reads a JSON number that is whole and exact in ECMAScript, in any
// of its spellings (7, 7.0, 7e0).
func wholeNumber(raw any) (int64, bool) {
	n, ok := raw.(json.Number)
	if !ok {
		return 0, false
	}
	c, err := appendNumber(nil, n)
	if err != nil {
		return 0, false
	}
	i, err := strconv.ParseInt(string(c), 10, 64)
	return i, err == nil && -1<<53 < i && i < 1<<53
}

// contact checks data itself, data.phone and data.evidence. It returns false
// when there is no data to look into.
func (v *validation) contact() bool {
	data, ok := v.env["data"].(map[string]any)
	if !ok {
		if v.env["data"] == nil {
			v.fault("field_missing", "data", "send an object with the fields of the type")
		} else {
			v.fault("field_type", "data", "send an object")
		}
		return false
	}
	v.s.data = data
	delete(data, "dropped")
	delete(data, "line")
	delete(data, "evidence_sha256")
	v.evidence()
	if v.info.Contact == Absent {
		if _, given := data["phone"]; given {
			v.fault("personal_data_in_log", "data.phone", "this type has no contact: leave the number out")
		}
		return true
	}
	v.phone()
	delete(data, "phone")
	delete(data, "country")
	return true
}

func (v *validation) phone() {
	data := v.s.data
	raw := data["phone"]
	if raw == nil || raw == "" {
		if v.subject() {
			return
		}
		if v.info.Contact == Required {
			v.fault("phone_missing", "data.phone", "send the number in E.164, or in national format with data.country")
		}
		return
	}
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", "data.phone", "send a string")
		return
	}
	country, ok := data["country"].(string)
	if !ok && data["country"] != nil && !strings.HasPrefix(s, "+") {
		v.fault("field_type", "data.country", "send ISO 3166-1 alpha-2")
		return
	}
	phone, code := v.opts.Normalise(s, country)
	switch code {
	case "":
		v.s.Phone = phone
	case "country_missing":
		v.fault(code, "data.country", "a number in national format needs data.country, ISO 3166-1 alpha-2")
	default:
		v.fault(code, "data.phone", "send a number that can be dialled: E.164, 8 to 15 digits; +39 numbers 6 to 11 national digits")
	}
}

func (v *validation) subject() bool {
	raw, ok := v.env["subject"].(string)
	if !ok || !v.opts.AllowSubject {
		return false
	}
	key, err := ParseContactKey(raw)
	if err != nil {
		v.fault("field_type", "subject", "send a contact key of 32 lower-case hex digits")
		return true
	}
	v.s.Subject = key
	return true
}

func (v *validation) evidence() {
	raw, given := v.s.data["evidence"]
	delete(v.s.data, "evidence")
	if !given || raw == nil {
		return
	}
	obj, ok := raw.(map[string]any)
	if ok {
		c, err := AppendCanonical(nil, obj)
		if err == nil {
			v.s.Evidence = c
			return
		}
	}
	if v.lenient {
		v.drop("evidence")
		return
	}
	v.fault("field_type", "data.evidence", "send an object")
}

// Patterns of what must never stand in the log outside data.evidence.
var (
	e164Form  = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
	emailForm = regexp.MustCompile(`^[^\s@<>"]+@[^\s@<>"]+\.[A-Za-z]{2,}$`)
	cliShort  = regexp.MustCompile(`^[0-9]{3}$`)
)

// personal reports whether s is an e-mail address, an IP address or an E.164
// number.
func personal(s string) bool {
	return mailOrIP(s) || e164Form.MatchString(strings.TrimSpace(s))
}

// mailOrIP reports whether s is an e-mail address or an IP address.
func mailOrIP(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) > 320 {
		return false
	}
	if strings.IndexByte(s, '@') > 0 && emailForm.MatchString(s) {
		return true
	}
	if strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ':') < 0 {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (v *validation) personalEnvelope() {
	for _, a := range []struct{ name, value string }{{"id", v.s.ID}, {"source", v.s.Source}, {"campaign", v.s.Campaign}, {"controller", v.s.Controller}} {
		if personal(a.value) {
			v.fault("personal_data_in_log", a.name, "personal data belong under data.evidence only")
		}
	}
}
