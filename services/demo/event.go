package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// event is a submission in the making. Its data are flat: "notice.id".
type event struct {
	id         string
	source     string
	typ        events.Type
	time       time.Time
	received   time.Time // zero = absent
	controller string
	campaign   string
	data       []member
}

// member is one value of data: string, bool, int, []string, time.Time or
// events.Date.
type member struct {
	path  string
	value any
}

// with sets a member and returns the event.
func (e *event) with(path string, value any) *event {
	for i := range e.data {
		if e.data[i].path == path {
			e.data[i].value = value
			return e
		}
	}
	e.data = append(e.data, member{path, value})
	return e
}

// without takes out a member and those below it.
func (e *event) without(path string) *event {
	kept := e.data[:0]
	for _, m := range e.data {
		if m.path != path && !strings.HasPrefix(m.path, path+".") {
			kept = append(kept, m)
		}
	}
	e.data = kept
	return e
}

func (e *event) get(path string) any {
	for _, m := range e.data {
		if m.path == path {
			return m.value
		}
	}
	return nil
}

// instant returns the member as a time, zero when absent.
func (e *event) instant(path string) time.Time {
	t, _ := e.get(path).(time.Time)
	return t
}

func (e *event) text(path string) string {
	s, _ := e.get(path).(string)
	return s
}

func (e *event) phone(number string) *event { return e.with("phone", number) }

// close sets time as events.md 4.4 says.
func (e *event) close() *event {
	for _, path := range []string{"released_at", "answered_at", "dialled_at"} {
		if t := e.instant(path); !t.IsZero() {
			e.time = t
			return e
		}
	}
	return e
}

func clone(e *event) *event {
	c := *e
	c.data = append([]member(nil), e.data...)
	return &c
}

// json writes the submission on one line.
func (e *event) json() ([]byte, error) {
	data := map[string]any{}
	for _, m := range e.data {
		at := data
		path := strings.Split(m.path, ".")
		for _, name := range path[:len(path)-1] {
			in, ok := at[name].(map[string]any)
			if !ok {
				in = map[string]any{}
				at[name] = in
			}
			at = in
		}
		v, err := jsonValue(m.value)
		if err != nil {
			return nil, fmt.Errorf("demo write %s %s: %s: %w", e.typ, e.id, m.path, err)
		}
		at[path[len(path)-1]] = v
	}
	env := map[string]any{"specversion": "1.0", "id": e.id, "source": e.source, "type": string(e.typ), "time": stamp(e.time), "data": data}
	if !e.received.IsZero() {
		env["receivedtime"] = stamp(e.received)
	}
	if e.controller != "" {
		env["controller"] = e.controller
	}
	if e.campaign != "" {
		env["campaign"] = e.campaign
	}
	return json.Marshal(env)
}

func jsonValue(v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		return stamp(v), nil
	case events.Date:
		return v.String(), nil
	case string, bool, int, []string, map[string]int, map[string]any, []map[string]string:
		return v, nil
	}
	return nil, fmt.Errorf("a %T has no form", v)
}

func stamp(t time.Time) string { return t.In(events.Rome).Format(time.RFC3339) }
