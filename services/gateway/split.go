package gateway

import "bytes"

// elements cuts a JSON array into its elements without judging them: a broken
// element is handed on as it stands, so that its neighbours survive it. When
// brackets do not match, the rest of the text is the last element. ok is false
// when the text is no array at all.
func elements(array []byte) (elems [][]byte, ok bool) {
	b := bytes.TrimSpace(array)
	if len(b) == 0 || b[0] != '[' {
		return nil, false
	}
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
			if rest := bytes.TrimSpace(b[i+1:]); len(rest) > 0 {
				elems = append(elems, rest)
			}
			return elems, true
		}
	}
	return append(elems, bytes.TrimSpace(b[start:])), true
}
