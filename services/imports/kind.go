package imports

import (
	"reflect"
	"strings"

	"github.com/assenso/assenso/events"
)

// kind says how the text of a cell becomes JSON.
type kind string

const (
	kindText    kind = "text"
	kindBool    kind = "bool"
	kindInt     kind = "int"
	kindInstant kind = "instant"
	kindDate    kind = "date"
	kindList    kind = "list"
	kindObject  kind = "object" // only as a constant
)

var (
	typeInstant = reflect.TypeFor[events.Instant]()
	typeDate    = reflect.TypeFor[events.Date]()
	typeDigest  = reflect.TypeFor[events.Digest]()
	typePurpose = reflect.TypeFor[events.PurposeSet]()
	typeChannel = reflect.TypeFor[events.ChannelSet]()
)

// derived are the members of data that the recorder makes; a file cannot set them.
var derived = map[string]bool{"line": true, "evidence_sha256": true, "dropped": true}

// envelope are the attributes that a mapping may fill, besides id and type.
var envelope = map[string]kind{
	"source": kindText, "time": kindInstant, "receivedtime": kindInstant,
	"controller": kindText, "campaign": kindText, "sourceseq": kindInt,
}

// fieldKind resolves a target such as "data.notice.sha256" of type t from the
// contract's own payload type. ok is false when there is no such field or a
// file may not set it.
func fieldKind(t *events.TypeInfo, target string) (k kind, ok bool) {
	if k, ok := envelope[target]; ok {
		return k, true
	}
	path, found := strings.CutPrefix(target, "data.")
	if !found || path == "" {
		return "", false
	}
	switch {
	case path == "phone", path == "country":
		return kindText, t.Contact != events.Absent
	case strings.HasPrefix(path, "evidence.") && !strings.HasSuffix(path, "."):
		return kindText, t.Contact != events.Absent
	case derived[path]:
		return "", false
	}
	typ := reflect.TypeOf(t.New()).Elem()
	for name := range strings.SplitSeq(path, ".") {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ, ok = member(typ, name); !ok {
			return "", false
		}
	}
	return kindOf(typ), true
}

// member returns the type of the JSON member name of struct typ.
func member(typ reflect.Type, name string) (reflect.Type, bool) {
	if typ.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			if in, ok := member(f.Type, name); ok {
				return in, true
			}
		}
		if tag == name {
			return f.Type, true
		}
	}
	return nil, false
}

func kindOf(typ reflect.Type) kind {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ {
	case typeInstant:
		return kindInstant
	case typeDate:
		return kindDate
	case typeDigest:
		return kindText
	case typePurpose, typeChannel:
		return kindList
	}
	switch typ.Kind() {
	case reflect.Bool:
		return kindBool
	case reflect.Int, reflect.Int32, reflect.Int64:
		return kindInt
	case reflect.String:
		return kindText
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.String {
			return kindList
		}
	}
	return kindObject
}
