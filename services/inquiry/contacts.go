package inquiry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/view"
)

// read resolves the cut-offs of a read of one contact. An instant must be final
// (see Final); without an as-of, all that is applied is read, and that is at
// least what the beats promise; the answer names the positions.
func (d *Desk) read(ctx context.Context, c Cutoffs) (Read, contact.Cut, error) {
	p, err := d.current(ctx)
	if err != nil {
		return Read{}, contact.Cut{}, err
	}
	r := Read{At: c.At, KnownAsOf: c.Known, AsOf: c.AsOf.Instant, Positions: p.Positions()}
	recorded := events.MaxInstant
	switch {
	case !c.AsOf.Instant.IsZero():
		if recorded, r.Positions, err = d.Final(ctx, c.AsOf.Instant); err != nil {
			return Read{}, contact.Cut{}, err
		}
	case c.AsOf.Positions != nil:
		if recorded, r.Positions, err = d.FinalAt(ctx, c.AsOf); err != nil {
			return Read{}, contact.Cut{}, err
		}
		r.AsOf = recorded
	default:
		r.AsOf = d.Clock()
	}
	r.KnownAsOf = cmp.Or(r.KnownAsOf, r.AsOf)
	r.At = cmp.Or(r.At, r.KnownAsOf)
	return r, contact.Cut{Occurred: r.At, Received: r.KnownAsOf, Recorded: recorded, Known: events.MaxInstant}, nil
}

// load reads a contact's history, or ErrUnknown.
func (d *Desk) load(ctx context.Context, key events.ContactKey, asOf view.Positions) (view.History, *contact.History, error) {
	stored, err := d.View.History(ctx, key, asOf)
	if key.IsZero() || errors.Is(err, view.ErrUnknown) { // under no key lies what bears on reference facts
		return stored, nil, fmt.Errorf("inquiry load contact: %w", ErrUnknown)
	}
	if err != nil {
		return stored, nil, fmt.Errorf("inquiry load contact: %w", err)
	}
	h, err := historyOf(d.Decode, stored)
	return stored, h, err
}

// Contact returns the state of a contact at the cut-offs, or ErrUnknown if
// nothing of it is recorded by then.
func (d *Desk) Contact(ctx context.Context, key events.ContactKey, c Cutoffs) (Contact, error) {
	r, cut, err := d.read(ctx, c)
	if err != nil {
		return Contact{}, err
	}
	stored, h, err := d.load(ctx, key, r.Positions)
	if err != nil {
		return Contact{}, err
	}
	h.Conflicts(cut.Recorded, func(*contact.Fact) { r.Contradict++ })
	state, err := json.Marshal(contact.Fold(contact.View(h, cut)))
	if err != nil {
		return Contact{}, fmt.Errorf("inquiry encode state: %w", err)
	}
	return Contact{Contact: key, Line: lineOf(stored), Read: r, State: state}, nil
}

// lineOf returns the line type that the recorder derived from the number.
func lineOf(h view.History) events.Line {
	for _, e := range h.Events {
		var body struct {
			Data struct {
				Line events.Line `json:"line"`
			} `json:"data"`
		}
		if e.Contact == h.Contact && json.Unmarshal(e.Body, &body) == nil && body.Data.Line != "" {
			return body.Data.Line
		}
	}
	return ""
}

// Timeline returns the recorded events of a contact by legal time, those of
// later clocks than the cut-offs included but marked, or ErrUnknown.
func (d *Desk) Timeline(ctx context.Context, key events.ContactKey, c Cutoffs) (Timeline, error) {
	r, cut, err := d.read(ctx, c)
	if err != nil {
		return Timeline{}, err
	}
	stored, h, err := d.load(ctx, key, r.Positions)
	if err != nil {
		return Timeline{}, err
	}
	counts := map[position]bool{}
	for _, f := range contact.View(h, cut) {
		counts[position{f.Stream, f.Sequence}] = true
	}
	t := Timeline{Contact: key, Read: r, Entries: make([]Entry, 0, len(stored.Events))}
	for i := range stored.Events {
		f, err := factOf(d.Decode, &stored.Events[i])
		if err != nil {
			return Timeline{}, err
		}
		entry, err := entryOf(f)
		if err != nil {
			return Timeline{}, err
		}
		entry.Counts = counts[position{f.Stream, f.Sequence}]
		t.Entries = append(t.Entries, entry)
	}
	slices.SortStableFunc(t.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Recorded, b.Recorded), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
	})
	return t, nil
}

type position struct {
	stream   string
	sequence uint64
}

func entryOf(f *contact.Fact) (Entry, error) {
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(f.Raw, &body); err != nil {
		return Entry{}, fmt.Errorf("inquiry read %s:%d: %w", f.Stream, f.Sequence, err)
	}
	return Entry{Stream: f.Stream, Sequence: f.Sequence, Type: f.Type, Source: f.Source, ID: f.ID, Controller: f.Controller, Campaign: f.Campaign,
		Time: f.Time, Received: f.Received, Recorded: f.Recorded, Data: bytes.Clone(body.Data)}, nil
}

// Resolve finds the campaign of an id: controller may be "" where only one
// controller has a campaign of this id. ErrUnknown or ErrAmbiguous.
func (d *Desk) Resolve(ctx context.Context, controller, campaign string) (view.CampaignRef, error) {
	list, err := d.campaigns(ctx)
	if err != nil {
		return view.CampaignRef{}, err
	}
	var found []view.CampaignRef
	for _, c := range list {
		if c.Campaign == campaign && (controller == "" || c.Controller == controller) {
			found = append(found, c.CampaignRef)
		}
	}
	switch len(found) {
	case 0:
		return view.CampaignRef{}, fmt.Errorf("inquiry find campaign: %w", ErrUnknown)
	case 1:
		return found[0], nil
	}
	return view.CampaignRef{}, fmt.Errorf("inquiry find campaign: %w: name its controller", ErrAmbiguous)
}
