package scenario

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assenso/assenso/events"
)

// draft is one event on its way from YAML to a submission.
type draft struct {
	b     *builder
	raw   placed
	typ   events.Type
	info  *events.TypeInfo
	id    string
	shift time.Duration // of a repetition
	step  int           // added to the number
}

func (d *draft) build() (*Event, error) {
	f := d.raw.Value
	at, given, err := instant(f, "at")
	if err != nil {
		return nil, err
	}
	if !given {
		return nil, fmt.Errorf("at: missing")
	}
	at = at.Add(d.shift)
	data, err := d.data()
	if err != nil {
		return nil, err
	}
	e := &Event{ID: d.id, Type: d.typ, Time: at, Line: d.raw.Line}
	if d.typ == events.TypeCallConcluded {
		if e.Time, err = callInstants(data, at); err != nil {
			return nil, err
		}
	}
	if err := d.resolve(data, e.Time); err != nil {
		return nil, err
	}
	if e.Source, err = text(f, "source", "src"); err != nil {
		return nil, err
	}
	if e.Received, given, err = instant(f, "received"); err != nil {
		return nil, err
	}
	e.Received = e.Received.Add(d.shift)
	if !given {
		e.Received = e.Time
	}
	if e.Recorded, given, err = instant(f, "recorded"); err != nil {
		return nil, err
	}
	e.Recorded = e.Recorded.Add(d.shift)
	if !given {
		e.Recorded = e.Received
	}
	return e, d.submission(e, data)
}

// data merges the defaults of the type under the event's own data; null
// removes.
func (d *draft) data() (fields, error) {
	name := string(d.typ[:len(d.typ)-len(".v1")])
	data := fields{}
	if d.typ == events.TypeCallConcluded {
		data["purpose"], data["channel"], data["disposition"] = "marketing", "operator_call", "no_answer"
	}
	maps.Copy(data, d.b.defaults[name])
	if own, ok := d.raw.Value["data"]; ok && own != nil {
		m, ok := own.(fields)
		if !ok {
			return nil, fmt.Errorf("data: want an object")
		}
		maps.Copy(data, m)
	}
	maps.DeleteFunc(data, func(_ string, v any) bool { return v == nil })
	return data, nil
}

// callInstants turns answered_s, agent_s, released_s into instants and returns
// the last instant of the call.
func callInstants(data fields, dialled events.Instant) (last events.Instant, err error) {
	last = dialled
	data["dialled_at"] = dialled.String()
	for _, k := range []struct{ s, at string }{{"answered_s", "answered_at"}, {"agent_s", "agent_connected_at"}, {"released_s", "released_at"}} {
		if v, ok := data[k.s]; ok {
			after, ok := seconds(v)
			if !ok {
				return 0, fmt.Errorf("%s: want a number", k.s)
			}
			delete(data, k.s)
			data[k.at] = dialled.Add(after).String()
		}
		at, given, err := instant(data, k.at)
		if err != nil {
			return 0, err
		}
		if given {
			last = max(last, at)
		}
	}
	return last, nil
}

// resolve reads the time forms, @time, @date and the bare target of a
// correction.
func (d *draft) resolve(data fields, at events.Instant) error {
	table := d.typ.Fields()
	if d.typ == events.TypeEventCorrected {
		if id, ok := data["target"].(string); ok {
			data["target"] = fields{"source": "src", "id": id}
		}
		if changes, ok := data["data"].(fields); ok {
			target, _ := data["target"].(fields)
			id, _ := target["id"].(string)
			changed := maps.Clone(changes)
			if err := resolveFields(changed, d.b.types[id].Fields(), at); err != nil {
				return err
			}
			data["data"] = changed
		}
	}
	return resolveFields(data, table, at)
}

// resolveFields rewrites data in place, with copies of nested objects.
func resolveFields(data fields, table []events.Field, at events.Instant) error {
	for name, v := range data {
		i := slices.IndexFunc(table, func(f events.Field) bool { return f.Name == name })
		var field events.Field
		if i >= 0 {
			field = table[i]
		}
		switch v := v.(type) {
		case string:
			read, err := readText(v, field.Kind, at, i >= 0)
			if err != nil {
				return fmt.Errorf("data.%s: %w", name, err)
			}
			data[name] = read
		case fields:
			if field.Kind == events.KindFree {
				continue
			}
			inner := maps.Clone(v)
			if err := resolveFields(inner, field.Fields, at); err != nil {
				return err
			}
			data[name] = inner
		}
	}
	return nil
}

// readText reads one string of data.
func readText(s string, kind events.FieldKind, at events.Instant, known bool) (string, error) {
	switch {
	case s == "@time":
		return at.String(), nil
	case s == "@date":
		return events.DateOf(at, events.Rome).String(), nil
	case known && kind == events.KindInstant:
		i, err := parseTime(s)
		if err != nil {
			return "", err
		}
		return i.String(), nil
	}
	return s, nil
}

// submission writes the CloudEvent.
func (d *draft) submission(e *Event, data fields) error {
	f := d.raw.Value
	env := fields{
		"specversion": "1.0", "id": e.ID, "source": e.Source, "type": string(d.typ), "time": e.Time.String(),
		"receivedtime": e.Received.String(), "datacontenttype": "application/json", "data": data,
	}
	controller := "A"
	if slices.Contains(withoutController, d.typ) {
		controller = ""
	}
	if v, ok := f["controller"]; ok {
		name, isText := v.(string)
		if v != nil && !isText {
			return fmt.Errorf("controller: want a text or null")
		}
		controller = name
	}
	if controller != "" {
		env["controller"] = controller
	}
	campaign := ""
	if d.info.Campaign == events.Required {
		campaign = "K-" + controller
	}
	campaign, err := text(f, "campaign", campaign)
	if err != nil {
		return err
	}
	if campaign != "" {
		env["campaign"] = campaign
	}
	if seq, ok := f["seq"]; ok {
		env["sourceseq"] = seq
	}
	if d.info.Contact == events.Required {
		phone, err := d.b.number(f["phone"], d.step)
		if err != nil {
			return err
		}
		data["phone"] = phone
	}
	e.Submission, err = marshal(env)
	return err
}
