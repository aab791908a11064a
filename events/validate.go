package events

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the legal calendar must not depend on the host
)

// MaxSubmission is the largest submission in bytes (events.md 6).
const MaxSubmission = 256 << 10

// MaxFaults bounds the faults that are reported of one submission, so that a
// list of 100,000 wrong values does not become a reject of many megabytes.
const MaxFaults = 200

// MaxAhead is how far a submitted clock may run ahead of the ledger's.
const MaxAhead = 15 * time.Minute

// Rome is the legal time zone, Europe/Rome. Its rules are compiled in
// (time/tzdata), so that the host has no say. A build without them has no way to
// tell a civil day, which nearly every rule counts: it stops before it starts,
// which is why this is a panic and no error for callers to pass over.
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

// String names the submission without its data: those and the evidence are
// personal, whichever verb prints them.
func (s Submission) String() string { return "submission of " + string(s.Type) }

// GoString hides what String hides.
func (s Submission) GoString() string { return s.String() }

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
	v, err := decodeGeneric(body)
	env, ok := v.(map[string]any)
	if err != nil || !ok {
		return Identity{}, "", fmt.Errorf("peek at submission: send one JSON object: %w", cmp.Or(err, errJSON))
	}
	id.Source, _ = env["source"].(string)
	id.ID, _ = env["id"].(string)
	name, _ := env["type"].(string)
	return id, Type(name), nil
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

// fault notes a fault, up to MaxFaults.
func (v *validation) fault(code, field, hint string) {
	if len(v.faults) == MaxFaults {
		return
	}
	v.faults = append(v.faults, Fault{Code: code, Field: field, Hint: hint})
}

// drop leaves an invalid optional field out of a restrictive event. A name that
// must not be repeated stands as *.
func (v *validation) drop(field string) {
	if personal(field) || len(v.s.Dropped) > 60 {
		field = "*"
	}
	field = pathName(field)
	if !slices.Contains(v.s.Dropped, field) {
		v.s.Dropped = append(v.s.Dropped, field)
	}
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
