package events

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strconv"
)

// MaxRecord is the largest recorded form in bytes (an entry bundle's limit).
const MaxRecord = 65535

// Recordable is a submission in recorded form. The stored bytes are Head, the
// recorded time, Tail: the RFC 8785 form of the whole event.
type Recordable struct {
	Type      Type
	Identity  Identity
	Subject   ContactKey
	Digest    Digest // of the payload, events.md 1.1
	MessageID string
	Head      []byte
	Tail      []byte
}

// Size is the length of the stored bytes with a recorded time of six digits.
func (r *Recordable) Size() int {
	return len(r.Head) + len("2006-01-02T15:04:05.000000Z") + len(r.Tail)
}

// roomForEnvelope is more than the recorded form needs beside data, were every
// attribute of the envelope as long as it may be and fully escaped.
const roomForEnvelope = 8 << 10

// shrink makes room in an ill-filled restrictive event that is too large to be
// recorded: first the fields that the contract does not know go, then all
// optional ones. What is required is checked and small, or refused.
func (v *validation) shrink() {
	fits := func() bool {
		c, err := AppendCanonical(nil, v.s.data)
		return err == nil && len(c) <= MaxRecord-roomForEnvelope
	}
	if fits() {
		return
	}
	table := v.info.Type.Fields()
	for name := range v.s.data {
		if !slices.ContainsFunc(table, func(f Field) bool { return f.Name == name }) {
			delete(v.s.data, name)
		}
	}
	v.drop("*")
	if fits() {
		return
	}
	for _, f := range table {
		if _, given := v.s.data[f.Name]; given && !f.Required {
			delete(v.s.data, f.Name)
			v.drop(f.Name)
		}
	}
}

// finish completes data with what the recorder derives.
func (v *validation) finish() {
	s := v.s
	if v.lenient {
		v.shrink()
	}
	if len(s.Dropped) > 0 {
		slices.Sort(s.Dropped)
		list := make([]any, len(s.Dropped))
		for i, d := range s.Dropped {
			list[i] = d
		}
		s.data["dropped"] = list
	}
	if s.Phone.line != "" {
		s.data["line"] = string(s.Phone.line)
	}
	if s.Evidence != nil {
		s.data["evidence_sha256"] = Digest(sha256.Sum256(s.Evidence)).String()
	}
}

// Record returns the recorded form of s for the contact key (zero for none) and
// the contact of a correction's target (zero for none or unknown). The fault is
// record_too_large, or nil.
func (s *Submission) Record(key, target ContactKey) (*Recordable, *Fault) {
	data, err := AppendCanonical(make([]byte, 0, 512), s.data)
	if err != nil {
		return nil, &Fault{Code: "json_invalid", Field: "data", Hint: "a number has no exact form: send it as a string"}
	}
	received := s.Received
	if received == 0 {
		received = s.Time
	}
	head := make([]byte, 0, len(data)+256)
	head = append(head, '{')
	head = appendMember(head, "campaign", s.Campaign)
	head = appendMember(head, "controller", s.Controller)
	head = append(head, `"data":`...)
	head = append(head, data...)
	head = append(head, ',')
	head = appendMember(head, "id", s.ID)
	head = appendMember(head, "receivedtime", received.String())
	head = append(head, `"recordedtime":"`...)
	tail := append(make([]byte, 0, 256), `",`...)
	tail = appendMember(tail, "source", s.Source)
	if s.SourceSeq > 0 {
		tail = append(tail, `"sourceseq":`...)
		tail = append(strconv.AppendInt(tail, s.SourceSeq, 10), ',')
	}
	tail = appendMember(tail, "specversion", "1.0")
	tail = appendMember(tail, "subject", key.String())
	tail = appendMember(tail, "targetsubject", target.String())
	tail = appendMember(tail, "time", s.Time.String())
	tail = appendMember(tail, "type", string(s.Type))
	tail[len(tail)-1] = '}'
	r := &Recordable{Type: s.Type, Identity: s.Identity(), Subject: key, Head: head, Tail: tail}
	if r.Size() > MaxRecord {
		return nil, &Fault{Code: "record_too_large", Field: "data", Hint: "the recorded form exceeds 65,535 bytes: move what proves the fact to data.evidence"}
	}
	r.Digest = payloadDigest(s.Campaign, s.Controller, data, key.String(), s.Time.String(), string(s.Type))
	r.MessageID = MessageID(r.Identity, r.Digest)
	return r, nil
}

// appendMember appends "name":"value", or nothing for an empty value.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return append(appendCanonicalString(dst, value), ',')
}

// payloadDigest is SHA-256 of the RFC 8785 form of {campaign, controller, data,
// subject, time, type}, absent members left out (events.md 1.1).
func payloadDigest(campaign, controller string, data []byte, subject, at, typ string) Digest {
	b := make([]byte, 0, len(data)+256)
	b = append(b, '{')
	b = appendMember(b, "campaign", campaign)
	b = appendMember(b, "controller", controller)
	b = append(b, `"data":`...)
	b = append(b, data...)
	b = append(b, ',')
	b = appendMember(b, "subject", subject)
	b = appendMember(b, "time", at)
	b = appendMember(b, "type", typ)
	b[len(b)-1] = '}'
	return sha256.Sum256(b)
}

// Stamp returns the stored bytes of r for a recorded time.
func (r *Recordable) Stamp(recorded Instant) []byte {
	b := make([]byte, 0, r.Size())
	b = append(b, r.Head...)
	b = recorded.AppendFormat(b)
	return append(b, r.Tail...)
}

// Restamp replaces the recorded time in stored bytes; it serves readers that
// build a world of their own (scenarios). Bytes without one are returned as
// they are.
func Restamp(body []byte, recorded Instant) []byte {
	const mark = `"recordedtime":"`
	i := bytes.LastIndex(body, []byte(mark))
	if i < 0 {
		return body
	}
	i += len(mark)
	j := bytes.IndexByte(body[i:], '"')
	out := append(bytes.Clone(body[:i]), recorded.String()...)
	return append(out, body[i+j:]...)
}
