package gateway

import "regexp"

// numberLike matches what could be a phone number: seven digits or more, with
// the separators people write between them, not inside a longer word (ids and
// hashes are left alone).
var numberLike = regexp.MustCompile(`(^|[^0-9A-Za-z_-])(\+[0-9][0-9 ./()-]{5,}[0-9]|[0-9][0-9 ./()]{6,}[0-9])($|[^0-9A-Za-z_-])`)

// e164 matches a number in its international form.
var e164 = regexp.MustCompile(`\+[0-9]{6,15}`)

// redact hides what could be a phone number in a text that leaves the process
// or reaches a log.
func redact(s string) string {
	return e164.ReplaceAllString(numberLike.ReplaceAllString(s, "$1…$3"), "+…")
}
