package listcheck

import (
	"encoding/json"
	"strings"

	"github.com/assenso/assenso/events"
)

// Line is one line of a list. A line that is no JSON is a number as it stands.
type Line struct {
	Number  string `json:"number,omitempty"`  // E.164, or national format with a country
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2; absent = that of the question
	Contact string `json:"contact,omitempty"` // contact key, instead of a number
	Ref     string `json:"ref,omitempty"`     // comes back in the answer; at most MaxRef bytes
}

// Bounds of a line.
const (
	MaxLine = 4096 // bytes; what is longer cannot be read
	MaxRef  = 256
)

// Codes of the faults of a line, beside those of events.md 6.
const (
	CodeLine = "line_unreadable"
	CodeRef  = "ref_invalid"
)

// ParseLine reads a line without its end: a number, a number as a JSON string,
// or an object with the members of Line; others are ignored. The fault, if
// there is one, never quotes the line.
func ParseLine(s string) (l Line, fault *events.Fault) {
	if len(s) > 0 && s[0] != '{' && s[0] != '"' && s[0] != ' ' && s[0] != '\t' && len(s) <= MaxLine {
		return Line{Number: s}, nil
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return l, &events.Fault{Code: "phone_missing", Hint: "write a number on the line"}
	case len(s) > MaxLine:
		return l, &events.Fault{Code: CodeLine, Hint: "the line is too long: write a number, or an object with number and ref"}
	case s[0] == '"':
		if json.Unmarshal([]byte(s), &l.Number) != nil {
			return Line{}, &events.Fault{Code: CodeLine, Hint: "the line is no JSON string: check its quotes"}
		}
	case s[0] == '{':
		if json.Unmarshal([]byte(s), &l) != nil {
			return Line{}, &events.Fault{Code: CodeLine, Hint: `the line is no object of texts: write {"number": "…", "ref": "…"}`}
		}
	default:
		l.Number = s
	}
	switch {
	case len(l.Ref) > MaxRef:
		return Line{}, &events.Fault{Code: CodeRef, Field: "ref", Hint: "write a ref of at most 256 bytes"}
	case (l.Number == "") == (l.Contact == ""):
		return Line{Ref: l.Ref}, &events.Fault{Code: "phone_missing", Field: "number", Hint: "give either number or contact"}
	}
	return l, nil
}

// keyOf returns the contact of a line, or why there is none.
func (r *Run) keyOf(l *Line) (events.ContactKey, *events.Fault) {
	if l.Contact != "" {
		key, err := events.ParseContactKey(l.Contact)
		if err != nil {
			return key, &events.Fault{Code: "contact_invalid", Field: "contact", Hint: "write a contact key of 32 lower-case hex digits"}
		}
		return key, nil
	}
	country := l.Country
	if country == "" {
		country = r.Country
	}
	phone, code := r.Normalise(l.Number, country)
	if code != "" {
		return events.ContactKey{}, &events.Fault{Code: code, Field: "number", Hint: "write the number in E.164, such as +39 and the national digits, or give its country"}
	}
	return r.Key(phone), nil
}
