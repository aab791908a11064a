package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of Decode.
var (
	// ErrTypeUnknown: the log holds a type that this program does not know. A
	// newer program wrote it: upgrade the reader; never skip the event.
	ErrTypeUnknown = errors.New("event type unknown to this program")
	// ErrRecord: the bytes are not a recorded event of the contract.
	ErrRecord = errors.New("not a recorded event")
)

// wireEvent is the envelope of a recorded event as it is stored.
type wireEvent struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Type       Type            `json:"type"`
	Time       Instant         `json:"time"`
	Received   Instant         `json:"receivedtime"`
	Recorded   Instant         `json:"recordedtime"`
	Controller string          `json:"controller"`
	Campaign   string          `json:"campaign"`
	SourceSeq  int64           `json:"sourceseq"`
	Subject    ContactKey      `json:"subject"`
	Target     ContactKey      `json:"targetsubject"`
	Data       json.RawMessage `json:"data"`
}

// Decode reads the stored bytes of a recorded event. It is lenient for ever:
// it checks the shape and not the rules of today, ignores unknown fields and
// keeps unknown values of closed sets (events.md 7). The errors wrap
// ErrTypeUnknown or ErrRecord.
func Decode(body []byte) (Event, error) {
	var w wireEvent
	if err := json.Unmarshal(body, &w); err != nil {
		return Event{}, fmt.Errorf("decode event: %w: %w", ErrRecord, err)
	}
	e, err := w.event()
	if err != nil {
		return Event{}, err
	}
	data, err := ExactNames(e.Type, w.Data)
	if err != nil {
		return Event{}, fmt.Errorf("decode data of %s: %w: %w", e.Type, ErrRecord, err)
	}
	if err := json.Unmarshal(data, e.Data); err != nil {
		return Event{}, fmt.Errorf("decode data of %s: %w: %w", e.Type, ErrRecord, err)
	}
	return e, nil
}

// event checks the shape of the envelope; Data is a new, empty payload.
func (w *wireEvent) event() (Event, error) {
	info, ok := w.Type.Info()
	if !ok {
		return Event{}, fmt.Errorf("decode event of type %q: %w: upgrade this program", w.Type, ErrTypeUnknown)
	}
	if w.ID == "" || w.Source == "" || w.Time == 0 || len(w.Data) == 0 || w.Data[0] != '{' {
		return Event{}, fmt.Errorf("decode event: %w: id, source, time or data missing", ErrRecord)
	}
	e := Event{
		ID: w.ID, Source: w.Source, Type: w.Type, Time: w.Time, Received: w.Received, Recorded: w.Recorded,
		Controller: w.Controller, Campaign: w.Campaign, SourceSeq: w.SourceSeq, Subject: w.Subject, Target: w.Target,
		Data: info.New(),
	}
	if e.Received == 0 {
		e.Received = e.Time
	}
	return e, nil
}

// PayloadDigest returns the payload digest of a recorded event's stored bytes:
// SHA-256 of the RFC 8785 form of its {type, time, controller, campaign,
// subject, data} (events.md 1.1).
func PayloadDigest(body []byte) (Digest, error) {
	var w struct {
		Type       string          `json:"type"`
		Time       string          `json:"time"`
		Controller string          `json:"controller"`
		Campaign   string          `json:"campaign"`
		Subject    string          `json:"subject"`
		Data       json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return Digest{}, fmt.Errorf("digest event: %w: %w", ErrRecord, err)
	}
	data, err := CanonicalJSON(w.Data)
	if err != nil {
		return Digest{}, fmt.Errorf("digest event: %w: %w", ErrRecord, err)
	}
	return payloadDigest(w.Campaign, w.Controller, data, w.Subject, w.Time, w.Type), nil
}

// FromBinary turns a CloudEvent in binary content mode (HTTP headers ce-…, body
// = data) into structured mode. Header names are compared without regard to
// case, their values are taken as they stand: the door that knows the protocol
// has percent-decoded them. sourceseq becomes a number where it is one. The
// error says that body is not JSON; an empty body gives an event without data,
// which Validate refuses.
func FromBinary(headers map[string]string, body []byte) ([]byte, error) {
	env := make(map[string]any, len(headers)+1)
	for k, val := range headers {
		name, ok := cutPrefixFold(k, "ce-")
		if !ok || name == "data" {
			continue
		}
		env[name] = val
		if _, err := strconv.ParseUint(val, 10, 53); err == nil && name == "sourceseq" {
			env[name] = json.Number(val)
		}
	}
	if len(bytes.TrimSpace(body)) > 0 {
		data, err := decodeGeneric(body)
		if err != nil {
			return nil, fmt.Errorf("read binary-mode event: send data as one JSON object: %w", err)
		}
		env["data"] = data
	}
	return AppendCanonical(nil, env)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	return strings.CutPrefix(strings.ToLower(s), prefix)
}
