package contact

import (
	"crypto/sha256"
	"encoding/json"
	"maps"

	"github.com/assenso/assenso/events"
)

// amend returns f as the correction c says it always was: the named data
// fields replaced, null removing one, and the time, if given (rules.md 1.1).
// The contact and, of a correction, the target are never amended. ok is false
// when the amended data cannot be read as data of the type.
func amend(f *Fact, c *events.EventCorrected) (g *Fact, ok bool) {
	out := *f
	if !c.NewTime.IsZero() {
		out.Time = c.NewTime
	}
	if len(c.Data) == 0 {
		return &out, true
	}
	fields, err := dataFields(f)
	if err != nil {
		return nil, false
	}
	for name, value := range c.Data {
		if name == "phone" || (name == "target" && f.Type == events.TypeEventCorrected) {
			continue
		}
		if value == nil {
			delete(fields, name)
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, false
		}
		fields[name] = raw
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, false
	}
	info, known := f.Type.Info()
	if !known {
		return nil, false
	}
	payload := info.New()
	if err := json.Unmarshal(data, payload); err != nil {
		return nil, false
	}
	out.Data = payload
	out.Digest = sha256.Sum256(append(f.Digest[:len(f.Digest):len(f.Digest)], data...))
	return &out, true
}

// dataFields returns the fields of f's data, from the stored bytes where they
// are at hand, else from the decoded payload.
func dataFields(f *Fact) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if f.Raw != nil {
		var envelope struct {
			Data map[string]json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(f.Raw, &envelope); err != nil {
			return nil, err
		}
		maps.Copy(fields, envelope.Data)
		return fields, nil
	}
	b, err := json.Marshal(f.Data)
	if err != nil {
		return nil, err
	}
	return fields, json.Unmarshal(b, &fields)
}
