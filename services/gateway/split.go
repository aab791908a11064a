package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/assenso/assenso/services/intake"
)

// elements cuts a JSON array into its elements without judging them: a broken
// element is handed on as it stands, so that its neighbours survive it. ok is
// false when the text is no array at all.
func elements(array []byte) (elems [][]byte, ok bool) {
	b := bytes.TrimSpace(array)
	if len(b) == 0 || b[0] != '[' {
		return nil, false
	}
	if elems, closed := byBrackets(b); closed {
		return elems, true
	}
	return resync(b), true
}

// byBrackets cuts at the commas of the outermost level. closed is false when
// the brackets do not match: an element is broken in a way that hides where it
// ends.
func byBrackets(b []byte) (elems [][]byte, closed bool) {
	var depth int
	var quoted, escaped bool
	start := 1
	for i := 1; i < len(b); i++ {
		c := b[i]
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && c == ',':
			elems = append(elems, bytes.TrimSpace(b[start:i]))
			start = i + 1
		case depth == 0 && c == ']':
			last := bytes.TrimSpace(b[start:i])
			if len(last) > 0 || len(elems) > 0 {
				elems = append(elems, last)
			}
			return elems, len(bytes.TrimSpace(b[i+1:])) == 0
		}
	}
	return nil, false
}

// maxResync bounds the places at which resync looks for the next event.
const maxResync = 4 * MaxBatch

// resync cuts an array whose brackets do not match: after a broken element it
// goes on with the next text that begins like an element and is a whole event.
// What it cannot tell apart is one broken element.
func resync(b []byte) (elems [][]byte) {
	tries := 0
	rest := b[1:]
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) > 0 && rest[0] == ']' {
			rest = bytes.TrimSpace(rest[1:])
			if len(rest) > 0 {
				elems = append(elems, rest)
			}
			return elems
		}
		if len(rest) == 0 {
			return elems
		}
		n := value(rest)
		if n == 0 {
			n = nextEvent(rest, &tries)
		}
		elems = append(elems, bytes.TrimRight(rest[:n], " \t\r\n"))
		rest = bytes.TrimLeft(rest[n:], " \t\r\n")
		if len(rest) > 0 && rest[0] == ',' {
			rest = rest[1:]
		}
	}
}

// value returns the length of the JSON value that text begins with, if an
// element may end there; else 0.
func value(text []byte) int {
	window := text[:min(len(text), intake.MaxBody+1)]
	var raw json.RawMessage
	d := json.NewDecoder(bytes.NewReader(window))
	if d.Decode(&raw) != nil {
		return 0
	}
	n := int(d.InputOffset())
	after := bytes.TrimLeft(text[n:], " \t\r\n")
	if len(after) > 0 && after[0] != ',' && after[0] != ']' {
		return 0
	}
	return n
}

// nextEvent returns where the broken element ends that text begins with:
// before the comma of the next whole event, else at the end of the text.
func nextEvent(text []byte, tries *int) int {
	for i := 0; i < len(text) && *tries < maxResync; i++ {
		if text[i] != ',' {
			continue
		}
		next := bytes.TrimLeft(text[i+1:], " \t\r\n")
		if len(next) == 0 || next[0] != '{' {
			continue
		}
		*tries++
		if n := value(next); n > 0 && looksLikeEvent(next[:n]) {
			return i
		}
	}
	return len(text)
}

// looksLikeEvent tells an event from an object within a broken one.
func looksLikeEvent(object []byte) bool {
	var head struct {
		SpecVersion json.RawMessage `json:"specversion"`
		Type        json.RawMessage `json:"type"`
		Source      json.RawMessage `json:"source"`
	}
	return json.Unmarshal(object, &head) == nil && head.SpecVersion != nil && head.Type != nil && head.Source != nil
}
