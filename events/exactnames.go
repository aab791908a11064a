package events

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// ExactNames returns the data of a recorded event of type t without the members
// whose name equals one of the contract's only when letter case is ignored. The
// contract's names are exact: "Channels" is an unknown field, to be kept in the
// stored bytes and ignored by readers (events.md 3), while Go's JSON decoders
// would read it as channels and so narrow a revocation that named no channels.
// Almost always nothing is to be left out, and data itself is returned.
func ExactNames(t Type, data []byte) ([]byte, error) {
	if !hasLookalike(t, data) {
		return data, nil
	}
	v, err := decodeGeneric(data)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return data, nil
	}
	dropLookalikes(fieldTable[t], derivedNames, obj)
	return AppendCanonical(make([]byte, 0, len(data)), obj)
}

// derivedNames are the fields of data that the recorder adds.
var derivedNames = []string{"line", "evidence_sha256", "dropped"}

// knownNames holds, of each type, the contract's names at any depth.
var knownNames = func() map[Type][]string {
	var collect func(out []string, fields []Field) []string
	collect = func(out []string, fields []Field) []string {
		for _, f := range fields {
			out = collect(append(out, f.Name), f.Fields)
		}
		return out
	}
	m := make(map[Type][]string, len(fieldTable))
	for t, fields := range fieldTable {
		m[t] = collect(slices.Clone(derivedNames), fields)
	}
	return m
}()

// hasLookalike reports whether data may have a member to be left out. All names
// of the contract are lower-case ASCII, so only a name with another byte or an
// escape is looked at closely.
func hasLookalike(t Type, data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '"' {
			continue
		}
		start, odd, escaped := i+1, false, false
		for i++; i < len(data) && data[i] != '"'; i++ {
			switch c := data[i]; {
			case c == '\\':
				escaped = true
				i++
			case c >= utf8.RuneSelf || ('A' <= c && c <= 'Z'):
				odd = true
			}
		}
		if i >= len(data) || (!odd && !escaped) || !isName(data[i+1:]) {
			continue
		}
		if escaped || looksLikeOne(string(data[start:i]), knownNames[t]) {
			return true
		}
	}
	return false
}

// isName reports whether rest, what stands behind a string, makes it a name.
func isName(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c == ':'
		}
	}
	return false
}

// looksLikeOne reports whether name equals one of names but for letter case.
func looksLikeOne(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n != name && strings.EqualFold(n, name) })
}

func dropLookalikes(fields []Field, more []string, obj map[string]any) {
	names := slices.Clone(more)
	for _, f := range fields {
		names = append(names, f.Name)
	}
	for k := range obj {
		if looksLikeOne(k, names) {
			delete(obj, k)
		}
	}
	for _, f := range fields {
		if f.Fields == nil {
			continue
		}
		inner, _ := obj[f.Name].(map[string]any)
		dropLookalikes(f.Fields, nil, inner)
		list, _ := obj[f.Name].([]any)
		for _, e := range list {
			inner, _ := e.(map[string]any)
			dropLookalikes(f.Fields, nil, inner)
		}
	}
}
