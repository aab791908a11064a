package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrCanonical is wrapped by errors of CanonicalJSON and AppendCanonical.
var ErrCanonical = errors.New("no RFC 8785 form")

// CanonicalJSON returns the RFC 8785 form of one JSON value. Of a repeated
// member the last stands.
func CanonicalJSON(raw []byte) ([]byte, error) {
	v, err := decodeGeneric(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCanonical, err)
	}
	return AppendCanonical(make([]byte, 0, len(raw)), v)
}

// AppendCanonical appends the RFC 8785 form of v, a value of nil, bool, string,
// json.Number, float64, int, int64, []any, map[string]any, or a type that
// encodes itself as one JSON value (json.Marshaler).
func AppendCanonical(dst []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, x), nil
	case string:
		return appendCanonicalString(dst, x), nil
	case json.Number:
		return appendNumber(dst, x)
	case float64:
		return appendFloat(dst, x)
	case int:
		return appendFloat(dst, float64(x))
	case int64:
		return appendFloat(dst, float64(x))
	case []any:
		return appendArray(dst, x)
	case map[string]any:
		return appendObject(dst, x)
	case json.Marshaler:
		raw, err := x.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCanonical, err)
		}
		c, err := CanonicalJSON(raw)
		if err != nil {
			return nil, err
		}
		return append(dst, c...), nil
	}
	return nil, fmt.Errorf("%w: Go type %T", ErrCanonical, v)
}

func appendArray(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = AppendCanonical(dst, e); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, m map[string]any) ([]byte, error) {
	var local [16]string
	keys := local[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareUTF16)
	dst = append(dst, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCanonicalString(dst, k)
		dst = append(dst, ':')
		if dst, err = AppendCanonical(dst, m[k]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// compareUTF16 orders names by UTF-16 code units (RFC 8785 3.2.3), which
// differs from byte order only beyond the basic plane.
func compareUTF16(a, b string) int {
	for {
		if a == "" || b == "" {
			return len(a) - len(b)
		}
		if a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			ua, ub := utf16.Encode([]rune{ra}), utf16.Encode([]rune{rb})
			return slices.Compare(ua, ub)
		}
		a, b = a[na:], b[nb:]
	}
}

const hexDigits = "0123456789abcdef"

// appendCanonicalString writes s as RFC 8785 3.2.2.2 asks: the shortest
// escapes, everything else as UTF-8; invalid bytes become U+FFFD.
func appendCanonicalString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendNumber(dst []byte, n json.Number) ([]byte, error) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil && -1<<53 < i && i < 1<<53 {
		return strconv.AppendInt(dst, i, 10), nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return nil, fmt.Errorf("%w: number out of range", ErrCanonical)
	}
	return appendFloat(dst, f)
}

// appendFloat writes f as ECMAScript does (RFC 8785 3.2.2.3).
func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%w: number out of range", ErrCanonical)
	}
	if f == 0 {
		return append(dst, '0'), nil
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
	}
	b := strconv.AppendFloat(nil, f, 'e', -1, 64)
	// Go writes e-09 where ECMAScript writes e-9.
	if i := bytes.IndexByte(b, 'e'); i >= 0 && i+2 < len(b) && b[i+2] == '0' {
		b = append(b[:i+2], b[i+3:]...)
	}
	return append(dst, b...), nil
}
