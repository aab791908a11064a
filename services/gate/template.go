package gate

import (
	"encoding/json"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
)

// template is what many facts have in common: everything but the contact, the
// clocks and a few values of their own (see own). Payloads are shared and never
// changed.
type template struct {
	typ        events.Type
	source     string // of grants only: it breaks ties between them
	controller string
	data       events.Payload
}

// own is what one fact does not share with others.
type own struct {
	// first and second are texts: of a grant its id and its contract; of what
	// names a grant, that grant; of contract facts the contract.
	first, second string
	// dialled of a call; zero: equal to the fact's time.
	dialled events.Instant
	// confirmed and notified of a grant's proof, only while they lie ahead of
	// the clock; otherwise the template says that they have passed.
	confirmed, notified events.Instant
}

// past stands for any instant that has passed for good.
const past events.Instant = 1

// set stands for any text or date of which only the presence is read.
const (
	set   = "-"
	onDay = events.Date(1)
)

// reduce returns what the gate keeps of a fact with a contact. Fields that no
// rule reads before a call are left out; fields of which only the presence is
// read are replaced by a constant; whatever is not named here stays, so that a
// field that a rule begins to read is missing nowhere. now is the gate's clock.
func reduce(f *contact.Fact, now events.Instant) (template, own) {
	t := template{typ: f.Type, controller: f.Controller}
	var o own
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		t.source, o.first, o.second = f.Source, f.ID, d.Contract
		t.data = reduceGrant(d, now, &o)
	case *events.ConsentRefused:
		t.data = &events.ConsentRefused{Purposes: d.Purposes.Restrictive(), Channels: d.Channels.Restrictive()}
	case *events.ConsentReverified:
		o.first = d.Grant
		t.data = &events.ConsentReverified{Result: d.Result}
	case *events.ConsentRevoked:
		t.data = &events.ConsentRevoked{Purposes: d.Purposes.Restrictive(), Channels: d.Channels.Restrictive()}
	case *events.ConsentInvalidated:
		o.first = d.Grant
		t.data = &events.ConsentInvalidated{Reason: d.Reason}
	case *events.OppositionRegistered:
		t.data = &events.OppositionRegistered{Purposes: d.Purposes.Restrictive(), Channels: d.Channels.Restrictive(), AlsoControllers: d.AlsoControllers}
	case *events.CallConcluded:
		if d.DialledAt != f.Time {
			o.dialled = d.DialledAt
		}
		t.data = reduceCall(d)
	case *events.ContractConcluded:
		o.first = d.Contract
		n := *d
		n.Line, n.Contract, n.Origin, n.BroughtBy, n.Channel = "", "", "", "", ""
		n.DurableMediumConfirmedOn, n.ActivatedOn = 0, 0
		t.data = &n
	case *events.ContractEnded:
		o.first = d.Contract
		t.data = &events.ContractEnded{EndedOn: d.EndedOn}
	default:
		t.data = reduceOther(f.Data)
	}
	return t, o
}

func reduceGrant(d *events.ConsentGranted, now events.Instant, o *own) *events.ConsentGranted {
	n := *d
	n.Line, n.Contract, n.CollectionAttempt, n.EvidenceSHA256 = "", "", "", events.Digest{}
	n.Purposes, n.Channels = d.Purposes&events.AllPurposes, d.Channels&events.AllChannels // unknown values grant nothing
	n.SourceRef = present(d.SourceRef)
	n.PurposesInControl = 0
	if d.PurposesInControl > 1 {
		n.PurposesInControl = 2
	}
	if d.Proof != nil {
		p := events.Proof{Kind: d.Proof.Kind, Immutable: d.Proof.Immutable}
		p.ConfirmedAt, o.confirmed = passed(d.Proof.ConfirmedAt, now)
		p.NotifiedAt, o.notified = passed(d.Proof.NotifiedAt, now)
		n.Proof = &p
	}
	return &n
}

// passed splits an instant into what a template can hold and what it cannot.
func passed(at, now events.Instant) (shared, ahead events.Instant) {
	switch {
	case at.IsZero():
		return 0, 0
	case at <= now:
		return past, 0
	}
	return 0, at
}

// reduceCall keeps what later calls are judged by: whether a person answered,
// whether the call was silent, and on what basis it was made.
func reduceCall(d *events.CallConcluded) *events.CallConcluded {
	n := &events.CallConcluded{Disposition: d.Disposition, Silent: d.Silent}
	if d.Basis == events.BasisRequest {
		n.Basis = d.Basis
	}
	if !d.AnsweredAt.IsZero() {
		n.AnsweredAt = past
	}
	return n
}

func reduceOther(p events.Payload) events.Payload {
	switch d := p.(type) {
	case *events.RegisterListed:
		return &events.RegisterListed{ListedOn: d.ListedOn, Register: d.Register}
	case *events.RegisterRenewed:
		return &events.RegisterRenewed{ListedOn: d.ListedOn, Register: d.Register}
	case *events.RegisterSelectivelyRevoked:
		return &events.RegisterSelectivelyRevoked{From: d.From, To: d.To, Register: d.Register}
	case *events.RegisterDelisted:
		return &events.RegisterDelisted{DelistedOn: d.DelistedOn, Register: d.Register}
	case *events.RegisterScreened:
		n := *d
		n.Line = ""
		return &n
	case *events.NumberReassigned:
		return &events.NumberReassigned{}
	case *events.CallInbound:
		return &events.CallInbound{}
	case *events.CallbackRequested:
		return &events.CallbackRequested{Product: d.Product}
	case *events.ListContactAdded:
		n := *d
		n.Line, n.Collector = "", present(d.Collector)
		if d.AcquiredOn != 0 {
			n.AcquiredOn = onDay
		}
		return &n
	case *events.ListContactRemoved:
		return &events.ListContactRemoved{List: d.List}
	case *events.DirectoryExtracted:
		n := *d
		n.Line, n.Directory = "", ""
		return &n
	case *events.ErasureExecuted:
		n := *d
		n.Line = ""
		return &n
	}
	return p
}

func present(s string) string {
	if s == "" {
		return ""
	}
	return set
}

// templates is the dictionary: facts name a template by its number. It only
// grows.
type templates struct {
	list   []template
	number map[string]uint32
	spare  []byte
}

func newTemplates() *templates { return &templates{number: map[string]uint32{}} }

// add returns the number of a template, giving it one if it is new.
func (ts *templates) add(t template) (uint32, error) {
	data, err := json.Marshal(t.data)
	if err != nil {
		return 0, fmt.Errorf("gate reduce %s: %w", t.typ, err)
	}
	k := append(ts.spare[:0], t.typ...)
	k = append(append(k, 0), t.source...)
	k = append(append(k, 0), t.controller...)
	k = append(append(k, 0), data...)
	ts.spare = k
	if n, ok := ts.number[string(k)]; ok {
		return n, nil
	}
	n := uint32(len(ts.list))
	ts.list = append(ts.list, t)
	ts.number[string(k)] = n
	return n, nil
}

// storedTemplate is the form of a template in a snapshot.
type storedTemplate struct {
	Type       events.Type     `json:"type"`
	Source     string          `json:"source,omitempty"`
	Controller string          `json:"controller,omitempty"`
	Data       json.RawMessage `json:"data"`
}

func (t *template) store() (storedTemplate, error) {
	data, err := json.Marshal(t.data)
	if err != nil {
		return storedTemplate{}, fmt.Errorf("gate store template of %s: %w", t.typ, err)
	}
	return storedTemplate{t.typ, t.source, t.controller, data}, nil
}

func (s *storedTemplate) template() (template, error) {
	info, known := s.Type.Info()
	if !known {
		return template{}, fmt.Errorf("gate read template: %w: %s", events.ErrTypeUnknown, s.Type)
	}
	data := info.New()
	if err := json.Unmarshal(s.Data, data); err != nil {
		return template{}, fmt.Errorf("gate read template of %s: %w", s.Type, err)
	}
	return template{s.Type, s.Source, s.Controller, data}, nil
}
