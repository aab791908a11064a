package events

import (
	"encoding/json"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest, as in encoding/json.
const maxDepth = 10_000

// Errors of decodeGeneric. They never quote the text.
var (
	errJSON      = errors.New("not valid JSON")
	errJSONDepth = errors.New("JSON nests deeper than 10,000 levels")
	errJSONTail  = errors.New("more than one JSON value")
)

// decodeGeneric reads one JSON value as nil, bool, string, json.Number, []any
// or map[string]any and refuses anything behind it. It accepts and returns what
// encoding/json does with UseNumber (fuzzed to be equal), at a third of the
// cost: a recorder reads every submission through it. The value shares no
// memory with raw.
func decodeGeneric(raw []byte) (any, error) {
	r := reader{b: raw}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.space(); r.i < len(raw) {
		return nil, errJSONTail
	}
	return v, nil
}

// reader is a position in a JSON text.
type reader struct {
	b     []byte
	i     int
	depth int
}

func (r *reader) space() {
	for r.i < len(r.b) && (r.b[r.i] == ' ' || r.b[r.i] == '\n' || r.b[r.i] == '\t' || r.b[r.i] == '\r') {
		r.i++
	}
}

// next skips white space and returns the byte there; 0 at the end.
func (r *reader) next() byte {
	r.space()
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

func (r *reader) value() (any, error) {
	switch c := r.next(); {
	case c == '"':
		return r.text()
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == 't':
		return true, r.word("true")
	case c == 'f':
		return false, r.word("false")
	case c == 'n':
		return nil, r.word("null")
	}
	return r.number()
}

func (r *reader) word(w string) error {
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return errJSON
	}
	r.i += len(w)
	return nil
}

func (r *reader) object() (any, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, errJSONDepth
	}
	m := make(map[string]any, 8)
	r.i++
	if r.next() == '}' {
		r.i++
		r.depth--
		return m, nil
	}
	for {
		if r.next() != '"' {
			return nil, errJSON
		}
		name, err := r.text()
		if err != nil || r.next() != ':' {
			return nil, errJSON
		}
		r.i++
		if m[name], err = r.value(); err != nil {
			return nil, err
		}
		c := r.next()
		r.i++
		if c == '}' {
			r.depth--
			return m, nil
		}
		if c != ',' {
			return nil, errJSON
		}
	}
}

func (r *reader) array() (any, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, errJSONDepth
	}
	list := []any{}
	r.i++
	if r.next() == ']' {
		r.i++
		r.depth--
		return list, nil
	}
	for {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		c := r.next()
		r.i++
		if c == ']' {
			r.depth--
			return list, nil
		}
		if c != ',' {
			return nil, errJSON
		}
	}
}

// digits skips decimal digits and reports whether there was one.
func (r *reader) digits() bool {
	start := r.i
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		r.i++
	}
	return r.i > start
}

// at reports whether c stands at the position.
func (r *reader) at(c byte) bool { return r.i < len(r.b) && r.b[r.i] == c }

func (r *reader) number() (any, error) {
	start := r.i
	if r.at('-') {
		r.i++
	}
	if r.at('0') {
		r.i++
	} else if !r.digits() {
		return nil, errJSON
	}
	if r.at('.') {
		r.i++
		if !r.digits() {
			return nil, errJSON
		}
	}
	if r.at('e') || r.at('E') {
		r.i++
		if r.at('+') || r.at('-') {
			r.i++
		}
		if !r.digits() {
			return nil, errJSON
		}
	}
	return json.Number(r.b[start:r.i]), nil
}

// text reads a string; the position is at its opening quote.
func (r *reader) text() (string, error) {
	r.i++
	start, ascii := r.i, true
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; {
		case c == '"':
			s := r.b[start:r.i]
			if !ascii && !utf8.Valid(s) {
				return r.unquote(start)
			}
			r.i++
			return string(s), nil
		case c == '\\':
			return r.unquote(start)
		case c < ' ':
			return "", errJSON
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", errJSON
}

// unquote reads a string with escapes or with bytes that are not UTF-8, each of
// which becomes U+FFFD, as half a surrogate pair does.
func (r *reader) unquote(start int) (string, error) {
	out := make([]byte, 0, len(r.b[start:r.i])+32)
	for r.i = start; r.i < len(r.b); {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return string(out), nil
		case c < ' ':
			return "", errJSON
		case c == '\\':
			v, ok := r.escape()
			if !ok {
				return "", errJSON
			}
			out = utf8.AppendRune(out, v)
		default:
			v, n := utf8.DecodeRune(r.b[r.i:])
			r.i += n
			out = utf8.AppendRune(out, v)
		}
	}
	return "", errJSON
}

// escape reads one escape sequence, both halves of a surrogate pair together.
func (r *reader) escape() (rune, bool) {
	if r.i+1 >= len(r.b) {
		return 0, false
	}
	c := r.b[r.i+1]
	if c == 'u' {
		first, ok := r.unit()
		if !ok || !utf16.IsSurrogate(first) {
			return first, ok
		}
		behind := r.i
		second, ok := r.unit()
		if pair := utf16.DecodeRune(first, second); ok && pair != utf8.RuneError {
			return pair, true
		}
		r.i = behind
		return utf8.RuneError, true
	}
	r.i += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// unit reads \uXXXX.
func (r *reader) unit() (v rune, ok bool) {
	if r.i+6 > len(r.b) || r.b[r.i] != '\\' || r.b[r.i+1] != 'u' {
		return 0, false
	}
	for _, c := range r.b[r.i+2 : r.i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	r.i += 6
	return v, true
}
