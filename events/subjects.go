package events

import (
	"errors"
	"fmt"
	"strings"
)

// NoToken stands for an absent source or controller in a subject.
const NoToken = "_"

// SubjectToken writes a source or controller as one token of a NATS subject:
// every byte outside [A-Za-z0-9_-] as %XX; "_" for absent (design.md 4). A
// literal "_" alone becomes %5F.
func SubjectToken(s string) string {
	switch s {
	case "":
		return NoToken
	case NoToken:
		return "%5F"
	}
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = tokenByte(s[i])
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; tokenByte(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func tokenByte(c byte) bool {
	return c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
}

// ErrSubjectToken is returned for a token that SubjectToken does not write.
var ErrSubjectToken = errors.New("not a subject token")

// ParseSubjectToken is the inverse of SubjectToken.
func ParseSubjectToken(t string) (string, error) {
	if t == NoToken {
		return "", nil
	}
	out := make([]byte, 0, len(t))
	for i := 0; i < len(t); i++ {
		if t[i] != '%' {
			out = append(out, t[i])
			continue
		}
		var c byte
		if i+2 >= len(t) {
			return "", ErrSubjectToken
		}
		if _, err := fmt.Sscanf(t[i+1:i+3], "%02X", &c); err != nil {
			return "", ErrSubjectToken
		}
		out = append(out, c)
		i += 2
	}
	if len(out) == 0 || SubjectToken(string(out)) != t {
		return "", ErrSubjectToken
	}
	return string(out), nil
}

// IntakeSubject is where a source publishes: intake.<family>.<source>.<type>.
func IntakeSubject(f Family, source string, t Type) string {
	return "intake." + string(f) + "." + SubjectToken(source) + "." + string(t)
}

// ParseIntakeSubject takes an intake subject apart.
func ParseIntakeSubject(subject string) (f Family, source string, t Type, err error) {
	parts := strings.SplitN(subject, ".", 4)
	if len(parts) != 4 || parts[0] != "intake" {
		return "", "", "", ErrSubjectToken
	}
	source, err = ParseSubjectToken(parts[2])
	return Family(parts[1]), source, Type(parts[3]), err
}

// LedgerSubject is where an event lies in its stream:
// ledger.<pp>.<type>.<controller or _>; partition is "00" … or "ref".
func LedgerSubject(partition string, t Type, controller string) string {
	return "ledger." + partition + "." + string(t) + "." + SubjectToken(controller)
}

// ReceiptSubject is where the recorder sends a receipt:
// receipts.<source>.<token>. The token comes from the sender and is written as
// one token whatever stands in it: it never leads to a subject of its choice.
func ReceiptSubject(source, token string) string {
	if token != NoToken {
		token = SubjectToken(token)
	}
	return "receipts." + SubjectToken(source) + "." + token
}

// BeatSubject is where a family's recorder beats.
func BeatSubject(f Family) string { return "beat." + string(f) }

// RejectSubject is where refused submissions of a source are kept.
func RejectSubject(source string) string { return "rejects." + SubjectToken(source) }

// ParkedSubject is where messages of a service that need a person are kept.
func ParkedSubject(service string) string { return "parked." + SubjectToken(service) }
