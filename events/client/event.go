package client

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// Event is one fact to publish. Time is the legal time of the fact and must be
// that of the first try: an event that is sent again under its ID with another
// Time, or other data, is another variant and makes a conflict.
type Event struct {
	// ID makes the event single within its source, however often it is sent.
	// Take what your own system calls the fact, never the number. "" = one is
	// minted before the first try; Pending.ID and Receipt.ID say which.
	ID string
	// Type is the event's type; "" = that of Data, where Data is one of the
	// structs of events.
	Type events.Type
	// Time is when the fact happened, in any zone.
	Time time.Time
	// Received is when the publisher, or somebody who acts for it, learnt of
	// it; zero = at Time.
	Received   time.Time
	Controller string
	Campaign   string
	SourceSeq  int64 // of the source's own counter; 0 = none

	// Phone is the number in E.164, or in national format with Country
	// (ISO 3166-1 alpha-2). It ends in the vault and never in the ledger.
	Phone   string
	Country string
	// Evidence is sealed in the vault; anything that encodes to a JSON object.
	Evidence any
	// Data holds the other fields of the type (schemas/events): a struct of
	// events such as *events.ConsentRevoked, or a map.
	Data any

	// Body, where it is not nil, is the whole event in CloudEvents' structured
	// JSON form and stands for all other fields. An id or source that it lacks
	// is filled in.
	Body []byte
}

// String names the event without its data: those are personal.
func (e Event) String() string { return "event of " + string(e.eventType()) }

// GoString hides what String hides.
func (e Event) GoString() string { return e.String() }

func (e *Event) eventType() events.Type {
	if p, ok := e.Data.(events.Payload); ok && e.Type == "" {
		return p.EventType()
	}
	return e.Type
}

// wireEvent is the envelope of a submission.
type wireEvent struct {
	SpecVersion string      `json:"specversion"`
	ID          string      `json:"id"`
	Source      string      `json:"source"`
	Type        events.Type `json:"type"`
	Time        string      `json:"time,omitempty"`
	Received    string      `json:"receivedtime,omitempty"`
	Controller  string      `json:"controller,omitempty"`
	Campaign    string      `json:"campaign,omitempty"`
	SourceSeq   int64       `json:"sourceseq,omitempty"`
	Data        object      `json:"data"`
}

// object is a JSON object whose members are encoded.
type object map[string]json.RawMessage

// encode writes the event as a submission of source.
func (e *Event) encode(source string) ([]byte, error) {
	if e.Body != nil {
		return complete(e.Body, source)
	}
	data := object{}
	if e.Data != nil {
		raw, err := json.Marshal(e.Data)
		if err == nil {
			err = json.Unmarshal(raw, &data)
		}
		if err != nil || data == nil {
			return nil, fmt.Errorf("publish %s: %w: Data does not encode to a JSON object", e, ErrInvalid)
		}
	}
	for name, value := range map[string]any{"phone": e.Phone, "country": e.Country, "evidence": e.Evidence} {
		if value == nil || value == "" {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("publish %s: %w: %s does not encode to JSON", e, ErrInvalid, name)
		}
		data[name] = raw
	}
	id := e.ID
	if id == "" {
		id = NewID()
	}
	body, err := json.Marshal(wireEvent{
		SpecVersion: "1.0", ID: id, Source: source, Type: e.eventType(), Time: instant(e.Time), Received: instant(e.Received),
		Controller: e.Controller, Campaign: e.Campaign, SourceSeq: e.SourceSeq, Data: data,
	})
	if err != nil {
		return nil, fmt.Errorf("publish %s: %w: it does not encode to JSON", e, ErrInvalid)
	}
	return body, nil
}

// instant writes t with its own offset; "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// complete fills in the id and the source that a ready-made event lacks. What
// is no JSON object stays as it is: validation says so.
func complete(body []byte, source string) ([]byte, error) {
	var env object
	if json.Unmarshal(body, &env) != nil || env == nil {
		return body, nil
	}
	absent := func(name string) bool { v := string(env[name]); return v == "" || v == `""` || v == "null" }
	if !absent("id") && !absent("source") {
		return body, nil
	}
	for name, value := range map[string]string{"id": NewID(), "source": source} {
		if !absent(name) {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("publish event: %w: the %s does not encode to JSON", ErrInvalid, name)
		}
		env[name] = raw
	}
	filled, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("publish event: %w: it does not encode to JSON", ErrInvalid)
	}
	return filled, nil
}
