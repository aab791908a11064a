package inquiry

import (
	"context"
	"errors"
	"fmt"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/view"
)

// Decoder reads stored bytes; events.Decode is the plain one.
type Decoder func(body []byte) (events.Event, error)

// factOf turns an indexed event into what the evaluation reads.
func factOf(decode Decoder, e *view.Event) (*contact.Fact, error) {
	ev, err := decode(e.Body)
	if err != nil {
		return nil, fmt.Errorf("inquiry read %s:%d: %w", e.Stream, e.Sequence, err)
	}
	ev.Recorded = e.Recorded
	return contact.NewFact(ev, e.Digest, e.Body, e.Stream, e.Sequence), nil
}

// historyOf turns a stored history into that of the evaluation.
func historyOf(decode Decoder, h view.History) (*contact.History, error) {
	facts := make([]*contact.Fact, len(h.Events))
	for i := range h.Events {
		f, err := factOf(decode, &h.Events[i])
		if err != nil {
			return nil, err
		}
		facts[i] = f
	}
	return contact.NewHistory(h.Contact, facts), nil
}

// history loads a contact; a contact that the view does not know has an empty
// history.
func history(ctx context.Context, v view.Reader, decode Decoder, key events.ContactKey, asOf view.Positions) (*contact.History, error) {
	stored, err := v.History(ctx, key, asOf)
	if errors.Is(err, view.ErrUnknown) {
		return contact.NewHistory(key, nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("inquiry load contact: %w", err)
	}
	return historyOf(decode, stored)
}
