package violations

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// memory is what the projection holds between batches. All of it can be read
// from the view again.
type memory struct {
	reference *rules.Reference
	corrected map[events.IdentityHash]bool // targets of corrections
	disputed  map[position]bool            // events that the reference holds in full
	doubtful  map[events.IdentityHash]bool // calls among them
	last      map[view.CampaignRef]events.Instant
	sweeps    map[view.CampaignRef]view.Sweep // wanted, not yet stored
	histories *histories
}

type position struct {
	stream   string
	sequence uint64
}

// remember reads it within limit.
func remember(tx view.Tx, limit view.Positions) (*memory, error) {
	m := &memory{
		reference: rules.NewReference(), corrected: map[events.IdentityHash]bool{}, disputed: map[position]bool{}, doubtful: map[events.IdentityHash]bool{},
		last: map[view.CampaignRef]events.Instant{}, sweeps: map[view.CampaignRef]view.Sweep{}, histories: newHistories(historyFacts),
	}
	known, err := tx.Corrections()
	if err != nil {
		return nil, err
	}
	for _, c := range known {
		if limit.Covers(c.Stream, c.Sequence) {
			m.corrected[c.Target] = true
		}
	}
	for after := uint64(0); ; {
		page, err := tx.References(after, 4096, limit)
		if err != nil {
			return nil, err
		}
		for i := range page {
			f, err := factOf(&page[i])
			if err != nil {
				return nil, err
			}
			m.reference.Add(f)
			after = page[i].Sequence
		}
		if len(page) == 0 {
			break
		}
	}
	stored, err := tx.Disputed(limit)
	if err != nil {
		return nil, err
	}
	for i := range stored {
		if err := m.disputedFact(&stored[i]); err != nil {
			return nil, err
		}
	}
	return m, m.recall(tx)
}

// recall reads what is kept by campaign.
func (m *memory) recall(tx view.Tx) error {
	lines, err := tx.Campaigns()
	if err != nil {
		return err
	}
	for _, c := range lines {
		m.last[c.CampaignRef] = c.LastDialled
		if len(c.Starts) == 0 {
			continue
		}
		var s rules.Starts
		if err := json.Unmarshal(c.Starts, &s); err != nil {
			return fmt.Errorf("project violations: starts of a campaign: %w: %w", view.ErrCorrupt, err)
		}
		m.reference.AddStarts(c.Controller, c.Campaign, s)
	}
	return nil
}

func encodeStarts(s rules.Starts) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("project violations: encode starts: %w", err)
	}
	return b, nil
}

func factOf(e *view.Event) (*contact.Fact, error) {
	f, err := projection.FactOf(e)
	if err != nil {
		return nil, &projection.EntryError{Projection: Name.Name, Stream: e.Stream, Sequence: e.Sequence, Err: err}
	}
	return f, nil
}

// disputedFact gives an event with a contact to the reference, once.
func (m *memory) disputedFact(e *view.Event) error {
	p := position{e.Stream, e.Sequence}
	if m.disputed[p] {
		return nil
	}
	f, err := factOf(e)
	if err != nil {
		return err
	}
	m.disputed[p] = true
	if f.Type == events.TypeCallConcluded {
		m.doubtful[f.Identity().Hash()] = true
		m.reference.Dispute(f)
	} else {
		m.reference.Add(f)
	}
	return nil
}

// scope is whom a reference fact touches; empty = all.
type scope struct{ controller, campaign string }

// frontier is the earliest instant at which one of the calls of which nobody
// doubts lay before and was known; with received, known to the controller or a
// processor.
func (m *memory) frontier(s rules.Starts, received bool) events.Instant {
	first := events.MaxInstant
	for _, c := range s {
		if m.doubtful[c.Call] {
			continue
		}
		at := max(c.Dialled+1, c.Time)
		if received {
			at = max(at, c.Received)
		}
		first = min(first, at)
	}
	return first
}

// reach tells which attempts a reference fact can bear on; not ok: none. The
// types that no rule of section 4 reads are listed; any other touches all.
func reach(f *contact.Fact) (scope, bool) {
	switch f.Type {
	case events.TypeRightsRequested, events.TypeRightsExtended, events.TypeRightsClosed, events.TypeComplaintVerified,
		events.TypeCommissionPaid, events.TypeCommissionWithheld, events.TypeDecisionBatchIssued, events.TypeAccessExercised,
		events.TypeListTransferred, events.TypeEventCorrected: // a correction reaches through its target
		return scope{}, false
	case events.TypeCampaignOpened, events.TypeCampaignClosed, events.TypeScriptPublished, events.TypeScriptAcknowledged:
		return scope{f.Controller, f.Campaign}, true
	case events.TypeNoticePublished, events.TypeProcessorAppointed, events.TypeProcessorDismissed, events.TypeCodeAdhered, events.TypeOrderIssued:
		return scope{controller: f.Controller}, true
	}
	return scope{}, true
}

// sweepFrom wants the attempts in the scope that were dialled at from or later
// evaluated again, as far as there are any.
func (m *memory) sweepFrom(s scope, from events.Instant) {
	for ref, last := range m.last {
		if last >= from && last != 0 && (s.controller == "" || s.controller == ref.Controller) && (s.campaign == "" || s.campaign == ref.Campaign) {
			m.sweepWithin(ref, from, last)
		}
	}
}

func (m *memory) sweepWithin(ref view.CampaignRef, from, until events.Instant) {
	if last := m.last[ref]; last == 0 || last < from {
		return
	} else if until > last {
		until = last
	}
	s, ok := m.sweeps[ref]
	if !ok {
		s = view.Sweep{CampaignRef: ref, From: from, Until: until}
	}
	s.From, s.Until = min(s.From, from), max(s.Until, until)
	m.sweeps[ref] = s
}

// storeSweeps joins the wanted sweeps with the standing ones: a joined sweep
// starts from the first contact again.
func (m *memory) storeSweeps(tx view.Tx) error {
	if len(m.sweeps) == 0 {
		return nil
	}
	standing, err := tx.Sweeps()
	if err != nil {
		return err
	}
	for _, s := range standing {
		if w, ok := m.sweeps[s.CampaignRef]; ok {
			w.From, w.Until = min(w.From, s.From), max(w.Until, s.Until)
			m.sweeps[s.CampaignRef] = w
		}
	}
	err = tx.PutSweeps(slices.Collect(maps.Values(m.sweeps)))
	clear(m.sweeps)
	return err
}

// historyFacts bounds the facts that are held decoded, some 1.5 kB each.
const historyFacts = 150_000

// histories holds the decoded facts of contacts that were touched lately: two
// generations replace each other.
type histories struct {
	size, held int // facts in young
	young, old map[events.ContactKey]held
}

type held struct {
	history *contact.History
	facts   int
}

func newHistories(size int) *histories {
	return &histories{size: size, young: map[events.ContactKey]held{}}
}

func (h *histories) get(key events.ContactKey) (*contact.History, bool) {
	if k, ok := h.young[key]; ok {
		return k.history, true
	}
	k, ok := h.old[key]
	return k.history, ok
}

func (h *histories) put(key events.ContactKey, history *contact.History) {
	k := held{history, history.Len()}
	h.held += k.facts - h.young[key].facts
	h.young[key] = k
	if h.held > h.size/2 {
		h.old, h.young, h.held = h.young, map[events.ContactKey]held{}, 0
	}
}
