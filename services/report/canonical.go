package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// streamDepth is how many levels of objects are written member by member: the
// report, its parts. What lies deeper is small, but for the lists.
const streamDepth = 2

// writeCanonical writes the RFC 8785 form of a struct, the same bytes as
// events.CanonicalJSON of json.Marshal, without holding more than one element
// of its lists, or of the lists of its members, in that form. The names of
// members are ASCII, so that the order of bytes is that of RFC 8785.
func writeCanonical(w io.Writer, s reflect.Value, depth int) error {
	bare := reflect.New(s.Type()).Elem()
	bare.Set(s)
	large := map[string]reflect.Value{}
	for i := range s.NumField() {
		field, value := s.Type().Field(i), s.Field(i)
		if !field.IsExported() || field.Anonymous || !(isList(value) || depth > 1 && isPart(value)) {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		large[cmp.Or(name, field.Name)] = value
		bare.Field(i).SetZero()
	}
	small := map[string]json.RawMessage{}
	raw, err := json.Marshal(bare.Interface())
	if err == nil {
		err = json.Unmarshal(raw, &small)
	}
	if err != nil {
		return fmt.Errorf("render report: %w", err)
	}
	for name := range large {
		small[name] = nil
	}
	out := &sticky{w: w}
	out.text("{")
	for i, name := range slices.Sorted(maps.Keys(small)) {
		if i > 0 {
			out.text(",")
		}
		out.text(`"` + name + `":`)
		switch value, streamed := large[name]; {
		case !streamed:
			out.value(small[name])
		case value.Kind() == reflect.Slice:
			out.list(value)
		case out.err == nil:
			out.err = writeCanonical(w, value, depth-1)
		}
	}
	out.text("}")
	return out.err
}

// isList: a slice with something in it whose elements are structs, or point to
// some.
func isList(v reflect.Value) bool {
	if v.Kind() != reflect.Slice || v.Len() == 0 {
		return false
	}
	e := v.Type().Elem()
	return e.Kind() == reflect.Struct || e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct
}

// isPart: a struct that does not encode itself.
func isPart(v reflect.Value) bool {
	_, own := reflect.New(v.Type()).Interface().(json.Marshaler)
	return v.Kind() == reflect.Struct && !own
}

// sticky writes until something fails.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) bytes(b []byte) {
	if s.err != nil {
		return
	}
	if _, err := s.w.Write(b); err != nil {
		s.err = fmt.Errorf("write report: %w", err)
	}
}

func (s *sticky) text(t string) { s.bytes([]byte(t)) }

// value writes one JSON value in its canonical form.
func (s *sticky) value(raw []byte) {
	if s.err != nil {
		return
	}
	c, err := events.CanonicalJSON(raw)
	if err != nil {
		s.err = fmt.Errorf("render report: %w", err)
		return
	}
	s.bytes(c)
}

// list writes an array, element by element.
func (s *sticky) list(v reflect.Value) {
	s.text("[")
	var buffer bytes.Buffer
	for i := 0; i < v.Len() && s.err == nil; i++ {
		if i > 0 {
			s.text(",")
		}
		buffer.Reset()
		if err := json.NewEncoder(&buffer).Encode(v.Index(i).Addr().Interface()); err != nil {
			s.err = fmt.Errorf("render report: %w", err)
			return
		}
		s.value(buffer.Bytes())
	}
	s.text("]")
}
