// Package numbers turns telephone numbers as people write them into E.164 and
// names the kind of line (events.md 1.2, 2, 6). It keeps nothing.
//
//	p, code := numbers.Normalise("340 123 4567", "IT") // +393401234567, mobile
//	_, code = numbers.Normalise("3401234567", "")      // country_missing
package numbers

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/assenso/assenso/events"
)

// The codes of events.md 6 that Normalise returns.
const (
	CodeInvalid        = "phone_invalid"
	CodeCountryMissing = "country_missing"
)

// Bounds of events.md 6: digits of E.164 and of an Italian national number.
const (
	minDigits, maxDigits               = 8, 15
	minItalianDigits, maxItalianDigits = 6, 11
	maxWritten                         = 64 // characters, punctuation included
)

// Normalise turns a number in E.164, or in national format with its country
// (ISO 3166-1 alpha-2, either case), into E.164 and its line type. The second
// value is "" or one of the codes. A number that begins with + needs no
// country, and one that is given is not looked at. Italian landlines keep
// their 0. Whether somebody has the number is not checked: only its form and
// length. It is an events.Normaliser.
func Normalise(phone, country string) (events.Phone, string) {
	if italianE164(phone) {
		return events.NewPhone(phone, lineOf(phone)), ""
	}
	if country == "IT" && italianMobile(phone) {
		return events.NewPhone("+39"+phone, events.LineMobile), ""
	}
	return parse(phone, country)
}

// parse is the way of all other forms, through the library.
func parse(phone, country string) (events.Phone, string) {
	phone = strings.TrimSpace(phone)
	if !dialable(phone) {
		return events.Phone{}, CodeInvalid
	}
	if phone[0] != '+' && country == "" {
		return events.Phone{}, CodeCountryMissing
	}
	if phone[0] == '+' {
		country = ""
	}
	n, err := phonenumbers.Parse(phone, strings.ToUpper(country))
	if err != nil || n.GetExtension() != "" {
		return events.Phone{}, CodeInvalid
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if !stable(e164) {
		return events.Phone{}, CodeInvalid
	}
	digits := len(e164) - 1
	if digits < minDigits || digits > maxDigits {
		return events.Phone{}, CodeInvalid
	}
	if national := digits - 2; strings.HasPrefix(e164, "+39") && (national < minItalianDigits || national > maxItalianDigits) {
		return events.Phone{}, CodeInvalid
	}
	return events.NewPhone(e164, lineOf(e164)), ""
}

// stable reports whether a number in E.164 is read as itself. One whose digits
// begin with a trunk prefix again (+1110…) is not: two readings would be two
// contacts.
func stable(e164 string) bool {
	n, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.Format(n, phonenumbers.E164) == e164
}

// italianE164 reports whether s is an Italian number in E.164 already. The
// library returns such a number as it stands: TestShortcuts proves it.
func italianE164(s string) bool {
	n := len(s) - len("+39")
	return n >= minItalianDigits && n <= maxItalianDigits && s[:3] == "+39" && allDigits(s[3:])
}

// italianMobile reports whether s is an Italian mobile number in national
// format whose beginning cannot be taken for the country's code.
func italianMobile(s string) bool {
	return len(s) == 10 && s[0] == '3' && s[1] != '9' && allDigits(s)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// dialable reports whether s consists of digits and the punctuation of written
// numbers. Letters (extensions, vanity numbers, tel: addresses) are refused.
func dialable(s string) bool {
	if s == "" || len(s) > maxWritten {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == ' ', c == '-', c == '.', c == '(', c == ')', c == '/':
		case c == '+' && i == 0:
		default:
			return false
		}
	}
	return true
}

// lineOf is the line type of events.md 2.
func lineOf(e164 string) events.Line {
	switch {
	case !strings.HasPrefix(e164, "+39"):
		return events.LineForeign
	case strings.HasPrefix(e164, "+393"):
		return events.LineMobile
	case strings.HasPrefix(e164, "+390"):
		return events.LineFixed
	}
	return events.LineOtherIT
}
