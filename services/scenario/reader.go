package scenario

import (
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
)

// reader reads typed fields and keeps the first error.
type reader struct {
	f   fields
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// text reads a string; null and absent are "".
func (r *reader) text(key string) string {
	if r.f[key] == nil {
		return ""
	}
	s, ok := r.f[key].(string)
	if !ok {
		r.fail("%s: want a quoted text", key)
	}
	return s
}

func (r *reader) flag(key string) bool {
	if r.f[key] == nil {
		return false
	}
	b, ok := r.f[key].(bool)
	if !ok {
		r.fail("%s: want true or false", key)
	}
	return b
}

func (r *reader) instant(key string) events.Instant {
	at, _, err := instant(r.f, key)
	if err != nil {
		r.fail("%v", err)
	}
	return at
}

// member checks a value against a closed set of the contract; "" passes.
func (r *reader) member(key, value, set string) {
	if value != "" && !slices.Contains(events.ClosedSets[set], value) {
		r.fail("%s: unknown value %q", key, value)
	}
}
