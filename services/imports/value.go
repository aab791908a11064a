package imports

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// layout is a Go time layout, or one of the named forms.
type layout string

const (
	layoutRFC3339 layout = "rfc3339"
	layoutUnix    layout = "unix"
	layoutUnixMS  layout = "unix_ms"
)

// dateTokens turn the pattern of a mapping file (DD/MM/YYYY HH:mm:ss.SSS) into
// Go's. The order matters: longer tokens first.
var dateTokens = strings.NewReplacer("YYYY", "2006", "YY", "06", "MM", "01", "DD", "02", "HH", "15", "mm", "04", "ss", "05", "SSS", "000")

func parseLayouts(k kind, formats []string) ([]layout, error) {
	if len(formats) == 0 {
		return defaultLayouts(k), nil
	}
	if k != kindInstant && k != kindDate {
		return nil, errors.New("formats are for dates and instants only")
	}
	var out []layout
	for _, f := range formats {
		switch l := layout(f); l {
		case layoutRFC3339, layoutUnix, layoutUnixMS:
			if k == kindDate {
				return nil, fmt.Errorf("%s is a format of instants", f)
			}
			out = append(out, l)
		default:
			if !strings.Contains(f, "DD") || !strings.Contains(f, "MM") || !strings.Contains(f, "YY") {
				return nil, fmt.Errorf("format %q has no day, month or year: write for example DD/MM/YYYY HH:mm:ss, rfc3339, unix or unix_ms", f)
			}
			out = append(out, layout(dateTokens.Replace(f)))
		}
	}
	return out, nil
}

func defaultLayouts(k kind) []layout {
	switch k {
	case kindInstant:
		return []layout{layoutRFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}
	case kindDate:
		return []layout{"2006-01-02"}
	}
	return nil
}

// instantIn reads text by the first layout that fits. Local times are in zone;
// an ambiguous or missing wall-clock time is the later instant (rules.md 3.4).
func instantIn(text string, layouts []layout, zone *time.Location) (events.Instant, bool) {
	for _, l := range layouts {
		switch l {
		case layoutRFC3339:
			if i, err := events.ParseInstant(text); err == nil {
				return i, true
			}
		case layoutUnix, layoutUnixMS:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || n > 253402300799999 {
				continue
			}
			if l == layoutUnix {
				n *= 1000
			}
			if n <= 253402300799999 {
				return events.InstantFromUnixMicro(n * 1000), true
			}
		default:
			if t, err := time.Parse(string(l), text); err == nil {
				return later(t, zone), true
			}
		}
	}
	return 0, false
}

// later reads the wall clock of t in zone; of two instants it takes the later,
// of a gap the one after it.
func later(t time.Time, zone *time.Location) events.Instant {
	at := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	best := at
	for _, probe := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		_, off := at.Add(probe).Zone()
		u := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.FixedZone("", off))
		if _, o := u.In(zone).Zone(); (o == off || !sameWall(at, t)) && u.After(best) {
			best = u
		}
	}
	return events.InstantOf(best)
}

// sameWall reports that the wall clock of t exists in at's zone.
func sameWall(at, t time.Time) bool {
	return at.Hour() == t.Hour() && at.Minute() == t.Minute() && at.Day() == t.Day()
}

func dateIn(text string, layouts []layout) (events.Date, bool) {
	for _, l := range layouts {
		if t, err := time.Parse(string(l), text); err == nil {
			return events.NewDate(t.Date()), true
		}
	}
	return 0, false
}

var (
	errUnreadable = errors.New("the value cannot be read")
	truth         = map[string]bool{"true": true, "false": false, "1": true, "0": false, "yes": true, "no": false,
		"y": true, "n": false, "si": true, "sì": true, "s": true, "vero": true, "falso": false}
)

// read turns the text of a cell, which is not empty, into a JSON value. Errors
// say what was expected and never quote the cell.
func (f *field) read(text string, zone *time.Location) (any, error) {
	if f.kind == kindList {
		return f.readList(text)
	}
	text, err := f.translate(text)
	if err != nil {
		return nil, err
	}
	switch f.kind {
	case kindBool:
		b, ok := truth[strings.ToLower(text)]
		if !ok {
			return nil, fmt.Errorf("%w: expected true or false; give other words under values", errUnreadable)
		}
		return b, nil
	case kindInt:
		return f.readInt(text)
	case kindInstant:
		i, ok := instantIn(text, f.layouts, zone)
		if !ok {
			return nil, fmt.Errorf("%w: expected an instant in one of the formats of the mapping", errUnreadable)
		}
		return i.String(), nil
	case kindDate:
		d, ok := dateIn(text, f.layouts)
		if !ok {
			return nil, fmt.Errorf("%w: expected a date in one of the formats of the mapping", errUnreadable)
		}
		return d.String(), nil
	}
	return text, nil
}

func (f *field) translate(text string) (string, error) {
	if v, ok := f.values[text]; ok {
		return v, nil
	}
	if f.strict {
		return "", fmt.Errorf("%w: it is not among the values of the mapping", errUnreadable)
	}
	return text, nil
}

func (f *field) readList(text string) (any, error) {
	list := []string{}
	for part := range strings.SplitSeq(text, f.sep) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		v, err := f.translate(part)
		if err != nil {
			return nil, err
		}
		if v != "" {
			list = append(list, v)
		}
	}
	return list, nil
}

// readInt reads a whole number; with decimal set, "12,00" is 12 and the other
// mark groups thousands.
func (f *field) readInt(text string) (any, error) {
	switch f.decimal {
	case ",":
		text = strings.ReplaceAll(strings.ReplaceAll(text, ".", ""), ",", ".")
	case ".":
		text = strings.ReplaceAll(text, ",", "")
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return nil, fmt.Errorf("%w: expected a whole number", errUnreadable)
	}
	return int64(x), nil
}

// fixedValue reads a constant of the mapping file as a cell of that field.
func fixedValue(v any, f field, zone *time.Location) (any, error) {
	switch v := v.(type) {
	case string:
		return f.read(v, zone)
	case bool:
		if f.kind != kindBool {
			return nil, fmt.Errorf("%w: a %s is expected", errUnreadable, f.kind)
		}
		return v, nil
	case int, int64, uint64:
		if f.kind != kindInt {
			return nil, fmt.Errorf("%w: a %s is expected; quote it", errUnreadable, f.kind)
		}
		return v, nil
	case []any:
		if f.kind != kindList {
			return nil, fmt.Errorf("%w: a %s is expected", errUnreadable, f.kind)
		}
		list := []string{}
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%w: a list of texts is expected", errUnreadable)
			}
			list = append(list, s)
		}
		return list, nil
	case map[string]any:
		if f.kind != kindObject {
			return nil, fmt.Errorf("%w: a %s is expected", errUnreadable, f.kind)
		}
		return v, nil
	}
	return nil, fmt.Errorf("%w: a %s is expected", errUnreadable, f.kind)
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
